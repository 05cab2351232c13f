package scan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/safemcp/safemcp/internal/leaktest"
	"github.com/safemcp/safemcp/secrets/scan"
)

const mark = "[redacted:kv:v0#f]"

// Random values in random contexts, in every form: the oracle, which decodes instead
// of searching for patterns, finds none of them afterwards.
func TestNoFormOfAValueIsLeft(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 800 {
		value := leaktest.Value(r)
		b := holding(t, value)
		f := leaktest.Forms[r.IntN(len(leaktest.Forms))]
		if f.Text && !utf8.ValidString(value) {
			continue
		}
		before, after, form := leaktest.Text(r), leaktest.Text(r), f.Write(r, value)
		text := before + form + after
		for range r.IntN(3) { // the same again, further on
			text += f.Write(r, value) + leaktest.Text(r)
		}
		clean, found := b.RedactString(text)
		if len(found) != 1 || found[0] != "kv:v0#f" {
			t.Fatalf("%s of %q in %q: found %q", f.Name, value, text, found)
		}
		if how := leaktest.Finds(clean, value); how != "" {
			t.Fatalf("%s of %q in %q: left %s in %q", f.Name, value, text, how, clean)
		}
		if piece := leaktest.Piece(clean, form); piece != "" && (f.Name == "base64" || f.Name == "hex" || !strings.Contains(f.Name, "base64") && !strings.Contains(f.Name, "hex")) {
			t.Fatalf("%s of %q in %q: left %q in %q", f.Name, value, text, piece, clean)
		}
		if again, more := b.RedactString(clean); again != clean || more != nil {
			t.Fatalf("%q became %q when it was redacted again", clean, again)
		}
		if same, found := b.Redact([]byte(text)); string(same) != clean || len(found) != 1 {
			t.Fatalf("Redact and RedactString differ: %q and %q", same, clean)
		}
	}
}

// document is JSON that holds text as a value, as a key, and further in.
func document(r *rand.Rand, text string) []byte {
	inner, err := json.Marshal(map[string]any{"k" + text: []any{1, true, nil, text, "other"}})
	if err != nil {
		panic(err)
	}
	v := any(map[string]any{"a": text, "list": []any{text, 1.5, string(inner), json.RawMessage(inner)}, "é\n": "x"})
	if r.IntN(4) == 0 {
		v = text
	}
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	if r.IntN(2) == 0 {
		var indented bytes.Buffer
		if err := json.Indent(&indented, out, "", "  "); err != nil {
			panic(err)
		}
		return indented.Bytes()
	}
	return out
}

func TestJSONStaysJSON(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		value := leaktest.Value(r)
		if !utf8.ValidString(value) {
			continue
		}
		b := holding(t, value)
		f := leaktest.Forms[[]int{0, 1, 2, 6}[r.IntN(4)]] // that leave a level for the document and one for what is in it
		text := document(r, leaktest.Text(r)+f.Write(r, value)+leaktest.Text(r))
		clean, found := b.Redact(text)
		if len(found) != 1 || !json.Valid(clean) {
			t.Fatalf("%s of %q in %s became %s, found %q", f.Name, value, text, clean, found)
		}
		if how := leaktest.Finds(string(clean), value); how != "" {
			t.Fatalf("%s of %q in %s: left %s in %s", f.Name, value, text, how, clean)
		}
		if !strings.Contains(string(clean), "other") && !strings.Contains(f.Name, "lines") && bytes.Contains(text, []byte("other")) {
			t.Fatalf("%s of %q in %s: too much is gone: %s", f.Name, value, text, clean)
		}
	}
}

func TestWhatIsRedactedAndWhatIsLeft(t *testing.T) {
	t.Parallel()
	const value = "s3cr3t/v\"lue+with\\all\u00e9"
	std, url := base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value))
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + value))
	b := holding(t, value)
	for text, want := range map[string]string{
		"":                              "",
		"abc":                           "abc",
		"nothing at all":                "nothing at all",
		value:                           mark,
		"a " + value + " b":             "a " + mark + " b",
		value + value:                   mark + mark,
		value[1:]:                       value[1:],
		strings.ToUpper(value):          strings.ToUpper(value),
		"x=" + std:                      "x=" + mark + "=",
		"x=" + url + "&y":               "x=" + mark + "&y",
		"Authorization: Basic " + basic: "Authorization: Basic " + basic[:6] + mark + "==",
		`{"a":` + `"` + leaktest.Quoted(value) + `"}`: `{"a":"` + mark + `"}`,
		"[redacted:kv:v0#f]":                          "[redacted:kv:v0#f]",
	} {
		clean, found := b.RedactString(text)
		if clean != want {
			t.Errorf("%q became %q, not %q", text, clean, want)
		}
		if (found != nil) != (clean != text) {
			t.Errorf("%q: found %q", text, found)
		}
	}
}

func TestANumberThatIsRedactedBecomesAString(t *testing.T) {
	t.Parallel()
	b := holding(t, "1234567890", "true,\"b\":false", "0000000.0000")
	for text, want := range map[string]string{
		`{"n":1234567890}`:                     `{"n":"` + mark + `"}`,
		`[-1234567890.5e3, 1]`:                 `["` + mark + `", 1]`,
		`1234567890`:                           mark, // not JSON alone once it is a bare marker
		`{"n":"1234567890","m":12345678901}`:   `{"n":"` + mark + `","m":"` + mark + `"}`,
		"{\"1234567890\" :\t1234567890\n}":     "{\"" + mark + "\" :\t\"" + mark + "\"\n}",
		`{"a":true,"b":false}`:                 `"[redacted:kv:v1#f]"`,
		`{"n":1234567890,"a":true,"b":false}`:  `"[redacted:kv:v1#f]"`,
		`[{"x":[1,2,{"y":991234567890}]},"z"]`: `[{"x":[1,2,{"y":"` + mark + `"}]},"z"]`,
	} {
		if text == `1234567890` {
			want = `"` + mark + `"`
		}
		if clean, _ := b.RedactString(text); clean != want {
			t.Errorf("%s became %s, not %s", text, clean, want)
		}
	}
}

// What one value leaves of another must not stay, and the whole goes by the name of
// the longest.
func TestValuesThatOverlap(t *testing.T) {
	t.Parallel()
	values := []string{"abcdefgh-ijklmnop", "ijklmnop-qrstuvwx-yz012345", "efgh-ijkl", "prefix-abcdefgh"}
	for shift := range values { // the order in which they are issued makes no difference
		order := slices.Concat(values[shift:], values[:shift])
		b := holding(t, order...)
		name := func(value string) string { return fmt.Sprintf("[redacted:kv:v%d#f]", slices.Index(order, value)) }
		for text, want := range map[string]string{
			"<abcdefgh-ijklmnop-qrstuvwx-yz012345>":        "<" + name(values[1]) + ">",
			"<abcdefgh-ijklmnop>":                          "<" + name(values[0]) + ">",
			"<prefix-abcdefgh-ijklmnop-qrstuvwx-yz012345>": "<" + name(values[1]) + ">",

			"<efgh-ijkl>":                   "<" + name(values[2]) + ">",
			"abcdefgh-ijklmno":              "abcd" + name(values[2]) + "mno",
			values[2] + values[2]:           name(values[2]) + name(values[2]),
			"prefix-abcdefgh" + " efgh-ijk": name(values[3]) + " efgh-ijk",
		} {
			if clean, _ := b.RedactString(text); clean != want {
				t.Errorf("%s became %s, not %s", text, clean, want)
			}
		}
	}
	b := holding(t, "abababababab")
	if clean, _ := b.RedactString("xabababababababababy"); clean != "x"+mark+"y" {
		t.Errorf("a value that overlaps itself: %s", clean)
	}
}

func TestAThousandValues(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 12))
	values := randomValues(1000, 24)
	b := holding(t, values...)
	var text, want strings.Builder
	for i, value := range values {
		text.WriteString("<" + value + ">")
		fmt.Fprintf(&want, "<[redacted:kv:v%d#f]>", i)
	}
	clean, found := b.RedactString(text.String())
	if clean != want.String() || len(found) != len(values) {
		t.Errorf("found %d", len(found))
	}
	for i, value := range values {
		f := leaktest.Forms[i%len(leaktest.Forms)]
		if clean, found := b.RedactString(leaktest.Text(r) + f.Write(r, value)); len(found) != 1 || leaktest.Finds(clean, value) != "" {
			t.Errorf("%s of value %d: %s, found %q", f.Name, i, clean, found)
		}
	}
}

func TestFilesEndInANewline(t *testing.T) {
	t.Parallel()
	b := holding(t, "\n value-of-a-file \r\n")
	for _, text := range []string{"x value-of-a-file y", "value-of-a-file"} {
		if clean, found := b.RedactString(text); strings.Contains(clean, "value") || found == nil {
			t.Errorf("%q became %q", text, clean)
		}
	}
}

// A private key goes through tools that end lines otherwise, indent them, or have no
// lines.
func TestAKeyOfSeveralLinesIsNeverLeftInOthers(t *testing.T) {
	t.Parallel()
	const body = "MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEAq7BFUpkGp3+LQmlQ\nYx2eqzDV+xeG8kx/sQFV18S5JhzGeIJNA72wSeukEPojtqUyX2J0CciPBh7eqclQ\n2zpAswIDAQ=="
	const pem = "-----BEGIN PRIVATE KEY-----\n" + body + "\n-----END PRIVATE KEY-----\n"
	breaks := func(with string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, "\n", with) }
	}
	joined := strings.ReplaceAll(body, "\n", "")
	for _, value := range []string{pem, breaks("\r\n")(pem)} {
		b := holding(t, value)
		for name, write := range map[string]func(string) string{
			"as it is": breaks("\n"), "of Windows": breaks("\r\n"), "indented": breaks("\n    "), "with tabs": breaks("\r\n\t"),
			"spaces": breaks(" "), "joined": breaks(""), "double": breaks("\n\n"),
			"in JSON":          func(s string) string { return leaktest.Quoted(breaks("\r\n")(s)) },
			"indented in JSON": func(s string) string { return leaktest.Quoted(breaks("\n  ")(s)) },
			"its body alone":   func(string) string { return joined }, "its body in other lines": func(string) string { return joined[:50] + "\n" + joined[50:90] + "\n" + joined[90:] },
		} {
			text := "key: |\n    " + write(pem) + "other: 1"
			clean, found := b.RedactString(text)
			if len(found) != 1 || leaktest.Piece(clean, joined) != "" || !strings.Contains(clean, "key: ") || !strings.Contains(clean, "other: 1") {
				t.Errorf("%s: found %q, left %q", name, found, clean)
			}
		}
	}
}

func TestShortValues(t *testing.T) {
	t.Parallel()
	b := scan.New(&scan.Options{ShortValues: true})
	for label, value := range map[string]string{"five": "12345", "three": "xyz", "eight": "abcdefgh"} {
		if err := b.Add([]byte(value), label, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	clean, found := b.RedactString("12345 xyz abcdefgh 1234 " + base64.StdEncoding.EncodeToString([]byte("12345")))
	if clean != "[redacted:five] xyz [redacted:eight] 1234 MTIzNDU=" || len(found) != 2 {
		t.Errorf("%q, %q", clean, found)
	}
	if err := scan.New(nil).Add([]byte("12345"), "five", time.Time{}); err == nil || strings.Contains(err.Error(), "12345") {
		t.Errorf("a short value without leave: %v", err)
	}
}
