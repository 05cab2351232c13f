// Package export writes an audit log in the forms that other systems read: OCSF for a SIEM,
// CloudEvents for a broker, CSV for a spreadsheet.
//
//	err := export.Write(os.Stdout, audit.Lines("/var/lib/weather/audit"), export.OCSF)
//
// It holds one event at a time. What is exported is what stands in the log; whether that
// is what was written is for audit.Verify to say, before.
package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/visible"
)

// A Format is a form in which events are exported.
type Format string

// The formats.
const (
	// OCSF is one event a line of the Open Cybersecurity Schema Framework 1.7.0, of the
	// class API Activity (6003). What that has no attribute for is under "unmapped".
	OCSF Format = "ocsf"
	// CloudEvents is one event a line in the JSON format of CloudEvents 1.0, with the
	// line of the log as its data.
	CloudEvents Format = "cloudevents"
	// CSV is a table as RFC 4180 has it, with a header. Its columns stay as they are; new
	// ones come at the end. Stacks and credentials are left out. A cell that a
	// spreadsheet would take for a formula begins with an apostrophe, and what cannot be
	// seen is replaced by U+FFFD, or by a space where it separates.
	CSV Format = "csv"
)

// ParseFormat returns the format of a name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case OCSF, CloudEvents, CSV:
		return f, nil
	}
	return "", fmt.Errorf("a format is ocsf, cloudevents or csv, not %.40q", name)
}

// An encoder writes one event.
type encoder func(w *bufio.Writer, l audit.Line) error

// Write writes lines in a format until they end or w fails, and returns their error or
// its. What it has written by then is whole events.
func Write(w io.Writer, lines iter.Seq2[audit.Line, error], format Format) error {
	out := bufio.NewWriterSize(w, 64<<10)
	var encode encoder
	switch format {
	case OCSF:
		encode = asJSON(ocsfOf)
	case CloudEvents:
		encode = asJSON(cloudEventOf)
	case CSV:
		encode = newTable(out)
	default:
		_, err := ParseFormat(string(format))
		return err
	}
	for l, err := range lines {
		if err == nil {
			err = encode(out, l)
		}
		if err != nil {
			_ = out.Flush() // the first error is the one to tell
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// asJSON encodes what of makes of an event as JSON on one line.
func asJSON[T any](of func(l audit.Line) (T, error)) encoder {
	var text strings.Builder
	var line []byte
	return func(w *bufio.Writer, l audit.Line) error {
		value, err := of(l)
		if err != nil {
			return fmt.Errorf("export: event %d: %w", l.Event.Seq, err)
		}
		text.Reset()
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(value); err != nil {
			return fmt.Errorf("export: event %d: %w", l.Event.Seq, err)
		}
		line = visible.AppendJSON(line[:0], []byte(strings.TrimSuffix(text.String(), "\n")))
		if _, err := w.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		return nil
	}
}

// rawOf is the line of an event, or what it would be.
func rawOf(l audit.Line) (json.RawMessage, error) {
	if l.Raw != nil {
		return l.Raw, nil
	}
	return l.Event.MarshalJSON()
}

// known is a phase as it may stand in a name.
func known(p audit.Phase) string {
	switch p {
	case audit.PhaseIntent, audit.PhaseOutcome, audit.PhaseRefused, audit.PhaseOrphaned, audit.PhaseNotice:
		return string(p)
	}
	return "unknown"
}

// subject is what was asked for, and what kind of thing that is.
func subject(m *audit.MCP) (name, kind string) {
	switch {
	case m.Tool != "":
		return m.Tool, "tool"
	case m.Resource != "":
		return m.Resource, "resource"
	case m.Prompt != "":
		return m.Prompt, "prompt"
	}
	return "", ""
}
