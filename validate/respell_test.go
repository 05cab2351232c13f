package validate_test

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

type RespeltBase struct {
	B int8 `json:"b,omitempty"`
}

type respelt struct {
	RespeltBase
	N int64            `json:"n,omitempty" validate:"omitempty,min=-10"`
	U uint64           `json:"u,omitempty"`
	P **int            `json:"p,omitempty"`
	L []int32          `json:"l,omitempty"`
	A [2]uint8         `json:"a,omitzero"`
	M map[string]int64 `json:"m,omitempty"`
	K map[int]int      `json:"k,omitempty"`
	D time.Duration    `json:"d,omitempty"`
	I *big.Int         `json:"i,omitempty"`
	R []respelt        `json:"r,omitempty"`
	F float64          `json:"f,omitempty"`
	S string           `json:"s,omitempty" text:"flag"`
	X any              `json:"x,omitempty"`
	J json.Number      `json:"j,omitempty"`
}

// JSON Schema takes 5.0 and 5e0 for the integer 5, and so does decoding: exactly.
func TestWholeNumbersAreTakenHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	a := compile[respelt](t, nil)
	schema := resolved(t, a.Schema())
	for sent, want := range map[string]string{
		`{"n":5.0}`:                                         `{"n":5}`,
		`{"n":5e0,"b":1E2,"u":1e+1}`:                        `{"n":5,"b":100,"u":10}`,
		`{"n":9223372036854775807.0}`:                       `{"n":9223372036854775807}`,
		`{"n":922337203685477580700e-2}`:                    `{"n":9223372036854775807}`,
		`{"n":9.223372036854775807e18}`:                     `{"n":9223372036854775807}`,
		`{"u":18446744073709551615.000}`:                    `{"u":18446744073709551615}`,
		`{"u":-0}`:                                          `{}`,
		`{"u":-0.0e999999999999999999999}`:                  `{}`,
		`{"u":0e-99999999999999999999}`:                     `{}`,
		`{"l":[1.0,2,30e-1],"a":[1.0,2.0]}`:                 `{"l":[1,2,3],"a":[1,2]}`,
		`{"m":{"1.0":1.0,"e":-2e1},"k":{"-1":1.0}}`:         `{"m":{"1.0":1,"e":-20},"k":{"-1":1}}`,
		`{"d":1e9,"i":1e30,"p":7.0}`:                        `{"d":1000000000,"i":1000000000000000000000000000000,"p":7}`,
		`{"r":[{"n":1.0,"r":[{"u":2.0}]},{"n":3.0}]}`:       `{"r":[{"n":1,"r":[{"u":2}]},{"n":3}]}`,
		`{"f":1.0,"s":"1.0","x":{"n":1.0},"j":1.0,"n":1.0}`: `{"f":1,"s":"1.0","x":{"n":1},"j":1.0,"n":1}`,
		"{ \"n\" :\t5.0 ,\n\"u\":1.0 }":                     `{"n":5,"u":1}`,
	} {
		got, err := a.Decode(t.Context(), json.RawMessage(sent))
		if err != nil {
			t.Errorf("%s: %v", sent, err)
			continue
		}
		plain, err := a.Decode(t.Context(), json.RawMessage(want))
		if err != nil {
			t.Fatal(err)
		}
		x, _ := json.Marshal(got)
		y, _ := json.Marshal(plain)
		if string(x) != string(y) {
			t.Errorf("%s is read as %s, not %s", sent, x, y)
		}
	}
	for sent, want := range map[string]string{
		`{"n":5.5}`:                             "n must be a whole number, from -9223372036854775808 to 9223372036854775807.",
		`{"n":9223372036854775808.0}`:           "n must be a whole number",
		`{"n":9223372036854775807.5}`:           "n must be a whole number",
		`{"n":1e19}`:                            "n must be a whole number",
		`{"n":1e99999999999999999999}`:          "n must be a whole number",
		`{"n":1e-1}`:                            "n must be a whole number",
		`{"n":-11.0}`:                           "n must be at least -10.",
		`{"u":-1.0}`:                            "u must be a whole number, from 0 to 18446744073709551615.",
		`{"b":128.0}`:                           "b must be a whole number, from -128 to 127.",
		`{"b":1.28e2,"n":1.0,"y":1}`:            "b must be a whole number, from -128 to 127. There are members",
		`{"n":1.0,"n":1.0}`:                     "n is given twice",
		`{"k":{"1.0":1}}`:                       "k[*] has a name that must be a whole number",
		`{"k":{"0":1,"-0":1.0}}`:                "k[*] is given twice",
		`{"i":1e5000}`:                          "i must be a whole number",
		`{"n":"5.0"}`:                           "n must be a whole number",
		`{"n":1.0}]`:                            "not valid JSON",
		`{"n":1.}`:                              "not valid JSON",
		`{"a":[1.0]}`:                           "a must be a list of exactly 2 elements.",
		`{"n":01.0}`:                            "not valid JSON",
		`{"n":1.0,"x":{"a":1,"a":2}}`:           "x has a name twice",
		`{"r":[{"n":1.0},{"n":1.5}],"l":[2.0]}`: "r[1].n must be a whole number",
	} {
		if _, err := a.Decode(t.Context(), json.RawMessage(sent)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", sent, err)
		}
	}
	for _, sent := range []string{`{"n":5.0}`, `{"n":5.5}`, `{"b":128.0}`, `{"b":127.0}`, `{"u":-0.0}`, `{"l":[1.0,2.5]}`} {
		var v any
		if err := json.Unmarshal([]byte(sent), &v); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Decode(t.Context(), json.RawMessage(sent)); (err == nil) != (schema.Validate(v) == nil) {
			t.Errorf("%s: %v, and the schema %v", sent, err, schema.Validate(v))
		}
	}
}

// What is found in texts is found once, however the numbers beside them are written.
func TestFindingsAreTheSameBesideNumbersWrittenOtherwise(t *testing.T) {
	t.Parallel()
	a := compile[respelt](t, nil)
	var said []string
	for _, sent := range []string{"{\"n\":5,\"s\":\"a\u200bb\"}", "{\"n\":5.0,\"s\":\"a\u200bb\"}"} {
		ctx, findings := validate.Collect(t.Context())
		if _, err := a.Decode(ctx, json.RawMessage(sent)); err != nil {
			t.Fatal(err)
		}
		said = append(said, findings.String())
	}
	if said[0] == "" || said[0] != said[1] {
		t.Errorf("%q", said)
	}
}

// A number is written out as what it is, or not at all.
func TestANumberIsWrittenOutExactly(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 9))
	some := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0001234567899"[r.IntN(13)])
		}
		return b.String()
	}
	whole := 0
	for range 100_000 {
		text := strings.TrimLeft(some(r.IntN(8)), "0")
		if text == "" {
			text = "0"
		}
		if r.IntN(2) == 0 {
			text = "-" + text
		}
		if r.IntN(2) == 0 {
			text += "." + some(r.IntN(5)+1)
		}
		if r.IntN(2) == 0 {
			text += []string{"e", "E", "e+", "e-", "E-"}[r.IntN(5)] + some(r.IntN(2)+1)
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		want, is := "", exact.IsInt() && len(strings.TrimPrefix(exact.Num().String(), "-")) <= 20
		if is {
			want = exact.Num().String()
			whole++
		}
		if !strings.ContainsAny(text, ".eE") && text != "-0" { // it is written plainly already
			want, is = "", false
		}
		if got, ok := validate.WholeNumber(text); ok != is || got != want {
			t.Fatalf("%s is written %q, %v, not %q, %v", text, got, ok, want, is)
		}
	}
	if whole < 20_000 {
		t.Errorf("only %d were whole numbers", whole)
	}
}
