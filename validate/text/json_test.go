package text_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/safemcp/safemcp/validate/text"
)

// escape writes a JSON string in which everything beyond letters is escaped by its
// number.
func escape(s string) []byte {
	b := []byte{'"'}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z':
			b = append(b, byte(r))
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				b = fmt.Appendf(b, "\\u%04x", u)
			}
		}
	}
	return append(b, '"')
}

// marshal writes a JSON string in which only what has to be is escaped.
func marshal(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func TestEveryAttackIsTakenOutOfJSON(t *testing.T) {
	t.Parallel()
	for _, a := range attacks {
		want := text.Clean(strings.ToValidUTF8(a.in, "?"))
		for _, quoted := range [][]byte{escape(strings.ToValidUTF8(a.in, "?")), marshal(t, strings.ToValidUTF8(a.in, "?"))} {
			for _, frame := range []string{`%s`, `[1, %s ,"\\"]`, `{"a\"":{"b":%s}}`, `{%s:1.50,"é":"\u00e9"}`} {
				raw := fmt.Appendf(nil, frame, quoted)
				if got, want := value(t, text.CleanJSON(raw)), value(t, fmt.Appendf(nil, frame, marshal(t, want))); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %s became %+q, want %+q", a.why, raw, got, want)
				}
			}
		}
	}
}

func value(t *testing.T, raw []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

func TestJSONIsCleanedToTheByte(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":"x\u200by","b\u0000":[1,"\u001b[31mred\u001b[0m"]}`: `{"a":"xy","b":[1,"red"]}`,
		"{\"a\":\"x\u200by\"}":                            `{"a":"xy"}`,
		`["\uDB40\uDC68\udb40\udc69","\ud83d\ude00"]`:     `["","\ud83d\ude00"]`,
		`["\\u200b","\"\u200b\"","\\\u200b","\\\\u200b"]`: `["\\u200b","\"\"","\\","\\\\u200b"]`,
		`["tab\tline\n","\b\f"]`:                          `["tab\tline\n",""]`,
		"[\"\x7f\"]":                                      `[""]`,
		"[\"\\u001b]8;;\xc3\xa9\\u0007\"]":                `[""]`,
		"\"\\u001b\x5b31mx\"":                             `"x"`,

		"[1.50,  1E400,\t-0,\n\"\u200b\" , true,null ]":                       "[1.50,  1E400,\t-0,\n\"\" , true,null ]",
		`{"a":1,"a\u200b":2}`:                                                 `{"a":1,"a":2}`,
		`["\u003cb\u003e \/","\u003c\u200b"]`:                                 `["\u003cb\u003e \/","<"]`,
		"[\"\xff\",\"ok\"]":                                                   "[\"\ufffd\",\"ok\"]",
		`["\ud83d","\ude00\ud83d","\ud83d\u200b\ude00","\ud83dx","\ud83d\n"]`: "[\"\ufffd\",\"\ufffd\ufffd\",\"\ufffd\ufffd\",\"\ufffdx\",\"\ufffd\\n\"]",
		`["\ufffd"]`: `["\ufffd"]`,
	} {
		if got := string(text.CleanJSON([]byte(in))); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
		if got := string(text.CleanJSON([]byte(want))); got != want {
			t.Errorf("%s became %s", want, got)
		}
	}
}

// What is no JSON comes back as it is, however much there would be to take out.
func TestWhatIsNoJSONComesBack(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "\u200b", `"`, "\"\u200b", `"\u200b`, `["\u200b"`, `["\u200b" "a"]`, `{"a\u200b"}`, `["\u200b"] ]`, `["\u200b\x"]`, `["\u200b\u12"]`, `["\u200b\u12g4"]`,
		"[\"\u200b\n\"]", "[\"\u200b\x1b[31m\"]", `"\u200b\`, `"\u200b\u`, `"\u200b\ud83d\u`, "'\u200b'", "[\"\u200b\"]\u200b", "\ufeff[\"\u200b\"]", `\u200b`, `\`, `\u`, "\x7f", "\"\\",
	} {
		raw := []byte(in)
		if got := text.CleanJSON(raw); string(got) != in || json.Valid(raw) {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// CleanJSON gives back the very text where nothing changes, and never writes to it.
func TestRawIsLeftAlone(t *testing.T) {
	t.Parallel()
	clean := []byte(`{"a":["\u003c","❤️","é\n"]}`)
	if got := text.CleanJSON(clean); &got[0] != &clean[0] || len(got) != len(clean) {
		t.Error("a clean text is copied")
	}
	dirty := []byte("{\"a\":\"x\u200by\",\"b\":\"\\u200bz\\n\u200b\"}" + strings.Repeat(" ", 50))
	before := bytes.Clone(dirty)
	got := text.CleanJSON(dirty[:len(dirty)-40])
	if !bytes.Equal(dirty, before) {
		t.Errorf("raw was written to: %s", dirty)
	}
	if string(bytes.TrimSpace(got)) != `{"a":"xy","b":"z\n"}` {
		t.Errorf("%s", got)
	}
}

// agrees checks what CleanJSON promises for every text.
func agrees(t *testing.T, raw []byte) {
	t.Helper()
	before := bytes.Clone(raw)
	clean := text.CleanJSON(raw)
	if !bytes.Equal(raw, before) {
		t.Fatalf("%q was written to", before)
	}
	if !json.Valid(raw) {
		if !bytes.Equal(clean, raw) {
			t.Fatalf("%q is no JSON and became %q", raw, clean)
		}
		return
	}
	if got, want := tokens(t, clean, false), tokens(t, raw, true); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q became %q:\n%+q, want\n%+q", raw, clean, got, want)
	}
	if again := text.CleanJSON(clean); !bytes.Equal(again, clean) {
		t.Fatalf("%q became %q, and that %q", raw, clean, again)
	}
	if !bytes.Equal(clean, raw) && !utf8.Valid(clean) && utf8.Valid(raw) {
		t.Fatalf("%q became %q, which is not UTF-8", raw, clean)
	}
}

// tokens is what a decoder makes of a JSON text: unlike a map, it keeps names that
// are there twice.
func tokens(t *testing.T, raw []byte, cleaned bool) (all []any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		token, err := d.Token()
		if token == nil && err != nil {
			return all
		}
		if s, ok := token.(string); ok && cleaned {
			token = text.Clean(s)
		}
		all = append(all, token)
	}
}

func TestCleanJSONIsCleanOfEveryString(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	n := 60_000
	if testing.Short() {
		n = 6_000
	}
	str := func() []byte {
		s := telltale(r, 7)
		switch r.IntN(4) {
		case 0:
			return escape(s)
		case 1:
			return marshal(t, s)
		case 2: // both in one string
			return slicesConcat(bytes.TrimSuffix(escape(s), []byte(`"`)), marshal(t, telltale(r, 4))[1:])
		}
		return []byte(`"` + strings.Map(func(c rune) rune { // as it is, broken bytes too
			if c < ' ' || c == '"' || c == '\\' {
				return -1
			}
			return c
		}, s) + "\xc3" + `\ud83d"`)
	}
	for range n {
		raw := slicesConcat([]byte(`{`), str(), []byte(`:[`), str(), []byte(` ,1.0,`), str(), []byte(`]}`))
		agrees(t, raw)
		agrees(t, raw[:r.IntN(len(raw))])
	}
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func FuzzCleanJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"\u200b"}`, `["\ud83d\ude00","\\","\""]`, "[\"\u202e\"]", `"\u001b[31m"`, `[`, `"\`, "\"\x7f\x92z\"", `"\ud83d\u200b\ude00"`, `{"a":1,"a\u200b":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(agrees)
}
