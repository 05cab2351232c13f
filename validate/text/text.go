// Package text takes out of text what a reader cannot see: what tells a language
// model, or a terminal, something that the person beside it does not read.
//
//	clean := text.Clean("Paris\u200b\x1b[31m")  // "Paris"
//
// Taken out are control characters other than tab and the ends of lines; escape
// sequences for terminals, whole (ECMA-48; OSC 8 hides links, OSC 52 writes the
// clipboard); the bidirectional embeddings, overrides and isolates that show text in
// another order than it has (CVE-2021-42574); tags, zero-width characters, fillers
// and variation selectors, which carry whole hidden texts; and noncharacters. What is
// not UTF-8 becomes U+FFFD.
//
// What writing needs stays: the joiners of Arabic and Indic scripts between letters
// of theirs and of emoji sequences, the selectors of emoji and of ideographs, one
// each, direction marks in texts that have letters written from right to left, and
// the flags of England, Scotland and Wales, which are made of tags.
//
// Cleaning what is clean changes nothing and allocates nothing, and nothing that is
// taken out can leave behind something that would have to be.
package text

import (
	"strings"
	"unicode/utf8"
)

// Clean returns s without what a reader cannot see, or s itself.
func Clean(s string) string {
	at := firstDoubt(s)
	if at < 0 {
		return s
	}
	c := cleaner{in: s}
	if !c.run(at) {
		return s
	}
	return c.out.String()
}

// firstDoubt returns the offset of the first byte that is not plain ASCII, or -1.
func firstDoubt(s string) int {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x7f || (c < ' ' && c != '\n' && c != '\t' && c != '\r') {
			return i
		}
	}
	return -1
}

// A cleaner goes through a text once.
type cleaner struct {
	in   string
	out  strings.Builder
	last rune // the last character that stays
	rtl  int8 // whether there are letters from right to left: 0 not looked yet
}

// run cleans the text, of which everything before at is plain, and reports whether
// that changes it.
func (c *cleaner) run(at int) (changed bool) {
	if at > 0 {
		c.last = rune(c.in[at-1])
	}
	from := 0 // of what stays and has not been written
	for at < len(c.in) {
		r, size := utf8.DecodeRuneInString(c.in[at:])
		broken := r == utf8.RuneError && size == 1
		if !broken && (plain(r) || !hidden(r)) {
			c.last = r
			at += size
			continue
		}
		end, stays := at+size, false
		if !broken {
			end, stays = c.judge(r, at, size)
		}
		if stays {
			c.last = r
			at = end
			continue
		}
		changed = true
		c.out.WriteString(c.in[from:at])
		if broken {
			c.out.WriteRune(utf8.RuneError)
			c.last = utf8.RuneError
		}
		at, from = end, end
	}
	if changed {
		c.out.WriteString(c.in[from:])
	}
	return changed
}

// judge decides about a character that could hide something: whether it stays, and
// where what it belongs to ends.
func (c *cleaner) judge(r rune, at, size int) (end int, stays bool) {
	end = at + size
	switch {
	case r == escape || isC1(r):
		return sequence(c.in, at), false
	case r == zwj || r == zwnj:
		next, _ := utf8.DecodeRuneInString(c.in[end:])
		return end, joins(c.last, r, next)
	case isMark(r):
		return end, !isMark(c.last) && c.hasRTL()
	case isSelector(r):
		next, _ := utf8.DecodeRuneInString(c.in[end:])
		return end, selects(c.last, r, next)
	case isTag(r):
		if n := flag(c.in[at:]); c.last == blackFlag && n > 0 {
			return at + n, true
		}
	}
	return end, false
}

func (c *cleaner) hasRTL() bool {
	if c.rtl == 0 {
		c.rtl = -1
		if strings.ContainsFunc(c.in, rightToLeft) {
			c.rtl = 1
		}
	}
	return c.rtl > 0
}
