package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/audit"
)

// written is a log of some events in its directory, and its one segment.
func written(t *testing.T) (dir, path string, content []byte) {
	t.Helper()
	dir = t.TempDir()
	l := opened(t, dir, nil)
	for i := range 3 {
		call := fmt.Sprint("call", i)
		record(t, l, event(audit.PhaseIntent, call), event(audit.PhaseOutcome, call))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "audit-00000001.jsonl")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir, path, content
}

// No single bit of a log can be changed unnoticed, and the report names the line.
func TestEveryFlippedBitIsFoundWhereItIs(t *testing.T) {
	t.Parallel()
	dir, path, content := written(t)
	for i := 0; i < len(content); i += 97 { // of each byte package audit's own test does it, without waiting for a writer
		changed := bytes.Clone(content)
		changed[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		r := verified(t, dir, nil)
		line := bytes.Count(content[:i], []byte("\n")) + 1
		if r.Bad == nil {
			t.Fatalf("byte %d, of line %d: not found", i, line)
		}
		if r.Bad.Line != line {
			t.Fatalf("byte %d, of line %d: reported as %s", i, line, r.Bad)
		}
	}
}

func TestLinesThatAreRemovedMovedOrAddedAreFound(t *testing.T) {
	t.Parallel()
	dir, path, content := written(t)
	lines := bytes.SplitAfter(content, []byte("\n"))
	lines = lines[:len(lines)-1]
	join := func(order ...int) []byte {
		var out []byte
		for _, i := range order {
			out = append(out, lines[i]...)
		}
		return out
	}
	for name, changed := range map[string][]byte{
		"first removed":  join(1, 2, 3, 4, 5),
		"middle removed": join(0, 1, 3, 4, 5),
		"swapped":        join(0, 2, 1, 3, 4, 5),
		"twice":          join(0, 1, 1, 2, 3, 4, 5),
		"empty line":     append(join(0, 1), append([]byte("\n"), join(2, 3, 4, 5)...)...),
		"foreign line":   append(join(0, 1), append([]byte(`{"v":1}`+"\n"), join(2, 3, 4, 5)...)...),
		"no end of line": content[:len(content)-1],
		"replayed":       join(0, 1, 2, 3, 4, 5, 0),
	} {
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if r := verified(t, dir, nil); r.Bad == nil {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestTruncationAndRollbackShowAgainstACheckpointFromElsewhere(t *testing.T) {
	t.Parallel()
	dir, path, content := written(t)
	since := verified(t, dir, nil).Checkpoint
	notes := filepath.Join(dir, "audit-00000001.checkpoints")
	signed, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	begun := signed[:bytes.Index(signed, []byte("\nsafemcp/audit/"))+1] // its first checkpoint
	lines := bytes.SplitAfter(content, []byte("\n"))
	if r := verified(t, dir, &audit.VerifyOptions{Since: since}); r.Bad != nil {
		t.Errorf("the log itself: %v", r.Bad)
	}
	if err := os.WriteFile(path, bytes.Join(lines[:4], nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir, nil); r.Bad == nil || !strings.Contains(r.Bad.Reason, "a checkpoint covers 6") {
		t.Errorf("cut, but its checkpoints left: %+v", r.Bad)
	}
	if err := os.WriteFile(notes, begun, 0o600); err != nil {
		t.Fatal(err)
	}
	r := verified(t, dir, nil)
	if r.Bad != nil || !strings.Contains(strings.Join(r.CannotKnow, " "), "missing from the end") {
		t.Errorf("without a checkpoint a cut log is well, and the report says what it cannot know: %+v", r)
	}
	if r := verified(t, dir, &audit.VerifyOptions{Since: since}); r.Bad == nil || !strings.Contains(r.Bad.Reason, "removed") {
		t.Errorf("a cut log: %+v", r.Bad)
	}
	l := opened(t, dir, nil) // the cut log grows again, by a writer that has the key
	for range 6 {
		record(t, l, event(audit.PhaseNotice, "later"))
	}
	if r := verified(t, dir, &audit.VerifyOptions{Since: since}); r.Bad == nil || !strings.Contains(r.Bad.Reason, "rewritten") {
		t.Errorf("a log that was cut and went on: %+v", r.Bad)
	}
	for _, bad := range []string{"x", "0:" + strings.Repeat("0", 64), "1:", "1:" + strings.Repeat("A", 64), strings.Repeat("0", 64)} {
		if _, err := audit.Verify(dir, &audit.VerifyOptions{Since: bad}); err == nil {
			t.Errorf("the checkpoint %q was taken", bad)
		}
	}
}

func TestALogSignedWithAnotherKeyIsWrong(t *testing.T) {
	t.Parallel()
	dir, _, _ := written(t)
	_, public, err := audit.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir, &audit.VerifyOptions{PublicKey: public}); r.Bad == nil || !strings.Contains(r.Bad.Reason, "signed") {
		t.Errorf("got %+v", r.Bad)
	}
	path := filepath.Join(dir, "signer.pub")
	if public, err = audit.ReadPublicKey(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir, &audit.VerifyOptions{PublicKey: public}); r.Bad != nil || len(r.CannotKnow) != 1 {
		t.Errorf("with its key, kept elsewhere: %+v", r)
	}
	r := verified(t, dir, nil)
	if r.Bad != nil || !strings.Contains(strings.Join(r.CannotKnow, " "), "Without the public key") {
		t.Errorf("without the key: %+v", r)
	}
	if _, err := audit.Verify(dir, &audit.VerifyOptions{PublicKey: "x"}); err == nil {
		t.Error("no key was taken for one")
	}
}

func TestAMissingSegmentIsFound(t *testing.T) {
	t.Parallel()
	dir, path, _ := written(t)
	for _, ext := range []string{".jsonl", ".checkpoints"} {
		if err := os.Rename(strings.TrimSuffix(path, ".jsonl")+ext, filepath.Join(dir, "audit-00000002"+ext)); err != nil {
			t.Fatal(err)
		}
	}
	if r := verified(t, dir, nil); r.Bad == nil || r.Bad.File != "audit-00000002.checkpoints" {
		t.Errorf("got %+v", r.Bad)
	}
}

func TestTheReportReads(t *testing.T) {
	t.Parallel()
	dir, path, content := written(t)
	var out strings.Builder
	if err := verified(t, dir, nil).Fprint(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"OK     6 events in 1 segment", "3 intent, 3 outcome", "checkpoint 6:", "note   "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	content[100] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := verified(t, dir, nil).Fprint(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "WRONG  audit-00000001.jsonl, line 1, event 1: ") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestTheTableCannotBeForged(t *testing.T) {
	t.Parallel()
	e := event(audit.PhaseRefused, "\x1b[2Jcall")
	e.MCP.Tool = "evil\n00:00:00 forged\u202e\u200b"
	e.Caller.Subject = strings.Repeat("x", 40) + "\u0301\u0301"
	e.Decision = audit.Decision{By: "validate", Rule: "arguments", Reason: "a\tb\x07" + strings.Repeat("long ", 50)}
	var out strings.Builder
	seq := func(yield func(*audit.Event, error) bool) { yield(e, nil) }
	if err := audit.WriteTable(&out, seq, &audit.TableOptions{Header: true}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\x07\t\r\u202e\u200b\u0301") || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("got %q", out.String())
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 120 {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
}
