package scan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/safemcp/safemcp/internal/leaktest"
	"github.com/safemcp/safemcp/secrets/scan"
)

// An answer without a secret is the same slice or string, and costs no allocation.
func TestWithoutAFindNothingIsAllocated(t *testing.T) {
	text := []byte(strings.Repeat(`{"title":"Report \"Q3\"","body":"first line\nsecond line\u00e9"},`, 40))
	s := string(text)
	for name, b := range map[string]*scan.Set{
		"empty":     scan.New(nil),
		"one value": holding(t, canary), "100 values": holding(t, randomValues(100, 20)...),
	} {
		clean, found := b.Redact(text)
		if &clean[0] != &text[0] || len(clean) != len(text) || found != nil {
			t.Errorf("%s: another slice, found %q", name, found)
		}
		b.RedactString(s) // the buffers grow once
		var n float64
		for range 3 { // the collector may empty the pool of buffers in one of them
			n = testing.AllocsPerRun(20, func() { b.Redact(text); b.RedactString(s) })
			if n == 0 {
				break
			}
		}
		if n != 0 && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestTheTextIsNotChanged(t *testing.T) {
	t.Parallel()
	b := holding(t, canary)
	text := []byte(`{"a":"` + canary + `","b":"x\n` + canary + `"}`)
	before := bytes.Clone(text)
	clean, _ := b.Redact(text)
	if !bytes.Equal(text, before) {
		t.Errorf("the text became %s", text)
	}
	b.Redact([]byte(strings.Repeat(`\n other text`, 100))) // uses the buffers again
	if want := `{"a":"` + mark + `","b":"x\n` + mark + `"}`; string(clean) != want {
		t.Errorf("the answer is %s", clean)
	}
}

// Values are added while others redact: each is found as soon as Add has returned.
func TestIssuingWhileRedacting(t *testing.T) {
	t.Parallel()
	values := randomValues(300, 24)
	b := scan.New(nil)
	all := strings.Join(values, " ")
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := worker; i < len(values); i += 4 {
				if err := b.Add([]byte(values[i]), fmt.Sprintf("kv:v%d#f", i), time.Time{}); err != nil {
					t.Error(err)
					return
				}
				if clean, _ := b.RedactString("x " + values[i]); clean != fmt.Sprintf("x [redacted:kv:v%d#f]", i) {
					t.Errorf("value %d became %s", i, clean)
				}
				if i%8 == worker {
					b.Redact([]byte(all))
				}
			}
		})
	}
	group.Wait()
	if clean, found := b.RedactString(all); len(found) != len(values) || strings.Contains(clean, values[0]) {
		t.Errorf("found %d", len(found))
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("canary-value", "before ", " after", uint8(0))
	f.Add("abababababab", "ab", "ab", uint8(1))
	f.Add("1234567890", `{"n":`, `}`, uint8(0))
	f.Add(`a\u0041"b/c\`, `["`, `"]`, uint8(3))
	f.Add("\xff\xfevalue-of-bytes", "AB", "CD==", uint8(2))
	f.Add("line one\nline two", "\r\n", "\t", uint8(12))
	f.Add("redacted:kv:v0", "[", "]", uint8(9))
	f.Add("😀😀😀", `\ud83d`, `\ude00`, uint8(7))
	f.Add("000000\x010", "0", "", uint8(22))
	f.Add("000000000%0", "0", "0", uint8('P'))
	f.Add("000000\f0", "0", "0", uint8('n'))
	f.Add(`X000000\`, "0", "a", uint8(32))
	for kind := range leaktest.Forms {
		f.Add(`p%41&amp;\n"\u0062`+"\u200bc d\x01", "face ", " 0ddba11", uint8(kind))
	}
	f.Fuzz(func(t *testing.T, value, before, after string, kind uint8) {
		if len(value) > 4096 || len(before) > 4096 || len(after) > 4096 {
			return
		}
		b := scan.New(nil)
		if err := b.Add([]byte(value), "kv:v0#f", time.Time{}); err != nil {
			if strings.Contains(err.Error(), value) && len(value) >= 8 && !strings.Contains(err.Error(), "part of its name") {
				t.Fatalf("the error shows the value: %v", err)
			}
			return
		}
		value = strings.TrimSpace(value)
		r := rand.New(rand.NewPCG(uint64(kind), uint64(len(value))))
		form := leaktest.Forms[int(kind)%len(leaktest.Forms)]
		switch {
		case form.Text && !utf8.ValidString(value), visible(value) < 8: // what a form leaves of it could not be told from chance
			form = leaktest.Forms[0]
		case strings.ContainsAny(value, `%&\`) && strings.Contains(form.Name, " "): // escapes itself, and in several kinds of others
			form = leaktest.Forms[0]
		}
		shown := form.Write(r, value)
		if form.Name != "raw" && form.Name != "base64" && strings.LastIndexAny(before, `\%&`) >= len(before)-13 {
			before += "xxxxxx" // or it might make another escape of the first one
		}
		text := before + shown + after
		clean, found := b.RedactString(text)
		if len(found) != 1 || strings.Contains(clean, value) || strings.Contains(clean, shown) {
			t.Fatalf("%s of %q in %q: %q, found %q", form.Name, value, text, clean, found)
		}
		if again, more := b.RedactString(clean); again != clean || more != nil {
			t.Fatalf("%q became %q when it was redacted again", clean, again)
		}
		if json.Valid([]byte(text)) && !json.Valid([]byte(clean)) {
			t.Fatalf("%q, which is JSON, became %q, which is not", text, clean)
		}
		if !utf8.ValidString(value) || !utf8.ValidString(before) || !utf8.ValidString(after) {
			return
		}
		doc, err := json.Marshal(map[string]any{before: []any{before + value + after}, "k": value})
		if err != nil {
			t.Fatal(err)
		}
		cleaned, found := b.Redact(doc)
		var decoded any
		if err := json.Unmarshal(cleaned, &decoded); err != nil || len(found) != 1 {
			t.Fatalf("%s became %s, found %q: %v", doc, cleaned, found, err)
		}
		if walk(decoded, value) {
			t.Fatalf("%s still holds %q: %s", doc, value, cleaned)
		}
	})
}

// visible is how many bytes of text are left of what nobody sees.
func visible(text string) int {
	n := 0
	for _, r := range text {
		if unicode.IsPrint(r) || unicode.IsSpace(r) && (!unicode.IsControl(r) || strings.ContainsRune("\t\n\r", r)) {
			n += utf8.RuneLen(r)
		}
	}
	return n
}

// walk reports whether a string in v holds value.
func walk(v any, value string) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, value)
	case []any:
		for _, e := range v {
			if walk(e, value) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if strings.Contains(k, value) || walk(e, value) {
				return true
			}
		}
	}
	return false
}
