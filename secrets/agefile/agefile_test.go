package agefile_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
	if got, _, err := issue(t, s, "app/share", "key"); got != value || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	files := 0
	err := filepath.WalkDir(filepath.Dir(path), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
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
	if err != nil || files != 3 {
		t.Fatalf("%d files, %v", files, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _, err := issue(t, opened(t, path), "app/share", "key"); got != value || err != nil {
		t.Errorf("after reopening: %q, %v", got, err)
	}
}

// Who keeps a value by its version must never be left with one that was replaced.
func TestAVersionBelongsToOneValue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	seen := map[string]string{}
	step := func(what string, change func()) {
		change()
		got, version, err := issue(t, s, "a", "b")
		if err != nil || version == "" {
			t.Fatalf("%s: version %q, %v", what, version, err)
		}
		if old, there := seen[version]; there && old != got {
			t.Errorf("%s: the version was another value's", what)
		}
		seen[version] = got
	}
	step("first", func() { set(t, s, "a", "b", value) })
	step("the same", func() { set(t, s, "a", "b", value) })
	if len(seen) != 1 {
		t.Errorf("the same value has %d versions", len(seen))
	}
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	step("changed", func() { set(t, s, "a", "b", value+"2") })
	step("deleted and made anew", func() {
		if err := s.Delete(t.Context(), "a", "b"); err != nil {
			t.Fatal(err)
		}
		set(t, s, "a", "b", value+"3")
	})
	step("an older copy put back", func() {
		if err := os.WriteFile(path, backup, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	step("changed after that", func() { set(t, s, "a", "b", value+"4") })
	if len(seen) != 4 {
		t.Errorf("4 values have %d versions", len(seen))
	}
}

func TestAfterCloseEveryMethodSaysSo(t *testing.T) {
	t.Parallel()
	closed := opened(t, filepath.Join(t.TempDir(), "secrets.age"))
	set(t, closed, "a", "b", value)
	for range 2 {
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range map[string]*agefile.Store{"closed": closed, "zero": {}, "nil": nil} {
		_, _, issued := issue(t, s, "a", "b")
		_, listed := s.List()
		for method, err := range map[string]error{
			"Issue": issued, "List": listed,
			"Set":          s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(value))),
			"EnsureRandom": s.EnsureRandom(t.Context(), "a", "b", 32),
			"Delete":       s.Delete(t.Context(), "a", "b"),
		} {
			if err == nil || !strings.Contains(err.Error(), "closed") {
				t.Errorf("%s of a %s store: %v", method, name, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close of a %s store: %v", name, err)
		}
	}
}

func TestAStoreShowsNothingOfWhatItHolds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	if _, _, err := issue(t, s, "a", "b"); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(path + ".identity")
	if err != nil {
		t.Fatal(err)
	}
	forms := []string{value, fmt.Sprintf("%x", value), fmt.Sprint([]byte(value)), base64.StdEncoding.EncodeToString([]byte(value))[:24], string(key[:40])}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%T", "%p"} {
		for _, shape := range []any{s, *s, &s, []any{s}, struct{ s *agefile.Store }{s}, struct{ s agefile.Store }{*s}, map[string]any{"s": *s}} {
			text := fmt.Sprintf(verb, shape)
			for _, form := range forms {
				if strings.Contains(text, form) {
					t.Errorf("%s of %T shows the value", verb, shape)
				}
			}
		}
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
	if err := s.Supports(secrets.KV("a/b", "c").AtVersion(2)); !errors.Is(err, secrets.ErrUnsupported) {
		t.Errorf("a version that is not kept: %v", err)
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
	if err := s.Set(t.Context(), "a/b", "c", secrets.NewSecret(make([]byte, 64<<10+1))); err == nil {
		t.Error("a value was stored that no broker issues")
	}
	if err := s.EnsureRandom(t.Context(), "../x", "f", 32); err == nil {
		t.Error("a random value was stored under a path with ..")
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
	if err != nil || len(list) != 1 || list[0].Binding != secrets.KV("app", "key") || list[0].Bytes != 64 {
		t.Errorf("got %v, %v", list, err)
	}
}
