// Package jsonwalk walks over JSON text that a decoder has accepted already, so that
// it need not be checked again. On any other text it may panic.
package jsonwalk

import "github.com/go-json-experiment/json/jsontext"

// Space returns the offset of the first byte from at on that is no white space.
func Space(raw []byte, at int) int {
	for at < len(raw) && (raw[at] == ' ' || raw[at] == '\n' || raw[at] == '\t' || raw[at] == '\r') {
		at++
	}
	return at
}

// Skip returns the end of the value that begins at.
func Skip(raw []byte, at int) int {
	switch raw[at] {
	case '"':
		return skipString(raw, at)
	case '{', '[':
		for depth := 0; ; at++ {
			switch Kinds[raw[at]] {
			case Other:
			case Quote:
				at = skipString(raw, at) - 1
			case Begin:
				depth++
			case End:
				if depth--; depth == 0 {
					return at + 1
				}
			}
		}
	}
	for at < len(raw) {
		switch raw[at] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return at
		}
		at++
	}
	return at
}

// Kinds are what a byte outside of a string is: most are Other, which a table tells with
// one branch.
var Kinds = [256]uint8{'"': Quote, '{': Begin, '[': Begin, '}': End, ']': End}

// The kinds of bytes.
const (
	Other uint8 = iota
	Quote
	Begin
	End
)

func skipString(raw []byte, at int) int {
	for at++; raw[at] != '"'; at++ {
		if raw[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// Name returns the member name that begins at and the end of it. The name is part
// of raw unless it has escapes.
func Name(raw []byte, at int) (unquoted []byte, end int) {
	escaped := false
	for end = at + 1; raw[end] != '"'; end++ {
		if raw[end] == '\\' {
			escaped = true
			end++
		}
	}
	end++
	if !escaped {
		return raw[at+1 : end-1], end
	}
	unquoted, _ = jsontext.AppendUnquote(nil, raw[at:end])
	return unquoted, end
}

// EachMember calls f with each member of the object that begins at, and the offset
// of its value, until f says false. f returns the end of the value. The result is
// the end of the object.
func EachMember(raw []byte, at int, f func(name []byte, value int) int) int {
	for at = Space(raw, at+1); raw[at] != '}'; {
		if raw[at] == ',' {
			at = Space(raw, at+1)
		}
		key, end := Name(raw, at)
		value := Space(raw, Space(raw, end)+1) // over the colon
		at = Space(raw, f(key, value))
	}
	return at + 1
}

// EachElement does the same for an array, with the index of each element.
func EachElement(raw []byte, at int, f func(i, value int) int) int {
	i := 0
	for at = Space(raw, at+1); raw[at] != ']'; i++ {
		if raw[at] == ',' {
			at = Space(raw, at+1)
		}
		at = Space(raw, f(i, at))
	}
	return at + 1
}
