package report

import (
	"fmt"
	"strings"

	"github.com/safemcp/safemcp/audit"
)

// A state is what is known of the log.
type state struct {
	Kind       string // ok, limits or wrong: its class in the style sheet
	Head       string
	Said       []string
	Bad        string // the first record that is wrong
	CannotKnow []string
	Facts      []fact
	Notices    table
}

type fact struct {
	Name, Value string
	Code        bool // Value is to be copied
}

func stateOf(f *figures, found audit.Report) state {
	s := state{Kind: "ok", Head: "The log is as it was written"}
	for _, c := range found.CannotKnow {
		s.CannotKnow = append(s.CannotKnow, visible(c, 1000))
	}
	checked := counted(uint64(found.Events), "event", "events") + " in " + counted(uint64(found.Segments), "segment", "segments")
	switch {
	case found.Bad != nil:
		s.wrong(f, found)
	case found.Events == 0:
		s.Kind, s.Head = "limits", "The log is empty"
		s.Said = []string{"No event has been recorded, or all of them were removed."}
	case len(s.CannotKnow) > 0:
		s.Kind, s.Head = "limits", "No fault was found in the log"
		s.Said = []string{checked + " were checked. What this verification cannot know stands below."}
	default:
		s.Said = []string{checked + " were checked, and none is missing since the checkpoint that was given."}
	}
	s.facts(f, found)
	s.notices(f)
	return s
}

func (s *state) wrong(f *figures, found audit.Report) {
	s.Kind, s.Head = "wrong", "The log is wrong"
	s.Bad = visible(found.Bad.String(), 500)
	s.Said = []string{counted(uint64(found.Events), "event before it is", "events before it are") + " as written, as far as this verification can know."}
	if f.unvouched > 0 {
		s.Said = append(s.Said, "This page also counts "+counted(uint64(f.unvouched), "event from there on. Nothing vouches for it.", "events from there on. Nothing vouches for them."))
	}
	if f.ended != "" {
		s.Said = append(s.Said, "What follows could not be read and is not on this page: "+visible(f.ended, 500))
	}
}

func (s *state) facts(f *figures, found audit.Report) {
	add := func(name, value string) {
		if value != "" {
			s.Facts = append(s.Facts, fact{Name: name, Value: value})
		}
	}
	add("Events verified", grouped(uint64(found.Events)))
	if f.unvouched > 0 {
		add("Events after the fault", grouped(uint64(f.unvouched)))
	}
	add("Segments", grouped(uint64(found.Segments)))
	add("First event", moment(found.First))
	add("Last event", moment(found.Last))
	var of []string
	for _, p := range []audit.Phase{audit.PhaseIntent, audit.PhaseOutcome, audit.PhaseRefused, audit.PhaseOrphaned, audit.PhaseNotice} {
		if n := found.Phases[p]; n > 0 {
			of = append(of, fmt.Sprintf("%s %s", grouped(uint64(n)), p))
		}
	}
	add("Of the phases", strings.Join(of, ", "))
	if found.Unfinished > 0 {
		add("Calls without an outcome", grouped(uint64(found.Unfinished))+": running when this was read, or cut off")
	}
	if found.Checkpoint != "" && found.Bad == nil {
		s.Facts = append(s.Facts, fact{Name: "Checkpoint, to keep elsewhere", Value: visibleLines(found.Checkpoint), Code: true})
	}
}

func (s *state) notices(f *figures) {
	lines := f.notices.by(all)
	s.Notices = table{Caption: "Notices", More: rest(len(lines), mostRows, f.notices)}
	s.Notices.Columns = append(append(texts("From", "Notice"), numbers("Times")...), texts("Says", "Last")...)
	for _, l := range lines[:min(len(lines), mostRows)] {
		s.Notices.Rows = append(s.Notices.Rows, []cell{
			textCell(l.name.text, nameless), textCell(l.name.of, nameless), numberCell(atLeast(l)), reasonCell(l, "nothing"), {Text: moment(l.last), Class: whole},
		})
	}
}
