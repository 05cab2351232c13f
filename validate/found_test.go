package validate_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

// What fuzzers found, each once more by itself.

// jsonschema-go takes an infinity for zero, which every bound holds for.
func TestANumberOutOfRangeIsNotHeldForZero(t *testing.T) {
	t.Parallel()
	schema := json.RawMessage(`{"type":"object","properties":{"n":{"type":"number","minimum":-5,"maximum":5},"l":{"type":"array"}}}`)
	document, err := validate.ForSchema(schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	type args struct {
		N json.Number `json:"n,omitempty"`
		L any         `json:"l,omitempty"`
	}
	typed := compile[args](t, &validate.Options{Schema: schema})
	whole := compile[any](t, nil)
	answer, err := validate.ForResult[any](schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{`{"n":1e400}`, `{"n":-1e400}`, `{"l":[[1e400]]}`} {
		for what, err := range map[string]error{"document": document.Check(t.Context(), []byte(raw)), "type": second(typed.Decode(t.Context(), []byte(raw))), "any": second(whole.Decode(t.Context(), []byte(raw)))} {
			var e *validate.Error
			if !errors.As(err, &e) || e.Decoded || !strings.Contains(e.Error(), "range") {
				t.Errorf("%s: %s: %v", what, raw, err)
			}
		}
		if written, err := answer.Encode(json.RawMessage(raw)); err == nil {
			t.Errorf("answered with %s", written)
		}
	}
	if err := document.Check(t.Context(), []byte(`{"n":5,"l":[1e300]}`)); err != nil {
		t.Error(err)
	}
}

// The value that a rule is tried on when it is compiled may hold for the first alternative,
// so that the others are never reached: they panicked at a call.
func TestNoAlternativeThatIsNotUnderstoodWaitsForACall(t *testing.T) {
	t.Parallel()
	for _, kind := range []reflect.Type{reflect.TypeFor[int](), reflect.TypeFor[uint16](), reflect.TypeFor[float64](), reflect.TypeFor[json.RawMessage]()} {
		for _, tag := range []string{"lt=5|eq=a", "lt=5|ne=a", "eq=a|lt=5", "lt=5|gt=x", "lt=5|", "lt=5||gt=7"} {
			if _, _, err := validate.OfType(tagType(kind, tag, ""), &validate.Options{}); err == nil {
				t.Errorf("%s on a %s is taken", tag, kind)
			}
		}
	}
}

// Normal form C writes U+2ADC as two characters, of which the second has no variants.
func TestNothingIsLeftOfWhatIsStripped(t *testing.T) {
	t.Parallel()
	a := compile[struct {
		Strip string `json:"strip" text:"strip"`
	}](t, nil)
	for sent, want := range map[string]string{"\u2adc\ufe00": "\u2add\u0338", "\u2adc\u200e\u05e9": "\u2add\u0338\u05e9", "\U0001d15e\u200e\u05e9": "\U0001d157\U0001d165\u05e9"} {
		raw, err := json.Marshal(map[string]string{"strip": sent})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := a.Decode(t.Context(), raw); err != nil || v.Strip != want {
			t.Errorf("%+q became %+q, %v", sent, v.Strip, err)
		}
	}
}
