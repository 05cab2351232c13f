package audit

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"maps"
	"os"
	"slices"
)

// A start gives every call an orphaned event that began and never ended. It reads the last
// segments for that and no more, so each segment that is begun first names those calls again
// that still run and of which the one before says nothing. Nothing is written for a call
// that ends before two segments are full. Naming all that run would cost as much as they are
// many; reading back as far as the last start, which has accounted for all before it, takes
// minutes where a process ran for weeks.

// running are the calls whose intent is in the log and whose end is not.
type running struct {
	calls map[string]mention
	seed  maphash.Seed
}

// A mention is where the log last said that a call has begun.
type mention struct {
	segment int
	at      int64
	size    int
	sum     uint64 // of the line: what is read back is what was written
	begun   *Event // in place of a line, for a call of the process before
}

// ruleRunning is the rule of the notices that name calls again.
const ruleRunning = "call_running"

// saysRunning says of an event that it names a call again.
func saysRunning(e *Event) bool {
	return e.Phase == PhaseNotice && e.Decision.By == "log" && e.Decision.Rule == ruleRunning && e.Call != ""
}

func newRunning() running { return running{calls: map[string]mention{}, seed: maphash.MakeSeed()} }

// began notes a call. A log has one such key for each call, and no event holds a longer one.
func (r *running) began(call string, m mention) {
	if call != "" && len(call) <= maxText && len(r.calls) < maxOrphans {
		r.calls[call] = m
	}
}

// follow notes what a batch that is durable says of calls.
func (w *writer) follow(batch []*entry) {
	from := 0
	for i, e := range batch {
		switch e.phase {
		case PhaseIntent:
			w.running.began(e.call, w.mentioned(from, w.ends[i]))
		case PhaseOutcome, PhaseOrphaned:
			delete(w.running.calls, e.call)
		case PhaseRefused, PhaseNotice:
		}
		from = w.ends[i]
	}
}

// mentioned is the mention by a line of the batch that was written last.
func (w *writer) mentioned(from, end int) mention {
	at := w.lines.size - int64(len(w.buf)) + int64(from)
	return mention{segment: w.number, at: at, size: end - from, sum: maphash.Bytes(w.running.seed, w.buf[from:end])}
}

// carry names the calls again that still run and that the segment before does not name. It
// is the first that a segment holds, whole or not at all: one batch. Those with the oldest
// mentions come first; what has no room is tried again with the next segment.
func (w *writer) carry() error {
	if w.full() { // what has happened needs the room
		return nil
	}
	var calls []string
	for call, m := range w.running.calls {
		if m.segment < w.number-1 {
			calls = append(calls, call)
		}
	}
	if len(calls) == 0 {
		return nil
	}
	slices.SortFunc(calls, func(a, b string) int {
		x, y := w.running.calls[a], w.running.calls[b]
		return cmp.Or(cmp.Compare(x.segment, y.segment), cmp.Compare(x.at, y.at), cmp.Compare(a, b))
	})
	batch, size := []*entry(nil), 0
	for _, call := range calls[:min(len(calls), batchEntries)] {
		n := &entry{body: appendBody(nil, w.again(call)), phase: PhaseNotice, call: call}
		if size += len(n.body) + headRoom; size > batchBytes {
			break
		}
		batch = append(batch, n)
	}
	if err := w.put(batch); err != nil {
		return err
	}
	from := 0
	for i, n := range batch {
		w.running.calls[n.call] = w.mentioned(from, w.ends[i])
		from = w.ends[i]
	}
	w.settle()
	return nil
}

// again is the notice that a call still runs, with what its intent says of it, if that is
// still there and as it was.
func (w *writer) again(call string) *Event {
	m := w.running.calls[call]
	was := m.begun
	if was == nil {
		was = w.readBack(m)
	}
	e := &Event{Phase: PhaseNotice, Call: call, Decision: Decision{By: "log", Rule: ruleRunning, Reason: "the call began before and has not ended"}}
	if was != nil {
		e.Server, e.Caller, e.MCP, e.Trace = was.Server, was.Caller, was.MCP, was.Trace
		e.Decision.Reason = fmt.Sprintf("the call began with event %d and has not ended", was.Seq)
		if saysRunning(was) {
			e.Decision.Reason = was.Decision.Reason
		}
	}
	return e
}

// readBack reads the event of a mention, or returns nil.
func (w *writer) readBack(m mention) *Event {
	file, err := os.Open(segmentPath(w.dir, m.segment))
	if err != nil { // kept elsewhere by now, maybe
		return nil
	}
	defer file.Close()
	line := make([]byte, m.size)
	if _, err := file.ReadAt(line, m.at); err != nil || maphash.Bytes(w.running.seed, line) != m.sum {
		return nil
	}
	e := new(Event)
	if e.UnmarshalJSON(line[:len(line)-1]) != nil {
		return nil
	}
	return e
}

// unfinished are the calls that have begun and not ended.
type unfinished struct {
	calls map[string]begunCall
	order []string
	key   string // of the last event that has HMACs
}

// A begunCall is the event that says that it began, and its segment.
type begunCall struct {
	event   *Event
	segment int
}

func newUnfinished() *unfinished { return &unfinished{calls: map[string]begunCall{}} }

// see takes an event of a segment.
func (u *unfinished) see(e *Event, segment int) {
	if e.Key != "" {
		u.key = e.Key
	}
	_, known := u.calls[e.Call]
	switch {
	case e.Phase == PhaseIntent, saysRunning(e):
		if len(u.calls) < maxOrphans {
			if !known {
				u.order = append(u.order, e.Call)
			}
			u.calls[e.Call] = begunCall{e, segment}
		}
	case e.Phase == PhaseOutcome, e.Phase == PhaseOrphaned:
		delete(u.calls, e.Call)
	}
}

// running are they, for a process that may end before it has said of all what became of them.
func (u *unfinished) running() running {
	r := newRunning()
	for _, call := range slices.Sorted(maps.Keys(u.calls)) {
		r.began(call, mention{segment: u.calls[call].segment, begun: u.calls[call].event})
	}
	return r
}
