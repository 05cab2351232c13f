package audit

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const hexDigits = "0123456789abcdef"

// appendClear appends a value that is recorded clear. It is JSON on one line whatever
// it was: a recorder is somebody else's to call, and a value that is no JSON would end
// the event early or say what another member says.
func appendClear(b []byte, value string) []byte {
	if plain(value) {
		return append(b, value...)
	}
	compact := jsontext.Value(value)
	if strings.Count(value, "[")+strings.Count(value, "{") > maxList || !utf8.ValidString(value) || compact.Compact() != nil || len(compact) == 0 {
		return appendString(b, value, maxText)
	}
	for rest := []byte(compact); len(rest) > 0; { // what is escaped can stand in strings alone
		r, size := utf8.DecodeRune(rest)
		if r == 0x7f || unseen(r) {
			b = appendUnicode(b, r)
		} else {
			b = append(b, rest[:size]...)
		}
		rest = rest[size:]
	}
	return b
}

// plain says that a value is a short word of ASCII, true, false or null, as
// most are, and so is JSON.
func plain(value string) bool {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		for _, c := range []byte(value[1 : len(value)-1]) {
			if c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
				return false
			}
		}
		return true
	}
	return value == "true" || value == "false" || value == "null"
}

// unseen says that a character moves, hides or reorders what is shown: the C1 controls,
// the line separators, and what Unicode calls format (bidi, zero width, tags).
func unseen(r rune) bool {
	return r >= 0x80 && (r <= 0x9f || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r))
}

// appendUnicode appends a character as an escape, or two (RFC 8259, section 7).
func appendUnicode(b []byte, r rune) []byte {
	if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
		return appendUnicode(appendUnicode(b, hi), lo)
	}
	return append(b, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}

// appendString appends s, no more than most bytes of it, as a JSON string (RFC
// 8259, section 7). What is not UTF-8 becomes U+FFFD; what would not be seen is escaped,
// and some readers of lines break at U+2028.
func appendString(b []byte, s string, most int) []byte {
	cut := len(s) > most
	if cut {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	i := plainUntil(s)
	if i == len(s) && !cut {
		return append(append(append(b, '"'), s...), '"')
	}
	b = append(b, '"')
	from := 0
	for i < len(s) {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			b = appendEscape(b, c)
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[from:i]...), "\ufffd"...)
		case unseen(r):
			b = appendUnicode(append(b, s[from:i]...), r)
		default:
			i += size
			continue
		}
		i += size
		from = i
	}
	b = append(b, s[from:]...)
	if cut {
		b = append(b, "…"...)
	}
	return append(b, '"')
}

// plainUntil is how much of the beginning of s surely is ASCII that stands for itself in a
// JSON string, looked at eight bytes at a time.
func plainUntil(s string) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	special := func(x uint64) bool { // each term has a high bit only from the first such byte on
		quote, slash := x^ones*'"', x^ones*'\\'
		return (x|(x-ones*' ')|(x+ones)|(quote-ones)|(slash-ones))&high != 0
	}
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if special(word(s[i : i+8])) {
			return i
		}
	}
	if i > 0 && !special(word(s[len(s)-8:])) {
		return len(s)
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return i
		}
	}
	return i
}

// word is eight bytes as a number. The compiler makes one load of it.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}
