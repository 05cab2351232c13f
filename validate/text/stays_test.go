package text_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate/text"
)

// Each of these is how people write: nothing of it may be lost.
func TestWhatWritingNeedsStays(t *testing.T) {
	t.Parallel()
	for what, s := range map[string]string{
		"nothing":                   "",
		"ASCII, tab, ends of lines": "plain\ttext\r\nwith ~ and \\ and \"\n",
		"accents":                   "Zürich, œuvre, naïve",
		"a combining accent":        "e\u0301",
		"spaces of other widths":    "10\u00a0km, 1\u202f000, \u6771\u4eac\u3000\u90fd",
		"line and paragraph":        "a\u2028b\u2029c",
		"private use":               "\ue000 \U000f0000 \U00100000",
		"U+FFFD itself":             "a\ufffdb",

		"Persian: \"I want\" is parted by a non-joiner":                "می\u200cخواهم",
		"Persian plural after a letter that does not join":             "کار\u200cها",
		"Persian with a vowel sign before the non-joiner":              "می\u064e\u200cخواهم",
		"Arabic: the abbreviation of the Hijra ends in an open letter": "١٤٤٥ه\u200d",
		"Arabic": "مرحبا بالعالم",
		"Arabic: the sign of a number encloses it": "\u0600123 \u06dd1",
		"Syriac abbreviation":                      "\u070fܫܠܡ",
		"Hindi: ksha shows the half form":          "क्\u200dष",
		"Hindi: ksha shows the virama":             "क्\u200cष",
		"Marathi: the eyelash ra":                  "दर्\u200dया",
		"Bengali: a half form ends the word":       "উত্\u200d",
		"Bengali: ra before a virama":              "র\u200d্যাব",
		"Sinhala: Sri Lanka":                       "ශ්\u200dරී ලංකා",
		"Malayalam: a chillu as it was encoded":    "ന്\u200d അവന്\u200d",
		"Kannada: the non-joiner after a virama":   "ರಾಜ್\u200cಕುಮಾರ್",
		"Mongolian: a selected form":               "ᠠ\u180b ᠭ\u180d",
		"Hebrew with a mark after punctuation":     "שלום\u200f! (C++\u200e)",
		"Hebrew with a mark at the end of a line":  "abc\nשלום (1)\u200f\nabc",
		"Arabic with its own mark at a number":     "رقم \u061c12-34",

		"emoji":                       "😀 ☂ ⚡",
		"family":                      "👨\u200d👩\u200d👧\u200d👦",
		"rainbow flag":                "🏳\ufe0f\u200d🌈",
		"pirate flag":                 "🏴\u200d☠\ufe0f",
		"heart on fire":               "❤\ufe0f\u200d🔥",
		"skin tone":                   "👍🏽",
		"woman technologist":          "👩🏽\u200d💻",
		"runner to the right":         "🏃🏽\u200d♀\ufe0f\u200d➡\ufe0f",
		"two skins, one handshake":    "🫱🏻\u200d🫲🏿",
		"keycaps":                     "1\ufe0f\u20e3 #\ufe0f\u20e3 *\ufe0f\u20e3",
		"emoji among letters":         "ℹ\ufe0f ™\ufe0f ©\ufe0f Ⓜ\ufe0f ㊗\ufe0f",
		"emoji among signs":           "◻\ufe0f ◼\ufe0f ◾\ufe0f ↔\ufe0f ⤴\ufe0f ‼\ufe0f 〰\ufe0f",
		"text style":                  "☎\ufe0e ✉\ufe0e",
		"flag of Japan":               "🇯🇵",
		"flags of England and Wales":  "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
		"flag of Scotland":            scotland,
		"flag of Scotland, and again": scotland + scotland + "!",

		"ideographic variants":      "\u845b\U000e0100\u57ce \u8fbb\U000e0101",
		"compatibility variant":     "\u795e\ufe00",
		"fullwidth stop, centred":   "。\ufe01",
		"mathematical variant":      "∩\ufe00",
		"Myanmar with dots":         "က\ufe00",
		"a hieroglyph, turned once": "\U00013091\ufe00",
	} {
		if got := text.Clean(s); got != s {
			t.Errorf("%s: %+q became %+q", what, s, got)
		}
		padded := strings.Repeat("0123456789abcdef ", 3) + s + " (and more)"
		if got := text.Clean(padded); !strings.HasPrefix(what, "Hebrew") && got != padded {
			t.Errorf("%s, in a longer text: %+q became %+q", what, padded, got)
		}
		quoted := escape(s)
		if got := text.CleanJSON(quoted); string(got) != string(quoted) {
			t.Errorf("%s, escaped: %s became %s", what, quoted, got)
		}
	}
}

const scotland = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"

func TestCleanTextCostsNoMemory(t *testing.T) {
	texts := []string{
		"",
		strings.Repeat("Plain text, with \"quotes\" and\nlines. ", 50),
		strings.Repeat("Schöne Grüße aus Zürich \u6771\u4eac. ", 50),
		strings.Repeat("می\u200cخواهم ", 50),
		strings.Repeat("👨\u200d👩\u200d👧 ❤\ufe0f "+scotland, 50),
		strings.Repeat("שלום\u200f! (C++\u200e)\n", 50),
	}
	jsons := [][]byte{
		[]byte(`{"a":"plain \"text\"\n","b":[1,2,{"c":"d \\ \u003cb\u003e \ud83d\ude00 \u00ff\u00FF\u0aF9"}]}`),
		[]byte("{\n\t\"a\": \"Schöne Grüße aus \u6771\u4eac\"\n}"),
		[]byte("[\"می\u200cخواهم\",\"👨\u200d👩\u200d👧\",\"❤\ufe0f\"]"),
		[]byte(`not JSON`),
	}
	for _, s := range texts {
		if n := testing.AllocsPerRun(100, func() { _ = text.Clean(s) }); n != 0 {
			t.Errorf("%v allocations for %.40q", n, s)
		}
	}
	for _, raw := range jsons {
		if n := testing.AllocsPerRun(100, func() { _ = text.CleanJSON(raw) }); n != 0 {
			t.Errorf("%v allocations for %.40q", n, raw)
		}
	}
}

func BenchmarkClean(b *testing.B) {
	for name, s := range map[string]string{
		"ascii":   strings.Repeat("Plain text, nothing to see in it. All of it is read by people.\n", 16),
		"german":  strings.Repeat("Schöne Grüße aus Zürich, und über alles Übrige später. ", 18),
		"chinese": strings.Repeat("\u4e1c\u4eac\u662f\u65e5\u672c\u7684\u9996\u90fd，\u4eba\u53e3\u5f88\u591a。", 24),
		"persian": strings.Repeat("می\u200cخواهم بروم ", 40),
		"attack":  strings.Repeat("\x1b[31mred\x1b[0m\u200b", 64),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				_ = text.Clean(s)
			}
		})
		raw, err := json.Marshal([]string{s, s})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"-json", func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				_ = text.CleanJSON(raw)
			}
		})
	}
}
