package tally

import "github.com/safemcp/safemcp/audit"

// A Class is how a call ended, as counts and charts tell calls apart.
type Class int

// The classes.
const (
	Answered Class = iota // the handler answered, or asked its user something
	Failed                // it was let, and did not end well, or nobody knows how it ended
	Refused               // it was not let
	Classes               // how many there are
)

// String is the word for it.
func (c Class) String() string { return [...]string{"answered", "failed", "refused"}[c] }

// Statuses of calls that no outcome has.
const (
	StatusOrphaned = audit.Status(audit.PhaseOrphaned) // the process ended before the outcome was recorded
	StatusOther    = audit.Status("other")             // one that no log writes
)

// EndingOf says how the call of an event ended. It is not ok for events that end no call.
// Whatever an event holds, the status is one of audit's or of those above.
func EndingOf(e *audit.Event) (c Class, status audit.Status, ok bool) {
	switch e.Phase {
	case audit.PhaseRefused:
		return Refused, audit.StatusRefused, true
	case audit.PhaseOrphaned:
		return Failed, StatusOrphaned, true
	case audit.PhaseOutcome:
	case audit.PhaseIntent, audit.PhaseNotice:
		return 0, "", false
	default:
		return 0, "", false
	}
	switch status = e.Outcome.Status; status {
	case audit.StatusOK, audit.StatusInputRequired:
		return Answered, status, true
	case audit.StatusRefused:
		return Refused, status, true
	case audit.StatusToolError, audit.StatusPanic, audit.StatusTimeout, audit.StatusCancelled, audit.StatusWithheld:
		return Failed, status, true
	}
	return Failed, StatusOther, true
}

// Counts are calls by how they ended.
type Counts [Classes]uint64

// Add adds others.
func (c *Counts) Add(others Counts) {
	for i, n := range others {
		c[i] += n
	}
}

// All returns how many there are.
func (c *Counts) All() (n uint64) {
	for _, k := range c {
		n += k
	}
	return n
}
