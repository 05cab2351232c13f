package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/safemcp/safemcp/validate"
)

func resolved(t *testing.T, raw json.RawMessage) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatalf("the schema %s: %v", raw, err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatalf("the schema %s: %v", raw, err)
	}
	return r
}

func TestTheSchemaSaysWhatTheTagsSay(t *testing.T) {
	t.Parallel()
	type args struct {
		City  string   `json:"city"            validate:"required,oneof=Paris 'New York'" jsonschema:"city to look up"`
		Units string   `json:"units,omitempty" validate:"omitempty,min=1,max=9"`
		Count int      `json:"count,omitempty" validate:"omitempty,gt=0,lte=20"`
		Tags  []string `json:"tags,omitempty"  validate:"omitempty,min=1,max=3,unique,dive,len=2"`
		Mail  *string  `json:"mail,omitempty"  validate:"omitempty,email,max=99"`
		Kind  string   `json:"kind,omitempty"  validate:"omitempty,allow=kinds"`
		Live  string   `json:"live,omitempty"  validate:"omitempty,allow=live"`
	}
	a := compile[args](t, &validate.Options{Allow: map[string]validate.Allowlist{
		"kinds": validate.Static("memo", "<b>"), "live": validate.AllowFunc(nil),
	}})
	const want = `{"type":"object","properties":{` +
		`"city":{"type":"string","description":"city to look up","enum":["Paris","New York"]},` +
		`"units":{"type":"string","minLength":1,"maxLength":9},` +
		`"count":{"type":"integer","exclusiveMinimum":0,"maximum":20},` +
		`"tags":{"type":"array","minItems":1,"maxItems":3,"uniqueItems":true,"items":{"type":"string","minLength":2,"maxLength":2}},` +
		`"mail":{"type":["null","string"],"description":"must be an e-mail address","format":"email","maxLength":99},` +
		`"kind":{"type":"string","enum":["memo","<b>"]},` +
		`"live":{"type":"string","description":"must be one of the live that are allowed at the moment"}},` +
		`"required":["city"],"additionalProperties":false}`
	if got := string(a.Schema()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	resolved(t, a.Schema())
}

type modelled struct {
	S string         `json:"s"           validate:"required,min=1,max=4"`
	E string         `json:"e,omitempty" validate:"omitempty,oneof=a b"`
	I int            `json:"i,omitempty" validate:"omitempty,min=-2,max=3"`
	U uint8          `json:"u,omitempty"`
	F float64        `json:"f,omitempty" validate:"omitempty,gt=0,lt=10"`
	B bool           `json:"b,omitempty"`
	L []string       `json:"l,omitempty" validate:"omitempty,min=1,max=2,dive,min=2"`
	P *string        `json:"p,omitempty" validate:"omitempty,max=2"`
	O modelledInner  `json:"o,omitzero"`
	M map[string]int `json:"m,omitempty" validate:"omitempty,max=1,dive,max=5"`
}

type modelledInner struct {
	X int `json:"x" validate:"required,ne=1"`
}

// What the model reads is what is enforced: over random arguments the schema and
// the decoder give the same answer.
func TestSchemaAndDecoderAgree(t *testing.T) {
	t.Parallel()
	a := compile[modelled](t, nil)
	schema := resolved(t, a.Schema())
	r := rand.New(rand.NewPCG(1, 2))
	pool := []any{
		"", "a", "b", "ab", "abcde", "äö", 0, 1, 2, -3, 4, 300, 0.5, 10.5, true, false, nil,
		[]any{},
		[]any{"ab"},
		[]any{"a"},
		[]any{"ab", "cd", "ef"},
		[]any{nil},
		[]any{1},
		map[string]any{},
		map[string]any{"x": 0},
		map[string]any{"x": 1},
		map[string]any{"x": "1"},
		map[string]any{"k": 5},
		map[string]any{"k": 6},
		map[string]any{"k": 1, "l": 2},
	}
	names := []string{"s", "e", "i", "u", "f", "b", "l", "p", "o", "m", "unknown"}
	passed := 0
	for range 20000 {
		doc := map[string]any{"s": "ok"}
		for range r.IntN(3) + 1 {
			doc[names[r.IntN(len(names))]] = pool[r.IntN(len(pool))]
		}
		if r.IntN(8) == 0 {
			delete(doc, "s")
		}
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var instance any
		if err := json.Unmarshal(raw, &instance); err != nil {
			t.Fatal(err)
		}
		_, err = a.Decode(t.Context(), raw)
		if (schema.Validate(instance) == nil) != (err == nil) {
			t.Fatalf("%s: the schema says %v, the decoder %v", raw, schema.Validate(instance), err)
		}
		if err == nil {
			passed++
		}
	}
	if passed < 500 {
		t.Errorf("only %d of 20000 passed: the test looks at too little", passed)
	}
}

func TestAnOwnSchemaIsListedAndEnforcedBesideTheType(t *testing.T) {
	t.Parallel()
	type args struct {
		City  string `json:"city"`
		Count int    `json:"count,omitempty" validate:"omitempty,max=5"`
		Page  int    `json:"page,omitempty"`
	}
	own := json.RawMessage(`{"type":"object","properties":{"city":{"type":"string","enum":["Paris","Oslo"]},"count":{"type":"integer","minimum":2},"page":{"type":"integer","default":7}},"required":["city"],"additionalProperties":false}`)
	a := compile[args](t, &validate.Options{Schema: own})
	if string(a.Schema()) != string(own) {
		t.Errorf("listed %s", a.Schema())
	}
	for raw, want := range map[string]string{
		`{"city":"Paris","count":3}`:                "",
		`{"city":"Paris","count":3.0}`:              "",
		`{"city":"Rome"}`:                           "city enum",
		`{"city":"Paris","count":1}`:                "count schema",
		`{"city":"Paris","count":6}`:                "count max",
		`{"city":"Rome","count":6}`:                 "city enum,count max",
		`{"city":"Paris","surplus":1}`:              "unknown",
		`{"count":3}`:                               "city required",
		`{"city":"Paris","city":"Oslo"}`:            "duplicate",
		`[]`:                                        "type",
		`{"city":"Paris","count":9007199254740993}`: "count max",
	} {
		if got := strings.Join(broken(t, a, raw), ","); !sameSet(got, want) {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
	got, err := a.Decode(t.Context(), json.RawMessage(`{"city":"Paris"}`))
	if err != nil || got.Page != 7 {
		t.Errorf("the schema's default is not there: %+v, %v", got, err)
	}
	for _, bad := range []string{`{`, `[]`, `{"type":"string"}`, `{"type":"object","properties":{"a":{"$ref":"#/$defs/none"}}}`, `{"type":"object","properties":{"a":{"pattern":"("}}}`} {
		if _, err := validate.For[args](&validate.Options{Schema: json.RawMessage(bad)}); err == nil {
			t.Errorf("the schema %s compiles", bad)
		}
	}
}

func TestADocumentIsHeldAgainstItsSchemaAsWritten(t *testing.T) {
	t.Parallel()
	d, err := validate.ForSchema(json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer","minimum":9007199254740992},"s":{"type":"string"}},"required":["n"]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]bool{
		`{"n":9007199254740994}`: true, `{"n":1}`: false, `{}`: false, ``: false, `{"n":9007199254740994,"n":9007199254740994}`: false,
		`{"n":9007199254740994,"more":1}`: true, `{"n":9007199254740994,"s":7}`: false, "{\"n\":9007199254740994,\"s\":\"\xff\"}": false, `null`: false, `[1]`: false,
	} {
		err := d.Check(t.Context(), json.RawMessage(raw))
		if (err == nil) != want {
			t.Errorf("%s: %v", raw, err)
		}
		var e *validate.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%s: %T", raw, err)
		}
	}
	if got := strings.Join(d.Warnings(), "\n"); !strings.Contains(got, "additionalProperties") || !strings.Contains(got, "s has no upper bound") {
		t.Errorf("warnings %s", got)
	}
}

func TestResultsAreEncodedAsTheSDKDoesAndHeldAgainstTheirSchema(t *testing.T) {
	t.Parallel()
	type out struct {
		Name  string         `json:"name" validate:"omitempty,max=3"`
		Tags  []string       `json:"tags"`
		Map   map[string]int `json:"map"`
		Zero  int            `json:"zero,omitempty"`
		HTML  string         `json:"html,omitempty"`
		Ptr   *int           `json:"ptr"`
		Inner *out2          `json:"inner,omitempty"`
	}
	r, err := validate.ForResult[out](nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.Encode(out{Name: "abc", HTML: "<b>"})
	if err != nil || string(raw) != `{"name":"abc","tags":[],"map":{},"html":"<b>","ptr":null}` {
		t.Errorf("got %s, %v", raw, err)
	}
	schema := resolved(t, r.Schema())
	var v any
	if err := json.Unmarshal(raw, &v); err != nil || schema.Validate(v) != nil {
		t.Errorf("its own schema %s refuses %s: %v", r.Schema(), raw, schema.Validate(v))
	}
	if _, err := r.Encode(out{Name: "too long"}); err == nil || strings.Contains(err.Error(), "too long") {
		t.Errorf("a broken rule: %v", err)
	}
	if _, err := r.Encode(map[string]any{"surplus": 1}); err == nil {
		t.Error("middleware's own value passes the schema that it breaks")
	}
	if _, err := r.Encode(map[string]any{"name": "a", "tags": []string{}, "map": map[string]any{}, "ptr": nil}); err != nil {
		t.Errorf("middleware's own value: %v", err)
	}
	if !r.IsObject() {
		t.Error("a struct is no object")
	}
	pointer, err := validate.ForResult[*out2](nil)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := pointer.Encode((*out2)(nil)); err != nil || string(raw) != `{"x":0}` {
		t.Errorf("a nil pointer: %s, %v", raw, err)
	}
	list, err := validate.ForResult[[]string](nil)
	if err != nil || list.IsObject() {
		t.Errorf("a list is an object: %v", err)
	}
	if raw, err := list.Encode([]string(nil)); err != nil || string(raw) != `[]` {
		t.Errorf("got %s, %v", raw, err)
	}
	anything, err := validate.ForResult[any](nil)
	if err != nil || anything.Schema() != nil || !anything.IsObject() {
		t.Errorf("any: %s, %v", anything.Schema(), err)
	}
	var p *validate.PanicError
	if _, err := anything.Encode(explodes{}); !errors.As(err, &p) {
		t.Errorf("a panicking MarshalJSON: %v", err)
	}
	nan := 0.0
	if _, err := anything.Encode(map[string]any{"n": nan / nan}); err == nil {
		t.Error("NaN was encoded")
	}
	own, err := validate.ForResult[any](json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.Encode(map[string]any{"a": "canary"}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("an own schema: %v", err)
	}
	if _, err := own.Encode(map[string]any{"a": 1}); err != nil {
		t.Errorf("an own schema: %v", err)
	}
	defaults, err := validate.ForResult[any](json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer","default":4},"b":{"type":"integer"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := defaults.Encode(map[string]any{"b": int64(1<<60 + 1)}); err != nil || string(raw) != `{"a":4,"b":1152921504606846977}` {
		t.Errorf("an own schema's default: %s, %v", raw, err)
	}
	if _, err := defaults.Encode("no object"); err == nil {
		t.Error("a text was taken for an object")
	}
}

type out2 struct {
	X int `json:"x"`
}

type explodes struct{}

func (explodes) MarshalJSON() ([]byte, error) { panic("boom") }

func ExampleFor() {
	type search struct {
		Query string `json:"query" validate:"required,min=1,max=200"`
		Limit int    `json:"limit,omitempty" validate:"omitempty,min=1,max=20"`
	}
	args, err := validate.For[search](nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = args.Decode(context.Background(), json.RawMessage(`{"query":"","limit":50}`))
	fmt.Println(err)
	// Output: query must have at least 1 character. limit must be at most 20.
}
