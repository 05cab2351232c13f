package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// longEnv makes the tests that are about many events and long times be so in full: five
// million events, three minutes. Without it they do the same at a size for every day.
//
//	SAFEMCP_LONG=1 go test -run 'TestMemoryOfVerify|TestNothingGrows' -timeout 30m -v -count=1 ./audit
const longEnv = "SAFEMCP_LONG"

func atLength() bool { return os.Getenv(longEnv) != "" }

// neverEnded is how many calls of a long log have no outcome.
const neverEnded = 100

// longLog writes a log of so many events by many writers at once, to a disk that does not
// sync, so that it is there soon.
func longLog(t *testing.T, events int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "log")
	l, err := openOn(unsynced{}, dir, &Options{SegmentBytes: 1 << 20})
	must(t, err)
	const writers = 256
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := w; i < (events+neverEnded)/2; i += writers {
				e := Event{Phase: PhaseIntent, Call: fmt.Sprint("call-", i), MCP: MCP{Method: "tools/call", Tool: "search"}}
				if err := l.Record(t.Context(), &e); err != nil {
					t.Error(err)
					return
				}
				if i < neverEnded {
					continue
				}
				e.Phase, e.Outcome, e.Duration = PhaseOutcome, Outcome{Status: StatusOK, Bytes: i}, time.Duration(i)*time.Microsecond
				if err := l.Record(t.Context(), &e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	must(t, l.Close())
	return dir
}

// What it took to verify a log in a process of its own.
type taken struct {
	Report  Report
	Heap    uint64 // the most that the heap was, in bytes
	Sys     uint64 // and all that the runtime had from the system
	HighRSS string // the most that was resident; on Linux
	Took    time.Duration
}

// verifiedApart verifies a log in a process of its own, whose heap never gives back what it had:
// what it has in the end is the most that it was.
func verifiedApart(t *testing.T, dir string) (got taken) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(t.Context(), self, "-test.run=^TestMemoryOfVerifyDoesNotGrowWithTheLog$")
	c.Dir = filepath.Dir(dir)
	c.Env = append(os.Environ(), apartEnv+"=1", "GOGC=100", "GOMEMLIMIT=off")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	must(t, json.Unmarshal(contentOf(t, filepath.Join(c.Dir, takenFile)), &got))
	return got
}

// What says to a process that it is the one apart, and the file beside the log in which it
// says what it took.
const (
	apartEnv  = "SAFEMCP_TEST_APART"
	takenFile = "taken"
)

func verifyApart(t *testing.T) {
	t.Helper()
	begun := time.Now()
	r, err := Verify("log", nil)
	must(t, err)
	got := taken{Report: r, Took: time.Since(begun)}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	got.Heap, got.Sys = m.HeapSys, m.Sys
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		line, _, _ := strings.Cut(rest, "\n")
		got.HighRSS = strings.TrimSpace(line)
	}
	text, err := json.Marshal(got)
	must(t, err)
	must(t, os.WriteFile(takenFile, text, 0o600))
}

// A log ten times as long takes no more memory to verify.
func TestMemoryOfVerifyDoesNotGrowWithTheLog(t *testing.T) { //nolint:paralleltest // it takes all processors
	if os.Getenv(apartEnv) != "" {
		verifyApart(t)
		return
	}
	events := 200_000
	if atLength() {
		events = 5_000_000
	}
	var heap [2]uint64
	for i, n := range []int{events / 10, events} {
		begun := time.Now()
		dir := longLog(t, n)
		written := time.Since(begun)
		size, err := Size(dir)
		must(t, err)
		got := verifiedApart(t, dir)
		r := got.Report
		t.Logf("%d events, %d MiB in %d segments, written in %v: verified in %v, heap at most %.1f MiB, runtime %.1f MiB, resident at most %s",
			r.Events, size>>20, r.Segments, written.Round(time.Millisecond), got.Took.Round(time.Millisecond), float64(got.Heap)/(1<<20), float64(got.Sys)/(1<<20), got.HighRSS)
		if r.Bad != nil || r.Events-r.Phases[PhaseNotice] != n || r.Covered != uint64(r.Events) || r.Unfinished != neverEnded || r.Segments < n/10_000 {
			t.Fatalf("got %+v, %v", r, r.Bad)
		}
		heap[i] = got.Heap
	}
	if heap[1] > heap[0]+8<<20 || heap[1] > 32<<20 {
		t.Errorf("the heap grew to %d bytes, and to %d for a tenth of the events", heap[1], heap[0])
	}
}
