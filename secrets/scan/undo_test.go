package scan

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// pieces are what readings stumble over.
var pieces = []string{
	"a", "plain text ", `\`, `\\`, `\n`, `\u0041`, `\ud83d\ude00`, `\ud83d`, `\x41`, `\U0001f600`, `\101`, `\'`, "%41", "%", "%4", "%c3%a9", "&amp;", "&#65;", "&#x41;", "&#xd800;", "&#1114112;", "&", ";", "&lt",
	"\u200b", "\u00ad", "\ufe0f", "\U000e0041", "é", "語", "😀", "\xff", "\xc3", "\x00", "\x7f", "\t", "\n", "\r\n", "'", "$", "0123456789abcdef", "de:ad", "0x41, ", strings.Repeat("x", 20),
}

func anyOf(r *rand.Rand, n int) []byte {
	var b []byte
	for range r.IntN(n) {
		b = append(b, pieces[r.IntN(len(pieces))]...)
	}
	return b
}

// The fast reading of answers reads as the one does by which finds are mapped back.
func TestBothReadingsReadTheSame(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(41, 42))
	for range 20000 {
		text := anyOf(r, 12)
		fast, fastDiffers := readUndo(nil, text)
		slow, slowDiffers := reading(undo).read(nil, text)
		if fastDiffers != slowDiffers || fastDiffers && !bytes.Equal(fast, slow) {
			t.Fatalf("%q is read as %q and %q", text, fast, slow)
		}
	}
}

// Every reading cuts a text into pieces that are the whole of it, and maps what it reads
// back into the text, in order.
func TestReadingsMapBackIntoTheText(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(43, 44))
	readings := []reading{undo, escapes, percents, unseen}
	for _, c := range partly {
		readings = append(readings, c...)
	}
	for range 5000 {
		text := append(anyOf(r, 12), 'e')
		for _, read := range readings {
			seen, differs := read.read(nil, text)
			if !differs {
				continue
			}
			for range 3 {
				from := r.IntN(len(seen))
				spans := []span{{start: from, end: from + 1 + r.IntN(len(seen)-from)}}
				read.back(text, spans)
				s := spans[0]
				if s.start < 0 || s.start >= s.end || s.end > len(text) {
					t.Fatalf("%q, read as %q: a span became %+v", text, seen, s)
				}
			}
		}
	}
}

func TestKeywordsAreFoundWhereverTheyStand(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(45, 46))
	letters := "abAB"
	word := func(n int) string {
		b := make([]byte, 2+r.IntN(n))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	for range 500 {
		var words []keyword
		for i := range 1 + r.IntN(8) {
			words = append(words, keyword{lowered(word(4)), i})
		}
		text := word(40)
		type at struct{ rule, from, to int }
		var got, want []at
		newKeywords(words).each([]byte(text), func(rule, from, to int) { got = append(got, at{rule, from, to}) })
		for _, w := range words {
			for i := range text {
				if strings.HasPrefix(strings.ToLower(text[i:]), w.text) {
					want = append(want, at{w.rule, i, i + len(w.text)})
				}
			}
		}
		order := func(a, b at) int { return (a.rule-b.rule)*1000 + a.from - b.from }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if !slices.Equal(got, want) {
			t.Fatalf("%v in %q: %v, not %v", words, text, got, want)
		}
	}
}

// Texts that are nothing but the beginnings of what is read take no longer than others:
// each of these took long if something were looked at again and again.
func TestHostileTextsTakeNoLonger(t *testing.T) {
	t.Parallel()
	set := New(&Options{})
	for _, v := range []string{"canary-6b2f9d71c04e", `de\u0065licate%41&amp;`, strings.Repeat("0", 64)} {
		if err := set.Add([]byte(v), "x", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, piece := range []string{"\r", "\n", "A\n", "0 ", "0x", "de:", "%", "%2", "%25", "&", "&#", "&#x41;", `\`, `\u`, `\u005c`, "\u200b", "\x00", "'", "00000000\n", `"0",`} {
		text := strings.Repeat(piece, 1<<15/len(piece))
		if clean, _ := set.RedactString(text); len(clean) > 2*len(text)+1<<10 && !strings.Contains(clean, "[redacted:") {
			t.Errorf("%q grew", piece)
		}
	}
}
