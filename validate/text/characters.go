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
)

// plain are the characters that nobody has to look at.
func plain(r rune) bool {
	return (r >= ' ' && r < 0x7f) || r == '\n' || r == '\t' || r == '\r' || (r >= 0xa1 && r < 0x300 && r != 0xad)
}

// hidden are the characters that show nothing by themselves: controls, format
// characters other than those that draw a sign around numbers (Unicode's
// Prepended_Concatenation_Mark), everything that a font may ignore, and
// noncharacters.
func hidden(r rune) bool {
	switch {
	case unicode.Is(unicode.Cc, r):
		return r != '\n' && r != '\t' && r != '\r'
	case unicode.Is(unicode.Cf, r):
		return !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
	}
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Noncharacter_Code_Point)
}

func isC1(r rune) bool  { return r >= 0x80 && r <= 0x9f }
func isTag(r rune) bool { return r >= 0xe0000 && r <= 0xe007f }

// isMark are the marks of direction: LRM, RLM and ALM.
func isMark(r rune) bool { return r == '\u200e' || r == '\u200f' || r == '\u061c' }

func isSelector(r rune) bool { return unicode.Is(unicode.Variation_Selector, r) }

func rightToLeft(r rune) bool {
	return unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam, unicode.Mandaic, unicode.Samaritan)
}

// shaping are the scripts in which a joiner or non-joiner changes how letters look.
var shaping = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mandaic, unicode.Mongolian, unicode.Adlam, unicode.Devanagari, unicode.Bengali,
	unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala,
	unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese, unicode.Javanese,
}

// joins says that a joiner does something between two characters: in a script where
// it shapes letters, or, the zero-width joiner, in a sequence of emoji.
func joins(last, joiner, next rune) bool {
	if unicode.In(last, shaping...) {
		return unicode.In(next, shaping...) || unicode.IsMark(last) // a half form at the end of a word
	}
	return joiner == zwj && pictures(next) && (pictures(last) || last == '\ufe0f' || last == '\ufe0e' || last == tagEnd)
}

// selects says that a variation selector does something after a character.
func selects(last, selector, next rune) bool {
	switch {
	case selector == '\ufe0f' || selector == '\ufe0e':
		if strings.ContainsRune("0123456789#*", last) {
			return next == keycap
		}
		return pictures(last) || strings.ContainsRune("\u203c\u2049\u3030\u303d\u3297\u3299", last)
	case selector >= '\ufe00' && selector <= '\ufe0d':
		return unicode.In(last, unicode.Sm, unicode.Han, unicode.Myanmar, unicode.Phags_Pa)
	case selector >= 0xe0100:
		return unicode.Is(unicode.Han, last)
	}
	return unicode.Is(unicode.Mongolian, last)
}

// pictures are the characters that can be emoji.
func pictures(r rune) bool {
	switch {
	case r < 0xa9 || r == utf8.RuneError:
		return false
	case r >= 0x1f000 && r <= 0x1faff, r >= 0x2190 && r <= 0x21ff:
		return true
	}
	return r < 0x1f000 && unicode.Is(unicode.So, r)
}

// flags are the flags that are made of tags, in the letters that the tags stand for:
// those that Unicode recommends for interchange (UTS #51, annex C). Any others would
// be room for a hidden word.
var flags = []string{"gbeng", "gbsct", "gbwls"}

// flag returns the length of the tags at the beginning of s that make a flag, or 0.
func flag(s string) int {
	for _, name := range flags {
		var tags strings.Builder
		for _, letter := range name {
			tags.WriteRune(0xe0000 + letter)
		}
		tags.WriteRune(tagEnd)
		if strings.HasPrefix(s, tags.String()) {
			return tags.Len()
		}
	}
	return 0
}
