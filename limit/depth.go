package limit

import (
	"bytes"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// DepthExceeds reports whether the JSON text nests arrays and objects more than
// max deep. It allocates nothing and stops at the first level too many, so that it
// can run before anything else looks at the text; text that is not JSON gets some
// answer and is refused by the parser.
func DepthExceeds(text []byte, max int) bool {
	// What has fewer brackets than levels is not too deep, and counting them takes a
	// tenth of reading.
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

var object, array = []byte("{"), []byte("[")

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
