package audit

import (
	"context"
	"runtime"
	"sync/atomic"
)

// Bounds of what waits to be written.
const (
	queueLength  = 1024
	batchEntries = 1024
	batchBytes   = 1 << 20 // unless one event is larger; a batch is all that a crash can tear
)

// An entry is an event that waits to be written.
type entry struct {
	body  []byte
	phase Phase
	call  string
	state atomic.Int32
	done  chan error
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
	n.body, n.phase, n.call = appendBody(n.body[:0], e), e.Phase, e.Call
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

// enqueue puts an entry into the queue, or returns why not.
func (l *Log) enqueue(ctx context.Context, n *entry) error {
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
