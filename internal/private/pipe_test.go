//go:build unix

package private

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Opening a pipe waits for its other end, also where it takes the place of a file
// between the look and the opening.
func TestAPipeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenOwn(path, 100, ""); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("got %v", err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|ownFlags, 0) // past the first look
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

func TestWhatCannotBeWrittenIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Writable(dir); err != nil {
		t.Error(err)
	}
	if err := Writable(filepath.Join(dir, "absent")); !os.IsNotExist(err) {
		t.Errorf("got %v", err)
	}
}
