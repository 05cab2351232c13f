package audit

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// canonical appends a value in canonical form: RFC 8785, but numbers as they are
// written, since whole numbers of more than 53 bits are not to be confused.
func (s *scratch) canonical(value []byte) bool {
	switch value[0] {
	case '{', '[':
		if settled(value) {
			s.text = append(s.text, value...)
			return true
		}
		v := jsontext.Value(bytes.Clone(value))
		if v.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)) != nil {
			return false
		}
		s.text = append(s.text, v...)
	case '"':
		if bytes.IndexByte(value, '\\') < 0 {
			s.text = append(s.text, value...)
			return true
		}
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return false
		}
		s.text, err = jsontext.AppendQuote(s.text, unquoted)
		return err == nil
	default:
		s.text = append(s.text, value...)
	}
	return true
}

// settled says that a list has only one form anyway: no objects, whose members could
// stand in another order, no escapes and no white space between its elements.
func settled(value []byte) bool {
	inString := false
	for _, c := range value {
		switch {
		case c == '\\':
			return false
		case c == '"':
			inString = !inString
		case !inString && (c == '{' || c <= ' '):
			return false
		}
	}
	return true
}

// length is how long a canonical value is, in its own units.
func length(value []byte) int {
	n := 0
	switch value[0] {
	case '"':
		unquoted := value[1 : len(value)-1]
		if bytes.IndexByte(unquoted, '\\') >= 0 {
			unquoted, _ = jsontext.AppendUnquote(nil, value)
		}
		return utf8.RuneCount(unquoted)
	case '[':
		jsonwalk.EachElement(value, 0, func(_, at int) int { n++; return jsonwalk.Skip(value, at) })
		return n
	case '{':
		jsonwalk.EachMember(value, 0, func(_ []byte, at int) int { n++; return jsonwalk.Skip(value, at) })
		return n
	}
	return len(value)
}
