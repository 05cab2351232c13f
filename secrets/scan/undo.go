package scan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// undo reads a text without what hides a value in it: the escapes of JSON, Go and
// their like, percent signs (RFC 3986, section 2.1), character references of HTML and
// XML, and characters that nobody sees.
func undo(text []byte, at int) token {
	for i := at; ; {
		i = nextSpecial(text, i)
		if i == len(text) {
			return token{size: i - at, plain: true}
		}
		t := special(text[i:])
		if !t.plain {
			if i > at {
				return token{size: i - at, plain: true}
			}
			return t.seen()
		}
		i += t.size
	}
}

// seen is the token without a character that nobody sees, which may be escaped as any
// other.
func (t token) seen() token {
	if r, _ := utf8.DecodeRune(t.read[:t.n]); t.n > 0 && invisible(r) {
		t.n = 0
	}
	return t
}

// A chain is how a text is read once, twice and so on; the last is that of all further
// readings.
type chain []reading

func (c chain) at(depth int) reading { return c[min(depth, len(c))-1] }

// wholly is how every text is read.
var wholly = chain{undo}

// partly are readings that undo less: the kinds one by one, all that are written in
// signs, and JSON in addresses and addresses in JSON. By them a value is read that undo
// changes itself, one with "%41" in it, say.
var partly = []chain{
	{escapes, percents, escapes},
	{percents, escapes},
	{escapes},
	{only(func(c byte) bool { return c == '\\' })},
	{only(func(c byte) bool { return c == '&' })},
	{unseen},
	{escapes, unseen},
	{only(func(c byte) bool { return c == '\\' || c == '%' || c == '&' })},
}

var (
	percents = only(func(c byte) bool { return c == '%' })
	unseen   = only(func(c byte) bool { return c != '\\' && c != '%' && c != '&' })
)

// only is undo for what begins with bytes of a kind.
func only(kind func(byte) bool) reading {
	return func(text []byte, at int) token {
		for i := at; ; i++ {
			i = nextSpecial(text, i)
			if i == len(text) {
				return token{size: i - at, plain: true}
			}
			if !kind(text[i]) {
				continue
			}
			if t := special(text[i:]); !t.plain {
				if i > at {
					return token{size: i - at, plain: true}
				}
				return t
			}
		}
	}
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// nextSpecial returns where the next of specials stands, or the length of text. It
// looks at sixteen bytes at a time.
func nextSpecial(text []byte, at int) int {
	for ; at+16 <= len(text); at += 16 {
		first, second := maybeSpecial(binary.LittleEndian.Uint64(text[at:at+8])), maybeSpecial(binary.LittleEndian.Uint64(text[at+8:at+16]))
		if first|second == 0 {
			continue
		}
		for ; first != 0; first &= first - 1 {
			if i := at + bits.TrailingZeros64(first)/8; specials[text[i]] {
				return i
			}
		}
		for ; second != 0; second &= second - 1 {
			if i := at + 8 + bits.TrailingZeros64(second)/8; specials[text[i]] {
				return i
			}
		}
	}
	for ; at < len(text); at++ {
		if specials[text[at]] {
			break
		}
	}
	return at
}

// maybeSpecial sets the high bit of each byte of w that may be one of specials: those
// below space or above 0x7e, the backslash, and what differs from & in two bits.
func maybeSpecial(w uint64) uint64 {
	low := w &^ highs
	// The high bit of a byte is clear in the first two sums where it is zero before, in
	// the third below 0x20, and set in the last where it is 0x7f.
	plain := ((low ^ '\\'*lows) + 0x7f*lows) & (((low | 3*lows) ^ '\''*lows) + 0x7f*lows) & (low + 0x60*lows) &^ (low + lows)
	return ^(plain &^ w) & highs
}

// readUndo is what reading(undo).read is, without a token for each piece: it runs over
// every answer.
func readUndo(dst, text []byte) (_ []byte, differs bool) {
	from := 0
	for at := nextSpecial(text, 0); at < len(text); at = nextSpecial(text, at) {
		if text[at] == '\\' && at+1 < len(text) {
			if c := unescaped[text[at+1]]; c >= ' ' || c == '\n' || c == '\t' || c == '\r' {
				dst = append(append(dst, text[from:at]...), c)
				at += 2
				from = at
				continue
			}
		}
		t := special(text[at:])
		if !t.plain {
			t = t.seen()
			dst = append(append(dst, text[from:at]...), t.read[:t.n]...)
			from = at + t.size
		}
		at += t.size
	}
	if from == 0 {
		return dst, false
	}
	return append(dst, text[from:]...), true
}

// specials are the bytes with which begins what special reads.
var specials = func() (set [256]bool) {
	for c := range 256 {
		set[c] = c < ' ' && c != '\t' && c != '\n' && c != '\r' || c >= 0x7f || c == '\\' || c == '%' || c == '&'
	}
	return set
}()

// special reads what begins with one of specials; a plain token is nothing special.
func special(text []byte) token {
	switch c := text[0]; {
	case c == '\\':
		return escape(text)
	case c == '%':
		if len(text) > 2 {
			if b, ok := hexNumber(text[1:3]); ok {
				return readAs(3, byte(b))
			}
		}
	case c == '&':
		return reference(text)
	case c < ' ' || c == 0x7f:
		return token{size: 1} // a control character, which is as invisible
	default:
		r, n := utf8.DecodeRune(text)
		return token{size: n, plain: !invisible(r)}
	}
	return token{size: 1, plain: true}
}

func readAs(size int, c byte) token { return token{size: size, read: [utf8.UTFMax]byte{c}, n: 1} }

func readAsRune(size int, r rune) token {
	t := token{size: size}
	t.n = utf8.EncodeRune(t.read[:], r)
	return t
}

// escape reads the escapes of JSON, and those that other languages have beside them.
func escape(text []byte) token {
	if t := escapes(text, 0); !t.plain {
		return t
	}
	kind := byte(0)
	if len(text) > 1 {
		kind = text[1]
	}
	switch {
	case kind == '\'':
		return readAs(2, '\'')
	case kind == 'a':
		return readAs(2, '\a')
	case kind == 'v':
		return readAs(2, '\v')
	case kind == 'x' && len(text) > 3:
		if b, ok := hexNumber(text[2:4]); ok {
			return readAs(4, byte(b))
		}
	case kind == 'U' && len(text) > 9:
		if r, ok := hexNumber(text[2:10]); ok && utf8.ValidRune(rune(r)) {
			return readAsRune(10, rune(r))
		}
	case kind >= '0' && kind <= '3' && len(text) > 3:
		if text[2]|7 == '7' && text[3]|7 == '7' {
			return readAs(4, (kind-'0')<<6|(text[2]-'0')<<3|(text[3]-'0'))
		}
	}
	return token{size: 1, plain: true}
}

func hexNumber(digits []byte) (n uint32, ok bool) {
	for _, c := range digits {
		d := hexDigits[c]
		if d < 0 {
			return 0, false
		}
		n = n<<4 | uint32(d)
	}
	return n, true
}

// hexDigits are the values of hexadecimal digits, and -1 for what is none.
var hexDigits = func() (values [256]int8) {
	for i := range values {
		values[i] = -1
	}
	for i, c := range []byte("0123456789abcdef") {
		values[c] = int8(i)
		values[bytes.ToUpper([]byte{c})[0]] = int8(i)
	}
	return values
}()

// references are the names that encoders of HTML and XML write.
var references = map[string]rune{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\'', "sol": '/', "bsol": '\\', "nbsp": '\u00a0', "plus": '+', "equals": '=', "NewLine": '\n', "Tab": '\t'}

// longestReference is that of &#x10FFFF; with some zeros.
const longestReference = 14

// reference reads a character reference, &amp; or &#38; or &#x26;.
func reference(text []byte) token {
	end := bytes.IndexByte(text[:min(len(text), longestReference)], ';')
	if end < 3 {
		return token{size: 1, plain: true}
	}
	name := text[1:end]
	if name[0] != '#' {
		if r, ok := references[string(name)]; ok {
			return readAsRune(end+1, r)
		}
		return token{size: 1, plain: true}
	}
	var r rune
	if name[1] == 'x' || name[1] == 'X' {
		n, ok := hexNumber(name[2:])
		if !ok || len(name) == 2 || n > unicode.MaxRune {
			return token{size: 1, plain: true}
		}
		r = rune(n)
	} else {
		for _, c := range name[1:] {
			if c < '0' || c > '9' || r > unicode.MaxRune {
				return token{size: 1, plain: true}
			}
			r = r*10 + rune(c-'0')
		}
	}
	if !utf8.ValidRune(r) || utf16.IsSurrogate(r) {
		return token{size: 1, plain: true}
	}
	return readAsRune(end+1, r)
}

// invisible says that a character shows nothing of itself: what Unicode lets renderers
// ignore, and the format characters.
func invisible(r rune) bool {
	switch {
	case r < 0x80:
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
	case r < 0xa0: // C1 controls
		return true
	case r < 0x300:
		return r == 0xad
	case r >= 0xe0000 && r < 0xe1000:
		return true
	case r >= 0x3000 && r < 0xd800: // most of Chinese, Japanese and Korean
		return r == 0x3164
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
