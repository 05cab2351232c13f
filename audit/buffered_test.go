package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A heldDisk syncs a segment when it is let, and fails when it is told.
type heldDisk struct {
	osDisk
	held   atomic.Bool
	let    chan struct{}
	syncs  atomic.Int64 // that are held
	broken atomic.Bool
}

func (d *heldDisk) create(path string) (segment, error) {
	if d.broken.Load() {
		return nil, errFault
	}
	s, err := d.osDisk.create(path)
	return &heldSegment{s, d}, err
}

type heldSegment struct {
	segment
	d *heldDisk
}

func (s *heldSegment) Sync() error {
	if s.d.held.Load() {
		s.d.syncs.Add(1)
		<-s.d.let
	}
	if s.d.broken.Load() {
		return errFault
	}
	return s.segment.Sync()
}

func callsOf(t *testing.T, dir string) (calls []string) {
	t.Helper()
	for e, err := range Read(dir) {
		must(t, err)
		if e.Call != "" {
			calls = append(calls, e.Call)
		}
	}
	return calls
}

// A call that is buffered does not wait for the disk, and stands in its turn. One that is
// not waits.
func TestABufferedEventDoesNotWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &heldDisk{let: make(chan struct{})}
	l, err := openOn(d, dir, nil)
	must(t, err)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "first"}))
	d.held.Store(true)
	waits := make(chan error)
	go func() { waits <- l.Record(context.Background(), &Event{Phase: PhaseIntent, Call: "waits"}) }()
	for d.syncs.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for i := range 50 {
		must(t, l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: fmt.Sprint("b", i), Buffered: true}))
	}
	select {
	case err := <-waits:
		t.Fatalf("it did not wait for the disk: %v", err)
	default:
	}
	for len(l.queue) < queueLength {
		must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Buffered: true}))
	}
	full, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.Record(full, &Event{Phase: PhaseIntent, Call: "one too many", Buffered: true}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a full queue: %v", err)
	}
	close(d.let)
	must(t, <-waits)
	must(t, l.Close())
	calls := callsOf(t, dir)
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprint("b", i))
	}
	at := slices.Index(calls, "b0")
	if at < 0 || len(calls) < at+50 || !slices.Equal(calls[at:at+50], want) || slices.Contains(calls, "one too many") {
		t.Errorf("got %q", calls)
	}
}

// What was buffered and could not be written is counted, and told when the log is well
// again; while it is not, nothing more is taken.
func TestWhatWasBufferedAndLostIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := &heldDisk{}
		l, err := openOn(d, dir, nil)
		must(t, err)
		must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "first", Buffered: true}))
		synctest.Wait()
		d.broken.Store(true)
		must(t, l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "lost", Buffered: true}))
		synctest.Wait()
		if err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "refused", Buffered: true}); err == nil {
			t.Error("taken by a log that is not healthy")
		}
		if s := l.Stats(); s.Lost != 1 || s.Events != 1 {
			t.Errorf("got %+v", s)
		}
		d.broken.Store(false)
		time.Sleep(2 * checkpointEvery)
		synctest.Wait()
		must(t, l.Healthy())
		must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "last", Buffered: true}))
		must(t, l.Close())
		if calls := callsOf(t, dir); !slices.Equal(calls, []string{"first", "last"}) {
			t.Errorf("got %q", calls)
		}
		var told string
		for e, err := range Read(dir) {
			must(t, err)
			if e.Decision.Rule == "buffered_lost" {
				told += e.Decision.Reason
			}
		}
		if !strings.Contains(told, " 1 event ") {
			t.Errorf("the log says %q", told)
		}
		if r, err := verify(dir, nil, nil); err != nil || r.Bad != nil {
			t.Errorf("%v, %v", err, r.Bad)
		}
	})
}

// Close writes all that Record has said yes to.
func TestCloseLosesNothingThatIsBuffered(t *testing.T) {
	t.Parallel()
	for range 30 {
		dir := t.TempDir()
		l, err := openOn(unsynced{}, dir, nil)
		must(t, err)
		var group sync.WaitGroup
		var taken atomic.Int64
		for range 16 {
			group.Go(func() {
				for l.Record(context.Background(), &Event{Phase: PhaseNotice, Call: "c", Buffered: true}) == nil {
					taken.Add(1)
				}
			})
		}
		for taken.Load() < 200 {
			time.Sleep(100 * time.Microsecond)
		}
		must(t, l.Close())
		group.Wait()
		if n := len(callsOf(t, dir)); int64(n) != taken.Load() {
			t.Fatalf("%d events were taken and %d are there", taken.Load(), n)
		}
	}
}

// Who is on the way into the queue when the log is closed is waited for.
func TestCloseWaitsForWhoIsArriving(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(dir, nil)
	must(t, err)
	l.arriving.Add(1) // as in enqueue, between looking whether it is closed and putting
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	<-l.closing
	for range 100 { // it would have ended, had it not waited
		time.Sleep(time.Millisecond)
		if len(closed) > 0 {
			t.Fatal("it did not wait")
		}
	}
	l.queue <- l.newEntry(&Event{Phase: PhaseNotice, Call: "late", Buffered: true})
	l.arriving.Add(-1)
	must(t, <-closed)
	if calls := callsOf(t, dir); !slices.Equal(calls, []string{"late"}) {
		t.Errorf("got %q", calls)
	}
}

// What no checkpoint covers yet is named, with how long that lasts at most; and it lasts no
// longer.
func TestTheTailThatIsNotCoveredIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l, err := Open(dir, nil)
		must(t, err)
		for range 3 {
			must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice}))
		}
		names := func() bool {
			r, err := verify(dir, nil, nil)
			if err != nil || r.Bad != nil {
				t.Fatalf("%v, %v", err, r.Bad)
			}
			says := strings.Join(r.CannotKnow, " ")
			return strings.Contains(says, "No checkpoint covers the last 3 events yet") && strings.Contains(says, "within 1s of each event")
		}
		if !names() {
			t.Error("the tail is not named")
		}
		time.Sleep(checkpointEvery)
		synctest.Wait()
		if names() {
			t.Error("it is not covered a second later")
		}
		must(t, l.Close())
	})
}
