// Package leaktest is for tests of what must not leave: it writes values in the forms
// in which they do, and finds them in a text, by decoders that are not those of the
// scan that is tested.
package leaktest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
)

// A Form is a way in which a value leaves a server.
type Form struct {
	Name  string
	Write func(r *rand.Rand, value string) string
	Text  bool // only of values that are UTF-8
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

// Quoted is text inside a JSON string.
func Quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b[1 : len(b)-1])
}

func hexadecimal(r *rand.Rand, v string) string {
	text := []byte("face9"[:r.IntN(6)] + hex.EncodeToString([]byte(v)) + "0ddba11"[:r.IntN(8)])
	kind := r.IntN(3)
	for i, c := range text {
		if c >= 'a' && (kind == 1 || kind == 2 && r.IntN(2) == 0) {
			text[i] = c - 'a' + 'A'
		}
	}
	return string(text)
}

func hexInPieces(r *rand.Rand, v string) string {
	format, between := []string{"%02x", "%02X", `\x%02x`, "0x%02x"}[r.IntN(4)], []string{":", " ", ", ", "-", ",\n\t"}[r.IntN(5)]
	if format == `\x%02x` {
		between = ""
	}
	pieces := make([]string, len(v))
	for i := range pieces {
		pieces[i] = fmt.Sprintf(format, v[i])
	}
	return strings.Join(pieces, between)
}

// percent writes any mix of escaped and plain characters.
func percent(r *rand.Rand, v string) string {
	var b strings.Builder
	format := []string{"%%%02x", "%%%02X"}[r.IntN(2)]
	for i := range len(v) {
		if c := v[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`%&+\<>"`, c) >= 0 || r.IntN(2) == 0 {
			fmt.Fprintf(&b, format, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// references writes any mix of character references and characters.
func references(r *rand.Rand, v string) string {
	var b strings.Builder
	format := []string{"&#%d;", "&#x%x;", "&#X%X;", "&#%06d;"}[r.IntN(4)]
	for _, c := range v {
		if strings.ContainsRune(`&<>"'%\`, c) || r.IntN(2) == 0 && c > ' ' {
			fmt.Fprintf(&b, format, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

var unseen = []rune("\u200b\u200c\u200d\u200e\u200f\u2060\u2063\u206a\ufeff\u00ad\u034f\u061c\u180e\u180b\ufe00\ufe0f\u3164\U000e0041\U000e0101\U0001d173\x7f\x01\u0085")

// split puts what nobody sees between the characters.
func split(r *rand.Rand, v string) string {
	var b strings.Builder
	for i, c := range v {
		if i > 0 && r.IntN(3) > 0 {
			b.WriteRune(unseen[r.IntN(len(unseen))])
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Forms are the ways in which a value leaves a server.
var Forms = []Form{
	{"raw", func(_ *rand.Rand, v string) string { return v }, false},
	{"base64", encoded, false},
	{"base64 in lines", func(r *rand.Rand, v string) string { return wrapped(r, encoded(r, v)) }, false},
	{"JSON", func(_ *rand.Rand, v string) string { return Quoted(v) }, true},
	{"JSON in JSON", func(_ *rand.Rand, v string) string { return Quoted(Quoted(v)) }, true},
	{"JSON in JSON in JSON", func(_ *rand.Rand, v string) string { return Quoted(Quoted(Quoted(v))) }, true},
	{`\u`, escaped, true},
	{`\u in JSON`, func(r *rand.Rand, v string) string { return Quoted(escaped(r, v)) }, true},
	{`\u in \u`, func(r *rand.Rand, v string) string { return escaped(r, escaped(r, v)) }, true},
	{`\u in \u in \u`, func(r *rand.Rand, v string) string { return escaped(r, escaped(r, escaped(r, v))) }, true},
	{"base64 in lines in JSON", func(r *rand.Rand, v string) string { return Quoted(wrapped(r, encoded(r, v))) }, false},
	{"base64 in lines in JSON in JSON", func(r *rand.Rand, v string) string { return Quoted(Quoted(wrapped(r, encoded(r, v)))) }, false},
	{"base64 with escaped slashes", func(r *rand.Rand, v string) string { return strings.ReplaceAll(encoded(r, v), "/", `\/`) }, false},
	{"base64 as \\u", func(r *rand.Rand, v string) string { return escaped(r, encoded(r, v)) }, false},
	{"hex", hexadecimal, false},
	{"hex in pieces", hexInPieces, false},
	{"hex in lines", func(r *rand.Rand, v string) string { return wrapped(r, hex.EncodeToString([]byte(v))) }, false},
	{"hex in JSON in URL", func(r *rand.Rand, v string) string { return url.QueryEscape(Quoted(hexInPieces(r, v))) }, false},
	{"numbers", func(r *rand.Rand, v string) string {
		return fmt.Sprintf([]string{"%d", "%v", "%#v", "%o", "%b", "%08b"}[r.IntN(6)], []byte(v))
	}, false},
	{"a list in JSON", func(r *rand.Rand, v string) string {
		all := make([]int, len(v))
		for i := range all {
			all[i] = int(v[i])
		}
		b, err := json.MarshalIndent(all, "", []string{"", "  "}[r.IntN(2)])
		if err != nil {
			panic(err)
		}
		return string(b)
	}, false},
	{"query", func(_ *rand.Rand, v string) string { return url.QueryEscape(v) }, false},
	{"path", func(_ *rand.Rand, v string) string { return url.PathEscape(v) }, false},
	{"percent", percent, false},
	{"percent of percent", func(r *rand.Rand, v string) string { return percent(r, url.QueryEscape(v)) }, false},
	{"query in JSON", func(_ *rand.Rand, v string) string { return Quoted(url.QueryEscape(Quoted(v))) }, true},
	{"base64 in a query", func(r *rand.Rand, v string) string { return url.QueryEscape(encoded(r, v)) }, false},
	{"HTML", func(_ *rand.Rand, v string) string { return html.EscapeString(v) }, false},
	{"XML", func(_ *rand.Rand, v string) string {
		var b strings.Builder
		if err := xml.EscapeText(&b, []byte(v)); err != nil {
			panic(err)
		}
		return b.String()
	}, true},
	{"references", references, true},
	{"Go", func(_ *rand.Rand, v string) string { return strconv.Quote(v) }, false},
	{"Go in ASCII", func(_ *rand.Rand, v string) string { return strconv.QuoteToASCII(v) }, false},
	{"Go in JSON", func(_ *rand.Rand, v string) string { return Quoted(strconv.QuoteToASCII(v)) }, false},
	{"split", split, true},
	{"split base64", func(r *rand.Rand, v string) string { return split(r, encoded(r, v)) }, false},
	{"split hex", func(r *rand.Rand, v string) string { return split(r, hexadecimal(r, v)) }, false},
	{"split in JSON", func(r *rand.Rand, v string) string { return Quoted(split(r, v)) }, true},
	{"split by escapes", func(r *rand.Rand, v string) string { return escaped(r, split(r, v)) }, true},
}

// Value makes values of the kinds that secrets are: keys, tokens, passwords,
// passphrases, certificates and bytes.
func Value(r *rand.Rand) string {
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

// Text is what stands around a value. It ends neither in a backslash, which
// would change how the value is read, nor in half a rune.
func Text(r *rand.Rand) string {
	pieces := []string{"report ", "A", "9", "\n", " \r\n", "=", "{", `"`, "é", "語", "[redacted]", ": ", "/", "-_", "\t", "0123456789", `\n`, `A`}
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}
