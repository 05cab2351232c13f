package audit

import (
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/safemcp/safemcp/internal/visible"
)

// TableOptions change how events are shown. Nil is the zero value.
type TableOptions struct {
	Colour bool // with the colours of a terminal
	Header bool // begin with the names of the columns
}

// columns are the widths of a table's columns, in characters.
var columns = []struct {
	name  string
	width int
}{{"TIME", 12}, {"CALL", 6}, {"WHAT", 9}, {"SUBJECT", 18}, {"CALLER", 14}, {"MS", 7}}

// WriteTable writes events as a table that fits 120 columns, one line an event, until
// events end or w fails. Whatever is in an event is shown without its control and
// invisible characters, so that it cannot pretend to be a line of its own or move a
// terminal's cursor.
func WriteTable(w io.Writer, events iter.Seq2[*Event, error], o *TableOptions) error {
	var options TableOptions
	if o != nil {
		options = *o
	}
	if options.Header {
		var b strings.Builder
		for _, c := range columns {
			b.WriteString(cell(c.name, c.width) + " ")
		}
		if _, err := fmt.Fprintln(w, paint(b.String()+"HOW", "1", options.Colour)); err != nil {
			return fmt.Errorf("audit: writing the table: %w", err)
		}
	}
	day := ""
	for e, err := range events {
		if err != nil {
			return err
		}
		if d := e.Time.Format(time.DateOnly); d != day {
			day = d
			if _, err := fmt.Fprintln(w, paint("— "+day+" UTC —", "2", options.Colour)); err != nil {
				return fmt.Errorf("audit: writing the table: %w", err)
			}
		}
		if _, err := fmt.Fprintln(w, e.row(options.Colour)); err != nil {
			return fmt.Errorf("audit: writing the table: %w", err)
		}
	}
	return nil
}

func (e *Event) row(colour bool) string {
	mark, code := e.mark()
	parts := []string{
		e.Time.UTC().Format("15:04:05.000"), short(e.Call), mark, e.subject(), e.Caller.Subject, e.took(),
	}
	var b strings.Builder
	for i, p := range parts {
		text := cell(p, columns[i].width)
		switch i {
		case 1:
			text = paint(text, "2", colour)
		case 2:
			text = paint(text, code, colour)
		case 5:
			number := strings.TrimRight(text, " ")
			text = strings.Repeat(" ", columns[5].width-utf8.RuneCountInString(number)) + number
		}
		b.WriteString(text + " ")
	}
	b.WriteString(strings.TrimRight(cell(e.how(), 48), " "))
	return strings.TrimRight(b.String(), " ")
}

// mark says in a word what happened, and its colour.
func (e *Event) mark() (word, colour string) {
	switch e.Phase {
	case PhaseIntent:
		return "· intent", "2"
	case PhaseRefused:
		return "✗ refused", "33"
	case PhaseOrphaned:
		return "! orphan", "31"
	case PhaseNotice:
		return "· notice", "36"
	case PhaseOutcome:
	}
	switch e.Outcome.Status {
	case StatusOK:
		return "✓ ok", "32"
	case StatusInputRequired:
		return "? asks", "36"
	case StatusPanic, StatusWithheld, StatusTimeout:
		return "! " + string(e.Outcome.Status), "31"
	}
	return "✗ " + strings.ReplaceAll(string(e.Outcome.Status), "_", " "), "33"
}

// subject is what was asked for.
func (e *Event) subject() string {
	for _, s := range []string{e.MCP.Tool, e.MCP.Resource, e.MCP.Prompt, e.MCP.Method, e.Decision.By} {
		if s != "" {
			return s
		}
	}
	return e.Server.Name
}

func (e *Event) took() string {
	if e.Phase != PhaseOutcome || e.Duration == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(e.Duration.Microseconds())/1000)
}

// how says what was decided, what was given and how it ended.
func (e *Event) how() string {
	switch {
	case e.Phase == PhaseNotice || e.Phase == PhaseOrphaned:
		return strings.TrimPrefix(e.Decision.Rule+": "+e.Decision.Reason, ": ")
	case e.Phase == PhaseIntent:
		return e.Args.summary()
	case e.Phase == PhaseRefused:
		return e.Decision.By + ": " + e.Decision.Reason
	case e.Outcome.Cause != "":
		return e.Outcome.Code + " " + e.Outcome.Cause
	case e.Outcome.Code != "":
		return e.Outcome.Code
	case e.Outcome.Bytes > 0:
		return fmt.Sprintf("%d bytes", e.Outcome.Bytes)
	}
	return ""
}

// summary shows arguments as far as they are shown: city=Paris query=‹12›.
func (a *Args) summary() string { return strings.Join(summarize(nil, "", a.Fields, a.Unknown), " ") }

func summarize(parts []string, path string, all []Field, unknown int) []string {
	for i := range all {
		f := &all[i]
		name := path + f.Name
		switch {
		case f.Clear != "":
			parts = append(parts, name+"="+strings.Trim(f.Clear, `"`))
		case len(f.nested().Fields) > 0:
			parts = summarize(parts, name+".", f.Nested.Fields, f.Nested.Unknown)
		case f.Len >= 0:
			parts = append(parts, fmt.Sprintf("%s=‹%d›", name, f.Len))
		default:
			parts = append(parts, name+"=‹dropped›")
		}
	}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("%sand %d unknown", path, unknown))
	}
	return parts
}

// short is the beginning of a call's key: enough to tell calls apart by eye.
func short(call string) string { return call[:min(len(call), 6)] }

// cell fits a text into a column.
func cell(s string, width int) string { return visible.Cell(s, width) }

func paint(s, code string, colour bool) string {
	if !colour {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
