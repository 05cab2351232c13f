package limit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/limit"
)

// depth is what a real decoder finds: how many arrays and objects are open at most.
func depth(t testing.TB, text []byte) int {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // 1E700 is JSON too
	open, most := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return most
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			open++
			most = max(most, open)
		case json.Delim(']'), json.Delim('}'):
			open--
		}
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		`null`:                                 0,
		`1.5e3`:                                0,
		`"[[[["`:                               0,
		`"\"[[["`:                              0,
		`"\\"`:                                 0,
		`["\\",[]]`:                            2, // the quote after two backslashes ends the string
		`["\\\"[[["]`:                          1,
		`["\u0022[[["]`:                        1, // a quote that is escaped by its number
		`["\u005c"]`:                           1,
		`[]`:                                   1,
		`{}`:                                   1,
		`[[],[],[]]`:                           2, // siblings do not add up
		`{"a":[{"b":{}}],"[[":"}}"}`:           4,
		"[\n[\t[ ] ]\r\n]":                     3,
		`["{","}",{"]":"["}]`:                  2,
		`[[[]],[[[]]],[]]`:                     4,
		"[\"\u2028[\xc3\xa9\",{\"\u00e9\":1}]": 2,
	} {
		if got := depth(t, []byte(in)); got != want {
			t.Errorf("the decoder finds %s to be %d deep, not %d", in, got, want)
		}
		if limit.DepthExceeds([]byte(in), want) {
			t.Errorf("%s exceeds %d", in, want)
		}
		if want > 0 && !limit.DepthExceeds([]byte(in), want-1) {
			t.Errorf("%s does not exceed %d", in, want-1)
		}
	}
}

// value writes some JSON with strings that look like structure.
func value(b *strings.Builder, r *rand.Rand, levels int) {
	texts := []string{`""`, `"["`, `"]}"`, `"\""`, `"\\"`, `"\\\"{"`, `"\u005b"`, `"é["`, `1`, `-0.5E+9`, `true`, `null`}
	n := r.IntN(4)
	switch {
	case levels == 0 || r.IntN(4) == 0:
		b.WriteString(texts[r.IntN(len(texts))])
	case r.IntN(2) == 0:
		b.WriteByte('[')
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			value(b, r, levels-1)
		}
		b.WriteByte(']')
	default:
		b.WriteByte('{')
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(texts[r.IntN(8)]) // the first eight are strings
			b.WriteByte(':')
			value(b, r, levels-1)
		}
		b.WriteByte('}')
	}
}

func TestDepthIsTheDecoders(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var b strings.Builder
		value(&b, r, 8)
		in := []byte(b.String())
		for d, most := depth(t, in), 0; most <= d+1; most++ {
			if got := limit.DepthExceeds(in, most); got != (d > most) {
				t.Fatalf("%s is %d deep; whether that is more than %d: %v", in, d, most, got)
			}
		}
	}
}

// What is cut off or is no JSON at all gets an answer without a panic, and text that
// goes on opening is stopped whatever comes before: a parser that goes by recursion
// never sees it.
func TestDepthOfWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, in := range []string{``, `"`, `"\`, `\`, `[`, `]`, `]]]]`, `{"a"`, "\x00[", "[\xff"} {
		_ = limit.DepthExceeds([]byte(in), 0)
		_ = limit.DepthExceeds([]byte(in), 64)
	}
	if !limit.DepthExceeds([]byte(strings.Repeat("[", 1<<20)), 64) || !limit.DepthExceeds([]byte(strings.Repeat(`{"a":`, 65)), 64) {
		t.Error("text that opens more than it may is let through")
	}
}

func TestDepthCostsNoMemory(t *testing.T) {
	in := []byte(strings.Repeat(`{"a":["b\"",`, 60))
	if n := testing.AllocsPerRun(100, func() { _ = limit.DepthExceeds(in, 64) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDepthExceeds(f *testing.F) {
	for _, s := range []string{`[]`, `{"a":[1,"]\"["]}`, `"\\[`, `[[[[`, `]`, ``} {
		f.Add([]byte(s), 2)
	}
	f.Fuzz(func(t *testing.T, in []byte, most int) {
		got := limit.DepthExceeds(in, most)
		if most < 0 || !json.Valid(in) {
			return
		}
		if d := depth(t, in); got != (d > most) {
			t.Fatalf("%s is %d deep; whether that is more than %d: %v", in, d, most, got)
		}
	})
}

// counted is what a real decoder finds: members and elements in all, of one at most, and
// the longest string, here of texts that are written without escapes.
func counted(t testing.TB, text []byte) (shape limit.Shape) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var open []int
	var names []bool // an object, of which a name comes next
	value := func() {
		if n := len(open); n > 0 && (!names[n-1] || open[n-1]%2 != 1) {
			shape.Values++
		}
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return shape
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if text, is := token.(string); is {
			shape.String = max(shape.String, len(text))
		}
		if token == json.Delim(']') || token == json.Delim('}') {
			n := open[len(open)-1]
			if names[len(names)-1] {
				n /= 2
			}
			shape.Elements = max(shape.Elements, n)
			open, names = open[:len(open)-1], names[:len(names)-1]
			continue
		}
		if n := len(open); n > 0 {
			open[n-1]++
		}
		value()
		if delim, is := token.(json.Delim); is {
			open, names = append(open, 0), append(names, delim == '{')
			shape.Depth = max(shape.Depth, len(open))
		}
	}
}

func TestTheShapeIsTheDecoders(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	const plenty = 1 << 20
	for range 3000 {
		var b strings.Builder
		value(&b, r, 6)
		text := []byte(strings.NewReplacer(`\\\"`, "x", `\\`, "x", `\"`, "x", `\u005b`, "x").Replace(b.String()))
		if !json.Valid(text) {
			continue
		}
		is := counted(t, text)
		for bound, set := range map[limit.Bound]func(*limit.Shape, int) int{
			limit.DepthBound:    func(s *limit.Shape, n int) int { s.Depth = n; return is.Depth },
			limit.ValuesBound:   func(s *limit.Shape, n int) int { s.Values = n; return is.Values },
			limit.ElementsBound: func(s *limit.Shape, n int) int { s.Elements = n; return is.Elements },
			limit.StringBound:   func(s *limit.Shape, n int) int { s.String = n; return is.String },
		} {
			s := limit.Shape{Depth: plenty, Values: plenty, Elements: plenty, String: plenty}
			n := set(&s, 0)
			for _, most := range []int{n - 1, n, n + 1} {
				if set(&s, most); most < 0 {
					continue
				}
				want := limit.NoBound
				if n > most {
					want = bound
				}
				if got := s.Exceeded(text); got != want {
					t.Fatalf("%s has %+v: with %+v %v is exceeded, not %v", text, is, s, got, want)
				}
			}
		}
	}
}

func TestShapeCostsNoMemory(t *testing.T) {
	in := []byte(strings.Repeat(`{"a":["b\"",`, 60))
	if n := testing.AllocsPerRun(100, func() { _ = limit.Defaults().Shape().Exceeded(in) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
