package scan_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// A form is a way in which a value leaves a server.
type form struct {
	name  string
	write func(r *rand.Rand, value string) string
	text  bool // only of values that are UTF-8
}

// encodings are those of base64 that are looked for.
var encodings = []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding}

func randomBytes(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// encoded is base64 of something longer that holds value.
func encoded(r *rand.Rand, value string) string {
	return encodings[r.IntN(len(encodings))].EncodeToString([]byte(randomBytes(r, r.IntN(7)) + value + randomBytes(r, r.IntN(7))))
}

func wrapped(r *rand.Rand, text string) string {
	width, newline := []int{76, 64, 19, 4}[r.IntN(4)], []string{"\n", "\r\n", "\n    ", "\r", "\n\t"}[r.IntN(5)]
	var b strings.Builder
	for len(text) > width {
		b.WriteString(text[:width] + newline)
		text = text[width:]
	}
	return b.String() + text
}

// escaped writes every character of a JSON string as \uXXXX, or some of them.
func escaped(r *rand.Rand, text string) string {
	all := r.IntN(2) == 0
	format := []string{`\u%04x`, `\u%04X`}[r.IntN(2)]
	var b strings.Builder
	for _, c := range text {
		if !all && c >= ' ' && c != '"' && c != '\\' && r.IntN(3) > 0 {
			b.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&b, format, unit)
		}
	}
	return b.String()
}

// quoted is text inside a JSON string.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b[1 : len(b)-1])
}

var forms = []form{
	{"raw", func(_ *rand.Rand, v string) string { return v }, false},
	{"base64", encoded, false},
	{"base64 in lines", func(r *rand.Rand, v string) string { return wrapped(r, encoded(r, v)) }, false},
	{"JSON", func(_ *rand.Rand, v string) string { return quoted(v) }, true},
	{"JSON in JSON", func(_ *rand.Rand, v string) string { return quoted(quoted(v)) }, true},
	{"JSON in JSON in JSON", func(_ *rand.Rand, v string) string { return quoted(quoted(quoted(v))) }, true},
	{`\u`, escaped, true},
	{`\u in JSON`, func(r *rand.Rand, v string) string { return quoted(escaped(r, v)) }, true},
	{`\u in \u`, func(r *rand.Rand, v string) string { return escaped(r, escaped(r, v)) }, true},
	{`\u in \u in \u`, func(r *rand.Rand, v string) string { return escaped(r, escaped(r, escaped(r, v))) }, true},
	{"base64 in lines in JSON", func(r *rand.Rand, v string) string { return quoted(wrapped(r, encoded(r, v))) }, false},
	{"base64 in lines in JSON in JSON", func(r *rand.Rand, v string) string { return quoted(quoted(wrapped(r, encoded(r, v)))) }, false},
	{"base64 with escaped slashes", func(r *rand.Rand, v string) string { return strings.ReplaceAll(encoded(r, v), "/", `\/`) }, false},
	{"base64 as \\u", func(r *rand.Rand, v string) string { return escaped(r, encoded(r, v)) }, false},
}

// randomValue makes values of the kinds that secrets are: keys, tokens, passwords,
// passphrases, certificates and bytes.
func randomValue(r *rand.Rand) string {
	alphabets := []string{
		"0123456789abcdef", "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		"abcdefghijklmnopqrstuvwxyz \n", `abc"\/<>&'{}[]:,ntu`, "äßж語😀é~", "",
	}
	alphabet := []rune(alphabets[r.IntN(len(alphabets))])
	n := 8 + r.IntN(12)
	if r.IntN(4) == 0 {
		n = 8 + r.IntN(400)
	}
	if len(alphabet) == 0 {
		return "s" + randomBytes(r, n) + "t" // white space at the ends is not looked for
	}
	var b strings.Builder
	for range n {
		b.WriteRune(alphabet[r.IntN(len(alphabet))])
	}
	return "s" + b.String() + "t"
}

// randomText is what stands around a value. It ends neither in a backslash, which
// would change how the value is read, nor in half a rune.
func randomText(r *rand.Rand) string {
	pieces := []string{"report ", "A", "9", "\n", " \r\n", "=", "{", `"`, "é", "語", "[redacted]", ": ", "/", "-_", "\t", "0123456789", `\n`, `A`}
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// leaks returns 12 bytes of a form of a value that text still holds, or "".
func leaks(text, form string) string {
	const piece = 12
	for i := 0; i+piece <= len(form); i++ {
		if strings.Contains(text, form[i:i+piece]) {
			return form[i : i+piece]
		}
	}
	return ""
}

// unread undoes what JSON and line breaks do to text, as often as asked, and returns
// all the readings: what somebody finds who looks for the value.
func unread(text string, times int) []string {
	all := []string{text, unfold(text)}
	for range times {
		var next strings.Builder
		for len(text) > 0 {
			if text[0] != '\\' || len(text) < 2 {
				next.WriteByte(text[0])
				text = text[1:]
				continue
			}
			for n := range 13 { // the longest escape is a pair of surrogates
				n = 12 - n
				var s string
				if n >= 2 && n <= len(text) && json.Unmarshal([]byte(`"`+text[:n]+`"`), &s) == nil && utf8.RuneCountInString(s) == 1 {
					next.WriteString(s)
					text = text[n:]
					break
				}
				if n == 0 {
					next.WriteByte(text[0])
					text = text[1:]
				}
			}
		}
		text = next.String()
		all = append(all, text, unfold(text))
	}
	return all
}

func unfold(text string) string {
	return strings.NewReplacer("\n", "", "\r", "", "\t", "", " ", "").Replace(text)
}

// finds returns how text still shows value, or "". It decodes everything that could be
// base64, from each of the four places where it could begin.
func finds(text, value string) string {
	for depth, reading := range unread(text, 3) {
		if strings.Contains(reading, value) {
			return fmt.Sprintf("as it is, in reading %d", depth)
		}
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for _, run := range runs(reading, e) {
				for from := 0; from < 4 && from < len(run); from++ {
					part := run[from:]
					if len(part)%4 == 1 {
						part = part[:len(part)-1]
					}
					if plain, err := e.DecodeString(part); err == nil && strings.Contains(string(plain), value) {
						return fmt.Sprintf("as base64, in reading %d", depth)
					}
				}
			}
		}
	}
	return ""
}

// runs returns the pieces of text that are of an alphabet.
func runs(text string, e *base64.Encoding) []string {
	further := "+/"
	if e == base64.RawURLEncoding {
		further = "-_"
	}
	return strings.FieldsFunc(text, func(c rune) bool {
		return !strings.ContainsRune(further, c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// The oracle has to find every form, or the tests with it say nothing.
func TestTheOracleFindsEveryForm(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		value := randomValue(r)
		for _, f := range forms {
			if f.text && !utf8.ValidString(value) || strings.ContainsAny(value, " \n") && strings.Contains(f.name, "lines") {
				continue
			}
			if text := f.write(r, value); finds(text, value) == "" {
				t.Fatalf("%s of %q is not found in %q", f.name, value, text)
			}
		}
	}
}
