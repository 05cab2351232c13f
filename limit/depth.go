package limit

import "bytes"

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
		switch kinds[text[i]] {
		case other:
		case quote:
			i = closing(text, i)
		case begin:
			if depth++; depth > max {
				return true
			}
		case end:
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

// kinds are what a byte outside of a string is: most are of the first, which a table
// tells with one branch.
var kinds = [256]uint8{'"': quote, '{': begin, '[': begin, '}': end, ']': end}

const (
	other uint8 = iota
	quote
	begin
	end
)
