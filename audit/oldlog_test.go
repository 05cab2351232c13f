package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/audit"
)

// old is a log of version 1, whose lines are chained by HMACs under a key of sevens.
func old(t *testing.T) (dir string, key []byte) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/v1")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, bytes.Repeat([]byte{7}, 32)
}

func TestALogOfVersion1Verifies(t *testing.T) {
	t.Parallel()
	dir, key := old(t)
	r := verified(t, dir, &audit.VerifyOptions{Key: key})
	if r.Bad != nil || r.Events != 5 || r.Unfinished != 1 || r.Covered != 0 {
		t.Errorf("%+v", r)
	}
	if r := verified(t, dir, nil); r.Bad != nil || !strings.Contains(strings.Join(r.CannotKnow, " "), "version 1") {
		t.Errorf("without its key: %+v", r)
	}
	if r := verified(t, dir, &audit.VerifyOptions{Key: bytes.Repeat([]byte{8}, 32)}); r.Bad == nil || r.Bad.Line != 1 {
		t.Errorf("with another key: %+v", r.Bad)
	}
	path := filepath.Join(dir, "audit-00000001.jsonl")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		changed := bytes.Clone(content)
		changed[i] ^= 1 << (i % 8)
		if changed[i] == '\n' || content[i] == '\n' && i == len(content)-1 {
			continue // a line that is not whole is waited for
		}
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := verified(t, dir, &audit.VerifyOptions{Key: key}); r.Bad == nil {
			t.Fatalf("byte %d was changed unnoticed", i)
		}
	}
}

// A log of version 1 goes on in this one, and from then on its old lines are in the tree.
func TestALogOfVersion1GoesOn(t *testing.T) {
	t.Parallel()
	dir, key := old(t)
	for range 2 {
		l := opened(t, dir, &audit.Options{Key: key})
		record(t, l, event(audit.PhaseNotice, "new"))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := verified(t, dir, &audit.VerifyOptions{Key: key})
	if r.Bad != nil || r.Events != 8 || r.Segments != 2 || r.Covered != 8 || r.Phases[audit.PhaseOrphaned] != 1 || r.Unfinished != 0 {
		t.Errorf("%+v", r)
	}
	path := filepath.Join(dir, "audit-00000001.jsonl")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(content, []byte("Paris"), []byte("Pakis"), 1)
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir, nil); r.Bad == nil {
		t.Error("an old line was changed, and the tree over it does not show it")
	}
}
