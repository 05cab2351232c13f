// Package tally counts what is in an audit log: calls by how they ended, by tool and by
// caller, how long they took, and why some were refused. It reads the log once, in memory
// that does not grow with it, whatever names callers have made up.
package tally

import (
	"iter"
	"time"
	"unicode/utf8"

	"github.com/safemcp/safemcp/audit"
)

// Bounds of what is kept.
const (
	maxNames = 1024 // of a table, after those that gave way
	maxName  = 256  // bytes of a name; a longer one is counted by its beginning
)

// other is what a phase, an effect or a status that no log writes is counted as.
const other = "other"

// A Tally counts events. The zero value is empty. It is for one goroutine at a time.
//
// A call is counted when it ends: by its outcome, its refusal, or as orphaned. One that
// asks its user something ends each round, with the status input_required.
type Tally struct {
	events      uint64
	first, last time.Time
	calls       uint64
	phases      map[audit.Phase]uint64
	statuses    map[audit.Status]uint64
	decisions   map[audit.Effect]uint64

	tools, callers, refusals table
}

// Of counts all events, and returns their error.
func Of(events iter.Seq2[*audit.Event, error]) (*Tally, error) {
	t := new(Tally)
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		t.Add(e)
	}
	return t, nil
}

// Add counts an event. It keeps nothing of it but the names.
func (t *Tally) Add(e *audit.Event) {
	if t.phases == nil {
		t.phases, t.statuses, t.decisions = map[audit.Phase]uint64{}, map[audit.Status]uint64{}, map[audit.Effect]uint64{}
	}
	t.events++
	if t.first.IsZero() || e.Time.Before(t.first) {
		t.first = e.Time
	}
	if e.Time.After(t.last) {
		t.last = e.Time
	}
	status := e.Outcome.Status
	switch e.Phase {
	case audit.PhaseIntent, audit.PhaseNotice:
		t.phases[e.Phase]++
		return
	case audit.PhaseOutcome, audit.PhaseRefused:
	case audit.PhaseOrphaned:
		status = audit.Status(audit.PhaseOrphaned)
	default:
		t.phases[other]++
		return
	}
	t.phases[e.Phase]++
	t.ended(e, status)
}

// ended counts a call.
func (t *Tally) ended(e *audit.Event, status audit.Status) {
	t.calls++
	c := counts{calls: 1}
	switch status {
	case audit.StatusOK, audit.StatusInputRequired:
	case audit.StatusRefused:
		c.refused = 1
	case audit.StatusToolError, audit.StatusPanic, audit.StatusTimeout, audit.StatusCancelled, audit.StatusWithheld, audit.Status(audit.PhaseOrphaned):
		c.failed = 1
	default:
		c.failed, status = 1, other
	}
	t.statuses[status]++
	switch effect := e.Decision.Effect; effect {
	case "":
	case audit.EffectPermit, audit.EffectDeny, audit.EffectAsk, audit.EffectObserve:
		t.decisions[effect]++
	default:
		t.decisions[other]++
	}
	if e.MCP.Tool != "" {
		row := t.tools.add(key{cut(e.MCP.Tool), ""}, c)
		if e.Phase == audit.PhaseOutcome && c.refused == 0 && e.Duration > 0 {
			row.took(e.Duration)
		}
	}
	who := e.Caller.ID
	if who == "" {
		who = e.Caller.Subject
	}
	if who != "" {
		t.callers.add(key{cut(who), ""}, c)
	}
	if c.refused == 1 {
		t.refusals.add(key{cut(e.Decision.By), cut(e.Decision.Rule)}, counts{calls: 1})
	}
}

// cut is a name as it is kept.
func cut(s string) string {
	if len(s) <= maxName {
		return s
	}
	most := maxName
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
