package text_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/safemcp/safemcp/validate/text"
)

// What is found is what Clean takes out, no more and no less, and where it says.
func FuzzFind(f *testing.F) {
	for _, s := range []string{
		"", "plain", "a\u200bb", "\x1b[31mred\x1b[0m", "\u202eabc\u202c", "e\u0301", "\u05d0\u200f!", "a\u200eb", "\U0001f468\u200d\U0001f469", "\u0645\u06cc\u200c\u062e",
		"\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\x9b", "\xff", "x\ufe0f", "\u200e\u05d0\u200e\u200b\u200e", "\u1100\u1161", "\u212b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
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
		if composed && utf8.ValidString(s) && len(found) > 0 && len(found) < 16 {
			if again := text.Find(clean); again != nil && norm.NFC.IsNormalString(clean) {
				t.Fatalf("%q: what is clean has findings %v", clean, again)
			}
		}
	})
}
