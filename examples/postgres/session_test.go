//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/internal/vaulttest"
)

// The session keeps its promises, prints every section, and leaves nothing behind.
func TestTheSession(t *testing.T) {
	program := ready(t)
	var out strings.Builder
	if err := session(t.Context(), &out, program); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"1  A good query", "2  A write", "3  A second statement", "4  Files", "5  Too long", "6  Somebody revokes", "7  One call", "8  The audit trail", "9  The roles", "no user of Vault's",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the session does not say %q", want)
		}
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(line)); n > 200 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	nothingRemains(t)
}

// An interrupter is a reader who has seen enough at some point.
type interrupter struct {
	strings.Builder
	at   string
	stop func()
}

func (i *interrupter) Write(b []byte) (int, error) {
	n, err := i.Builder.Write(b)
	if strings.Contains(i.String(), i.at) {
		i.stop()
	}
	return n, err
}

// A session that is interrupted says so, and leaves nothing behind either.
func TestASessionThatIsInterruptedLeavesNothing(t *testing.T) {
	program := ready(t)
	for _, at := range []string{"client sends", "A second statement"} {
		ctx, cancel := context.WithCancel(t.Context())
		if err := session(ctx, &interrupter{at: at, stop: cancel}, program); err == nil {
			t.Errorf("interrupted at %q, the session ended well", at)
		}
		nothingRemains(t)
	}
}

// ready gives the session a directory for all that it makes, and returns the program that
// it starts.
func ready(t *testing.T) (program string) {
	t.Helper()
	vaulttest.Build(t)
	// Not t.TempDir, which root alone may enter, and PostgreSQL does not run as root.
	dir, err := os.MkdirTemp("", "session") //nolint:usetesting // as above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	if program, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	return program
}

// nothingRemains looks for files in that directory, and for processes that name it.
func nothingRemains(t *testing.T) {
	t.Helper()
	dir := os.TempDir()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	// One that was killed is gone in a moment.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ps, err := exec.CommandContext(ctx, "ps", "-eo", "args").Output()
		if err == nil && !strings.Contains(string(ps), dir) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("a process runs on: %v\n%s", err, ps)
		}
	}
}
