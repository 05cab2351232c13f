// Package visible keeps what others have written from moving a terminal's cursor, hiding
// or reordering what stands beside it, or looking like a line of its own.
package visible

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Cell fits a text into a column of a table, width characters wide and at least one:
// visible characters alone, cut with an ellipsis or filled with spaces.
func Cell(s string, width int) string {
	var b strings.Builder
	n := 0
	long := utf8.RuneCountInString(s) > width
	for _, r := range s {
		if n == width {
			break
		}
		if n == width-1 && long {
			r = '…'
		}
		b.WriteRune(shown(r))
		n++
	}
	return b.String() + strings.Repeat(" ", width-n)
}

// Text is a text of visible characters alone, no more than most of them and at least
// one; a longer one is cut with an ellipsis.
func Text(s string, most int) string { return strings.TrimRight(Cell(s, most), " ") }

// shown is the character that stands for r: itself, or U+FFFD.
func shown(r rune) rune {
	if !unicode.IsPrint(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) { // marks would stack up on others
		return '�'
	}
	return r
}

// AppendJSON appends a JSON text with what cannot be seen escaped: controls and what
// Unicode calls format (bidi, zero width, tags) and the line separators, at which some
// readers of lines break. These can stand in strings alone, so that it is still the same
// JSON. What is not UTF-8 becomes U+FFFD (RFC 8259, section 8.1), and a line break between
// its tokens a space.
func AppendJSON(b, text []byte) []byte {
	for len(text) > 0 {
		c := text[0]
		if c >= ' ' && c < 0x7f {
			b, text = append(b, c), text[1:]
			continue
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case c < ' ': // no string holds one as it is
			b = append(b, ' ')
		case r == utf8.RuneError && size == 1:
			b = append(b, "\ufffd"...)
		case hidden(r):
			b = appendUnicode(b, r)
		default:
			b = append(b, text[:size]...)
		}
		text = text[size:]
	}
	return b
}

func hidden(r rune) bool {
	return r == 0x7f || r >= 0x80 && r <= 0x9f || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r)
}

const hexDigits = "0123456789abcdef"

// appendUnicode appends a character as an escape, or two (RFC 8259, section 7).
func appendUnicode(b []byte, r rune) []byte {
	if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
		return appendUnicode(appendUnicode(b, hi), lo)
	}
	return append(b, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}
