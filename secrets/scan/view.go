package scan

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// A token is a piece of a text and what it is read as. A plain token is read as it
// stands; any other as the bytes in read, which may be none.
type token struct {
	size  int
	plain bool
	read  [utf8.UTFMax]byte
	n     int // of read
}

// A reading cuts a text, not empty, into tokens: it returns the first one. It has
// to know what stands before, so it is given the whole and an offset.
type reading func(text []byte, at int) token

// read appends to dst what text is read as, and reports whether that differs.
func (r reading) read(dst, text []byte) (_ []byte, differs bool) {
	for at := 0; at < len(text); {
		t := r(text, at)
		if t.plain {
			if t.size == len(text) {
				return dst, false // which most texts are, and so not copied
			}
			dst = append(dst, text[at:at+t.size]...)
		} else {
			dst, differs = append(dst, t.read[:t.n]...), true
		}
		at += t.size
	}
	return dst, differs
}

// back turns spans of what text is read as into spans of text. They are sorted and
// apart from each other; a token that is read as something else is covered whole.
func (r reading) back(text []byte, spans []span) {
	starts, ends := 0, 0
	for at, seen := 0, 0; at < len(text) && ends < len(spans); {
		t := r(text, at)
		n := t.n
		if t.plain {
			n = t.size
		}
		for ; starts < len(spans) && spans[starts].start < seen+n; starts++ {
			if t.plain {
				spans[starts].start += at - seen
			} else {
				spans[starts].start = at
			}
		}
		for ; ends < starts && spans[ends].end <= seen+n; ends++ {
			if t.plain {
				spans[ends].end += at - seen
			} else {
				spans[ends].end = at + t.size
			}
		}
		at, seen = at+t.size, seen+n
	}
}

// widen makes spans of text cover whole tokens, so that what is left of a text
// can still be read: half an escape would break the JSON around it.
func (r reading) widen(text []byte, spans []span) {
	k := 0
	for at := 0; at < len(text) && k < len(spans); {
		t := r(text, at)
		end := at + t.size
		for ; k < len(spans) && spans[k].start < end; k++ {
			s := &spans[k]
			if !t.plain && s.start > at {
				s.start = at
			}
			if s.end > end {
				break // its end is in a later token
			}
			if !t.plain {
				s.end = end
			}
		}
		at = end
	}
}

// escapes reads the escapes of JSON (RFC 8259, section 7).
func escapes(text []byte, at int) token {
	rest := text[at:]
	if rest[0] != '\\' {
		n := bytes.IndexByte(rest, '\\')
		if n < 0 {
			n = len(rest)
		}
		return token{size: n, plain: true}
	}
	if len(rest) > 1 {
		if c := unescaped[rest[1]]; c != 0 {
			return token{size: 2, read: [utf8.UTFMax]byte{c}, n: 1}
		}
		if r, ok := hexRune(rest); ok {
			return unicodeToken(r, rest[6:])
		}
	}
	return token{size: 1, plain: true}
}

var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unicodeToken is the token of an escaped UTF-16 code unit, with its other half if
// that follows.
func unicodeToken(r rune, after []byte) token {
	t := token{size: 6}
	if utf16.IsSurrogate(r) {
		low, ok := hexRune(after)
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			r, t.size = pair, 12
		}
	}
	t.n = utf8.EncodeRune(t.read[:], r) // half a pair becomes U+FFFD, as it does for decoders
	return t
}

// hexRune reads \uXXXX at the beginning of text.
func hexRune(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	r, ok := hexNumber(text[2:6])
	return rune(r), ok
}
