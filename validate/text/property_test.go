package text_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/safemcp/safemcp/validate/text"
)

// visible says that nothing is left that always hides, whatever stands beside it.
// It asks Unicode's tables, not the package's.
func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return false
		case r == '\u200c' || r == '\u200d' || r == '\u200e' || r == '\u200f' || r == '\u061c': // it depends
			return false
		case r == '\u200b':
			return !strings.ContainsAny(s, "កន") // of Khmer
		case r == '\u180e':
			return !strings.Contains(s, "\u180e\u1820") && !strings.Contains(s, "\u180e\u1821")
		case r >= 0xe0020 && r <= 0xe007f:
			return !strings.Contains(s, "\U0001f3f4\U000e0067\U000e0062") // on a flag
		case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Prepended_Concatenation_Mark, r):
			return false
		}
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Noncharacter_Code_Point, unicode.Other_Default_Ignorable_Code_Point)
	})
}

// holds checks what Clean promises for every text.
func holds(t *testing.T, s string) {
	t.Helper()
	clean := text.Clean(s)
	if !utf8.ValidString(clean) || !visible(clean) {
		t.Fatalf("%+q became %+q", s, clean)
	}
	if again := text.Clean(clean); again != clean {
		t.Fatalf("%+q became %+q, and that %+q", s, clean, again)
	}
	if utf8.RuneCountInString(clean) > utf8.RuneCountInString(s) || (utf8.ValidString(s) && len(clean) > len(s)) {
		t.Fatalf("%+q grew to %+q", s, clean)
	}
	// What carries a hidden text ends with its line: the lines are never fewer.
	for _, end := range []string{"\n", "\r"} {
		if strings.Count(clean, end) != strings.Count(s, end) {
			t.Fatalf("%+q became %+q, without an end of a line", s, clean)
		}
	}
	for _, pair := range []string{"\u200c\u200c", "\u200d\u200d", "\u200e\u200e", "\ufe0f\ufe0f", "\ufe0f\U000e0100", "\u180b\u180b", "\u180e\u180e", "\u200b\u200b"} {
		if strings.Contains(clean, pair) {
			t.Fatalf("%+q became %+q, with two in a row", s, clean)
		}
	}
	// A text that is cleaned is what is left of it: in this order, nothing added.
	rest := []rune(strings.ToValidUTF8(s, "\ufffd"))
	for _, r := range strings.ReplaceAll(clean, "\ufffd", "") {
		for len(rest) > 0 && rest[0] != r {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			t.Fatalf("%+q became %+q, which is not part of it", s, clean)
		}
		rest = rest[1:]
	}
}

// telling are the characters at which the rules turn.
var telling = []string{
	"a", "1", "#", " ", "\n", "\r", "é", "°", "+", "[", "]", "m", "\\", "P", "(", "0", ";",
	"\x1b", "\a", "\x18", "\x00", "\x7f", "\u0085", "\u009b", "\u009c", "\u009d", "\u0090", "\xff", "\xc2", "\xed\xa0\x80",
	"\u200b", "ក", "\u00ad", "\u2060", "\u3164", "\u180e", "\ufff9", "\uffff", "\u17b4",
	"\u200c", "\u200d", "\u200e", "\u200f", "\u061c", "\u202e", "\u2066", "\u2069",
	"م", "ی", "\u064e", "א", "क", "्", "ක", "ᠠ", "\u180b", "\u180f", "\u0600",
	"❤", "🔥", "🏽", "ℹ", "◼", "👩", "\u20e3", "\ufe0e", "\ufe0f", "\ufe00", "\ufe05", "∩", "\u845b", "か", "\U000e0100", "\U000e01ef", "\U00013091", "\U00013430",
	"🏴", "\U000e0067", "\U000e0062\U000e0073\U000e0063\U000e0074", "\U000e007f", scotland, "🇯",
}

func telltale(r *rand.Rand, most int) string {
	var b strings.Builder
	for range r.IntN(most) {
		b.WriteString(telling[r.IntN(len(telling))])
	}
	return b.String()
}

// Chance finds in a second what a fuzzer that changes bytes takes hours for.
func TestCleanKeepsItsPromises(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	n := 200_000
	if testing.Short() {
		n = 20_000
	}
	for range n {
		holds(t, telltale(r, 9))
	}
	for range n / 100 {
		holds(t, telltale(r, 200))
	}
}

// Every two and three of them, so that none is left to chance.
func TestEveryPairIsJudged(t *testing.T) {
	t.Parallel()
	for _, a := range telling {
		for _, b := range telling {
			holds(t, a+b)
			holds(t, "א "+a+b)
			for _, c := range []string{"\u200c", "\u200d", "\u200e", "\ufe0f", "🔥", "م", "्", "\u20e3", "\x1b", "["} {
				holds(t, a+b+c)
				holds(t, a+c+b)
				holds(t, c+a+b)
			}
		}
	}
}

// Every character there is, alone and among letters.
func TestEveryCharacterIsJudged(t *testing.T) {
	t.Parallel()
	for r := range rune(utf8.MaxRune + 1) {
		if s := string(r); utf8.ValidRune(r) {
			for _, s := range []string{s, "a" + s + s + "b", "م" + s + "م", "🔥" + s + "🔥"} {
				if clean := text.Clean(s); !visible(clean) || text.Clean(clean) != clean {
					t.Fatalf("%+q became %+q", s, clean)
				}
			}
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, a := range attacks {
		f.Add(a.in)
	}
	f.Add(scotland + "می\u200cخواهم ❤\ufe0f\u200d🔥 שלום\u200f!")
	f.Fuzz(holds)
}

// Strings that nobody here chose: what is left of them shows.
func TestNaughtyStringsAreVisibleOnceClean(t *testing.T) {
	t.Parallel()
	corpora := os.Getenv("SAFEMCP_CORPORA")
	if corpora == "" {
		t.Skip("Set SAFEMCP_CORPORA to a directory of attack data that holds the big list of naughty strings in blns.")
	}
	for name, read := range map[string]func([]byte) ([]string, error){
		"blns.json": func(content []byte) (all []string, err error) { return all, json.Unmarshal(content, &all) },
		"blns.txt":  func(content []byte) ([]string, error) { return strings.Split(string(content), "\n"), nil },
	} {
		content, err := os.ReadFile(filepath.Join(corpora, "blns", "resources", name))
		if err != nil {
			t.Fatal(err)
		}
		all, err := read(content)
		if err != nil || len(all) < 400 {
			t.Fatalf("%s: %d strings, %v", name, len(all), err)
		}
		for _, s := range all {
			holds(t, s)
		}
		holds(t, string(content))
		if name != "blns.json" {
			continue
		}
		clean := text.CleanJSON(content)
		var cleaned []string
		if err := json.Unmarshal(clean, &cleaned); err != nil || len(cleaned) != len(all) {
			t.Fatalf("%d strings became %d, %v", len(all), len(cleaned), err)
		}
		for i, s := range all {
			if cleaned[i] != text.Clean(s) {
				t.Errorf("%+q became %+q", s, cleaned[i])
			}
		}
	}
}

func ExampleClean() {
	fmt.Println(text.Clean("The weather in \x1b[8mParis\x1b[0m is fine.\U000e0049\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065"))
	fmt.Println(text.Clean("می\u200cخواهم") == "می\u200cخواهم")
	// Output:
	// The weather in Paris is fine.
	// true
}
