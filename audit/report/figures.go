package report

import (
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/tally"
)

// How many names of each kind are kept. What one line of a caller holds is small; all
// together stay within some tens of megabytes.
const (
	keepTools   = 400
	keepCallers = 400
	keepWhat    = 24 // of each caller
	keepReasons = 400
	keepNotices = 100
	keepServers = 16
)

// figures are what the page shows of a log's events.
type figures struct {
	events    int
	unvouched int    // of them, after the first record that is wrong
	ended     string // why reading ended before the log did

	ends     tally.Counts
	failures map[audit.Status]uint64
	time     timeline
	took     tally.Durations // of everything that a handler did
	tools    *ranking
	callers  *ranking
	reasons  *ranking // of refusals
	observed *ranking // of what would have been refused and was let through
	notices  *ranking
	servers  *ranking
	floods   uint64 // records that stand for many refusals
}

func newFigures() *figures {
	return &figures{
		failures: map[audit.Status]uint64{},
		tools:    newRanking(keepTools), callers: newRanking(keepCallers),
		reasons: newRanking(keepReasons), observed: newRanking(keepReasons),
		notices: newRanking(keepNotices), servers: newRanking(keepServers),
	}
}

// add takes an event in; vouched says that it stands before any record that is wrong.
func (f *figures) add(e *audit.Event, vouched bool) {
	f.events++
	if !vouched {
		f.unvouched++
	}
	if e.Server.Name != "" {
		f.servers.add(name{text: e.Server.Name, of: e.Server.Version}, tally.Answered)
	}
	if e.Phase == audit.PhaseNotice {
		f.notices.add(name{text: e.Decision.By, of: e.Decision.Rule}, tally.Answered).said(e)
		return
	}
	c, status, ended := tally.EndingOf(e)
	if !ended {
		return
	}
	f.ends[c]++
	f.time.add(e.Time, c)
	f.called(e, c)
	switch c {
	case tally.Refused:
		f.reasons.add(name{text: e.Decision.By, of: e.Decision.Rule}, c).said(e)
		if e.Decision.By == "door" && e.Decision.Rule == "flood" {
			f.floods++
		}
	case tally.Failed:
		f.failures[status]++
	}
	if c != tally.Refused && e.Decision.Effect == audit.EffectObserve {
		f.observed.add(name{text: e.Decision.By, of: e.Decision.Rule}, c).said(e)
	}
}

// called counts who called what, and how long it took.
func (f *figures) called(e *audit.Event, c tally.Class) {
	what, handled := whatOf(e)
	caller := f.callers.add(callerOf(e), c)
	if caller.what == nil {
		caller.what = newRanking(keepWhat)
	}
	caller.what.add(what, c)
	if !handled {
		return
	}
	tool := f.tools.add(what, c)
	if e.Phase != audit.PhaseOutcome || c == tally.Refused || e.Duration <= 0 {
		return
	}
	if tool.took == nil {
		tool.took = new(tally.Durations)
	}
	tool.took.Add(e.Duration)
	f.took.Add(e.Duration)
}

// said keeps the reason of an event.
func (l *line) said(e *audit.Event) {
	switch reason := keptText(e.Decision.Reason); {
	case l.counts.All() == 1:
		l.reason = reason
	case l.reason != reason:
		l.varies = true
	}
	if e.Time.After(l.last) {
		l.last = e.Time
	}
}

// whatOf names what was called; handled says that a handler may have run for it.
func whatOf(e *audit.Event) (what name, handled bool) {
	switch m := e.MCP; {
	case m.Tool != "":
		return name{text: m.Tool}, true
	case m.Resource != "":
		return name{text: m.Resource, of: "resource"}, true
	case m.Prompt != "":
		return name{text: m.Prompt, of: "prompt"}, true
	case m.Method != "":
		return name{text: m.Method, of: "method"}, false
	}
	return name{}, false
}

// callerOf names who called: by what a person knows them by, and where they are known.
func callerOf(e *audit.Event) name {
	c := e.Caller
	n := name{text: c.Subject, of: c.Issuer, id: c.ID}
	if c.Tenant != "" {
		n.of = joined("tenant "+c.Tenant, n.of)
	}
	switch {
	case n.text != "":
	case c.ID != "":
		n.text, n.id = c.ID, ""
	case c.Client != "":
		n.text, n.of = c.Client, joined("client", n.of)
	case c.Address != "":
		n.text, n.of = c.Address, joined("address", n.of)
	}
	return n
}

// joined puts two qualifiers beside each other.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}
