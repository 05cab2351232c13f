package report

import "github.com/safemcp/safemcp/audit"

// A class is how a call ended, as the charts tell calls apart.
type class int

const (
	answered class = iota
	failed
	refused
	classes
)

// String is the word for it in the page, and its class in the style sheet.
func (c class) String() string { return [...]string{"answered", "failed", "refused"}[c] }

// classOf says how the call of an event ended; it is not so of intents and notices.
func classOf(e *audit.Event) (class, bool) {
	switch e.Phase {
	case audit.PhaseRefused:
		return refused, true
	case audit.PhaseOrphaned:
		return failed, true
	case audit.PhaseOutcome:
	case audit.PhaseIntent, audit.PhaseNotice:
		return 0, false
	default:
		return 0, false
	}
	switch e.Outcome.Status {
	case audit.StatusOK, audit.StatusInputRequired:
		return answered, true
	case audit.StatusRefused:
		return refused, true
	case audit.StatusToolError, audit.StatusPanic, audit.StatusTimeout, audit.StatusCancelled, audit.StatusWithheld:
	}
	return failed, true
}

// failures are the ways in which a call fails, in the order in which the page names
// them.
var failures = []struct{ status, one, many string }{
	{string(audit.StatusToolError), "tool error", "tool errors"},
	{string(audit.StatusTimeout), "timeout", "timeouts"},
	{string(audit.StatusPanic), "panic", "panics"},
	{string(audit.StatusCancelled), "cancelled", "cancelled"},
	{string(audit.StatusWithheld), "withheld", "withheld"},
	{cutOff, "cut off", "cut off"},
	{otherwise, "of no known status", "of no known status"},
}

// Ways to fail that are no status of an event.
const (
	cutOff    = "cut off" // the process ended before the outcome
	otherwise = "otherwise"
)

// failureOf is the way in which a call failed.
func failureOf(e *audit.Event) string {
	if e.Phase == audit.PhaseOrphaned {
		return cutOff
	}
	for _, f := range failures {
		if f.status == string(e.Outcome.Status) {
			return f.status
		}
	}
	return otherwise
}

// counts are calls by how they ended.
type counts [classes]uint64

func (c *counts) merge(other counts) {
	for i, n := range other {
		c[i] += n
	}
}

func (c *counts) all() (n uint64) {
	for _, k := range c {
		n += k
	}
	return n
}
