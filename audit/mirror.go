package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	slogmulti "github.com/samber/slog-multi"
)

// mirrorQueue is how many events wait for a mirror.
const mirrorQueue = 1024

// mirrors hand copies of events on, each from a queue of its own: what one does
// neither holds up the log nor another.
type mirrors struct {
	queues []chan []byte
	done   sync.WaitGroup
	stop   chan struct{}
	stats  *counters
}

func newMirrors(handlers []slog.Handler, stats *counters) *mirrors {
	m := &mirrors{stats: stats, stop: make(chan struct{})}
	for _, h := range handlers {
		queue := make(chan []byte, mirrorQueue)
		m.queues = append(m.queues, queue)
		// Fanout turns a panic of a handler into an error, but one handler alone it
		// hands back as it is.
		m.done.Go(func() { m.serve(slogmulti.Fanout(h, slog.DiscardHandler), queue) })
	}
	return m
}

// offer gives every mirror a copy of a line. It never waits.
func (m *mirrors) offer(line []byte) {
	if len(m.queues) == 0 {
		return
	}
	line = bytes.Clone(line)
	for _, queue := range m.queues {
		select {
		case queue <- line:
		default:
			m.stats.mirror(0, 1)
		}
	}
}

// serve hands one mirror its events. A handler that ends its goroutine has failed to
// take one, and gets another goroutine.
func (m *mirrors) serve(h slog.Handler, queue chan []byte) {
	ended := false
	defer func() {
		if !ended {
			m.stats.mirror(1, 0)
			m.done.Go(func() { m.serve(h, queue) })
		}
	}()
	m.drain(h, queue)
	ended = true
}

func (m *mirrors) drain(h slog.Handler, queue chan []byte) {
	for line := range queue {
		select {
		case <-m.stop:
			m.stats.mirror(0, 1)
			continue
		default:
		}
		if hand(h, line) != nil {
			m.stats.mirror(1, 0)
		}
	}
}

// hand gives a mirror an event. Fanout recovers what Handle panics with, and not
// Enabled.
func hand(h slog.Handler, line []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a mirror panicked: %v", p)
		}
	}()
	record, err := recordOf(line)
	if err != nil || !h.Enabled(context.Background(), record.Level) {
		return err
	}
	return h.Handle(context.Background(), record)
}

// close lets the mirrors take what is queued, for so long. A mirror that blocks
// longer keeps its goroutine; what is left in its queue is counted as lost.
func (m *mirrors) close(budget time.Duration) {
	queues := m.queues
	m.queues = nil
	for _, queue := range queues {
		close(queue)
	}
	done := make(chan struct{})
	go func() {
		m.done.Wait()
		close(done)
	}()
	timer := time.NewTimer(budget)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	}
	close(m.stop)
	for _, queue := range queues {
		for range queue {
			m.stats.mirror(0, 1)
		}
	}
}

// recordOf turns a line of the log into a record for slog: its members as
// attributes, objects as groups. Stacks stay in the log.
func recordOf(line []byte) (slog.Record, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if _, err := dec.Token(); err != nil {
		return slog.Record{}, err //nolint:wrapcheck // only counted
	}
	attrs, err := attrsOf(dec)
	if err != nil {
		return slog.Record{}, err
	}
	var e Event
	if err := e.UnmarshalJSON(line); err != nil {
		return slog.Record{}, err
	}
	record := slog.NewRecord(e.Time, e.level(), "audit", 0)
	record.AddAttrs(attrs...)
	return record, nil
}

// attrsOf reads the members of an object whose brace has been read.
func attrsOf(dec *json.Decoder) ([]slog.Attr, error) {
	var attrs []slog.Attr
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err //nolint:wrapcheck // only counted
		}
		name, _ := token.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err //nolint:wrapcheck // only counted
		}
		if name == "stack" {
			continue
		}
		if raw[0] == '{' {
			inner := json.NewDecoder(bytes.NewReader(raw))
			inner.UseNumber()
			if _, err := inner.Token(); err != nil {
				return nil, err //nolint:wrapcheck // only counted
			}
			group, err := attrsOf(inner)
			if err != nil {
				return nil, err
			}
			attrs = append(attrs, slog.Attr{Key: name, Value: slog.GroupValue(group...)})
			continue
		}
		var v any
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&v); err != nil {
			return nil, fmt.Errorf("a member of an event: %w", err)
		}
		attrs = append(attrs, slog.Any(name, v))
	}
	return attrs, nil
}

// level is how loud an event is among logs of other things.
func (e *Event) level() slog.Level {
	switch {
	case e.Outcome.Status == StatusPanic || e.Outcome.Status == StatusWithheld || e.Phase == PhaseOrphaned:
		return slog.LevelError
	case e.Phase == PhaseRefused || e.Decision.Effect == EffectObserve || e.Outcome.Status == StatusTimeout:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
