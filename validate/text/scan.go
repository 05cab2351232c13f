package text

import (
	"strings"
	"unicode/utf8"
)

// One in each byte of a word, and the high bit of each.
const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// word is the eight bytes of s that begin at.
func word(s string, at int) uint64 {
	s = s[at : at+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// plain returns the end of the ASCII that begins at and has no controls other than
// tab and the ends of lines. Nobody has to look at that.
func plain(s string, at int) int {
	for at < len(s) {
		// A byte below a space borrows, DEL carries; neither misses one, and
		// what they hit in vain is looked at byte by byte.
		if at+8 <= len(s) {
			if w := word(s, at); (w|(w-0x20*ones)|(w+ones))&high == 0 {
				at += 8
				continue
			}
		}
		for end := min(at+8, len(s)); at < end; at++ {
			if c := s[at]; c >= 0x7f || (c < ' ' && c != '\n' && c != '\t' && c != '\r') {
				return at
			}
		}
	}
	return at
}

// A cleaner goes through a text once.
type cleaner struct {
	in     string
	out    strings.Builder
	from   int  // of what stays in the text and has not been written
	last   rune // the last character that stays
	marked bool // a mark of direction stays, for now

	variants int // selectors of ideographs that stay

	finding bool   // what is dropped is noted
	dropped []part // of the text
}

// A part is what is between two places of a text.
type part struct{ at, end int }

// run cleans the text, of which everything before at is plain.
func (c *cleaner) run(at int) {
	if at > 0 {
		c.last = rune(c.in[at-1])
	}
	for at < len(c.in) {
		if end := plain(c.in, at); end > at {
			c.last = rune(c.in[end-1])
			at = end
			continue
		}
		r, size := utf8.DecodeRuneInString(c.in[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			c.drop(at, at+1)
			c.out.WriteRune(utf8.RuneError)
			c.last = utf8.RuneError
			at++
		case !hidden(r):
			c.last = r
			at += size
		default:
			end, last := c.judge(r, at, at+size)
			if last != 0 {
				c.last = last
			} else {
				c.drop(at, end)
			}
			at = end
		}
	}
}

// judge decides about a character that could hide something. It returns where what
// that character belongs to ends, and the last character of it if it stays, else 0.
func (c *cleaner) judge(r rune, at, end int) (_ int, last rune) {
	stays := false
	switch {
	case r == escape || isC1(r):
		return sequence(c.in, r, end), 0
	case r == zwj || r == zwnj:
		stays = joins(c.last, r, c.next(end))
	case isSelector(r):
		stays = selects(c.last, r, c.next(end)) && (r < 0xe0100 || c.variants < mostForIdeographs)
		if stays && r >= 0xe0100 {
			c.variants++
		}
	case r == zwsp:
		stays = parts(c.last, c.next(end))
	case r == vowelSeparator:
		stays = separates(c.last, c.next(end))
	case isMark(r):
		stays = !isMark(c.last)
		c.marked = c.marked || stays
	case isTag(r) && c.last == blackFlag:
		if n := flag(c.in[at:]); n > 0 {
			return at + n, tagEnd
		}
	}
	if !stays {
		return end, 0
	}
	return end, r
}

// next is the character at, U+FFFD where there is none.
func (c *cleaner) next(at int) rune {
	r, _ := utf8.DecodeRuneInString(c.in[at:])
	return r
}

func (c *cleaner) drop(at, end int) {
	c.out.WriteString(c.in[c.from:at])
	c.from = end
	if !c.finding {
		return
	}
	// What follows another is one with it once there are enough to tell, so that they take no
	// more memory than the text.
	d, n := part{at, end}, len(c.dropped)
	if n > mostFindings && c.dropped[n-1].end == at && !c.replaced(c.dropped[n-1]) && !c.replaced(d) {
		c.dropped[n-1].end = end
		return
	}
	c.dropped = append(c.dropped, d)
}

// original returns what finds the place in the text of one in the result. It is asked
// for places from first to last, so that it looks at what was dropped only once.
func (c *cleaner) original() func(at int) int {
	next, moved := 0, 0 // what was dropped next, and how far the text is ahead of the result before it
	return func(at int) int {
		for next < len(c.dropped) && c.dropped[next].at-moved <= at {
			d := c.dropped[next]
			moved += d.end - d.at
			if c.replaced(d) {
				moved -= utf8.RuneLen(utf8.RuneError)
			}
			next++
		}
		return at + moved
	}
}

// replaced says that a byte which is not UTF-8 was replaced.
func (c *cleaner) replaced(d part) bool {
	r, size := utf8.DecodeRuneInString(c.in[d.at:])
	return r == utf8.RuneError && size == 1
}

// result is the text itself where nothing was dropped.
func (c *cleaner) result() string {
	if c.from == 0 {
		return c.in
	}
	c.out.WriteString(c.in[c.from:])
	return c.out.String()
}
