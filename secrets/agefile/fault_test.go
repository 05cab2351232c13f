package agefile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
)

func TestADamagedOrForeignFileIsNeverWrittenOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(good); i += 5 {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		for _, content := range [][]byte{bad, good[:i]} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err := agefile.Open(path, nil); err == nil {
				_ = s.Close()
				t.Fatalf("byte %d: it opens", i)
			} else if strings.Contains(err.Error(), value) {
				t.Fatalf("the error shows the value: %v", err)
			}
			if err := s.Set(t.Context(), "a", "c", secrets.NewSecret([]byte(value))); err == nil {
				t.Fatalf("byte %d: it was written over", i)
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
				t.Fatalf("byte %d: the file changed", i)
			}
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.age")
	opened(t, other)
	if err := os.Rename(other+".identity", path+".identity"); err != nil {
		t.Fatal(err)
	}
	if _, err := agefile.Open(path, nil); err == nil || !strings.Contains(err.Error(), "another identity") {
		t.Errorf("a foreign identity: %v", err)
	}
	if err := os.Remove(path + ".identity"); err != nil {
		t.Fatal(err)
	}
	if _, err := agefile.Open(path, nil); err == nil || !strings.Contains(err.Error(), "not the identity that opens it") {
		t.Errorf("no identity: %v", err)
	}
	if _, err := os.Lstat(path + ".identity"); err == nil {
		t.Error("an identity was made that does not open the store")
	}
}

func TestFilesThatOthersCanReadAreRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps permissions elsewhere")
	}
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	for _, p := range []string{path, path + ".identity"} {
		if err := os.Chmod(p, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := agefile.Open(path, nil); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%s: %v", filepath.Base(p), err)
		}
		if err := os.Chmod(p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What a process that was killed half-way left lies beside the store and changes
// nothing.
func TestALeftoverIsNotTheStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".secrets.age.tmp-123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, err := issue(t, opened(t, path), "a", "b"); got != value || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestARemovedStoreIsNoticed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := issue(t, s, "a", "b"); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"", ".identity", ".lock"} {
		path := filepath.Join(t.TempDir(), "secrets.age")
		if err := os.MkdirAll(path+suffix, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := agefile.Open(path, nil)
		if err == nil {
			err = s.EnsureRandom(t.Context(), "a", "b", 16)
		}
		if err == nil {
			t.Errorf("a directory passes for the store%s", suffix)
		}
		if info, err := os.Stat(path + suffix); err != nil || !info.IsDir() {
			t.Errorf("the directory is gone: %v", err)
		}
	}
}

func TestAFileThatIsTooLongIsNotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	for _, p := range []string{path, path + ".identity"} {
		if err := os.Truncate(p, 5<<20); err != nil {
			t.Fatal(err)
		}
		if _, err := agefile.Open(path, nil); err == nil || !strings.Contains(err.Error(), "bytes") {
			t.Errorf("%s: %v", filepath.Base(p), err)
		}
		if p == path {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A store is often given by a link; a change must not put a file in its place, and two
// names of one store must have one lock.
func TestALinkToAStoreStaysOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real", "secrets.age"), filepath.Join(dir, "link.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	if err := os.Symlink(path, link); err != nil {
		t.Skipf("this system makes no links: %v", err)
	}
	linked, err := agefile.Open(link, &agefile.Options{Identity: path + ".identity"})
	if err != nil {
		t.Fatal(err)
	}
	set(t, linked, "a", "b", value+"2")
	if got, _, err := issue(t, s, "a", "b"); got != value+"2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
}
