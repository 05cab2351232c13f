package scan

import (
	"encoding/json"
	"strings"
)

// replace returns a copy of text with a marker in the place of each span. JSON
// stays JSON: a value of digits may stand where a number does.
func replace(text []byte, spans []span) []byte {
	out := splice(text, spans)
	if json.Valid(out) || !json.Valid(text) {
		return out
	}
	longest := spans[0].of
	for _, s := range spans {
		if s.of.size > longest.size {
			longest = s.of
		}
	}
	if quoteScalars(text, spans) {
		if out = splice(text, merge(spans)); json.Valid(out) {
			return out
		}
	}
	// A value that reaches over strings and what is between them: nothing smaller
	// than the whole is left that can be taken out.
	return []byte(`"` + marker(longest.label) + `"`)
}

func splice(text []byte, spans []span) []byte {
	out := make([]byte, 0, len(text)+32*len(spans))
	from := 0
	for _, s := range spans {
		out = append(out, text[from:s.start]...)
		if s.quoted {
			out = append(append(append(out, '"'), marker(s.of.label)...), '"')
		} else {
			out = append(out, marker(s.of.label)...)
		}
		from = s.end
	}
	return append(out, text[from:]...)
}

// quoteScalars makes each span that stands in a number cover all of it, and be
// replaced by a string. It reports false where a span is neither inside a string
// nor inside a number. text is valid JSON.
func quoteScalars(text []byte, spans []span) bool {
	k := 0
	for at := 0; at < len(text) && k < len(spans); {
		end, scalar := at+1, false
		switch c := text[at]; {
		case c == '"':
			end = stringEnd(text, at)
		case strings.IndexByte("{}[]:, \t\r\n", c) < 0:
			scalar = true
			for end < len(text) && strings.IndexByte(",]} \t\r\n", text[end]) < 0 {
				end++
			}
		}
		for ; k < len(spans) && spans[k].start < end; k++ {
			s := &spans[k]
			switch {
			case scalar && s.end <= end:
				s.start, s.end, s.quoted = at, end, true
			case text[at] != '"' || s.start == at || s.end >= end:
				return false
			}
		}
		at = end
	}
	return true
}

// stringEnd returns where the JSON string that begins at from has ended.
func stringEnd(text []byte, from int) int {
	for i := from + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
