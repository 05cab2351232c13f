// Package tally counts what is in an audit log: calls by how they ended, by tool and by
// caller, how long they took, and why some were refused. It reads the log once, in memory
// that does not grow with it, whatever names callers have made up.
package tally

import (
	"iter"
	"slices"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// Bounds of what is kept.
const (
	maxNames = 1024 // of a table, after those that gave way
	maxName  = 256  // bytes of a name; a longer one is cut, and stays apart from others
)

// other is what a phase or an effect that no log writes is counted as.
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
	if phase := e.Phase; slices.Contains(phases, phase) {
		t.phases[phase]++
	} else {
		t.phases[other]++
	}
	if c, status, ok := EndingOf(e); ok {
		t.calls++
		t.statuses[status]++
		t.ended(e, c)
	}
}

// phases are those that a log writes.
var phases = []audit.Phase{audit.PhaseIntent, audit.PhaseOutcome, audit.PhaseRefused, audit.PhaseOrphaned, audit.PhaseNotice}

// ended counts a call.
func (t *Tally) ended(e *audit.Event, c Class) {
	switch effect := e.Decision.Effect; effect {
	case "":
	case audit.EffectPermit, audit.EffectDeny, audit.EffectAsk, audit.EffectObserve:
		t.decisions[effect]++
	default:
		t.decisions[other]++
	}
	if e.MCP.Tool != "" {
		row := t.tools.add(key{Name(e.MCP.Tool, maxName), ""}, c)
		if e.Phase == audit.PhaseOutcome && c != Refused && e.Duration > 0 {
			row.took(e.Duration)
		}
	}
	who := e.Caller.ID
	if who == "" {
		who = e.Caller.Subject
	}
	if who != "" {
		t.callers.add(key{Name(who, maxName), ""}, c)
	}
	if c == Refused {
		t.refusals.add(key{Name(e.Decision.By, maxName), Name(e.Decision.Rule, maxName)}, c)
	}
}
