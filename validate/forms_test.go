package validate_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
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
	type ruled struct {
		N json.Number `json:"n" validate:"max=3"`
	}
	if _, err := validate.For[ruled](nil); err == nil || !strings.Contains(err.Error(), "int64") {
		t.Errorf("a rule on a json.Number: %v", err)
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
	for tag, takes := range map[string]func(n int) bool{
		"min=0":       func(int) bool { return true },
		"min=1":       func(n int) bool { return n >= 1 },
		"min=2,max=4": func(n int) bool { return n >= 2 && n <= 4 },
		"min=3":       func(n int) bool { return n >= 3 },
		"gt=3":        func(n int) bool { return n > 3 },
		"max=0":       func(n int) bool { return n == 0 },
		"max=3":       func(n int) bool { return n <= 3 },
		"lt=6":        func(n int) bool { return n < 6 },
		"lte=7":       func(n int) bool { return n <= 7 },
		"len=0":       func(n int) bool { return n == 0 },
		"len=1":       func(n int) bool { return n == 1 },
		"eq=2":        func(n int) bool { return n == 2 },
		"len=3":       func(n int) bool { return n == 3 },
		"ne=0":        func(n int) bool { return n != 0 },
		"ne=4":        func(n int) bool { return n != 4 },
		"ne=5,ne=6":   func(n int) bool { return n != 5 && n != 6 },
	} {
		for _, typ := range []reflect.Type{reflect.TypeFor[[]byte](), reflect.TypeFor[*[]byte]()} {
			keywords, ok, exact, err := validate.CompileRules(typ, tag)
			if err != nil || !exact {
				t.Fatalf("%s: exact %v, %v", tag, exact, err)
			}
			schema := resolved(t, keywords)
			for n := range 12 {
				text := base64.StdEncoding.EncodeToString(make([]byte, n))
				if passes := ok(reflect.ValueOf(make([]byte, n))); passes != takes(n) || (schema.Validate(text) == nil) != passes {
					t.Errorf("%s: %d bytes pass: %v, and the schema %s says %v", tag, n, passes, keywords, schema.Validate(text))
				}
			}
			if typ.Kind() == reflect.Pointer && schema.Validate(nil) != nil {
				t.Errorf("%s: the schema %s refuses null", tag, keywords)
			}
		}
	}
}

// What the schema takes for base64 is what is decoded.
func TestBytesAreBase64(t *testing.T) {
	t.Parallel()
	a := compile[struct {
		B []byte `json:"b"`
	}](t, nil)
	schema := resolved(t, a.Schema())
	for _, text := range []string{"", "A", "AA", "AAA", "AAAA", "AAA=", "AA==", "A===", "====", "=AAA", "AA=A", "AAAAA", "AAAAAA==", "AAAAAAA=", "AAAAAAAA", "AAAA====", "AB==", "AAB=", "A+/=", "A-_=", `AAAA\n`, `AA\n==`, `\nAAAA`, "A A=", "äAA="} {
		raw := `{"b":"` + text + `"}`
		var instance any
		if err := json.Unmarshal([]byte(raw), &instance); err != nil {
			t.Fatal(err)
		}
		_, err := a.Decode(t.Context(), json.RawMessage(raw))
		if (err == nil) != (schema.Validate(instance) == nil) {
			t.Errorf("%s: %v, and the schema %v", raw, err, schema.Validate(instance))
		}
	}
}
