package validate_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/safemcp/safemcp/validate"
	"github.com/safemcp/safemcp/validate/text"
)

type FormBase struct {
	Q string `json:"q,omitempty" validate:"omitempty,min=1,max=2" text:"raw"`
	R int8   `json:"r,omitempty" validate:"max=5,ne=3"`
}

type formInner struct {
	X    int          `json:"x" validate:"required,ne=1"`
	Y    *formInner   `json:"y,omitempty"`
	Kids []*formInner `json:"kids,omitempty" validate:"max=2"`
}

// forms has a field of each form, and rules that keywords say in full.
type forms struct {
	FormBase
	S    string                  `json:"s" validate:"required,min=1,max=4" text:"raw"`
	T    string                  `json:"t,omitempty" validate:"max=6"`
	Z    string                  `json:"z,omitempty" text:"strip"`
	E    string                  `json:"e,omitempty" validate:"oneof=red green blue"`
	W    string                  `json:"w,omitempty" validate:"allow=words"`
	I    int8                    `json:"i,omitempty" validate:"min=-2,max=100"`
	J    int64                   `json:"j,omitempty" validate:"gt=0,lt=1000"`
	U    uint16                  `json:"u,omitempty" validate:"max=300"`
	V    uint64                  `json:"v,omitempty"`
	F    float64                 `json:"f,omitempty" validate:"gt=0,lte=10"`
	B    bool                    `json:"b"`
	P    *string                 `json:"p,omitempty" validate:"max=2" text:"raw"`
	PP   **int                   `json:"pp,omitempty" validate:"min=2"`
	L    []string                `json:"l,omitempty" validate:"min=1,max=3,unique,dive,min=2,max=3" text:"raw"`
	LL   [][]int8                `json:"ll,omitempty" validate:"max=2,dive,max=2"`
	Pair [2]int                  `json:"pair,omitzero"`
	M    map[string]int          `json:"m,omitempty" validate:"max=2,dive,keys,max=3,endkeys,max=5" text:"raw"`
	K    map[int8]bool           `json:"k,omitempty"`
	O    formInner               `json:"o" validate:"omitempty"`
	OO   *formInner              `json:"oo,omitempty"`
	MO   map[string]*formInner   `json:"mo,omitempty" text:"raw"`
	Any  any                     `json:"any,omitempty"`
	Raw  json.RawMessage         `json:"raw,omitempty"`
	N    json.Number             `json:"n,omitempty"`
	Big  *big.Int                `json:"big,omitempty"`
	At   time.Time               `json:"at,omitzero"`
	Wait time.Duration           `json:"wait,omitempty"`
	Blob []byte                  `json:"blob,omitempty"`
	Def  int                     `json:"def,omitempty" default:"20" validate:"min=1,max=50"`
	LF   []map[string][]*float64 `json:"lf,omitempty" text:"raw"`
}

// bare is forms without rules, as the decoder of JSON alone takes it. Numbers of any size
// are told from texts by hand, since the decoder takes them for texts.
type bare struct {
	FormBase
	S    string                  `json:"s"`
	T    string                  `json:"t,omitempty"`
	Z    string                  `json:"z,omitempty"`
	E    string                  `json:"e,omitempty"`
	W    string                  `json:"w,omitempty"`
	I    int8                    `json:"i,omitempty"`
	J    int64                   `json:"j,omitempty"`
	U    uint16                  `json:"u,omitempty"`
	V    uint64                  `json:"v,omitempty"`
	F    float64                 `json:"f,omitempty"`
	B    bool                    `json:"b"`
	P    *string                 `json:"p,omitempty"`
	PP   **int                   `json:"pp,omitempty"`
	L    []string                `json:"l,omitempty"`
	LL   [][]int8                `json:"ll,omitempty"`
	Pair [2]int                  `json:"pair,omitzero"`
	M    map[string]int          `json:"m,omitempty"`
	K    map[int8]bool           `json:"k,omitempty"`
	O    formInner               `json:"o"`
	OO   *formInner              `json:"oo,omitempty"`
	MO   map[string]*formInner   `json:"mo,omitempty"`
	Any  any                     `json:"any,omitempty"`
	Raw  json.RawMessage         `json:"raw,omitempty"`
	N    anyNumber               `json:"n,omitempty"`
	Big  wholeNumber             `json:"big,omitempty"`
	At   time.Time               `json:"at,omitzero"`
	Wait time.Duration           `json:"wait,omitempty"`
	Blob []byte                  `json:"blob,omitempty"`
	Def  int                     `json:"def,omitempty"`
	LF   []map[string][]*float64 `json:"lf,omitempty"`
}

type (
	anyNumber   json.RawMessage
	wholeNumber json.RawMessage
)

var (
	isNumber     = regexp.MustCompile(`^-?[0-9]+([.eE].*)?$`)
	errNotNumber = errors.New("no number")
)

func (n *anyNumber) UnmarshalJSON(b []byte) error {
	if !isNumber.Match(b) {
		return errNotNumber
	}
	*n = anyNumber(append([]byte(nil), b...))
	return nil
}

func (n *wholeNumber) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	whole, is := integerOf(string(b))
	if !is || len(strings.TrimPrefix(whole.String(), "-")) > 5000 {
		return errNotNumber
	}
	*n = wholeNumber(whole.String())
	return nil
}

// integerOf reads a whole number of JSON, however it is written.
func integerOf(raw string) (*big.Int, bool) {
	if !isNumber.MatchString(raw) {
		return nil, false
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(raw), "e")
	if strings.Trim(mantissa, "-0.") == "" {
		return new(big.Int), true
	}
	if n, err := strconv.Atoi(cmp.Or(exponent, "0")); err != nil || n > 10_000+len(raw) || n < -10_000-len(raw) {
		return nil, false // too large, or a fraction
	}
	exact, ok := new(big.Rat).SetString(raw)
	return exact.Num(), ok && exact.IsInt()
}

// integers reads numbers into a type of whole ones, however they are written; names of
// members are left to the decoder.
func integers[T int | int8 | int64 | uint16 | uint64 | time.Duration]() *jsonv2.Unmarshalers {
	return jsonv2.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *T) error {
		if dec.PeekKind() != '0' {
			return errors.ErrUnsupported
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		whole, is := integerOf(string(raw))
		if !is {
			return errNotNumber
		}
		return json.Unmarshal([]byte(whole.String()), v)
	})
}

var allIntegers = jsonv2.JoinUnmarshalers(integers[int](), integers[int8](), integers[int64](), integers[uint16](), integers[uint64](), integers[time.Duration]())

func (n anyNumber) MarshalJSON() ([]byte, error)   { return n, nil }
func (n wholeNumber) MarshalJSON() ([]byte, error) { return n, nil }

func formsOptions() *validate.Options {
	return &validate.Options{Allow: map[string]validate.Allowlist{"words": validate.Static("alpha", "beta", "gamma delta")}}
}

// reads says whether raw is what the decoder of JSON takes for bare, strictly.
func reads(raw []byte) (v bare, ok bool) {
	options := jsonv2.JoinOptions(jsonv2.RejectUnknownMembers(true), jsonv1.FormatDurationAsNano(true), jsonv1.FormatByteArrayAsArray(true), jsonv2.WithUnmarshalers(allIntegers))
	return v, jsonv2.Unmarshal(raw, &v, options) == nil
}

// Decode takes what the decoder of JSON and the listed schema take, and nothing else, for
// whatever bytes; see refusal for what it says where it refuses.
func FuzzDecode(f *testing.F) {
	a, err := validate.For[forms](formsOptions())
	if err != nil {
		f.Fatal(err)
	}
	e, err := validate.For[everything](everythingOptions())
	if err != nil {
		f.Fatal(err)
	}
	listed, also := parsed(f, a.Schema()), parsed(f, e.Schema())
	schema, err := listed.Resolve(nil)
	if err != nil {
		f.Fatal(err)
	}
	second, err := also.Resolve(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range decodeSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		defer endless(raw)()
		doc := cooked(raw, func(r *recipe) string { return r.document(listed) })
		v, err := a.Decode(t.Context(), doc)
		_, again := a.Decode(t.Context(), doc)
		plain, readable := reads(doc)
		instance, invalid := instanceOf(doc)
		_, object := instance.(map[string]any)
		want := strictJSON(doc) && readable && invalid == nil && object && takes(schema, instance) && text.Find(plain.T) == nil
		if len(doc) == 0 {
			want = false
		}
		switch {
		case (err == nil) != want:
			t.Fatalf("%q: %v, strict JSON %v, decodes %v, schema %v", doc, err, strictJSON(doc), readable, invalid == nil && takes(schema, instance))
		case err != nil:
			refusal(t, doc, err, again, string(a.Schema()))
		default:
			if plain.Def == 0 {
				plain.Def = 20
			}
			if text.Find(v.Z) != nil || text.Find(plain.Z) == nil && v.Z != plain.Z {
				t.Fatalf("%q is stripped to %+q", doc, v.Z)
			}
			plain.Z = v.Z
			returns(t, a, v, plain)
		}
		// Its rules are more than its schema says, its types no more.
		other := cooked(raw, func(r *recipe) string { return r.document(also) })
		_, err = e.Decode(t.Context(), other)
		_, again = e.Decode(t.Context(), other)
		if err != nil {
			refusal(t, other, err, again, string(e.Schema()))
		} else if instance, invalid := instanceOf(other); !strictJSON(other) || invalid != nil || !takes(second, instance) {
			t.Fatalf("%q is taken: strict JSON %v", other, strictJSON(other))
		}
	})
}

// returns says that a value is written as what was sent, and read as the same again.
func returns(t *testing.T, a *validate.Arguments[forms], v forms, plain bare) {
	t.Helper()
	wrote, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if string(wrote) != string(want) {
		t.Fatalf("decoded as %s, not %s", wrote, want)
	}
	back, err := a.Decode(t.Context(), wrote)
	if err != nil {
		t.Fatalf("%s was written, and is refused: %v", wrote, err)
	}
	if twice, err := json.Marshal(back); err != nil || string(twice) != string(wrote) {
		t.Fatalf("%s became %s, %v", wrote, twice, err)
	}
}

// What is taken and what is not, near the edge on both sides.
var decodeSeeds = []string{
	``, `{}`, `{"s":"a","b":true}`, ` {"s":"ab","b":false,"i":-2,"j":1,"u":300,"f":0.5}`,
	`{"s":"a","b":true,"e":"red","w":"beta","t":"caf\u00e9"}`,
	`{"s":"a","b":true,"l":["ab","cd"],"ll":[[1],[2,3]],"pair":[1,2],"lf":[{"a":[1.5,null]}]}`,
	`{"s":"a","b":true,"m":{"k":5,"l":-1},"k":{"1":true,"-7":false},"o":{"x":2},"oo":{"x":0,"y":{"x":3,"kids":[{"x":4}]}},"mo":{"z":{"x":5}}}`,
	`{"s":"a","b":true,"any":{"a":[1,"x"]},"raw":[{}],"n":1.50,"big":12345678901234567890123,"at":"2024-01-31T10:30:00Z","wait":1000,"blob":"QUJD","def":7}`,
	`{"s":"a","b":true,"p":null,"pp":null,"any":null,"q":"z","r":2,"v":18446744073709551615}`,
	`{"city":"Paris","count":0}`, `{"city":"Paris","count":1,"list":[{"code":"abc"}],"by_state":{"a":{"code":"abc"}}}`,
	"[", "{\"s\":\"\xff\"}", `[1]`, `null`, `{"s":5,"b":"x"}`, `{"s":"","b":1}`,
	"\x01", "\x01\x00\x00\x01\x02", "\x01\x03\x01\x03\x02\x03\x00\x03\x01\x03\x01\x03",
}
