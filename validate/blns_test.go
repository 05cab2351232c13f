package validate_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/safemcp/safemcp/validate/text"
)

// A sight is what a person sees of a text.
type sight string

const (
	invisible  sight = "holds what nobody sees"
	uncomposed sight = "is seen, and written in another way than in normal form C"
	blank      sight = "is nothing, or gaps alone"
	printable  sight = "is seen"
	elsewise   sight = "is seen, with ends of lines, tabs or characters that have no glyph yet"
)

// seen says by Unicode's tables what a person sees of a text, and not by the package's.
//
// A character is invisible where it draws nothing and takes no room: a control that is no
// tab and no end of a line, a format character other than those that draw a sign around
// numbers, a variation selector, what else a font may ignore, and a noncharacter. A space
// takes its room: it is seen as a gap, whatever its width. A selector or joiner is seen by
// what it does: a selector behind a sign, or before the box of a keycap; a joiner between
// two signs, or behind a letter of a script that it shapes.
func seen(s string) sight {
	if !utf8.ValidString(s) {
		return invisible
	}
	all, runes := printable, []rune(s)
	for i, r := range runes {
		switch {
		case r == '\t' || r == '\n' || r == '\r', unicode.In(r, unicode.Zl, unicode.Zp, unicode.Co):
			all = elsewise
		case (unicode.Is(unicode.Variation_Selector, r) || r == '\u200d' || r == '\u200c') && shows(runes, i):
		case unicode.In(r, unicode.Cc, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point),
			unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r):
			return invisible
		case !unicode.IsGraphic(r):
			all = elsewise
		}
	}
	switch {
	case !norm.NFC.IsNormalString(s):
		return uncomposed
	case strings.TrimSpace(s) == "":
		return blank
	}
	return all
}

// shows says that a selector or joiner does something that is seen.
func shows(runes []rune, i int) bool {
	var last, next rune
	if i > 0 {
		last = runes[i-1]
	}
	if i+1 < len(runes) {
		next = runes[i+1]
	}
	signs := []*unicode.RangeTable{unicode.So, unicode.Sm, unicode.Sk}
	if unicode.Is(unicode.Variation_Selector, runes[i]) {
		return unicode.In(last, signs...) || next == '\u20e3'
	}
	return unicode.In(last, signs...) && unicode.In(next, signs...) || unicode.Is(unicode.Variation_Selector, last) && unicode.In(next, signs...) ||
		unicode.In(last, unicode.Arabic, unicode.Devanagari, unicode.Bengali, unicode.Malayalam, unicode.Sinhala)
}

// naughty are the texts of the big list of naughty strings, and the lines of its other form.
func naughty(t *testing.T) (all []string) {
	t.Helper()
	corpora := os.Getenv("SAFEMCP_CORPORA")
	if corpora == "" {
		t.Skip("Set SAFEMCP_CORPORA to a directory of attack data that holds the big list of naughty strings in blns.")
	}
	content, err := os.ReadFile(filepath.Join(corpora, "blns", "resources", "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &all); err != nil || len(all) < 480 {
		t.Fatalf("%d texts, %v", len(all), err)
	}
	lines, err := os.ReadFile(filepath.Join(corpora, "blns", "resources", "blns.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(lines), "\n") {
		if !strings.HasPrefix(line, "#") && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// None that nobody sees is taken, and each that is seen is: as it is where a field takes
// what comes, and by default where it is in normal form C.
func TestNaughtyStringsAreRefusedForWhatNobodySeesAlone(t *testing.T) {
	t.Parallel()
	a := compile[struct {
		Plain *string `json:"plain,omitempty"`
		Raw   *string `json:"raw,omitempty" text:"raw"`
		Strip *string `json:"strip,omitempty" text:"strip"`
	}](t, nil)
	decided := map[sight]int{}
	for _, s := range naughty(t) {
		what := seen(s)
		decided[what]++
		if what != printable {
			t.Logf("%+.60q %s", s, what)
		}
		if !utf8.ValidString(s) {
			if _, err := a.Decode(t.Context(), json.RawMessage(`{"raw":"`+s+`"}`)); err == nil {
				t.Errorf("%+q is taken", s)
			}
			continue
		}
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := a.Decode(t.Context(), json.RawMessage(`{"raw":`+string(quoted)+`}`)); err != nil || *v.Raw != s {
			t.Errorf("%+q is refused where all is taken, or changed: %v", s, err)
		}
		v, err := a.Decode(t.Context(), json.RawMessage(`{"plain":`+string(quoted)+`}`))
		if refused := what == invisible || what == uncomposed; (err != nil) != refused || (text.Find(s) != nil) != refused || err == nil && *v.Plain != s {
			t.Errorf("%+q %s: %v, %v", s, what, err, text.Find(s))
		}
		v, err = a.Decode(t.Context(), json.RawMessage(`{"strip":`+string(quoted)+`}`))
		if err != nil || seen(*v.Strip) == invisible || seen(*v.Strip) == uncomposed || what != invisible && *v.Strip != norm.NFC.String(s) {
			t.Errorf("%+q becomes %+q, %v", s, *v.Strip, err)
		}
	}
	t.Logf("%v", decided)
	for _, what := range []sight{invisible, uncomposed, blank, printable} {
		if decided[what] == 0 || decided[printable] < 400 {
			t.Errorf("%v of %v: the list has changed, or the rule", decided, slices.Sorted(maps.Keys(decided)))
		}
	}
}
