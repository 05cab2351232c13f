package text

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A Finding is something in a text that a reader cannot see, or sees as something else.
type Finding struct {
	Kind Kind
	At   int // which character it is or begins with, from 1
}

// String says what and where: "a zero-width character, at character 7". It does not hold
// anything of the text.
func (f Finding) String() string { return fmt.Sprintf("%s, at character %d", f.Kind, f.At) }

// A Kind is what a finding is, in words.
type Kind string

// The kinds of findings.
const (
	Escape      Kind = "an escape sequence for terminals"
	Control     Kind = "a control character"
	Direction   Kind = "a character that changes the direction of text"
	ZeroWidth   Kind = "a character without width"
	Tag         Kind = "an invisible tag"
	Selector    Kind = "a variation selector that selects nothing"
	Invisible   Kind = "an invisible character"
	NotUTF8     Kind = "a byte that is not UTF-8"
	NotComposed Kind = "a character that Unicode's normal form C writes in another way"
)

// mostFindings bounds how many findings are told of one text.
const mostFindings = 16

// Find returns what [Clean] takes out of s, the first 16 of it in the order of the text, and
// where s is not in Unicode's normal form C (UAX #15) the first character that is not. It
// returns nil, without allocating, where there is nothing to find. What Clean leaves, emoji
// in their sequences and the joiners of Persian and of Indic scripts among it, is no finding.
func Find(s string) []Finding {
	at := plain(s, 0)
	if at == len(s) {
		return nil
	}
	c := cleaner{in: s, finding: true}
	c.run(at)
	var found []Finding
	for _, d := range c.dropped[:min(len(c.dropped), mostFindings)] {
		found = append(found, Finding{kindOf(s[d.at:]), d.at})
	}
	if c.marked {
		place, marks := c.original(), 0
		for idle := range idleMarks(c.result()) {
			found = append(found, Finding{Direction, place(idle)})
			if marks++; marks == mostFindings {
				break
			}
		}
	}
	if end := norm.NFC.QuickSpanString(s); end < len(s) && !norm.NFC.IsNormalString(s) {
		found = append(found, Finding{NotComposed, uncomposed(s, end)})
	}
	return numbered(s, found)
}

// uncomposed is where s first is not in its normal form, from a place on before which it is.
func uncomposed(s string, from int) int {
	composed := norm.NFC.String(s[from:])
	at := 0
	for at < len(composed) && from+at < len(s) && composed[at] == s[from+at] {
		at++
	}
	for at > 0 && from+at < len(s) && !utf8.RuneStart(s[from+at]) {
		at--
	}
	return from + at
}

// numbered sorts findings by their place, and counts characters in place of bytes.
func numbered(s string, found []Finding) []Finding {
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(a.At, b.At) })
	found = found[:min(len(found), mostFindings)]
	characters, at := 1, 0
	for i := range found {
		characters += utf8.RuneCountInString(s[at:found[i].At])
		at, found[i].At = found[i].At, characters
	}
	return found
}

// kindOf is what begins a text that was taken out.
func kindOf(s string) Kind {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		return NotUTF8
	case r == escape || (isC1(r) && sequence(s, r, size) > size):
		return Escape
	case r < 0x20 || (r >= 0x7f && r <= 0x9f):
		return Control
	case (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) || isMark(r):
		return Direction
	case isTag(r):
		return Tag
	case isSelector(r):
		return Selector
	case strings.ContainsRune("\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e", r):
		return ZeroWidth
	}
	return Invisible
}
