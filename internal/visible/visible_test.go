package visible

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestNothingThatSteersATerminalIsInACell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":              "plain ",
		"":                   "      ",
		"\x1b[2Jx":           "�[2Jx ",
		"a\nb\tc":            "a�b�c ",
		"\u202eabc":          "�abc  ",
		"e\u0301":            "e�    ",
		"longer than it":     "longe…",
		"\x9b1m\u009b1m":     "�1m�1m",
		"zero\u200b":         "zero� ",
		"\U000e0041":         "�     ",
		"caf\u00e9\u4e16":    "café世 ",
		"six ch\u0301aracte": "six c…",
	} {
		if got := Cell(in, 6); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := Text("ab  ", 6); got != "ab" {
		t.Errorf("%q", got)
	}
}

func FuzzJSONStaysTheSameAndIsSeen(f *testing.F) {
	for _, s := range []string{`{"a":"b"}`, "{\"a\":\"\u202e\u009b\x7f\u2028\U000e0041\"}", "[1,\r\n\t2]", "\"\xff\"", `"\u202e\\"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		out := AppendJSON(nil, text)
		if strings.ContainsFunc(string(out), func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
		}) {
			t.Errorf("%q", out)
		}
		var was, is any
		if err := json.Unmarshal(text, &was); err != nil {
			return // numbers beyond float64
		}
		if err := json.Unmarshal(out, &is); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		a, _ := json.Marshal(was)
		b, _ := json.Marshal(is)
		if string(a) != string(b) {
			t.Errorf("%q became %q", text, out)
		}
	})
}
