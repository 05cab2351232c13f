package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/safemcp/safemcp/access/apikey"
)

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// keysFlags are the flags of a command about keys, which have the file in common.
func keysFlags(verb string) (flags *flag.FlagSet, file *string) {
	flags = flag.NewFlagSet("keys "+verb, flag.ContinueOnError)
	return flags, flags.String("file", "", "the file with the keys")
}

// parseKeys reads flags, and an id where the command takes one.
func parseKeys(flags *flag.FlagSet, args []string, file *string, takesID bool) (id string, err error) {
	id, err = argument(flags, args, "id")
	switch {
	case err != nil:
		return "", err
	case *file == "":
		return "", fmt.Errorf("%s takes --file and the path of the file with the keys: %w", flags.Name(), errUsage)
	case takesID && id == "":
		return "", fmt.Errorf("%s takes the id of a key, which safetool keys list shows: %w", flags.Name(), errUsage)
	case !takesID && id != "":
		return "", fmt.Errorf("%s takes nothing but flags: quote a value that has spaces in it: %w", flags.Name(), errUsage)
	}
	return id, nil
}

// keysCreate makes a key.
func keysCreate(ctx context.Context, args []string, out, errs io.Writer) error {
	flags, file := keysFlags("create")
	var g apikey.Grant
	flags.StringVar(&g.Name, "name", "", "whom the key names")
	flags.StringVar(&g.Tenant, "tenant", "", "the organisation that the caller belongs to")
	flags.Var((*list)(&g.Roles), "role", "a role; may be given more than once")
	flags.Var((*list)(&g.Scopes), "scope", "a scope; may be given more than once")
	lasts := flags.Duration("expires", 0, "for how long the key is valid")
	if _, err := parseKeys(flags, args, file, false); err != nil {
		return err
	}
	if g.Name == "" {
		return fmt.Errorf("keys create takes --name and whom the key names: %w", errUsage)
	}
	if given(flags, "expires") {
		if *lasts < time.Second {
			return fmt.Errorf("keys create: --expires takes how long the key is valid, 720h for 30 days: %w", errUsage)
		}
		g.Expires = time.Now().Add(*lasts)
	}
	if err := g.Check(); err != nil {
		return fmt.Errorf("%w: %w", err, errUsage)
	}
	keys, err := apikey.Open(*file, &apikey.Options{Create: true})
	if err != nil {
		return err
	}
	key, e, err := keys.Create(ctx, g)
	if err != nil {
		return err
	}
	return tell(out, errs, key, e)
}

// keysRotate makes a key that takes another's place.
func keysRotate(ctx context.Context, args []string, out, errs io.Writer) error {
	flags, file := keysFlags("rotate")
	grace := flags.Duration("grace", 0, "for how long the old key is valid still")
	id, err := parseKeys(flags, args, file, true)
	if err != nil {
		return err
	}
	if *grace < 0 {
		return fmt.Errorf("keys rotate: --grace takes for how long the old key is valid still, 24h for a day: %w", errUsage)
	}
	keys, err := apikey.Open(*file, nil)
	if err != nil {
		return err
	}
	key, e, err := keys.Rotate(ctx, id, *grace)
	if err != nil {
		return err
	}
	if err := tell(out, errs, key, e); err != nil {
		return err
	}
	if old, there := find(keys, id); there {
		fmt.Fprintf(errs, "The old key %s %s.\n", id, ends(old))
	}
	return nil
}

// keysRevoke ends a key.
func keysRevoke(ctx context.Context, args []string, errs io.Writer) error {
	flags, file := keysFlags("revoke")
	id, err := parseKeys(flags, args, file, true)
	if err != nil {
		return err
	}
	keys, err := apikey.Open(*file, nil)
	if err != nil {
		return err
	}
	e, err := keys.Revoke(ctx, id)
	if err != nil {
		return err
	}
	fmt.Fprintf(errs, "The key %s of %s was revoked at %s. Servers that run refuse it within a second.\n", e.ID, e.Name, clock(e.Revoked))
	for _, kin := range []string{e.Replaces, e.ReplacedBy} {
		if kin == "" {
			continue
		}
		if other, there := find(keys, kin); there && other.Check(time.Now()) == nil {
			fmt.Fprintf(errs, "The key %s, which was rotated with it, is valid still: revoke it too if it may have got about.\n", kin)
		}
	}
	return nil
}

// keysList shows the keys.
func keysList(args []string, out io.Writer) error {
	flags, file := keysFlags("list")
	asJSON := flags.Bool("json", false, "one key a line, as JSON")
	if _, err := parseKeys(flags, args, file, false); err != nil {
		return err
	}
	keys, err := apikey.Open(*file, nil)
	if err != nil {
		return err
	}
	all, err := keys.List()
	if err != nil {
		return err
	}
	now := time.Now()
	if *asJSON {
		enc := json.NewEncoder(out)
		for _, e := range all {
			line := struct {
				apikey.Entry
				State string `json:"state"`
			}{e, state(e, now)}
			if err := enc.Encode(line); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tTENANT\tROLES\tSCOPES\tCREATED\tEXPIRES\tSTATE")
	for _, e := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.Name, dash(e.Tenant), dash(strings.Join(e.Roles, ", ")), dash(strings.Join(e.Scopes, " ")), clock(e.Created), clock(e.Expires), state(e, now))
	}
	return w.Flush()
}

// tell prints a key alone on standard output, so that it can be read by a program. A
// key that nobody has seen is of no use, and is still valid.
func tell(out, errs io.Writer, key string, e apikey.Entry) error {
	if _, err := fmt.Fprintln(out, key); err != nil {
		return fmt.Errorf("the key %s was made and could not be shown: revoke it, and make another: %w", e.ID, err)
	}
	fmt.Fprintf(errs, "This is the key %s of %s, which %s. It is shown once: keep it where the caller's other secrets are.\n", e.ID, e.Name, ends(e))
	return nil
}

// find returns the entry of a key. What cannot be read now is said by the next command.
func find(keys *apikey.Store, id string) (_ apikey.Entry, there bool) {
	all, _ := keys.List()
	at := slices.IndexFunc(all, func(e apikey.Entry) bool { return e.ID == id })
	if at < 0 {
		return apikey.Entry{}, false
	}
	return all[at], true
}

// state is what a key is worth, in a word.
func state(e apikey.Entry, now time.Time) string {
	err := e.Check(now)
	switch {
	case errors.Is(err, apikey.ErrRevoked):
		return "revoked"
	case err != nil:
		return "expired"
	case e.ReplacedBy != "":
		return "replaced"
	}
	return "valid"
}

func given(flags *flag.FlagSet, name string) (found bool) {
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func ends(e apikey.Entry) string {
	if e.Expires.IsZero() {
		return "does not end"
	}
	return "ends at " + clock(e.Expires)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
