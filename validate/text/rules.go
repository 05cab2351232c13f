package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zwnj      = '\u200c'
	zwj       = '\u200d'
	blackFlag = '\U0001f3f4'
	tagEnd    = '\U000e007f'
	keycap    = '\u20e3'
	asText    = '\ufe0e' // VS15
	asEmoji   = '\ufe0f' // VS16

	zwsp           = '\u200b'
	vowelSeparator = '\u180e'
)

// hidden are the characters that show nothing by themselves: controls, format
// characters other than those that draw a sign around numbers (Unicode's
// Prepended_Concatenation_Mark), everything that a font may ignore, assigned or not,
// noncharacters, and two that Unicode counts to those with a form, which is an empty one:
// Khitan's filler and music's null notehead. It is asked of every character beyond ASCII, so it is no search
// in Unicode's tables; a test holds it against them.
func hidden(r rune) bool {
	switch {
	case r < 0x300:
		return (r < ' ' && r != '\n' && r != '\t' && r != '\r') || (r >= 0x7f && r <= 0x9f) || r == 0xad
	case r < 0x2000:
		return r == 0x34f || r == 0x61c || r == 0x115f || r == 0x1160 || r == 0x17b4 || r == 0x17b5 || (r >= 0x180b && r <= 0x180f)
	case r < 0x3000:
		return (r >= 0x200b && r <= 0x200f) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2060 && r <= 0x206f)
	case r < 0xfdd0:
		return r == 0x3164
	case r < 0x10000:
		return r <= 0xfdef || (r >= 0xfe00 && r <= 0xfe0f) || r == 0xfeff || r == 0xffa0 || (r >= 0xfff0 && r <= 0xfffb) || r >= 0xfffe
	}
	return r&0xfffe == 0xfffe || r == 0x16fe4 || r == 0x1d159 ||
		(r >= 0x13430 && r <= 0x1343f) || // hieroglyphs
		(r >= 0x1bca0 && r <= 0x1bca3) || // shorthand
		(r >= 0x1d173 && r <= 0x1d17a) || // music
		(r >= 0xe0000 && r <= 0xe0fff) // tags, and selectors for ideographs
}

func isC1(r rune) bool  { return r >= 0x80 && r <= 0x9f }
func isTag(r rune) bool { return r >= 0xe0000 && r <= tagEnd }

// isSelector are Unicode's variation selectors: the Mongolian ones, VS1 to VS16,
// VS17 to VS256.
func isSelector(r rune) bool {
	return (r >= 0x180b && r <= 0x180d) || r == 0x180f || (r >= 0xfe00 && r <= 0xfe0f) || (r >= 0xe0100 && r <= 0xe01ef)
}

// cursive are the scripts whose letters join, conjunct those whose letters stack or
// lose their vowel.
var (
	cursive = []*unicode.RangeTable{
		unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mandaic, unicode.Mongolian, unicode.Phags_Pa, unicode.Adlam, unicode.Hanifi_Rohingya,
	}
	conjunct = []*unicode.RangeTable{
		unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada,
		unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese, unicode.Javanese,
	}
)

// joinsCursive says so of the letters, and of the vowel signs of Arabic, which
// Unicode counts to no script.
func joinsCursive(r rune) bool {
	return !hidden(r) && (unicode.In(r, cursive...) || (r >= 0x64b && r <= 0x655) || r == 0x670)
}

func joinsConjunct(r rune) bool { return !hidden(r) && unicode.In(r, conjunct...) }

// joins says that a joiner or non-joiner does something between two characters:
// between letters of a script where it shapes them; at the end of a word, where the
// joiner keeps a cursive letter open (as Arabic writes "of the Hijra") and either
// keeps a half form (after the sign that takes a vowel away); between what Persian takes
// from elsewhere, as PDF or 20, and its ending; or, the joiner, between two emoji. The
// letter before it is asked for first: where that shapes nothing, no
// joiner does.
func joins(last, joiner, next rune) bool {
	switch {
	case last < 0x300 && joiner == zwnj:
		return joinsCursive(next) && (unicode.IsLetter(last) || unicode.IsDigit(last) || last == ')' || last == '»')
	case last < 0x300:
		return pictures(last) && pictures(next)
	case joinsCursive(last):
		return joiner == zwj || joinsCursive(next)
	case joinsConjunct(last):
		return unicode.IsMark(last) || joinsConjunct(next)
	}
	return joiner == zwj && pictures(next) && (pictures(last) || last == asEmoji || isSkin(last))
}

// selects says that a variation selector does something after a character (Unicode's
// StandardizedVariants.txt and emoji-variation-sequences.txt, UTS #37).
func selects(last, selector, next rune) bool {
	switch {
	case hidden(last): // a selector among them: one is enough
		return false
	case selector == asText || selector == asEmoji:
		if strings.ContainsRune("0123456789#*", last) {
			return next == keycap
		}
		return pictures(last)
	case selector >= 0xe0100:
		return selector <= lastForIdeographs && unicode.Is(unicode.Unified_Ideograph, last)
	case selector < 0xfe00:
		return unicode.Is(unicode.Mongolian, last)
	case unicode.Is(unicode.Egyptian_Hieroglyphs, last):
		return selector <= 0xfe06 // turned signs
	}
	switch {
	case unicode.Is(unicode.Han, last):
		return selector <= 0xfe02
	case strings.ContainsRune("、。！，．：；？", last):
		return selector <= 0xfe01
	}
	return selector == 0xfe00 && last >= utf8.RuneSelf && unicode.In(last, unicode.Sm, unicode.Myanmar, unicode.Phags_Pa, unicode.Manichaean)
}

// The bounds of selectors of ideographs: the last that any ideograph has (UTS #37), and how
// many a text may hold. Of the 240 that there are, one after each ideograph would be a byte.
const (
	lastForIdeographs = '\U000e011f'
	mostForIdeographs = 16
)

// unspaced are the scripts that put no spaces between words, and the zero-width one for
// whoever breaks lines, where they put any.
var unspaced = []*unicode.RangeTable{unicode.Khmer, unicode.Lao, unicode.Thai, unicode.Myanmar}

// parts says that a zero-width space does something between two characters.
func parts(last, next rune) bool {
	return last >= 0xe00 && !hidden(last) && !hidden(next) && unicode.In(last, unspaced...) && unicode.In(next, unspaced...)
}

// separates says that U+180E does something between two characters, as the vowel separator
// that Mongolian writes before the last vowel of many words.
func separates(last, next rune) bool {
	return (next == 0x1820 || next == 0x1821) && unicode.Is(unicode.Mongolian, last) && last != vowelSeparator
}

// flags are the flags that are made of tags: those that Unicode recommends for
// interchange (UTS #51, annex C), in the tags for gbeng, gbsct and gbwls. Any others
// would be room for a hidden word.
var flags = [...]string{
	"\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
	"\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
	"\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
}

// flag returns the length of the tags at the beginning of s that make a flag, or 0.
func flag(s string) int {
	for _, tags := range flags {
		if strings.HasPrefix(s, tags) {
			return len(tags)
		}
	}
	return 0
}
