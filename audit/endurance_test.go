package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What a process holds when nothing is under way.
type possessions struct {
	heap                           uint64 // bytes, after garbage was collected
	goroutines, descriptors, files int    // files of the log
}

func inHand(t *testing.T, dir string) (h possessions) {
	t.Helper()
	runtime.GC()
	runtime.GC() // pools keep what they had for one more
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.heap, h.goroutines = m.HeapAlloc, runtime.NumGoroutine()
	for _, of := range []string{"/proc/self/fd", "/dev/fd"} { // neither is there on Windows
		if all, err := os.ReadDir(of); err == nil {
			h.descriptors = len(all)
			break
		}
	}
	all, err := os.ReadDir(dir)
	must(t, err)
	h.files = len(all)
	return h
}

// slack is what may come and go in the heap: buffers and queues that are as large as the
// largest batch was. Events that left 32 bytes behind each would be more than that.
const slack = 256 << 10

func (h possessions) within(first possessions) bool {
	return h.heap <= first.heap+slack && h.goroutines <= first.goroutines && h.descriptors <= first.descriptors
}

func (h possessions) String() string {
	return fmt.Sprintf("heap %.2f MiB, %d goroutines, %d descriptors, %d files of the log", float64(h.heap)/(1<<20), h.goroutines, h.descriptors, h.files)
}

// An endurance is a log under everything that it can have.
type endurance struct {
	log      *Log
	dir      string
	recorded atomic.Uint64 // by the writers
	mirrored atomic.Uint64
	sent     atomic.Uint64 // checkpoints, by HTTP
	shipped  atomic.Uint64 // segments
}

// flaky is a mirror that fails now and then.
type flaky struct {
	slog.Handler
	calls *atomic.Uint64
}

func (f flaky) Handle(ctx context.Context, r slog.Record) error {
	if f.calls.Add(1)%1000 == 0 {
		return errors.New("flaky")
	}
	return f.Handler.Handle(ctx, r)
}

// The segments that are written, in bytes, and how many of them retention leaves.
const (
	small = 128 << 10
	kept  = 8
)

func newEndurance(t *testing.T, d disk) *endurance {
	t.Helper()
	e := &endurance{dir: filepath.Join(t.TempDir(), "log")}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			e.sent.Add(1)
		}
	}))
	t.Cleanup(elsewhere.Close)
	nowhere := slog.NewJSONHandler(io.Discard, nil) //nolint:sloglint // slog.DiscardHandler is given nothing: it is not enabled
	var err error
	e.log, err = openOn(d, e.dir, &Options{
		SegmentBytes: small,
		Mirrors:      []slog.Handler{Mirror{Name: "flaky", Handler: flaky{nowhere, &e.mirrored}}, Fanout(nowhere, nowhere)},
		Sinks:        []Sink{FileSink(filepath.Join(t.TempDir(), "kept")), HTTPSink(elsewhere.URL, elsewhere.Client()), SlogSink(nowhere)},
	})
	must(t, err)
	t.Cleanup(func() { _ = e.log.Close() })
	// The log itself looks once a minute what may go: this test asks it more often, and alone.
	e.log.options.Retention = &Retention{MaxBytes: kept * small, Shipped: func(context.Context, string) (bool, error) {
		e.shipped.Add(1)
		return true, nil
	}}
	return e
}

// part records for that long, as fast as it goes, and lets segments go meanwhile.
func (e *endurance) part(t *testing.T, lasts time.Duration) {
	t.Helper()
	over := make(chan struct{})
	timer := time.AfterFunc(lasts, func() { close(over) })
	defer timer.Stop()
	var group sync.WaitGroup
	for w := range 256 {
		group.Go(func() {
			for {
				n := e.recorded.Add(2)
				for _, phase := range []Phase{PhaseIntent, PhaseOutcome} {
					ev := &Event{Phase: phase, Call: fmt.Sprint("call-", w, "-", n), MCP: MCP{Method: "tools/call", Tool: "search"}, Caller: Caller{ID: "ada"}}
					ev.Args = e.log.Redactor().Args([]byte(fmt.Sprintf(`{"query":"number %d"}`, n)), Rules{{Name: "query"}}, true)
					if err := e.log.Record(t.Context(), ev); err != nil {
						t.Error(err)
						return
					}
				}
				select {
				case <-over:
					return
				default:
				}
			}
		})
	}
	group.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				return
			case <-ticker.C:
				if err := e.log.retainOnce(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	group.Wait()
	must(t, e.log.retainOnce(t.Context()))
}

// settled is what the process holds once the mirrors have been given all there is: no more
// than before, if that is to be seen within some seconds.
func (e *endurance) settled(t *testing.T, before *possessions) possessions {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		waiting := 0
		for _, m := range e.log.mirrors.each {
			waiting += len(m.queue)
		}
		if late := time.Now().After(deadline); waiting == 0 || late {
			if now := inHand(t, e.dir); late || before == nil || now.within(*before) {
				return now
			}
		}
	}
}

// A log that runs on and on, with rotation, retention, checkpoints that leave, and mirrors,
// holds no more in the end than it did after its first part: on disk, and without the disk's
// syncs, which is faster by far.
func TestNothingGrowsInALogThatRunsOn(t *testing.T) { //nolint:paralleltest // it counts what the process holds
	for name, d := range map[string]disk{"synced": osDisk{}, "unsynced": unsynced{}} {
		t.Run(name, func(t *testing.T) { runsOn(t, newEndurance(t, d)) })
	}
}

func runsOn(t *testing.T, e *endurance) {
	t.Helper()
	const parts = 6
	lasts := 300 * time.Millisecond
	if atLength() {
		lasts = 30 * time.Second
	}
	for e.part(t, lasts); e.shipped.Load() < kept; e.part(t, lasts) { // until segments come and go
		if t.Failed() {
			return
		}
	}
	first := e.settled(t, nil)
	t.Logf("part 1: %d events, segments up to %d, %v", e.recorded.Load(), e.lastSegment(t), first)
	for part := 2; part <= parts; part++ {
		e.part(t, lasts)
		now := e.settled(t, &first)
		t.Logf("part %d: %d events, segments up to %d, %v", part, e.recorded.Load(), e.lastSegment(t), now)
		if !now.within(first) {
			t.Fatalf("after part %d: %v; after the first: %v", part, now, first)
		}
		if now.files > 4*kept { // of each two, and the keys, the lock, the reserve
			t.Fatalf("there are %d files of the log", now.files)
		}
	}
	s := e.log.Stats()
	if s.MirrorFailed == 0 || e.mirrored.Load() == 0 || e.sent.Load() == 0 || s.Retention != "" || s.Events < e.recorded.Load() {
		t.Errorf("not everything took part: %+v", s)
	}
	must(t, e.log.Close())
	r, err := Verify(e.dir, nil)
	must(t, err)
	if r.Bad != nil || r.Removed == 0 || r.Removed+uint64(r.Events) != r.Covered || r.Covered < e.recorded.Load() {
		t.Errorf("got %+v, %v", r, r.Bad)
	}
}

func (e *endurance) lastSegment(t *testing.T) int {
	t.Helper()
	all, err := segmentsOf(e.dir)
	must(t, err)
	return all[len(all)-1].number
}
