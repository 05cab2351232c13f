package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a value, in bytes.
const (
	// MinValue is the shortest value that is told from chance in any text, in bytes.
	MinValue = 8
	// minShort is the shortest that is looked for where short values are allowed.
	minShort = 4
	maxValue = 64 << 10
)

// An entry is a value that is looked for, or a rule.
type entry struct {
	label    string
	size     int       // of the value: the longest of several that overlap gives the name
	expires  time.Time // zero: never
	patterns []*pattern
	delicate bool // the value itself reads as if something in it were escaped
}

// A pattern is one of the forms in which a value is looked for.
type pattern struct {
	of   *entry
	text []byte
	// base64 says that the text is base64, and that the other alphabet's characters
	// are as good as those of the standard one.
	base64 bool
	// left and right say that the character before or after, if it is one of
	// base64, holds bits of the value too.
	left, right bool
}

// addPatterns gives e the forms of value. Escapes are not among them: there are many
// ways to write one, and they are undone in the text instead.
func (e *entry) addPatterns(value []byte) {
	e.add(&pattern{text: bytes.Clone(value)})
	if len(value) < MinValue {
		return
	}
	for alignment := range 3 {
		e.add(base64Pattern(value, alignment))
	}
	// What does not decode as UTF-8 is written as U+FFFD by encoders of JSON, and with
	// the control characters by those of XML. The rest of the value shows all the same.
	for _, lost := range []func(rune) bool{notText, notXML} {
		if mangled, rest := mangle(value, lost); rest >= MinValue && rest < len(value) {
			e.addOnce(mangled)
		}
	}
	if bytes.IndexByte(value, ' ') >= 0 { // of a form (WHATWG URL, application/x-www-form-urlencoded)
		e.addOnce(bytes.ReplaceAll(value, []byte{' '}, []byte{'+'}))
	}
	e.addLines(value)
	// What is undone in a text may be undone in the value that stands in it, too.
	for plain, level := value, 0; level < nested; level++ {
		undone, differs := reading(undo).read(nil, plain)
		if !differs || len(undone) < MinValue {
			break
		}
		e.addOnce(undone)
		plain = undone
	}
	if seen, differs := unseen.read(nil, value); differs && len(seen) >= MinValue {
		e.addOnce(seen)
	}
	e.delicate = delicate(value)
}

// minLines is how many characters lines that may be base64 have to have together to be
// looked for without the rest of their value.
const minLines = 32

// addLines gives e the forms in which a value of several lines, a private key in PEM
// say, is written by what breaks lines otherwise, or not at all; and what of it may be
// base64 as one line, which a folding finds in lines of any length and indentation.
func (e *entry) addLines(value []byte) {
	if bytes.IndexByte(value, '\n') < 0 {
		return
	}
	lines := bytes.ReplaceAll(value, []byte("\r\n"), []byte("\n"))
	e.addOnce(lines)
	for _, other := range []string{"\r\n", " "} {
		e.addOnce(bytes.ReplaceAll(lines, []byte("\n"), []byte(other)))
	}
	var folds folding
	folds.fold(value)
	for chain := range bytes.SplitSeq(folds.text, []byte{0}) {
		for body := range bytes.SplitSeq(chain, []byte("-----")) { // of a line that begins or ends PEM (RFC 7468)
			if len(body) >= minLines {
				e.addOnce(bytes.Clone(body))
			}
		}
	}
}

// longestEscape is that of \U0010FFFF.
const longestEscape = 10

// delicate says whether undo may read something in value, or with it in what stands
// beside it, so that each kind of escape has to be undone alone, too.
func delicate(value []byte) bool {
	if _, differs := reading(undo).read(nil, value); differs {
		return true
	}
	// What ends as an escape begins is one with what stands behind it, whatever else of
	// the value is escaped or split.
	if bytes.IndexByte(value[max(0, len(value)-2):], '%') >= 0 || bytes.IndexByte(value[max(0, len(value)-longestEscape+1):], '\\') >= 0 {
		return true
	}
	if !bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f || strings.ContainsRune(`"<>&'`, r) }) {
		return false // nothing in it is escaped, and it is found as it is
	}
	if len(value) < 2 {
		return true
	}
	_, begins := hexNumber(value[:2]) // after a percent sign
	return begins || bytes.IndexByte(value, '&') >= 0 || bytes.IndexByte(value[:min(len(value), longestReference)], ';') >= 0
}

func (e *entry) addOnce(text []byte) {
	if !slices.ContainsFunc(e.patterns, func(p *pattern) bool { return !p.base64 && bytes.Equal(p.text, text) }) {
		e.add(&pattern{text: text})
	}
}

func (e *entry) add(p *pattern) {
	p.of = e
	e.patterns = append(e.patterns, p)
}

// cost is about how many bytes of memory e takes.
func (e *entry) cost() int {
	n := e.size + 200
	for _, p := range e.patterns {
		n += len(p.text) + 100 + strides[0]*postingBytes
	}
	return n
}

// stands reports whether text begins with p.
func (p *pattern) stands(text []byte) bool {
	if len(text) < len(p.text) {
		return false
	}
	if bytes.Equal(text[:len(p.text)], p.text) {
		return true
	}
	if !p.base64 {
		return false
	}
	for i, c := range p.text {
		if d := text[i]; c != d && (c != '+' || d != '-') && (c != '/' || d != '_') {
			return false
		}
	}
	return true
}

// at is the span of p where it stands in text.
func (p *pattern) at(text []byte, start int) span {
	end := start + len(p.text)
	if p.left && start > 0 && base64Characters[text[start-1]] {
		start--
	}
	if p.right && end < len(text) && base64Characters[text[end]] {
		end++
	}
	return span{start: start, end: end, of: p.of}
}

// base64Pattern returns the characters that depend on value alone when it stands
// that many bytes after a multiple of three. A value of 8 bytes has 10 of them.
func base64Pattern(value []byte, alignment int) *pattern {
	padded := make([]byte, alignment, alignment+len(value))
	text := base64.RawStdEncoding.AppendEncode(nil, append(padded, value...))
	from, to := 8*alignment, 8*(alignment+len(value)) // in bits; a character holds 6
	return &pattern{text: text[(from+5)/6 : to/6], base64: true, left: from%6 != 0, right: to%6 != 0}
}

// minBase64 is how many characters of base64 show a value of MinValue bytes.
const minBase64 = 10

// urlAlphabet is a window of base64 in the other alphabet (RFC 4648, section 5).
func urlAlphabet(text []byte) uint64 {
	var w [window]byte
	for i, c := range text {
		switch c {
		case '+':
			c = '-'
		case '/':
			c = '_'
		}
		w[i] = c
	}
	return binary.LittleEndian.Uint64(w[:])
}

// mangle returns value as encoders write it that have U+FFFD for what they cannot
// write, and how many of its bytes stay as they are.
func mangle(value []byte, lost func(rune) bool) (mangled []byte, rest int) {
	for len(value) > 0 {
		r, n := utf8.DecodeRune(value)
		if r == utf8.RuneError && n == 1 || lost(r) {
			r = utf8.RuneError
		} else {
			rest += n
		}
		mangled = utf8.AppendRune(mangled, r)
		value = value[n:]
	}
	return mangled, rest
}

func notText(rune) bool { return false } // every character is

// notXML says that a character cannot be written in XML 1.0, section 2.2.
func notXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// base64Characters holds those of both alphabets.
var base64Characters = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_") {
		set[c] = true
	}
	return set
}()
