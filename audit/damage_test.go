package audit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// long is a log of 200 events in three segments with some checkpoints, and its files.
func long(t *testing.T) (dir string, files map[string][]byte) {
	t.Helper()
	dir = t.TempDir()
	for run := range 5 { // each makes a checkpoint at its end
		l, err := Open(dir, &Options{SegmentBytes: 20 << 10})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			call := fmt.Sprintf("call-%d-%d", run, i)
			for _, e := range []*Event{
				{Phase: PhaseIntent, Call: call, MCP: MCP{Method: "tools/call", Tool: "t"}, Args: Args{Digest: "d", Bytes: 9}},
				{Phase: PhaseOutcome, Call: call, Outcome: Outcome{Status: StatusOK, Bytes: i}},
			} {
				if err := l.Record(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files = map[string][]byte{}
	for _, pattern := range []string{"*.jsonl", "*.checkpoints"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if files[path], err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir, files
}

// look verifies without waiting for anybody to end a line.
func look(t *testing.T, dir string) Report {
	t.Helper()
	r, err := verify(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// No single bit of a log or of its checkpoints can be changed unnoticed, and a line that
// was damaged is named.
func TestEveryFlippedBitOfALongLogIsFound(t *testing.T) {
	t.Parallel()
	dir, files := long(t)
	if r := look(t, dir); r.Bad != nil || r.Events != 200 || r.Segments < 3 || r.Covered != 200 {
		t.Fatalf("%+v", r)
	}
	step := 1
	if testing.Short() || raceDetector {
		step = 31
	}
	for path, content := range files {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(content); i += step {
			if _, err := file.WriteAt([]byte{content[i] ^ 1<<(i%8)}, int64(i)); err != nil {
				t.Fatal(err)
			}
			r := look(t, dir)
			line := bytes.Count(content[:i], []byte("\n")) + 1
			if r.Bad == nil || (filepath.Ext(path) == ".jsonl" && (r.Bad.File != filepath.Base(path) || r.Bad.Line != line)) {
				t.Errorf("byte %d of %s, line %d: %v", i, filepath.Base(path), line, r.Bad)
			}
			if _, err := file.WriteAt(content[i:i+1], int64(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if r := look(t, dir); r.Bad != nil {
		t.Errorf("put back: %v", r.Bad)
	}
}

// Nor can a line be removed, doubled or moved, of the last checkpoint alone: that is what a
// log is that was cut back, which shows against one that was kept elsewhere.
func TestEveryLineOfALongLogThatIsRemovedDoubledOrMovedIsFound(t *testing.T) {
	t.Parallel()
	dir, files := long(t)
	for path, content := range files {
		lines := bytes.SplitAfter(content, []byte("\n"))
		lines = lines[:len(lines)-1]
		for i := range lines {
			changes := map[string][][]byte{
				"removed": append(append([][]byte{}, lines[:i]...), lines[i+1:]...),
				"doubled": append(append([][]byte{}, lines[:i+1]...), lines[i:]...),
			}
			if i > 0 && !bytes.Equal(lines[i], lines[i-1]) {
				swapped := append([][]byte{}, lines...)
				swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
				changes["swapped"] = swapped
			}
			for name, changed := range changes {
				if err := os.WriteFile(path, bytes.Join(changed, nil), 0o600); err != nil {
					t.Fatal(err)
				}
				if r := look(t, dir); r.Bad == nil {
					t.Errorf("line %d of %s was %s: not found", i+1, filepath.Base(path), name)
				}
			}
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
