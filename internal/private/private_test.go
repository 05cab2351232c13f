package private

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestAFileThatCannotBePlacedChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	fault := errors.New("the disk is full")
	err := Put(path, []byte("new"), func(from, _ string) error {
		if content, err := os.ReadFile(from); err != nil || string(content) != "new" {
			t.Errorf("what was to be placed: %q, %v", content, err)
		}
		return fault
	})
	if !errors.Is(err, fault) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("got %v", err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "old" {
		t.Errorf("got %q, %v", content, err)
	}
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("%d files, %v", len(all), err)
	}
}

func TestWhatIsLeftOverIsSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, name := range []string{"f", "g", ".f.tmp-1", ".g.tmp-1", ".h.tmp-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	Sweep(path, filepath.Join(dir, "g"))
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 3 {
		t.Errorf("%v, %v", all, err)
	}
	Sweep(filepath.Join(dir, "absent", "f")) // in nobody's way
}

func TestAFileThatOthersMayReadIsNotOpened(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o601: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		f, _, err := Open(path, 4, "look")
		if err == nil {
			_ = f.Close()
		}
		if (err == nil) != ok || (!ok && !strings.Contains(err.Error(), "chmod 600 "+path+", and look")) {
			t.Errorf("%v: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path, 3, ""); err == nil {
		t.Error("a file that is too large is opened")
	}
	if _, _, err := Open(filepath.Dir(path), 3, ""); err == nil {
		t.Error("a directory is opened")
	}
	if _, _, err := Open(path+"x", 3, ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
}
