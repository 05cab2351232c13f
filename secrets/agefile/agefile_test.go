package agefile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
)

const value = "canary-value-0123456789"

func opened(t *testing.T, path string) *agefile.Store {
	t.Helper()
	s, err := agefile.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func issue(t *testing.T, s *agefile.Store, path, field string) (got, version string, err error) {
	t.Helper()
	c, err := s.Issue(t.Context(), secrets.Request{Binding: secrets.KV(path, field)})
	if err != nil {
		return "", "", err
	}
	err = c.Secret().Use(func(b []byte) error { got = string(b); return nil })
	return got, c.Version(), err
}

func set(t *testing.T, s *agefile.Store, path, field, value string) {
	t.Helper()
	if err := s.Set(t.Context(), path, field, secrets.NewSecret([]byte(value))); err != nil {
		t.Fatal(err)
	}
}

func TestAValueIsKeptEncryptedAndIssued(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "secrets.age")
	s := opened(t, path)
	set(t, s, "app/share", "key", value)
	if got, version, err := issue(t, s, "app/share", "key"); got != value || version != "1" || err != nil {
		t.Errorf("got %q %s, %v", got, version, err)
	}
	set(t, s, "app/share", "key", value)
	if _, version, _ := issue(t, s, "app/share", "key"); version != "1" {
		t.Errorf("setting the same value made version %s", version)
	}
	set(t, s, "app/share", "key", value+"!")
	if _, version, _ := issue(t, s, "app/share", "key"); version != "2" {
		t.Errorf("another value has version %s", version)
	}
	err := filepath.WalkDir(filepath.Dir(path), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if bytes.Contains(content, []byte(value)) || bytes.Contains(content, []byte("share")) {
			t.Errorf("%s holds plain text", p)
		}
		info, err := d.Info()
		if err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", p, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _, err := issue(t, opened(t, path), "app/share", "key"); got != value+"!" || err != nil {
		t.Errorf("after reopening: %q, %v", got, err)
	}
	if _, _, err := issue(t, s, "app/share", "key"); err == nil {
		t.Error("a closed store issues")
	}
}

func TestWhatIsNotThereAndWhatIsNotSupported(t *testing.T) {
	t.Parallel()
	s := opened(t, filepath.Join(t.TempDir(), "secrets.age"))
	if _, _, err := issue(t, s, "a/b", "c"); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := s.Delete(t.Context(), "a/b", "c"); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := s.Supports(secrets.Database("role")); !errors.Is(err, secrets.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if err := s.Supports(secrets.KV("../etc", "f")); err == nil {
		t.Error("a path with .. is supported")
	}
	if err := s.Set(t.Context(), "../x", "f", secrets.NewSecret([]byte(value))); err == nil {
		t.Error("a path with .. was stored")
	}
	if err := s.Set(t.Context(), "a/b", "c", secrets.Secret{}); err == nil {
		t.Error("an empty secret was stored")
	}
	if _, err := s.Renew(t.Context(), nil); !errors.Is(err, secrets.ErrNotRenewable) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Set(ctx, "a/b", "c", secrets.NewSecret([]byte(value))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRandomIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	ensure := func(s *agefile.Store) string {
		if err := s.EnsureRandom(t.Context(), "app", "key", 32); err != nil {
			t.Fatal(err)
		}
		got, _, err := issue(t, s, "app", "key")
		if err != nil || len(got) != 64 {
			t.Fatalf("%d characters, %v", len(got), err)
		}
		return got
	}
	first := ensure(s)
	if ensure(s) != first || ensure(opened(t, path)) != first {
		t.Error("the value changed")
	}
	if err := s.EnsureRandom(t.Context(), "app", "short", 4); err == nil {
		t.Error("4 bytes are random enough")
	}
	list, err := s.List()
	if err != nil || fmt.Sprint(list) != "[kv:app#key]" {
		t.Errorf("got %v, %v", list, err)
	}
}

// Two stores stand for two processes: they share nothing but the files.
func TestTwoProcessesLoseNothingOfEachOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	stores := []*agefile.Store{opened(t, path), opened(t, path)}
	var group sync.WaitGroup
	for i, s := range stores {
		group.Go(func() {
			for n := range 10 {
				if err := s.Set(context.Background(), "p", fmt.Sprintf("f%d-%d", i, n), secrets.NewSecret([]byte(value))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, s := range stores {
		if list, err := s.List(); err != nil || len(list) != 20 {
			t.Errorf("%d values, %v", len(list), err)
		}
	}
}

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
	if _, err := agefile.Open(path, nil); err == nil || !strings.Contains(err.Error(), "identity") {
		t.Errorf("no identity: %v", err)
	}
}

func TestFilesThatOthersCanReadAreRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Log("Windows keeps permissions elsewhere")
		return
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
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".secrets.age.123"), []byte("half"), 0o600); err != nil {
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
