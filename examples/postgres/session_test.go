//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/internal/vaulttest"
)

// The session keeps its promises, prints every section, and leaves nothing behind: no
// file, and no process.
func TestTheSession(t *testing.T) {
	vaulttest.Build(t)
	// Not t.TempDir, which root alone may enter, and PostgreSQL does not run as root.
	dir, err := os.MkdirTemp("", "session") //nolint:usetesting // as above
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
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
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if ps, err := exec.Command("ps", "-eo", "args").Output(); err == nil && strings.Contains(string(ps), dir) {
		t.Errorf("a process runs on:\n%s", ps)
	}
}
