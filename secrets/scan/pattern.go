package scan

import (
	"bytes"
	"encoding/base64"
	"time"
	"unicode/utf8"
)

// Bounds of a value, in bytes.
const (
	// MinValue is the shortest value that is told from chance in any text, in bytes,
	// and the length of the window by which patterns are found.
	MinValue = 8
	// minShort is the shortest that is looked for where short values are allowed.
	minShort = 4
	maxValue = 64 << 10
)

// An entry is a value that is looked for.
type entry struct {
	label    string
	size     int       // of the value: the longest of several that overlap gives the name
	expires  time.Time // zero: never
	patterns []*pattern
}

// A pattern is one of the forms in which a value is looked for.
type pattern struct {
	of   *entry
	text []byte
	// left and right say that the character before or after, if it is one of
	// base64, holds bits of the value too.
	left, right bool
	// anchor is where in text the window stands by which it is found: in the
	// middle, since tokens share their beginnings and keys their ends.
	anchor int
}

// addPatterns gives e the forms of value. JSON's escapes are not among them: there
// are many ways to write one, and they are undone in the text instead.
func (e *entry) addPatterns(value []byte) {
	e.add(&pattern{text: bytes.Clone(value)})
	if len(value) < MinValue {
		return
	}
	// What does not decode as UTF-8 is written as U+FFFD by encoders of JSON. The
	// rest of the value shows all the same.
	if mangled, rest := mangle(value); rest >= MinValue && rest < len(value) {
		e.add(&pattern{text: mangled})
	}
	for alignment := range 3 {
		standard := base64Pattern(value, alignment, base64.RawStdEncoding)
		e.add(standard)
		if url := base64Pattern(value, alignment, base64.RawURLEncoding); !bytes.Equal(url.text, standard.text) {
			e.add(url)
		}
	}
}

func (e *entry) add(p *pattern) {
	p.of = e
	p.anchor = max(0, (len(p.text)-MinValue)/2)
	e.patterns = append(e.patterns, p)
}

// cost is about how many bytes of memory e takes.
func (e *entry) cost() int {
	n := e.size + 200
	for _, p := range e.patterns {
		n += len(p.text) + 150
	}
	return n
}

// base64Pattern returns the characters that depend on value alone when it stands
// that many bytes after a multiple of three. A value of 8 bytes has 10 of them.
func base64Pattern(value []byte, alignment int, encoding *base64.Encoding) *pattern {
	padded := make([]byte, alignment, alignment+len(value))
	text := encoding.AppendEncode(nil, append(padded, value...))
	from, to := 8*alignment, 8*(alignment+len(value)) // in bits; a character holds 6
	return &pattern{text: text[(from+5)/6 : to/6], left: from%6 != 0, right: to%6 != 0}
}

// mangle returns value as encoding/json writes it when it is no valid UTF-8, and
// how many of its bytes stay as they are.
func mangle(value []byte) (mangled []byte, rest int) {
	for len(value) > 0 {
		r, n := utf8.DecodeRune(value)
		if r != utf8.RuneError || n > 1 {
			rest += n
		}
		mangled = utf8.AppendRune(mangled, r)
		value = value[n:]
	}
	return mangled, rest
}

// base64Characters holds those of both alphabets.
var base64Characters = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
		set[c] = true
	}
	return set
}()
