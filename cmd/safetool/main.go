// Command safetool looks after guarded servers: it verifies and shows their audit
// logs, and makes, lists and ends the API keys of their callers.
//
//	safetool audit verify DIR [--key FILE] [--since CHECKPOINT]
//	safetool audit show DIR [--follow] [--json]
//	safetool keys create --file FILE --name NAME [--tenant TENANT] [--role ROLE]... [--scope SCOPE]... [--expires 720h]
//	safetool keys list --file FILE [--json]
//	safetool keys rotate --file FILE ID [--grace 24h]
//	safetool keys revoke --file FILE ID
//
// Exit codes: 0 all is well; 1 the log is wrong, or it or the keys could not be read or
// changed; 2 the command was wrong.
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

  safetool audit verify DIR [--key FILE] [--since CHECKPOINT]
      holds an audit log against its chain: exit 0 and counts, or exit 1 and the
      first record that is wrong
  safetool audit show DIR [--follow] [--json]
      shows an audit log as a table, or as it is; --follow waits for more

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

Exit codes: 0 all is well; 1 the log is wrong, or it or the keys could not be read or
changed; 2 the command was wrong.
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
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
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
		return auditShow(ctx, rest, out)
	case "keys create":
		return keysCreate(ctx, rest, out, errs)
	case "keys list":
		return keysList(rest, out)
	case "keys rotate":
		return keysRotate(ctx, rest, out, errs)
	case "keys revoke":
		return keysRevoke(ctx, rest, errs)
	}
	return fmt.Errorf("there is no command %q: %w", args[0]+" "+args[1], errUsage)
}

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
