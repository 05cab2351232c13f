package validate_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

func TestAJSONNumberIsANumberWithAllItsDigits(t *testing.T) {
	t.Parallel()
	type args struct {
		N json.Number  `json:"n"`
		P *json.Number `json:"p,omitempty"`
	}
	a := compile[args](t, nil)
	for _, number := range []string{"1.50", "-0", "12345678901234567890123", "1e400"} {
		got, err := a.Decode(t.Context(), json.RawMessage(`{"n":`+number+`,"p":`+number+`}`))
		if err != nil || got.N.String() != number || got.P.String() != number {
			t.Errorf("%s: %+v, %v", number, got, err)
		}
	}
	for raw, want := range map[string]string{`{"n":"1"}`: "n type", `{"n":null}`: "n type", `{"n":true}`: "n type", `{"n":1,"p":null}`: "", `{"n":1,"p":"1"}`: "p type"} {
		if got := strings.Join(broken(t, a, raw), ","); got != want {
			t.Errorf("%s: %q", raw, got)
		}
	}
	type out struct {
		N json.Number `json:"n"`
		X any         `json:"x"`
	}
	typed, err := validate.ForResult[out](nil)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := typed.Encode(out{N: "7", X: json.Number("8")}); err != nil || string(raw) != `{"n":7,"x":8}` {
		t.Errorf("%s, %v", raw, err)
	}
	r, err := validate.ForResult[any](nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.Encode(map[string]any{"n": json.Number("12345678901234567890"), "zero": json.Number("")})
	if err != nil || string(raw) != `{"n":12345678901234567890,"zero":0}` {
		t.Errorf("%s, %v", raw, err)
	}
	for _, bad := range []json.Number{"x", `"1"`, "1,2", "null", "{}"} {
		if raw, err := r.Encode(map[string]any{"n": bad}); err == nil {
			t.Errorf("%q was written as %s", bad, raw)
		}
	}
}

// The schema bounds the characters of base64, which is what a model writes; the bytes
// are what is enforced. What passes the rule passes the schema.
func TestBytesAreBoundedInBothTheirForms(t *testing.T) {
	t.Parallel()
	type args struct {
		B []byte `json:"b" validate:"min=2,max=4"`
	}
	a := compile[args](t, nil)
	if got := string(a.Schema()); !strings.Contains(got, `"minLength":4,"maxLength":8`) || strings.Contains(got, "Items") || !strings.Contains(got, "at most 4 bytes") {
		t.Errorf("the schema is %s", got)
	}
	schema := resolved(t, a.Schema())
	for n := range 9 {
		raw, err := json.Marshal(map[string]any{"b": make([]byte, n)})
		if err != nil {
			t.Fatal(err)
		}
		passes := broken(t, a, string(raw)) == nil
		if passes != (n >= 2 && n <= 4) {
			t.Errorf("%d bytes pass: %v", n, passes)
		}
		var instance any
		if err := json.Unmarshal(raw, &instance); err != nil {
			t.Fatal(err)
		}
		if passes && schema.Validate(instance) != nil {
			t.Errorf("%d bytes pass, and the schema refuses them", n)
		}
	}
}
