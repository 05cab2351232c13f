package apikey

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFileThatCannotBePlacedChangesNothing(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	path := s.state().path
	key, e := create(t, s, ada)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fault := errors.New("the disk is full")
	s.state().place = func(from, to string) error {
		content, err := os.ReadFile(from)
		if to != path || err != nil || bytes.Equal(content, before) {
			t.Errorf("what was to be placed: %v", err)
		}
		if _, err := decode(content); err != nil {
			t.Errorf("it is not whole: %v", err)
		}
		return fault
	}
	_, _, created := s.Create(t.Context(), ada)
	_, _, rotated := s.Rotate(t.Context(), e.ID, 0)
	_, revoked := s.Revoke(t.Context(), e.ID)
	for _, err := range []error{created, rotated, revoked} {
		if !errors.Is(err, fault) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("got %v", err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed: %v", err)
	}
	if all := must(s.List()); len(all) != 1 || !all[0].Revoked.IsZero() || all[0].ReplacedBy != "" {
		t.Errorf("the store has what the file has not: %+v", all)
	}
	if dir, err := os.ReadDir(filepath.Dir(path)); err != nil || len(dir) != 2 {
		t.Errorf("left behind: %v, %v", dir, err)
	}
	if _, err := ask(s, key); err != nil {
		t.Error(err)
	}
}

// A store is often given by a link; a change must not put a file in its place, and two
// names of one store must have one lock. A link that is turned to another file, as a
// mounted volume does it, is followed.
func TestALinkToAStoreStaysOne(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	path := s.state().path
	create(t, s, ada)
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Skipf("this system makes no links: %v", err)
	}
	linked := opened(t, link, c)
	key, _ := create(t, linked, ada)
	if _, err := ask(opened(t, path, c), key); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if _, err := os.Lstat(link + ".lock"); err == nil {
		t.Error("the link has a lock of its own")
	}
	other, _ := fresh(t)
	key, _ = create(t, other, ada)
	if err := errors.Join(os.Remove(link), os.Symlink(other.state().path, link)); err != nil {
		t.Fatal(err)
	}
	c.pass(lookEvery)
	if _, err := ask(linked, key); err != nil {
		t.Error(err)
	}
}

const entry = `{"id":"aaaaaaaaaaaa","name":"ada","created":"2026-03-04T12:00:00Z","sha256":"` + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + `"}`

func file(entries string) string { return `{"version":1,"state":"00","keys":[` + entries + `]}` }

// What is not understood could be the restriction of a later version.
func TestAFileThatIsNotUnderstoodIsNoStore(t *testing.T) {
	t.Parallel()
	if all, err := decode([]byte(file(entry) + "\n")); err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	swap := func(from, to string) string { return file(strings.Replace(entry, from, to, 1)) }
	for name, text := range map[string]string{
		"nothing":              "",
		"null":                 "null",
		"no version":           `{"keys":[]}`,
		"another version":      strings.Replace(file(entry), `1`, `2`, 1),
		"more after it":        file(entry) + file(entry),
		"a name more":          swap(`"name"`, `"networks":["10.0.0.0/8"],"name"`),
		"a name more outside":  strings.Replace(file(entry), `"state"`, `"canary-canary":1,"state"`, 1),
		"an id twice":          file(entry + "," + entry),
		"no id":                swap(`aaaaaaaaaaaa`, ``),
		"a key for an id":      swap(`aaaaaaaaaaaa`, `msk_canary-canary`),
		"a short hash":         swap(`0123456789abcdef`, ``),
		"a hash that is none":  swap(`0123456789abcdef`, `canary-canaryxxx`),
		"no hash":              swap(`sha256`, `sha255`),
		"no time":              swap(`2026-03-04T12:00:00Z`, `0001-01-01T00:00:00Z`),
		"a time that is none":  swap(`2026-03-04T12:00:00Z`, `canary-canary`),
		"no name":              swap(`"ada"`, `""`),
		"a name that forges":   swap(`ada`, `canary-canary\nroot`),
		"a number for a name":  swap(`"ada"`, `7`),
		"two scopes in one":    swap(`"ada"`, `"ada","scopes":["canary-canary b"]`),
		"an entry of nothing":  file("null"),
		"keys that are a text": `{"version":1,"state":"00","keys":"canary-canary"}`,
	} {
		if all, err := decode([]byte(text)); err == nil || all != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
}

// Whatever is in a file, it is read without a panic, and what is taken is written and
// read again as it was.
func FuzzFiles(f *testing.F) {
	for _, text := range []string{file(""), file(entry), file("null"), `{"version":1}`, `{"version":1,"keys":[{"id":1}]}`, file(strings.Replace(entry, `"ada"`, `"ada","roles":["a"],"scopes":["b"],"expires":"2027-01-01T00:00:00+01:00"`, 1))} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := decode(text)
		if err != nil {
			return
		}
		again, err := encode(all)
		if err != nil {
			t.Fatal(err)
		}
		same, err := decode(again)
		if err != nil || len(same) != len(all) {
			t.Fatalf("%s becomes %s: %v", text, again, err)
		}
		for i, r := range all {
			if s := same[i]; s.entry.ID != r.entry.ID || s.hash != r.hash || s.entry.Name != r.entry.Name || !s.entry.Expires.Equal(r.entry.Expires) || !s.entry.Revoked.Equal(r.entry.Revoked) || !s.principal.Known() {
				t.Fatalf("%+v becomes %+v", r.entry, s.entry)
			}
		}
	})
}
