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
	for i := 0; i < len(content); i += 101 {
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

// A log of version 1 is not written on: whoever has its key could have made its lines, and
// they would be signed from then on.
func TestALogOfVersion1IsNotWrittenOn(t *testing.T) {
	t.Parallel()
	dir, key := old(t)
	path := filepath.Join(dir, "audit-00000001.jsonl")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(dir, &audit.Options{Key: key}); err == nil || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("it was changed: %v", err)
	}
}
