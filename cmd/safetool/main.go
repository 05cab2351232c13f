// Command safetool looks after guarded servers: it verifies and shows their audit
// logs.
//
//	safetool audit verify DIR [--key FILE] [--since CHECKPOINT]
//	safetool audit show DIR [--follow] [--json]
//
// Exit codes: 0 all is well; 1 the log is wrong, or could not be read; 2 the command
// was.
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
	"strings"
)

const usage = `safetool looks after guarded MCP servers.

  safetool audit verify DIR [--key FILE] [--since CHECKPOINT]
      holds an audit log against its chain: exit 0 and counts, or exit 1 and the
      first record that is wrong
  safetool audit show DIR [--follow] [--json]
      shows an audit log as a table, or as it is; --follow waits for more
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
	err := command(ctx, args, out)
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

func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "--help"}, args[0]) {
		_, err := io.WriteString(out, usage)
		return err
	}
	if args[0] != "audit" || len(args) < 2 {
		return fmt.Errorf("there is no command %q: %w", strings.Join(args, " "), errUsage)
	}
	switch args[1] {
	case "verify":
		return auditVerify(args[2:], out)
	case "show":
		return auditShow(ctx, args[2:], out)
	}
	return fmt.Errorf("there is no command audit %q: %w", args[1], errUsage)
}

// parse reads flags that may stand before or after the one argument, a directory.
func parse(flags *flag.FlagSet, args []string) (dir string, err error) {
	flags.SetOutput(io.Discard)
	for {
		if err := flags.Parse(args); err != nil {
			return "", fmt.Errorf("%s: %w: %w", flags.Name(), err, errUsage)
		}
		args = flags.Args()
		if len(args) == 0 {
			break
		}
		if dir != "" {
			return "", fmt.Errorf("%s takes one directory: %w", flags.Name(), errUsage)
		}
		dir, args = args[0], args[1:]
	}
	if dir == "" {
		return "", fmt.Errorf("%s takes the directory of a log: %w", flags.Name(), errUsage)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("%s is no directory", dir)
	}
	return dir, nil
}
