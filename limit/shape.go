package limit

import (
	"bytes"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// A Shape bounds what a JSON text may make of its bytes before anybody decodes it: a
// megabyte of "[[[[" or of "0,0,0," takes many times its size in memory.
type Shape struct {
	Depth    int // how deep arrays and objects are nested
	Values   int // members and elements in all
	Elements int // members of one object, or elements of one array
	String   int // the longest string or name, in bytes as it is written
}

// A Bound is one of a Shape's.
type Bound uint8

// The bounds of a Shape. The zero value says that none is exceeded.
const (
	NoBound Bound = iota
	DepthBound
	ValuesBound
	ElementsBound
	StringBound
)

// Exceeded returns which bound a JSON text exceeds first, or NoBound. It allocates nothing
// up to 128 levels, and stops where the bound is exceeded, so that it can run before
// anything else looks at the text; text that is not JSON gets some answer and is refused by
// the parser.
func (s Shape) Exceeded(text []byte) Bound {
	if s.surely(text) {
		return NoBound
	}
	var room [128]int
	open := room[:0] // of each array and object around the place, its values so far
	t := tally{Shape: s}
	for i := 0; i < len(text); i++ {
		exceeded := NoBound
		switch c := text[i]; jsonwalk.Kinds[c] {
		case jsonwalk.Quote:
			end := closing(text, i)
			if end-i-1 > s.String {
				return StringBound
			}
			i = end
		case jsonwalk.Begin:
			if len(open) == s.Depth {
				return DepthBound
			}
			if open = append(open, 0); !empty(text, i+1) {
				exceeded = t.next(&open[len(open)-1])
			}
		case jsonwalk.End:
			open = open[:max(len(open)-1, 0)]
		case jsonwalk.Other:
			if c == ',' && len(open) > 0 {
				exceeded = t.next(&open[len(open)-1])
			}
		}
		if exceeded != NoBound {
			return exceeded
		}
	}
	return NoBound
}

// A tally counts the values of a text.
type tally struct {
	Shape
	values int
}

// next counts another value of an array or object, which has so many before it.
func (t *tally) next(before *int) Bound {
	if t.values++; t.values > t.Values {
		return ValuesBound
	}
	if *before++; *before > t.Elements {
		return ElementsBound
	}
	return NoBound
}

// surely says that a text is within the bounds, by what costs a tenth of reading it: it has
// fewer brackets than levels, fewer commas and brackets than elements, and is shorter than a
// string may be.
func (s Shape) surely(text []byte) bool {
	brackets := bytes.Count(text, object) + bytes.Count(text, array)
	return brackets <= s.Depth && len(text) <= s.String+2 && brackets+bytes.Count(text, comma) <= min(s.Values, s.Elements)
}

// empty says that an array or object which begins before at ends at once.
func empty(text []byte, at int) bool {
	at = jsonwalk.Space(text, at)
	return at < len(text) && (text[at] == ']' || text[at] == '}')
}

// DepthExceeds reports whether the JSON text nests arrays and objects more than max deep, as
// [Shape.Exceeded] does.
func DepthExceeds(text []byte, max int) bool {
	if bytes.Count(text, object)+bytes.Count(text, array) <= max {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch jsonwalk.Kinds[text[i]] {
		case jsonwalk.Other:
		case jsonwalk.Quote:
			i = closing(text, i)
		case jsonwalk.Begin:
			if depth++; depth > max {
				return true
			}
		case jsonwalk.End:
			depth--
		}
	}
	return false
}

var object, array, comma = []byte("{"), []byte("["), []byte(",")

// closing returns where the string ends that begins at i.
func closing(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return i
}
