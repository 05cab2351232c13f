package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// killed is the directory of a log as a process leaves it that is killed now.
func killed(t *testing.T, dir string) string {
	t.Helper()
	left := t.TempDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(left, e.Name()), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return left
}

// orphans opens the log in a directory, and returns the orphaned events and how many
// notices named a running call.
func orphans(t *testing.T, dir string, o *Options) (orphaned []*Event, named int) {
	t.Helper()
	if err := opened(t, dir, o).Close(); err != nil {
		t.Fatal(err)
	}
	for e, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Phase == PhaseOrphaned {
			orphaned = append(orphaned, e)
		}
		if saysRunning(e) {
			named++
		}
	}
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil {
		t.Errorf("%v, %v", r.Bad, err)
	}
	return orphaned, named
}

// shortCalls records calls that begin and end, until so many segments have been begun.
func shortCalls(t *testing.T, l *Log, segments int) {
	t.Helper()
	for i := 0; ; i++ {
		all, err := segmentsOf(l.dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) >= segments {
			return
		}
		call := fmt.Sprint("short-", len(all), "-", i)
		for _, phase := range []Phase{PhaseIntent, PhaseOutcome} {
			if err := l.Record(t.Context(), &Event{Phase: phase, Call: call}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// However long ago a call began: where its process is killed, the next start says that
// nobody knows how it ended, and who called what. It says so of no other.
func TestACallIsOrphanedHoweverLongItRan(t *testing.T) {
	t.Parallel()
	small := &Options{SegmentBytes: 4 << 10}
	for name, after := range map[string]*Options{"as before": small, "with smaller segments": {SegmentBytes: 1 << 10}, "with larger ones": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := opened(t, t.TempDir(), small)
			defer l.Close()
			long := &Event{Phase: PhaseIntent, Call: "long", Server: Server{Name: "s"}, Caller: Caller{ID: "ada"}, MCP: MCP{Tool: "grind"}, Trace: Trace{TraceID: "t"}}
			ended := &Event{Phase: PhaseIntent, Call: "ended"}
			if err := errors.Join(l.Record(t.Context(), long), l.Record(t.Context(), ended)); err != nil {
				t.Fatal(err)
			}
			shortCalls(t, l, 12)
			ended.Phase = PhaseOutcome
			if err := l.Record(t.Context(), ended); err != nil {
				t.Fatal(err)
			}
			for kill := range 40 { // wherever the last mention is
				for _, phase := range []Phase{PhaseIntent, PhaseOutcome} {
					if err := l.Record(t.Context(), &Event{Phase: phase, Call: fmt.Sprint("between-", kill)}); err != nil {
						t.Fatal(err)
					}
				}
				orphaned, named := orphans(t, killed(t, l.dir), after)
				if len(orphaned) != 1 || named < 10 || named > 30 {
					t.Fatalf("%d calls are orphaned, running calls were named %d times", len(orphaned), named)
				}
				if e := orphaned[0]; e.Call != "long" || e.Server != long.Server || e.Caller.ID != "ada" || e.MCP != long.MCP || e.Trace != long.Trace {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// Calls that end before two segments are full are not named again.
func TestShortCallsAreNamedOnce(t *testing.T) {
	t.Parallel()
	l := opened(t, t.TempDir(), &Options{SegmentBytes: 4 << 10})
	shortCalls(t, l, 12)
	if n := len(l.running.calls); n != 0 {
		t.Errorf("%d calls that have ended are kept", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if orphaned, named := orphans(t, l.dir, nil); len(orphaned)+named != 0 {
		t.Errorf("%d orphaned, %d named", len(orphaned), named)
	}
}

// What is named again has a bound, whatever runs; what the bound leaves out is named with
// the next segment.
func TestNamingCallsAgainHasABound(t *testing.T) {
	t.Parallel()
	l := opened(t, t.TempDir(), &Options{SegmentBytes: 1 << 20})
	defer l.Close()
	const running = batchEntries + 500
	for i := range running {
		l.running.began(fmt.Sprint("running-", i), mention{segment: -1})
	}
	l.running.began(string(make([]byte, maxText+1)), mention{})
	l.running.began("", mention{})
	shortCalls(t, l, 2)
	for segments := 1; segments <= 2; segments++ {
		shortCalls(t, l, segments)
		content, err := os.ReadFile(segmentPath(l.dir, segments))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(content, []byte(ruleRunning)); n == 0 || n > batchEntries {
			t.Errorf("segment %d names %d calls", segments, n)
		}
	}
	left := 0
	for _, m := range l.running.calls {
		if m.segment < 1 {
			left++
		}
	}
	if left != 0 || len(l.running.calls) != running {
		t.Errorf("%d of %d calls were never named", left, len(l.running.calls))
	}
	_, named := orphans(t, killed(t, l.dir), nil)
	if named != running {
		t.Errorf("%d calls were named, and %d run", named, running)
	}
}

// A line that somebody changed is not what a notice says again, nor is one that is gone:
// that the call runs is said all the same.
func TestARunningCallIsNamedWithNothingThatWasChanged(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(path string) error{
		"changed": func(path string) error {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, bytes.ReplaceAll(content, []byte(`"ada"`), []byte(`"eve"`)), 0o600)
		},
		"gone": os.Remove,
	} {
		l := opened(t, t.TempDir(), &Options{SegmentBytes: 1 << 10})
		if err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "long", Caller: Caller{ID: "ada"}}); err != nil {
			t.Fatal(err)
		}
		shortCalls(t, l, 2)
		if err := change(segmentPath(l.dir, 1)); err != nil {
			t.Fatal(err)
		}
		shortCalls(t, l, 4)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		said := 0
		for _, number := range []int{2, 3, 4} {
			if err := eachLine(segmentPath(l.dir, number), func(_ int, line []byte, _ bool) error {
				var e Event
				if err := e.UnmarshalJSON(line); err != nil {
					return err
				}
				if saysRunning(&e) {
					if said++; e.Call != "long" || e.Caller.ID != "" {
						t.Errorf("%s: %s", what, line)
					}
				}
				return nil
			}); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if said == 0 {
			t.Errorf("%s: the call is not named", what)
		}
	}
}

// A start that dies while it says what became of calls leaves none of them out, however small
// the segments are that it fills with that.
func TestAStartThatDiesLeavesNoCallOut(t *testing.T) {
	t.Parallel()
	l := opened(t, t.TempDir(), &Options{SegmentBytes: 1 << 10, reserve: 8})
	defer l.Close()
	const running = 12
	for i := range running {
		if err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: fmt.Sprint("running-", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for dies := 1; ; dies += 3 {
		left := killed(t, l.dir)
		died, err := openOn(&simDisk{dies: dies}, left, &Options{SegmentBytes: 1 << 10, reserve: 8})
		if err == nil {
			if err := died.Close(); err != nil && dies < running {
				t.Fatal(err)
			}
			return
		}
		orphaned, _ := orphans(t, left, &Options{SegmentBytes: 1 << 10, reserve: 8})
		if len(orphaned) != running {
			t.Fatalf("after a start that died at step %d, %d of %d calls are orphaned", dies, len(orphaned), running)
		}
	}
}
