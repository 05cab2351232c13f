package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
)

// An embedded is what the commands about secrets have in common: which store, and what
// opens it.
type embedded struct {
	flags *flag.FlagSet

	file           string
	identity       string
	identityEnv    string
	passphrase     bool
	passphraseFile string
}

func secretsFlags(verb string) *embedded {
	e := &embedded{flags: flag.NewFlagSet("secrets "+verb, flag.ContinueOnError)}
	e.flags.StringVar(&e.file, "file", "", "the store")
	e.flags.StringVar(&e.identity, "identity", "", "the file of the identity that opens it")
	e.flags.StringVar(&e.identityEnv, "identity-env", "", "the variable of the environment that holds the identity")
	e.flags.BoolVar(&e.passphrase, "passphrase", false, "ask for the passphrase that protects the identity")
	e.flags.StringVar(&e.passphraseFile, "passphrase-file", "", "the file that holds that passphrase")
	return e
}

// parse reads flags, which may stand before, between and after the arguments, and
// returns those. What it refuses it does not repeat, since that may be a value; only
// the name of a flag that there is may be said.
func (e *embedded) parse(args []string) (rest []string, err error) {
	e.flags.SetOutput(io.Discard)
	for len(args) > 0 {
		if err := e.flags.Parse(args); err != nil {
			if text := err.Error(); strings.HasPrefix(text, "flag needs an argument: ") {
				return nil, e.usage(text)
			}
			return nil, e.usage("a flag was given that there is not, or with what it does not take (which is not repeated here: it may be a value)")
		}
		if args = e.flags.Args(); len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	switch {
	case e.file == "":
		return nil, e.usage("it takes --file and the path of the store")
	case e.identityEnv != "" && (e.identity != "" || e.passphrase || e.passphraseFile != ""):
		return nil, e.usage("--identity-env goes with no other flag that says what opens the store")
	case e.passphrase && e.passphraseFile != "":
		return nil, e.usage("it takes --passphrase or --passphrase-file, not both")
	}
	return rest, nil
}

// usage is an error in how the command was given.
func (e *embedded) usage(what string) error {
	return fmt.Errorf("%s: %s: %w", e.flags.Name(), what, errUsage)
}

// open opens the store. Unless a fresh one may be made, it has to be there: a path with a
// mistake in it would be an empty store.
func (e *embedded) open(ctx context.Context, fresh bool, stdin *os.File, errs io.Writer) (*agefile.Store, error) {
	if _, err := os.Stat(e.file); !fresh && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no store %s: safetool secrets set and import-vault make one", e.file)
	}
	o := agefile.Options{Identity: e.identity, IdentityEnv: e.identityEnv}
	switch {
	case e.passphraseFile != "":
		o.Passphrase = agefile.PassphraseFile(e.passphraseFile)
	case e.passphrase:
		o.Passphrase = func(fresh bool) (secrets.Secret, error) { return askPassphrase(ctx, fresh, stdin, errs) }
	}
	return agefile.Open(e.file, &o)
}

// flagsAlone opens the store that is there, for a command that takes nothing else.
func (e *embedded) flagsAlone(ctx context.Context, args []string, stdin *os.File, errs io.Writer) (*agefile.Store, error) {
	rest, err := e.parse(args)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, e.usage("it takes nothing but flags")
	}
	return e.open(ctx, false, stdin, errs)
}

// named reads the arguments that name a value: PATH and FIELD, or the two as safetool
// secrets list shows them, and nothing else.
func (e *embedded) named(args []string) (secrets.Binding, error) {
	var b secrets.Binding
	switch len(args) {
	case 0:
		return b, e.usage("it takes the PATH and the FIELD of a value, such as app/share key")
	case 1:
		path, field, both := strings.Cut(strings.TrimPrefix(args[0], "kv:"), "#")
		if !both {
			return b, e.usage("it takes the PATH and the FIELD of a value, such as app/share key, or app/share#key")
		}
		b = secrets.KV(path, field)
	case 2:
		b = secrets.KV(args[0], args[1])
	default:
		return b, e.usage("it takes the PATH and the FIELD of one value, and nothing else")
	}
	if err := b.Check(); err != nil {
		return b, fmt.Errorf("%s: %w: %w", e.flags.Name(), err, errUsage)
	}
	return b, nil
}

// secretsRemove removes a value.
func secretsRemove(ctx context.Context, args []string, stdin *os.File, errs io.Writer) error {
	e := secretsFlags("rm")
	rest, err := e.parse(args)
	if err != nil {
		return err
	}
	b, err := e.named(rest)
	if err != nil {
		return err
	}
	store, err := e.open(ctx, false, stdin, errs)
	if err != nil {
		return err
	}
	defer store.Close()
	err = store.Delete(ctx, b.Path(), b.Field())
	if errors.Is(err, secrets.ErrNotFound) {
		return fmt.Errorf("%w: safetool secrets list shows those that there are", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(errs, "%s was removed from %s. Servers that run let go of it within 30 seconds. What it opens does not know that: end it there too.\n", b, e.file)
	return nil
}

// secretsRecipients shows, adds and removes the public keys whose identities open the
// store.
func secretsRecipients(ctx context.Context, args []string, stdin *os.File, out, errs io.Writer) error {
	e := secretsFlags("recipients")
	var add, remove list
	e.flags.Var(&add, "add", "a public key that may open the store from now on")
	e.flags.Var(&remove, "remove", "one that may not any more")
	store, err := e.flagsAlone(ctx, args, stdin, errs)
	if err != nil {
		return err
	}
	defer store.Close()
	for _, key := range add {
		if err := store.AddRecipient(ctx, key); err != nil {
			return err
		}
	}
	for _, key := range remove {
		if err := store.RemoveRecipient(ctx, key); err != nil {
			return err
		}
	}
	all, err := store.Recipients()
	if err != nil {
		return err
	}
	for _, key := range all {
		if _, err := fmt.Fprintln(out, key); err != nil {
			return err
		}
	}
	if len(remove) > 0 {
		fmt.Fprintln(errs, "Whoever was removed may have kept what the store held before: change those values at their sources.")
	}
	return nil
}
