package text

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

// hidden is written out so that it is fast; Unicode's tables say what it has to be.
func TestHiddenIsWhatUnicodeSays(t *testing.T) {
	t.Parallel()
	for r := range rune(utf8.MaxRune + 1) {
		want := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point) &&
			!unicode.Is(unicode.Prepended_Concatenation_Mark, r) && r != '\n' && r != '\t' && r != '\r' ||
			r == 0x16fe4 || r == 0x1d159 // which show nothing
		if hidden(r) != want {
			t.Errorf("%U: %v, want %v", r, hidden(r), want)
		}
		if selector := unicode.Is(unicode.Variation_Selector, r); isSelector(r) != selector {
			t.Errorf("%U is a selector: %v, want %v", r, isSelector(r), selector)
		}
		if mark := unicode.Is(unicode.Bidi_Control, r) && (r < 0x2000 || r < 0x2010); isMark(r) != mark {
			t.Errorf("%U is a mark: %v, want %v", r, isMark(r), mark)
		}
		if pictures(r) && (hidden(r) || joinsCursive(r) || joinsConjunct(r)) {
			t.Errorf("%U is an emoji and something else", r)
		}
	}
}

// plain finds the first byte that is not, wherever it stands in a word.
func TestPlainFindsEveryByte(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		want := c >= 0x7f || (c < ' ' && c != '\n' && c != '\t' && c != '\r')
		for before := range 20 {
			for _, fill := range []byte{' ', '~', '\n', 'a'} {
				b := make([]byte, 24)
				for i := range b {
					b[i] = fill
				}
				b[before] = byte(c)
				at := len(b)
				if want {
					at = before
				}
				if got := plain(string(b), 0); got != at {
					t.Fatalf("%#x at %d among %q: found at %d", c, before, fill, got)
				}
			}
		}
	}
}
