package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/term"

	"github.com/safemcp/safemcp/secrets"
)

// Bounds of a value, in bytes. A broker issues no longer one, and no shorter one unless
// it is told why.
const (
	shortestValue = 8
	longestValue  = 64 << 10
)

// onCommandLine is why a value that was given as an argument is refused.
const onCommandLine = "a value is not taken from the command line, where ps shows it to every user of this machine and the shell keeps it in its history: pipe it in, or type it when you are asked; if what was given is a real value, it has been seen: replace it at its source"

// secretsSet stores a value.
func secretsSet(ctx context.Context, args []string, stdin *os.File, errs io.Writer) error {
	e := secretsFlags("set")
	exact := e.flags.Bool("exact", false, "keep a newline at the end of what is piped in")
	short := e.flags.String("insecure-short", "", "why the value may have fewer than 8 bytes")
	rest, err := e.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 2 || looksLikeValue(rest) {
		return e.usage(onCommandLine)
	}
	b, err := e.named(rest)
	if err != nil {
		return err
	}
	// What is wrong with the store is said before anybody types a value.
	store, err := e.open(ctx, true, stdin, errs)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Writable(); err != nil {
		return err
	}
	v, err := readValue(ctx, b, *exact, stdin, errs)
	if err != nil {
		return err
	}
	if err := checkValue(b, v, *short); err != nil {
		return err
	}
	if err := store.Set(ctx, b.Path(), b.Field(), secrets.NewSecret(v)); err != nil {
		return err
	}
	fmt.Fprintf(errs, "%s was stored in %s: %s. Servers that run use it within 30 seconds.\n", b, e.file, counted(len(v), "byte"))
	return nil
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// tokens are how the secrets of common services begin.
var tokens = []string{"AGE-SECRET-KEY-", "hvs.", "hvb.", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "sk-ant-", "sk-proj-", "sk_live_", "xoxb-", "xoxp-", "AKIA", "ASIA", "eyJ", "-----BEGIN", "msk_"}

// looksLikeValue says that one of the arguments is a value rather than a name:
// FIELD=VALUE, how the secrets of common services begin, or for a field a long run of
// letters and digits.
func looksLikeValue(args []string) bool {
	for _, arg := range args {
		if strings.Contains(arg, "=") || slices.ContainsFunc(tokens, func(begin string) bool { return strings.HasPrefix(arg, begin) && len(arg) >= 16 }) {
			return true
		}
	}
	if len(args) < 2 {
		return false
	}
	run, digits := 0, 0
	for _, r := range args[1] {
		switch {
		case unicode.IsDigit(r):
			run, digits = run+1, digits+1
		case unicode.IsLetter(r):
			run++
		default:
			run, digits = 0, 0
		}
		if run >= 24 && digits >= 4 {
			return true
		}
	}
	return false
}

// readValue takes a value from a prompt, or all of what is piped in.
func readValue(ctx context.Context, b secrets.Binding, exact bool, stdin *os.File, errs io.Writer) ([]byte, error) {
	if term.IsTerminal(int(stdin.Fd())) {
		return ask(ctx, stdin, errs, fmt.Sprintf("The value of %s (it does not show): ", b))
	}
	v, err := await(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(stdin, longestValue+3)) })
	if err != nil {
		return nil, err
	}
	if !exact {
		v = bytes.TrimSuffix(bytes.TrimSuffix(v, []byte("\n")), []byte("\r"))
	}
	return v, nil
}

// checkValue refuses what no broker would issue. It does not quote the value.
func checkValue(b secrets.Binding, v []byte, short string) error {
	switch trimmed := bytes.TrimSpace(v); {
	case len(v) == 0:
		return errors.New("no value came in: nothing was changed: pipe it in, or type it when you are asked")
	case len(v) > longestValue:
		return fmt.Errorf("the value has more than %d bytes, and no server would issue it: nothing was changed", longestValue)
	case len(trimmed) < shortestValue && short == "":
		return fmt.Errorf("the value of %s has fewer than %d bytes without the spaces around it: it could not be told from chance, and so not be taken out of what leaves a server: nothing was changed: make it longer, or say why not with --insecure-short REASON, and in Options.InsecureShortValues of the server's broker", b, shortestValue)
	case strings.Contains(b.String(), string(trimmed)):
		return fmt.Errorf("the value is part of its own name, which is no secret: nothing was changed")
	}
	return nil
}
