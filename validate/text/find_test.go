package text_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/safemcp/safemcp/validate/text"
)

// stripped is a text as a field with the tag text:"strip" has it: normal form C writes a
// few signs as several, beside which what stayed can be idle.
func stripped(s string) string {
	once := norm.NFC.String(text.Clean(s))
	return norm.NFC.String(text.Clean(once))
}

// Of each sign that normal form C writes in another way, what stays beside it.
func TestWhatIsStrippedHasNothingToBeFound(t *testing.T) {
	t.Parallel()
	for r := range rune(utf8.MaxRune + 1) {
		c := string(r)
		if !utf8.ValidRune(r) || norm.NFC.IsNormalString(c) && norm.NFC.QuickSpanString("a"+c+"a") == len("a"+c+"a") {
			continue
		}
		for _, s := range []string{
			c + "\ufe00", c + "\ufe0f", c + "\u200d🔥", "🔥\u200d" + c, c + "\U000e0100", "م\u200c" + c, c + "\u200cم", c + "\u200d", "क्\u200d" + c, "ש\u200e" + c, c + "\u200eש",
			"🔥" + c + "\u200d🔥", "م" + c + "\u200cم", "क" + c + "\u200d", "∩" + c + "\ufe00", "葛" + c + "\U000e0100", "ש " + c + "\u200f1", "ᠠ" + c + "\u180b", "1" + c + "\ufe0f\u20e3",
		} {
			if once := stripped(s); stripped(once) != once || text.Find(once) != nil {
				t.Errorf("%+q is stripped to %+q, that to %+q, with %v", s, once, stripped(once), text.Find(once))
			}
		}
	}
}

// spelled is the text itself, or where it begins with U+0002 one of the telling characters
// for each byte that follows: a fuzzer that changes bytes seldom writes one of them.
func spelled(s string) string {
	bytes, recipe := strings.CutPrefix(s, "\x02")
	if !recipe || len(bytes) > 100 {
		return s
	}
	var b strings.Builder
	for _, c := range []byte(bytes) {
		b.WriteString(telling[int(c)%len(telling)])
	}
	return b.String()
}

// findSeeds are what is found and what is not, each by itself.
var findSeeds = []string{
	"", "plain", "a\u200bb", "\x1b[31mred\x1b[0m", "\u202eabc\u202c", "e\u0301", "\u05d0\u200f!", "a\u200eb", "\U0001f468\u200d\U0001f469", "\u0645\u06cc\u200c\u062e",
	"\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\x9b", "\xff", "x\ufe0f", "\u200e\u05d0\u200e\u200b\u200e", "\u1100\u1161", "\u212b",
	"\x02abc", "\x02\x00\x11\x20\x31", "\x1b]0;title\x07text", "one\ntwo\r\nthree", "\u0915\u094d\u200d\u0937", "1\ufe0f\u20e3 \u2764\ufe0f",
}

// What is found is what Clean takes out, no more and no less, and where it says. What is
// left has nothing to be found in it, and no text is changed that can be seen.
func FuzzFind(f *testing.F) {
	for _, s := range findSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = spelled(s)
		found, clean := text.Find(s), text.Clean(s)
		composed := norm.NFC.IsNormalString(s)
		if (clean == s && composed) != (len(found) == 0) {
			t.Fatalf("%q: %v, and Clean makes %q", s, found, clean)
		}
		if len(found) > 16 {
			t.Fatalf("%q: %d findings", s, len(found))
		}
		last := 0
		for _, one := range found {
			if one.At < max(last, 1) || one.At > utf8.RuneCountInString(s) {
				t.Fatalf("%q: %v", s, found)
			}
			last = one.At
			for _, r := range strings.TrimSpace(one.String()) {
				if r >= 0x80 {
					t.Fatalf("%q is quoted: %q", s, one)
				}
			}
		}
		if plainlySeen(s) && len(found) > 0 {
			t.Fatalf("%+q can be seen, and has %v", s, found)
		}
		holds(t, s)
		once := stripped(s)
		if again := stripped(once); again != once || text.Find(once) != nil || !visible(once) {
			t.Fatalf("%+q is stripped to %+q, that to %+q, with %v", s, once, again, text.Find(once))
		}
	})
}

// plainlySeen says by Unicode's tables that each character of a text is seen by itself.
func plainlySeen(s string) bool {
	return utf8.ValidString(s) && norm.NFC.IsNormalString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r != '\r' && r != '\t' && (!unicode.IsGraphic(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point))
	})
}
