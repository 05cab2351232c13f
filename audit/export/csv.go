package export

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/safemcp/safemcp/audit"
)

// A column is one of the table.
type column struct {
	name string
	of   func(e *audit.Event) string
}

// columns are those of the table, in their order, which does not change.
var columns = []column{
	{"seq", func(e *audit.Event) string { return strconv.FormatUint(e.Seq, 10) }},
	{"time", func(e *audit.Event) string { return e.Time.Format(time.RFC3339Nano) }},
	{"id", func(e *audit.Event) string { return e.ID }},
	{"phase", func(e *audit.Event) string { return string(e.Phase) }},
	{"call", func(e *audit.Event) string { return e.Call }},
	{"server", func(e *audit.Event) string { return e.Server.Name }},
	{"server_version", func(e *audit.Event) string { return e.Server.Version }},
	{"instance", func(e *audit.Event) string { return e.Server.Instance }},
	{"caller", func(e *audit.Event) string { return e.Caller.ID }},
	{"issuer", func(e *audit.Event) string { return e.Caller.Issuer }},
	{"subject", func(e *audit.Event) string { return e.Caller.Subject }},
	{"tenant", func(e *audit.Event) string { return e.Caller.Tenant }},
	{"client", func(e *audit.Event) string { return e.Caller.Client }},
	{"roles", func(e *audit.Event) string { return strings.Join(e.Caller.Roles, " ") }},
	{"scopes", func(e *audit.Event) string { return strings.Join(e.Caller.Scopes, " ") }},
	{"address", func(e *audit.Event) string { return e.Caller.Address }},
	{"method", func(e *audit.Event) string { return e.MCP.Method }},
	{"tool", func(e *audit.Event) string { return e.MCP.Tool }},
	{"resource", func(e *audit.Event) string { return e.MCP.Resource }},
	{"prompt", func(e *audit.Event) string { return e.MCP.Prompt }},
	{"session", func(e *audit.Event) string { return e.MCP.Session }},
	{"protocol", func(e *audit.Event) string { return e.MCP.Protocol }},
	{"request", func(e *audit.Event) string { return e.MCP.Request }},
	{"transport", func(e *audit.Event) string { return e.MCP.Transport }},
	{"args_digest", func(e *audit.Event) string { return e.Args.Digest }},
	{"args_bytes", func(e *audit.Event) string { return number(e.Args.Bytes) }},
	{"args", func(e *audit.Event) string { return arguments(e.Args.Fields) }},
	{"effect", func(e *audit.Event) string { return string(e.Decision.Effect) }},
	{"by", func(e *audit.Event) string { return e.Decision.By }},
	{"rule", func(e *audit.Event) string { return e.Decision.Rule }},
	{"reason", func(e *audit.Event) string { return e.Decision.Reason }},
	{"approval", func(e *audit.Event) string { return e.Approval.ID }},
	{"approved_by", func(e *audit.Event) string { return e.Approval.By }},
	{"status", func(e *audit.Event) string { return string(e.Outcome.Status) }},
	{"code", func(e *audit.Event) string { return e.Outcome.Code }},
	{"result_bytes", func(e *audit.Event) string { return number(e.Outcome.Bytes) }},
	{"reference", func(e *audit.Event) string { return e.Outcome.Reference }},
	{"cause", func(e *audit.Event) string { return e.Outcome.Cause }},
	{"duration_us", func(e *audit.Event) string { return number(int(e.Duration.Microseconds())) }},
	{"egress", func(e *audit.Event) string {
		hosts := make([]string, len(e.Egress))
		for i, g := range e.Egress {
			hosts[i] = g.Host
		}
		return strings.Join(hosts, " ")
	}},
	{"trace_id", func(e *audit.Event) string { return e.Trace.TraceID }},
	{"span_id", func(e *audit.Event) string { return e.Trace.SpanID }},
}

// newTable writes the header, with the first event or without any, and returns what
// writes rows.
func newTable(out *bufio.Writer) encoder {
	rows := csv.NewWriter(out)
	rows.UseCRLF = true // RFC 4180, section 2
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = c.name
	}
	_ = rows.Write(cells) // out keeps its error, and so does rows
	rows.Flush()
	return func(_ *bufio.Writer, l audit.Line) error {
		for i, c := range columns {
			cells[i] = cell(c.of(l.Event))
		}
		_ = rows.Write(cells) // as above
		rows.Flush()
		if err := rows.Error(); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		return nil
	}
}

// arguments are those of a call as far as they are shown: city="Paris" query=‹12›.
func arguments(fields []audit.Field) string { return strings.Join(shown(nil, "", fields), " ") }

func shown(all []string, path string, fields []audit.Field) []string {
	for i := range fields {
		f := &fields[i]
		name := path + f.Name
		switch {
		case f.Clear != "":
			all = append(all, name+"="+f.Clear)
		case f.Nested != nil && len(f.Nested.Fields) > 0:
			all = shown(all, name+".", f.Nested.Fields)
		case f.Len >= 0:
			all = append(all, fmt.Sprintf("%s=‹%d›", name, f.Len))
		default:
			all = append(all, name+"=‹dropped›")
		}
	}
	return all
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// formulas are the characters with which a cell begins that a spreadsheet computes, in
// their full width too, which some take for the same (CWE-1236).
const formulas = "=+-@\uff1d\uff0b\uff0d\uff20|%"

// cell is a text as it may stand in a cell: what separates becomes a space, what cannot
// be seen U+FFFD, and what would be a formula begins with an apostrophe.
func cell(s string) string {
	if s == "" {
		return ""
	}
	separated := s[0] == '\t' || s[0] == '\r' || s[0] == '\n'
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\r', r == '\n', r == '\u2028', r == '\u2029', r == '\u0085':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			return '\ufffd'
		}
		return r
	}, s)
	if separated || strings.ContainsRune(formulas, first(strings.TrimLeftFunc(s, unseen))) {
		return "'" + s
	}
	return s
}

// unseen is what a spreadsheet may pass over before it looks for a formula.
func unseen(r rune) bool { return unicode.IsSpace(r) || r == '\ufffd' || r == '\'' || r == '"' }

// first is the first character of a text, and none of those of a formula where it is
// empty.
func first(s string) rune {
	for _, r := range s {
		return r
	}
	return 'x'
}
