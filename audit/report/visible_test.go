package report

import (
	"html"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/safemcp/safemcp/audit"
)

func TestNothingInATextIsInvisible(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"get_weather":             "get_weather",
		"Zoë, 東京, мир":            "Zoë, 東京, мир",
		"e\u0301":                 "e\u0301",
		"e\u0301\u0301":           "e\u0301⟨U+0301⟩",
		"\u0301e":                 "⟨U+0301⟩e",
		"admin\u202egnp.exe":      "admin⟨U+202E⟩gnp.exe",
		"\u2066a\u2069":           "⟨U+2066⟩a⟨U+2069⟩",
		"a\u200bb\u2060c":         "a⟨U+200B⟩b⟨U+2060⟩c",
		"a\u00a0b\u3000":          "a⟨U+00A0⟩b⟨U+3000⟩",
		"one\ntwo\tthree\x1b[2J":  "one⟨U+000A⟩two⟨U+0009⟩three⟨U+001B⟩[2J",
		"\u2028\u2029\u0085":      "⟨U+2028⟩⟨U+2029⟩⟨U+0085⟩",
		"\u3164\u115f\u2800":      "⟨U+3164⟩⟨U+115F⟩⟨U+2800⟩",
		"a\ufe0fb\U000e0100":      "a⟨U+FE0F⟩b⟨U+E0100⟩",
		"\U000e0041":              "⟨U+E0041⟩",
		"\xff":                    "⟨0xFF⟩",
		"\ufffd":                  "\ufffd",
		" a  b ":                  "␣a ␣b␣",
		"⟨U+202E⟩":                "⟨U+27E8⟩U+202E⟨U+27E9⟩",
		"\ue000\ufdd0":            "⟨U+E000⟩⟨U+FDD0⟩",
		strings.Repeat("a", 61):   strings.Repeat("a", 59) + "…",
		strings.Repeat("a", 60):   strings.Repeat("a", 60),
		strings.Repeat("\x00", 9): strings.Repeat("⟨U+0000⟩", 7) + "…",
	} {
		got := visible(in, 60)
		if got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
		if utf8.RuneCountInString(got) > 60 || !utf8.ValidString(got) {
			t.Errorf("%q is too long", got)
		}
	}
}

// Whatever is in a log, no place in the page shows what cannot be seen, or at full length.
func TestNoPageHoldsWhatCannotBeSeen(t *testing.T) {
	t.Parallel()
	for _, name := range hostileNames {
		events := hostile([]string{name, name + "2"})
		found := foundIn(events)
		found.Bad = &audit.BadRecord{File: name, Reason: name}
		found.CannotKnow = []string{name}
		found.Checkpoint = name
		page := pageOf(t, events, found)
		for _, r := range html.UnescapeString(page) {
			if unseen(r) && !strings.ContainsRune("\n⟨⟩␣", r) {
				t.Fatalf("of %.40q the page holds %U", name, r)
			}
		}
		if strings.Contains(page, strings.Repeat("W", 1001)) || strings.Contains(page, strings.Repeat("漢", 1001)) {
			t.Error("something is shown at its length")
		}
	}
}

func TestACheckpointOfSomeLinesCanBeCopied(t *testing.T) {
	t.Parallel()
	note := "log.example/weather\n12\nMzE5\n\n— log.example sig\n"
	if got := visibleLines(note); got != strings.TrimRight(note, "\n") {
		t.Errorf("%q", got)
	}
	if got := visibleLines(strings.Repeat("a\r\u202e\n", 500)); strings.Count(got, "\n") > 12 || strings.ContainsAny(got, "\r\u202e") {
		t.Errorf("%q", got)
	}
}

func FuzzNothingInATextIsInvisible(f *testing.F) {
	f.Add("a\u202eb \xff\u0301\u0301", 5)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = 1 + most&63
		got := visible(s, most)
		if n := utf8.RuneCountInString(got); n > most || !utf8.ValidString(got) {
			t.Errorf("%q is %d of %d characters", got, n, most)
		}
		for _, r := range got {
			if unseen(r) && !strings.ContainsRune("⟨⟩␣", r) {
				t.Errorf("%q holds %U", got, r)
			}
		}
	})
}

func TestNumbersHaveUnitsAndNoFalseDigits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 µs", 850 * time.Microsecond: "850 µs", 999_600 * time.Nanosecond: "1 ms", 1200 * time.Microsecond: "1.2 ms", 12 * time.Millisecond: "12 ms",
		340 * time.Millisecond: "340 ms", 999_700 * time.Microsecond: "1 s", 4100 * time.Millisecond: "4.1 s", 59_900 * time.Millisecond: "1 min",
		90 * time.Second: "1.5 min", 59*time.Minute + 50*time.Second: "1 h", 26 * time.Hour: "26 h", 240 * time.Hour: "10 d", 1<<63 - 1: "292 y",
	} {
		if got := took(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
	for _, c := range []struct {
		part, whole uint64
		want        string
	}{{0, 0, "none"}, {0, 5, "none"}, {5, 5, "all"}, {1, 100_000, "under 0.1 %"}, {1, 200, "0.5 %"}, {99_999, 100_000, "over 99 %"}, {1, 4, "25 %"}} {
		if got := share(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d is %s, want %s", c.part, c.whole, got, c.want)
		}
	}
	if got := grouped(1_234_567) + " " + grouped(999) + " " + grouped(1000); got != "1,234,567 999 1,000" {
		t.Error(got)
	}
}
