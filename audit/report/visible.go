package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible is a text as it may be shown to somebody: one line of no more than most
// characters, in which nothing is invisible. Control characters, format characters
// (those that turn the direction of writing, that join and that have no width), spaces
// other than the usual one, and what looks like nothing are spelled out, as ⟨U+202E⟩;
// so is a mark on a mark. Spaces that a page would swallow are shown as ␣.
func visible(s string, most int) string {
	var b strings.Builder
	var before rune
	shown := 0
	end := len(strings.TrimRight(s, " "))
	for i, r := range s {
		part := string(r)
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			part = fmt.Sprintf("⟨0x%02X⟩", s[i])
		case r == ' ' && (i == 0 || i >= end || before == ' '):
			part = "␣"
		case unseen(r), unicode.In(r, unicode.Mn, unicode.Me) && (i == 0 || unicode.In(before, unicode.Mn, unicode.Me)):
			part = fmt.Sprintf("⟨U+%04X⟩", r)
		}
		if shown += utf8.RuneCountInString(part); shown > most {
			return clipped(b.String(), most-1) + "…"
		}
		b.WriteString(part)
		before = r
	}
	return b.String()
}

// visibleLines is a text of some lines as it may be shown and copied.
func visibleLines(s string) string {
	const most = 12
	lines := strings.SplitN(strings.TrimRight(s, "\n"), "\n", most+1)
	for i := range lines {
		lines[i] = visible(lines[i], 400)
	}
	return strings.Join(lines[:min(len(lines), most)], "\n")
}

// unseen says that a character leaves no mark of its own, or one like another's.
func unseen(r rune) bool {
	if r == ' ' {
		return false
	}
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800', '\u034f', '\u17b4', '\u17b5', // fillers, joiners, a blank
		'⟨', '⟩', '␣': // they would look like what this writes
		return true
	}
	return !unicode.IsPrint(r) || unicode.Is(unicode.Variation_Selector, r)
}

// clipped is the beginning of s, no more than most characters.
func clipped(s string, most int) string {
	for i := range s {
		if most--; most < 0 {
			return s[:i]
		}
	}
	return s
}
