package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

type (
	endlessList    []endlessList
	endlessMap     map[string]endlessMap
	endlessPointer *endlessPointer
	fineList       []fineNode
	fineNode       struct {
		Kids fineList `json:"kids,omitempty" validate:"omitempty,max=3"`
	}
)

// A type without end is refused, not followed until the stack overflows.
func TestTypesThatContainThemselvesAreRefusedWithoutAStruct(t *testing.T) {
	t.Parallel()
	fails := func(name string, err error) {
		if err == nil || !strings.Contains(err.Error(), "without a struct between") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := validate.For[struct {
		L endlessList `json:"l"`
	}](nil)
	fails("list", err)
	_, err = validate.For[endlessMap](nil)
	fails("map", err)
	_, err = validate.For[struct {
		P endlessPointer `json:"p"`
	}](nil)
	fails("pointer", err)
	verdicts[fineNode](t, nil, map[string]string{`{"kids":[{"kids":[{}]}]}`: "", `{"kids":[{"kids":[{},{},{},{}]}]}`: "kids[0].kids must have at most 3 elements."})
}

// jsonschema-go follows such schemas until the stack overflows, which ends the process
// and is for a caller's value to decide.
func TestSchemasThatLeadToThemselvesAreRefused(t *testing.T) {
	t.Parallel()
	bad := []string{
		`{"type":"object","$ref":"#"}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/n"}]}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"not":{"$ref":"#/$defs/m"}},"m":{"if":{"$ref":"#/$defs/n"}}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#n"}},"$defs":{"n":{"$anchor":"n","oneOf":[{"$ref":"#n"}]}}}`,
		`{"type":"object","dependentSchemas":{"a":{"$ref":"#"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/x~1y"}},"$defs":{"x/y":{"allOf":[{"$ref":"#/$defs/x~1y"}]}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"$id":"https://a.example/n","$ref":"#"}}}`,
		`{"type":"object","$dynamicRef":"#n","$dynamicAnchor":"n"}`,
		`{"type":"object","properties":{"a":{"$ref":"https://a.example/n"}}}`,
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/%6e"}},"$defs":{"n":{"$ref":"#/$defs/n"}}}`,
	}
	for _, schema := range bad {
		if _, err := validate.ForSchema(json.RawMessage(schema), nil); err == nil {
			t.Errorf("taken: %s", schema)
		}
	}
	good := `{"type":"object","properties":{"v":{"$ref":"#/$defs/small"},"kids":{"type":"array","items":{"$ref":"#"}}},"$defs":{"small":{"type":"integer","maximum":9}}}`
	d, err := validate.ForSchema(json.RawMessage(good), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(t.Context(), json.RawMessage(`{"v":1,"kids":[{"v":2,"kids":[]}]}`)); err != nil {
		t.Error(err)
	}
	if err := d.Check(t.Context(), json.RawMessage(`{"v":1,"kids":[{"v":20}]}`)); err == nil {
		t.Error("a kid is not checked")
	}
}

// A whole number in a schema that a float64 does not hold would be another number.
func TestSchemasHoldNoNumberThatWouldBeRounded(t *testing.T) {
	t.Parallel()
	for number, good := range map[string]bool{"9007199254740992": true, "9007199254740993": false, "18014398509481984": true, "-9007199254740993": false, "1.5": true, "-0": true, "0": true} {
		_, err := validate.ForSchema(json.RawMessage(`{"type":"object","properties":{"id":{"type":"number","enum":[`+number+`]}}}`), nil)
		if (err == nil) != good {
			t.Errorf("%s: %v", number, err)
		}
	}
	type args struct {
		N    json.Number `json:"n,omitempty"`
		Big  *big.Int    `json:"big,omitempty"`
		Page int         `json:"page,omitempty"`
	}
	own := json.RawMessage(`{"type":"object","properties":{"n":{"type":"number"},"big":{"type":"integer"},"page":{"type":"integer","default":7}}}`)
	a, err := validate.For[args](&validate.Options{Schema: own})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"12345678901234567890123", "1.50", "0.1234567890123456789"} {
		if v, err := a.Decode(t.Context(), json.RawMessage(`{"n":`+n+`}`)); err != nil || v.N.String() != n || v.Page != 7 {
			t.Errorf("%s became %v: %v", n, v, err)
		}
	}
	if v, err := a.Decode(t.Context(), json.RawMessage(`{"big":12345678901234567890123}`)); err != nil || v.Big.String() != "12345678901234567890123" {
		t.Errorf("%v %v", v.Big, err)
	}
}

// What an error costs is bounded, whatever was sent.
func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	type args struct {
		Short []string       `json:"short" validate:"max=3,dive,oneof=aaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbb"`
		Open  []string       `json:"open" validate:"dive,email"`
		Map   map[string]int `json:"map" validate:"max=3"`
	}
	a, err := validate.For[args](nil)
	if err != nil {
		t.Fatal(err)
	}
	list := func(n int) string { return `["` + strings.Repeat(`","`, n-1) + `"]` }
	var members strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&members, `"%d":1,`, i)
	}
	of := func(raw string) *validate.Error {
		_, err := a.Decode(t.Context(), json.RawMessage(raw))
		var wrong *validate.Error
		if !errors.As(err, &wrong) {
			t.Fatalf("%.50s: %v", raw, err)
		}
		return wrong
	}
	for _, unknown := range []string{"", `,"x":1`} { // both ways of reading
		wrong := of(`{"short":` + list(50000) + `,"open":[],"map":{` + strings.TrimSuffix(members.String(), ",") + `}` + unknown + `}`)
		if text := wrong.Error(); len(wrong.Fields) > 3 || !strings.Contains(text, "short must have at most 3 elements.") || !strings.Contains(text, "map must have at most 3 members.") {
			t.Errorf("%.500s", text)
		}
		wrong = of(`{"short":[],"open":` + list(50000) + `,"map":{}` + unknown + `}`)
		if n := len(wrong.Fields); n < 100 || n > 103 || wrong.Fields[n-1].Rule != "more" {
			t.Errorf("%d fields, the last %v", n, wrong.Fields[n-1])
		}
	}
	type long struct {
		N *big.Int `json:"n"`
	}
	verdicts[long](t, nil, map[string]string{
		`{"n":` + strings.Repeat("9", 5000) + `}`: "", `{"n":` + strings.Repeat("9", 5001) + `}`: "n ", `{"n":1.5}`: "n ", `{"n":1e3}`: "", `{"n":1e4999}`: "", `{"n":1e5000}`: "n ", `{"n":15e-1}`: "n ", `{"n":"7"}`: "n ", `{"n":-7}`: "",
	})
}

// An allowlist that cannot be read is not made up for by something else that is wrong:
// whether the value is allowed is not known.
func failing(context.Context) ([]string, error) { return nil, errors.New("down") }

func TestAnAllowlistThatCannotBeReadIsNotHidden(t *testing.T) {
	t.Parallel()
	type args struct {
		City  string `json:"city" validate:"allow=cities"`
		Count int    `json:"count" validate:"max=3"`
	}
	a, err := validate.For[args](&validate.Options{Allow: map[string]validate.Allowlist{"cities": validate.AllowFunc(failing)}})
	if err != nil {
		t.Fatal(err)
	}
	var source *validate.SourceError
	if _, err := a.Decode(t.Context(), json.RawMessage(`{"city":"x","count":9}`)); !errors.As(err, &source) {
		t.Errorf("got %v", err)
	}
}
