// Command safetool looks after guarded servers: it verifies and shows their audit
// logs, makes, lists and ends the API keys of their callers, and keeps their secrets in
// an encrypted store.
//
//	safetool audit verify DIR [--key PUBLIC] [--since CHECKPOINT]
//	safetool audit show DIR [--follow] [--json] [FILTER]...
//	safetool audit stats DIR [--json] [FILTER]...
//	safetool audit export DIR --format ocsf|cloudevents|csv [-o FILE] [FILTER]...
//	safetool audit prove DIR --event NUMBER | --from CHECKPOINT
//	safetool audit check PROOF --key PUBLIC...
//	safetool audit rotate DIR [--arguments] [--signer]
//	safetool audit report DIR -o FILE [--title TITLE] [--key PUBLIC] [--since CHECKPOINT]
//	safetool keys create --file FILE --name NAME [--tenant TENANT] [--role ROLE]... [--scope SCOPE]... [--expires 720h]
//	safetool keys list --file FILE [--json]
//	safetool keys rotate --file FILE ID [--grace 24h]
//	safetool keys revoke --file FILE ID
//	safetool secrets set --file FILE PATH FIELD [--exact] [--insecure-short REASON]
//	safetool secrets list --file FILE [--json]
//	safetool secrets rm --file FILE PATH FIELD
//	safetool secrets import-vault --file FILE PATH [FIELD]... [--mount NAME] [--as PATH] [--insecure-short REASON]
//	safetool secrets recipients --file FILE [--add AGE1...]... [--remove AGE1...]...
//
// The commands about secrets also take --identity FILE, --identity-env NAME,
// --passphrase and --passphrase-file FILE, which say what opens the store.
//
// Filters pick events by tool, caller, call, decision, status and time; safetool audit -h
// says how.
//
// Exit codes: 0 all is well; 1 the log is wrong, or it, the keys or the secrets could
// not be read or changed; 2 the command was wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
)

const usage = `safetool looks after guarded MCP servers.

  safetool audit verify DIR [--key PUBLIC] [--since CHECKPOINT]
      holds an audit log against its checkpoints: exit 0 and counts, or exit 1 and the
      first record that is wrong; PUBLIC is the key in DIR/signer.pub, and CHECKPOINT
      one that was printed or published before, both kept elsewhere, or files with them
  safetool audit show DIR [--follow] [--json] [FILTER]...
      shows an audit log as a table, or as it is; --follow waits for more
  safetool audit stats DIR [--json] [FILTER]...
      counts its events and calls, by tool, caller and rule
  safetool audit export DIR --format ocsf|cloudevents|csv [-o FILE] [FILTER]...
      writes it for other systems; safetool audit -h says more, and what filters are
  safetool audit prove DIR --event NUMBER | --from CHECKPOINT
  safetool audit check PROOF --key PUBLIC
      proves that an event is in a log, or that it has only grown, and checks such a
      proof without the log
  safetool audit rotate DIR [--arguments] [--signer]
      makes new keys that take the places of its own when the server is started the next
      time
  safetool audit report DIR -o FILE [--title TITLE] [--key PUBLIC] [--since CHECKPOINT]
      verifies an audit log and makes a page of it for a browser: calls over time,
      refusals, slow tools, who called what; FILE is replaced, - is standard output;
      exit 1 where the log is wrong, which the page says first

  safetool keys create --file FILE --name NAME [--tenant TENANT]
                       [--role ROLE]... [--scope SCOPE]... [--expires 720h]
      makes an API key, and FILE for the first one; the key alone goes to standard
      output, once, and the rest to standard error
  safetool keys list --file FILE [--json]
      shows the keys as a table, or one a line as JSON, and never a secret
  safetool keys rotate --file FILE ID [--grace 24h]
      makes a key with the same rights and the same end; the old one ends after the
      grace, or without one at once
  safetool keys revoke --file FILE ID
      ends a key for good; servers that run refuse it within a second

  safetool secrets set --file FILE PATH FIELD [--exact] [--insecure-short REASON]
      stores a value, and makes FILE for the first one; the value is asked for without
      being shown, or piped in, where a newline at its end does not count unless
      --exact is given; it is never an argument
  safetool secrets list --file FILE [--json]
      shows which values there are, as a table, or one a line as JSON, and never a value
  safetool secrets rm --file FILE PATH FIELD
      removes a value, and asks nothing
  safetool secrets import-vault --file FILE PATH [FIELD]... [--mount secret] [--as PATH]
                                [--insecure-short REASON]
      copies the fields of an entry (KV version 2), or all of them, from the Vault that
      VAULT_ADDR and VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID, name
  safetool secrets recipients --file FILE [--add AGE1...]... [--remove AGE1...]...
      shows the public keys whose identities open the store, and changes them

  What opens a store is the file FILE.identity, which is made with it. Instead, give
  --identity FILE for another file, --identity-env NAME for a variable of the
  environment that holds the identity, and --passphrase (it is asked for) or
  --passphrase-file FILE where the file of the identity is protected by one, or is to
  be.

Exit codes: 0 all is well; 1 the log is wrong, or it, the keys or the secrets could not
be read or changed; 2 the command was wrong.
`

// Exit codes.
const (
	exitOK    = 0
	exitWrong = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errUsage marks an error in how the command was given.
var errUsage = errors.New("see safetool help")

// errWrong marks a log that is wrong, which has been said already.
var errWrong = errors.New("the log is wrong")

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	err := command(ctx, args, out, errs)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errWrong):
		return exitWrong
	}
	fmt.Fprintf(errs, "safetool: %v\n", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitWrong
}

func command(ctx context.Context, args []string, out, errs io.Writer) error {
	if len(args) > 0 && args[0] == "audit" && (len(args) == 1 || slices.ContainsFunc(args, isHelp)) {
		_, err := io.WriteString(out, auditUsage)
		return err
	}
	if len(args) == 0 || args[0] == "help" || slices.ContainsFunc(args, isHelp) {
		_, err := io.WriteString(out, usage)
		return err
	}
	if len(args) < 2 {
		return fmt.Errorf("there is no command %q: %w", args[0], errUsage)
	}
	switch rest := args[2:]; args[0] + " " + args[1] {
	case "audit verify":
		return auditVerify(rest, out)
	case "audit show":
		return auditShow(ctx, rest, out, errs)
	case "audit stats":
		return auditStats(ctx, rest, out, errs)
	case "audit export":
		return auditExport(ctx, rest, out, errs)
	case "audit prove":
		return auditProve(rest, out)
	case "audit check":
		return auditCheck(rest, out)
	case "audit rotate":
		return auditRotate(rest, out)
	case "audit report":
		return auditReport(ctx, rest, out, errs)
	case "keys create":
		return keysCreate(ctx, rest, out, errs)
	case "keys list":
		return keysList(rest, out)
	case "keys rotate":
		return keysRotate(ctx, rest, out, errs)
	case "keys revoke":
		return keysRevoke(ctx, rest, errs)
	case "secrets set":
		return secretsSet(ctx, rest, os.Stdin, errs)
	case "secrets list":
		return secretsList(ctx, rest, os.Stdin, out, errs)
	case "secrets rm":
		return secretsRemove(ctx, rest, os.Stdin, errs)
	case "secrets import-vault":
		return secretsImport(ctx, rest, os.Stdin, errs)
	case "secrets recipients":
		return secretsRecipients(ctx, rest, os.Stdin, out, errs)
	}
	return fmt.Errorf("there is no command %q: %w", args[0]+" "+args[1], errUsage)
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// parse reads flags that may stand before or after the one argument, a directory.
func parse(flags *flag.FlagSet, args []string) (dir string, err error) {
	dir, err = argument(flags, args, "directory")
	if err != nil {
		return "", err
	}
	if dir == "" {
		return "", fmt.Errorf("%s takes the directory of a log: %w", flags.Name(), errUsage)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("%s is no directory", dir)
	}
	return dir, nil
}

// argument reads flags that may stand before or after the one argument, if there is
// one; what is what it is called when there are two. It does not quote it.
func argument(flags *flag.FlagSet, args []string, what string) (value string, err error) {
	flags.SetOutput(io.Discard)
	for {
		if err := flags.Parse(args); err != nil {
			return "", fmt.Errorf("%s: %w: %w", flags.Name(), err, errUsage)
		}
		if args = flags.Args(); len(args) == 0 {
			return value, nil
		}
		if value != "" {
			return "", fmt.Errorf("%s takes one %s: %w", flags.Name(), what, errUsage)
		}
		value, args = args[0], args[1:]
	}
}
