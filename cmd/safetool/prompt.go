package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/term"

	"github.com/safemcp/safemcp/secrets"
)

// longestLine is what a terminal takes in a line: Linux cuts off what is beyond, without
// a word.
const longestLine = 4095

// ask asks for a line at a terminal that does not show it. What ends the process by
// default would leave the terminal like that.
func ask(ctx context.Context, terminal *os.File, errs io.Writer, prompt string) ([]byte, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("asking at the terminal: %w", err)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	fmt.Fprint(errs, prompt)
	defer fmt.Fprintln(errs)
	line, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	switch {
	case err != nil:
		return nil, errors.Join(err, term.Restore(fd, before))
	case len(line) >= longestLine:
		return nil, errors.New("a terminal takes no longer line: pipe the value in")
	}
	return line, nil
}

// askPassphrase asks for a passphrase, twice where it is to protect a new identity. What
// is piped in is a value, so that it asks at the terminal of the process then.
func askPassphrase(ctx context.Context, fresh bool, stdin *os.File, errs io.Writer) (secrets.Secret, error) {
	terminal := stdin
	if !term.IsTerminal(int(stdin.Fd())) {
		name := "/dev/tty"
		if runtime.GOOS == "windows" {
			name = "CONIN$"
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return secrets.Secret{}, errors.New("there is no terminal at which the passphrase could be asked for: give it in a file, with --passphrase-file")
		}
		defer f.Close()
		terminal = f
	}
	if !fresh {
		line, err := ask(ctx, terminal, errs, "The passphrase of the identity (it does not show): ")
		return secrets.NewSecret(line), err
	}
	line, err := ask(ctx, terminal, errs, "A passphrase for the new identity, of 12 characters or more (it does not show): ")
	if err != nil {
		return secrets.Secret{}, err
	}
	again, err := ask(ctx, terminal, errs, "The same once more: ")
	switch {
	case err != nil:
		return secrets.Secret{}, err
	case !bytes.Equal(line, again):
		return secrets.Secret{}, errors.New("the two are not the same: nothing was made: try again")
	}
	return secrets.NewSecret(line), nil
}

// await returns what read does, or before that where it was interrupted: reading itself
// cannot be.
func await(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return nil, errors.New("interrupted: nothing was changed")
	}
}
