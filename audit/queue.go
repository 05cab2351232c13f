package audit

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Bounds of what waits to be written.
const (
	queueLength  = 1024
	batchEntries = 1024
	batchBytes   = 1 << 20 // unless one event is larger; a batch is all that a crash can tear
)

// An entry is an event that waits to be written.
type entry struct {
	body     []byte
	phase    Phase
	call     string
	buffered bool // nobody waits for it: the writer frees it
	state    atomic.Int32
	done     chan error
}

// The states of an entry. Whoever moves it on from waiting decides: the writer takes it,
// or its caller, who waits no longer, takes it back.
const (
	entryWaiting = iota
	entryTaken
	entryWithdrawn
)

// newEntry returns an entry of e. They are used again, each log its own: where one belongs
// to a bubble of testing/synctest, so do its channels.
func (l *Log) newEntry(e *Event) *entry {
	n, ok := l.entries.Get().(*entry)
	if !ok {
		n = &entry{done: make(chan error, 1)}
	}
	n.body, n.phase, n.call, n.buffered = appendBody(n.body[:0], e), e.Phase, e.Call, e.Buffered
	n.state.Store(entryWaiting)
	return n
}

func (l *Log) free(n *entry) {
	if cap(n.body) > 64<<10 {
		n.body = nil
	}
	n.call = ""
	l.entries.Put(n)
}

// take takes a batch from the queue: the entry given, and what has come meanwhile. Those
// who have just been answered are let run first, so that what they record next is in the
// same batch.
func (l *Log) take(first *entry) []*entry {
	batch, size := l.batch[:0], 0
	add := func(n *entry) {
		if size > 0 && size+len(n.body)+headRoom > batchBytes {
			l.carried = n // the first of the next batch
			return
		}
		if n.state.CompareAndSwap(entryWaiting, entryTaken) {
			batch, size = append(batch, n), size+len(n.body)+headRoom
		} else {
			l.free(n) // its caller has left
		}
	}
	add(first)
	most := batchEntries
	if l.options.Commit == SyncEach {
		most = 1
	}
	for idle := false; len(batch) < most && l.carried == nil; {
		select {
		case n := <-l.queue:
			add(n)
			idle = false
			continue
		default:
		}
		if idle {
			break
		}
		idle = true
		runtime.Gosched()
	}
	l.batch = batch
	return batch
}

// answer tells whoever waits for an entry what became of it.
func (l *Log) answer(n *entry, err error) {
	if !n.buffered {
		n.done <- err
		return
	}
	if err != nil {
		l.lost.add(l.now())
		l.stats.lost()
	}
	l.free(n)
}

// enqueue puts an entry into the queue, or returns why not. What it has put there is
// written, or its caller is told: the writer does not end before those who are in here have
// left.
func (l *Log) enqueue(ctx context.Context, n *entry) error {
	l.arriving.Add(1)
	defer l.arriving.Add(-1)
	select {
	case <-l.closing:
		return ErrClosed
	default:
	}
	select {
	case l.queue <- n:
		return nil
	case <-l.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller adds what it is
	}
}

// drain writes what is in the queue of a log that is closing.
func (l *Log) drain() {
	for {
		waiting := l.arriving.Load() > 0 // before the queue is looked at
		n := l.carried
		l.carried = nil
		if n == nil {
			select {
			case n = <-l.queue:
			default:
			}
		}
		switch {
		case n != nil:
			l.commitAll(l.take(n))
		case !waiting:
			return
		default:
			runtime.Gosched()
		}
	}
}

// A loss counts events that were Buffered and could not be written.
type loss struct {
	events int
	since  time.Time
}

func (o *loss) add(now time.Time) {
	if o.events == 0 {
		o.since = now
	}
	o.events++
}

// confess says in the log what was lost of what was Buffered.
func (l *Log) confess() error {
	if l.lost.events == 0 {
		return nil
	}
	lost := l.lost
	err := l.record(&Event{Phase: PhaseNotice, Decision: Decision{
		By: "log", Rule: "buffered_lost", Reason: fmt.Sprintf("from %s on %s of calls that are Buffered could not be written, after the calls had gone on: they are lost", lost.since.UTC().Format(time.RFC3339), count(lost.events, "event")),
	}})
	if err == nil {
		l.lost = loss{}
	}
	return err
}
