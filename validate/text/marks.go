package text

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isMark are the marks of direction: LRM, RLM and ALM.
func isMark(r rune) bool { return r == '\u200e' || r == '\u200f' || r == '\u061c' }

var fromTheRight = []*unicode.RangeTable{
	unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam, unicode.Mandaic, unicode.Samaritan, unicode.Hanifi_Rohingya,
}

func rightToLeft(r rune) bool { return r >= 0x590 && !hidden(r) && unicode.In(r, fromTheRight...) }

// withoutIdleMarks takes out the marks of direction that can do nothing: those on a
// line without letters from right to left; and those between two letters, which need
// no mark, and which one of the other direction would put in the other order
// (CVE-2021-42574 by smaller means). It sees the text after everything else has been taken out, so that
// what makes a mark stay is there when somebody reads. No joiner or selector stays
// because of a mark beside it, so that taking out marks makes none of those idle.
func withoutIdleMarks(s string) string {
	var out strings.Builder
	from := 0 // of what stays and has not been written
	for at := range idleMarks(s) {
		out.WriteString(s[from:at])
		_, size := utf8.DecodeRuneInString(s[at:])
		from = at + size
	}
	if from == 0 {
		return s
	}
	out.WriteString(s[from:])
	return out.String()
}

// idleMarks are the places of those marks.
func idleMarks(s string) iter.Seq[int] {
	return func(yield func(int) bool) {
		for start := 0; start < len(s); {
			end := len(s)
			if i := strings.IndexByte(s[start:], '\n'); i >= 0 {
				end = start + i + 1
			}
			line := s[start:end]
			mixed := strings.ContainsFunc(line, isMark) && strings.ContainsFunc(line, rightToLeft)
			for i, r := range line {
				if isMark(r) && (!mixed || amidLetters(line, i, i+utf8.RuneLen(r))) && !yield(start+i) {
					return
				}
			}
			start = end
		}
	}
}

// amidLetters says that what is between two places stands between letters, with their
// accents and vowel signs.
func amidLetters(line string, before, after int) bool {
	last, _ := utf8.DecodeLastRuneInString(line[:before])
	next, _ := utf8.DecodeRuneInString(line[after:])
	return (unicode.IsLetter(last) || unicode.IsMark(last)) && unicode.IsLetter(next)
}
