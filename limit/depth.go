package limit

// DepthExceeds reports whether the JSON text nests arrays and objects more than
// max deep. It is one pass that allocates nothing and stops at the first level
// too many, so that it can run before anything else looks at the text; text
// that is not JSON gets some answer and is refused by the parser.
func DepthExceeds(text []byte, max int) bool {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if inString {
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
			continue
		}
		switch c {
		case '"':
			inString = true
		case '{', '[':
			if depth++; depth > max {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}
