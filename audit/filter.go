package audit

import (
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A Filter says which events are looked at. Of a list that is not empty an event has to
// match one; of the lists that are not empty, and of the times, all. The zero value lets
// every event through, and so does nil.
//
// It looks at each event by itself. An outcome repeats the decision and the arguments of
// its intent, so that what ended in a certain way can be read without it; Calls shows all
// events of a call. An event that has no tool, caller, decision or status matches no list
// of them.
//
// A Filter that nobody changes is safe for concurrent use.
type Filter struct {
	// Tools are names of tools, in which * stands for any characters, also none, and ?
	// for one. Case matters.
	Tools []string
	// Callers are IDs of callers, or their subjects, whoever issued them.
	Callers []string
	// Calls are keys of calls, or their beginnings, as a table shows them.
	Calls []string
	// Effects are what was decided.
	Effects []Effect
	// Statuses are how calls ended; Status(PhaseOrphaned) is for those of which it is
	// not known.
	Statuses []Status
	// Arguments are values of arguments, or of what was answered, see [Find].
	Arguments []*Argument
	// Since and Until bound the time of events: not before Since, and before Until. Zero
	// is no bound.
	Since, Until time.Time
}

// Match says whether an event is looked at.
func (f *Filter) Match(e *Event) bool {
	if f == nil {
		return true
	}
	status := e.Outcome.Status
	if e.Phase == PhaseOrphaned {
		status = Status(PhaseOrphaned)
	}
	switch {
	case !f.Since.IsZero() && e.Time.Before(f.Since),
		!f.Until.IsZero() && !e.Time.Before(f.Until),
		len(f.Effects) > 0 && !slices.Contains(f.Effects, e.Decision.Effect),
		len(f.Statuses) > 0 && !slices.Contains(f.Statuses, status),
		len(f.Callers) > 0 && !slices.ContainsFunc(f.Callers, e.Caller.is),
		len(f.Calls) > 0 && !slices.ContainsFunc(f.Calls, func(key string) bool { return strings.HasPrefix(e.Call, key) }),
		len(f.Arguments) > 0 && !slices.ContainsFunc(f.Arguments, func(a *Argument) bool { return a.in(e) }),
		len(f.Tools) > 0 && (e.MCP.Tool == "" || !slices.ContainsFunc(f.Tools, func(glob string) bool { return globbed(glob, e.MCP.Tool) })):
		return false
	}
	return true
}

// is says whether the caller is meant by an ID or a subject.
func (c *Caller) is(who string) bool { return who != "" && (c.ID == who || c.Subject == who) }

// Events returns those of events that match, and their error.
func (f *Filter) Events(events iter.Seq2[*Event, error]) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		for e, err := range events {
			if (err != nil || f.Match(e)) && !yield(e, err) {
				return
			}
		}
	}
}

// Lines returns those of lines whose events match, and their error.
func (f *Filter) Lines(lines iter.Seq2[Line, error]) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for l, err := range lines {
			if (err != nil || f.Match(l.Event)) && !yield(l, err) {
				return
			}
		}
	}
}

// globbed says whether a name matches a pattern of * and ?. Where it does not go on after
// a *, one more character is given to that *: the one before it need not be tried again,
// and so no pattern takes longer than the product of both lengths.
func globbed(glob, name string) bool {
	back, from := -1, 0 // after the last *, and where in name its rest was tried
	for g, n := 0, 0; ; {
		switch {
		case g < len(glob) && glob[g] == '*':
			g++
			back, from = g, n
			continue
		case g == len(glob) && n == len(name):
			return true
		case g < len(glob) && n < len(name) && glob[g] == '?':
			_, size := utf8.DecodeRuneInString(name[n:])
			g, n = g+1, n+size
			continue
		case g < len(glob) && n < len(name) && glob[g] == name[n]:
			g, n = g+1, n+1
			continue
		case back < 0 || from >= len(name):
			return false
		}
		_, size := utf8.DecodeRuneInString(name[from:])
		from += size
		g, n = back, from
	}
}
