package audit

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// What waits for a mirror: so many events, and so many bytes of them.
const (
	mirrorQueue = 1024
	mirrorBytes = 16 << 20
)

// A Mirror is a handler with a name, by which Stats and the log's notices call it. One
// without a name is called by its place in Options.Mirrors and its type.
type Mirror struct {
	slog.Handler

	Name string
}

func (m Mirror) mirror() Mirror { return m }

// checkMirrors says what is wrong with Options.Mirrors.
func checkMirrors(handlers []slog.Handler) error {
	names := map[string]bool{}
	for i, h := range handlers {
		if h == nil {
			return fmt.Errorf("audit: mirror %d is nil", i+1)
		}
		named, ok := h.(interface{ mirror() Mirror })
		if !ok {
			continue
		}
		m := named.mirror()
		if m.Handler == nil {
			return fmt.Errorf("audit: mirror %d, %q, has no handler", i+1, m.Name)
		}
		if m.Name != "" && names[m.Name] {
			return fmt.Errorf("audit: two mirrors are called %q", m.Name)
		}
		names[m.Name] = true
	}
	return nil
}

// mirrors hand copies of events on, each from a queue of its own: what one does
// neither holds up the log nor another.
type mirrors struct {
	mu     sync.Mutex // guards the queues' ends
	closed bool
	each   []*mirror

	serving  context.Context    //nolint:containedctx // what handlers are given, from a queue
	stop     context.CancelFunc // ends serving, when close has waited long enough
	watching context.Context    //nolint:containedctx // what the reporter waits with
	quit     context.CancelFunc // ends watching
	lost     chan struct{}      // has something in it when a loss is to be reported
	done     sync.WaitGroup
}

// A mirror is one of them.
type mirror struct {
	part

	queue chan []byte
	bytes atomic.Int64 // of the lines in it
	tally *tally
}

func newMirrors(handlers []slog.Handler, stats *counters) *mirrors {
	m := &mirrors{lost: make(chan struct{}, 1)}
	m.serving, m.stop = context.WithCancel(context.Background())
	m.watching, m.quit = context.WithCancel(context.Background())
	for i, h := range handlers {
		one := &mirror{part: part{h}, queue: make(chan []byte, mirrorQueue), tally: newTally(i, h)}
		stats.mirrors = append(stats.mirrors, one.tally)
		m.each = append(m.each, one)
		m.done.Go(func() { m.serve(one) })
	}
	return m
}

// offer gives every mirror a copy of a line. It never waits for one.
func (m *mirrors) offer(line []byte) {
	if len(m.each) == 0 {
		return
	}
	line = bytes.Clone(line)
	size := int64(len(line))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	for _, one := range m.each {
		one.tally.offered()
		if one.bytes.Add(size) <= mirrorBytes {
			select {
			case one.queue <- line:
				continue
			default:
			}
		}
		one.bytes.Add(-size)
		m.drop(one, line)
	}
}

func (m *mirrors) drop(one *mirror, line []byte) {
	own := ownNotice(line)
	if one.tally.dropped(own); !own {
		m.wake()
	}
}

func (m *mirrors) fail(one *mirror, line []byte, err error) {
	own := ownNotice(line)
	if one.tally.failed(err, own); !own {
		m.wake()
	}
}

// wake has the reporter look.
func (m *mirrors) wake() {
	select {
	case m.lost <- struct{}{}:
	default:
	}
}

// serve hands one mirror its events. A handler that ends its goroutine has failed to
// take one, and gets another goroutine.
func (m *mirrors) serve(one *mirror) {
	var line []byte
	ended := false
	defer func() {
		if !ended {
			m.fail(one, line, errGoexit)
			m.done.Go(func() { m.serve(one) })
		}
	}()
	for line = range one.queue {
		one.bytes.Add(-int64(len(line)))
		if m.serving.Err() != nil {
			m.drop(one, line)
			continue
		}
		switch err := m.hand(one, line); {
		case err == nil:
			one.tally.taken()
		case passed(err):
			one.tally.skipped()
		default:
			m.fail(one, line, err)
		}
	}
	ended = true
}

// hand gives a mirror an event.
func (m *mirrors) hand(one *mirror, line []byte) error {
	e, record, err := recordOf(line)
	if err != nil {
		return err
	}
	return one.Handle(context.WithValue(m.serving, eventKey{}, e), record)
}

type eventKey struct{}

// EventFrom returns the event that a mirror's Enabled or Handle was called for, without
// its stack, or nil outside of such a call. Handlers may share it: it is not to be
// changed.
func EventFrom(ctx context.Context) *Event {
	e, _ := ctx.Value(eventKey{}).(*Event)
	return e
}

// close lets the mirrors take what is queued, for so long, and then ends the context of
// those that are still at it, with a quarter of the time more to heed it. A mirror that
// blocks longer keeps its goroutine; what is left in its queue is counted as dropped.
func (m *mirrors) close(budget time.Duration) {
	m.mu.Lock()
	closed := m.closed
	if m.closed = true; !closed {
		for _, one := range m.each {
			close(one.queue)
		}
	}
	m.mu.Unlock()
	if closed {
		return
	}
	m.quit()
	done := make(chan struct{})
	go func() {
		m.done.Wait()
		close(done)
	}()
	within(done, budget)
	m.stop()
	for _, one := range m.each {
		for line := range one.queue {
			m.drop(one, line)
		}
	}
	within(done, budget/4)
}

// within waits until something is done, or for so long.
func within(done <-chan struct{}, budget time.Duration) {
	timer := time.NewTimer(budget)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
