package validate_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

// uniqueItems compares JSON, and the rule compares values: where two texts of JSON may be
// one value the schema says so in words, and is not narrower than the rule anywhere.
func TestUniqueIsSaidByAKeywordWhereJSONIsComparedAsValuesAre(t *testing.T) {
	t.Parallel()
	type whole struct {
		A int    `json:"a"`
		B string `json:"b"`
	}
	type partial struct {
		A int `json:"a,omitempty"`
	}
	type nested struct {
		P whole   `json:"p"`
		Q [2]bool `json:"q"`
	}
	for typ, alone := range map[reflect.Type]bool{
		reflect.TypeFor[[]string](): true, reflect.TypeFor[[]*string](): true, reflect.TypeFor[[]int8](): true, reflect.TypeFor[[]bool](): true, reflect.TypeFor[[][2]int](): true, reflect.TypeFor[[3]uint](): true,
		reflect.TypeFor[[]whole](): true, reflect.TypeFor[[]*whole](): true, reflect.TypeFor[[]nested](): true,
		reflect.TypeFor[[]float32](): false, reflect.TypeFor[[]float64](): false, reflect.TypeFor[[]partial](): false, reflect.TypeFor[[]*partial](): false,
		reflect.TypeFor[[]struct {
			S string `json:"s" text:"strip"`
		}](): false,
		reflect.TypeFor[[]struct {
			S string `json:"s" default:"a"`
		}](): false,
	} {
		raw, _, exact, err := validate.CompileRules(typ, "unique")
		if err != nil {
			t.Errorf("%s: %v", typ, err)
			continue
		}
		if !strings.Contains(string(raw), `"uniqueItems":true`) || exact != alone || strings.Contains(string(raw), "twice") == alone {
			t.Errorf("%s: exact %v: %s", typ, exact, raw)
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[map[string]int](), reflect.TypeFor[[]textLevel]()} {
		if raw, _, exact, err := validate.CompileRules(typ, "unique"); err != nil || exact || strings.Contains(string(raw), "uniqueItems") || !strings.Contains(string(raw), "twice") {
			t.Errorf("%s: %s, %v", typ, raw, err)
		}
	}
}

// Rules stand where their values do: on elements, on names of members, on pointers, and
// on what is in a type that contains itself.
func TestKeywordsStandWhereTheirValuesDo(t *testing.T) {
	t.Parallel()
	type tree struct {
		Name *string           `json:"name,omitempty" validate:"omitempty,excludes=ab,startswith=x|isdefault,hostname_rfc1123|eq=-"`
		Kids []tree            `json:"kids,omitempty" validate:"omitempty,max=2,dive"`
		Tags map[string]string `json:"tags,omitempty" validate:"omitempty,dive,keys,alpha,startswith=k,endkeys,numeric,ne=7"`
		List []*string         `json:"list,omitempty" validate:"omitempty,ne=3,dive,endsnotwith=z,noneof=a b,ipv6"`
		ID   [][]string        `json:"id,omitempty" validate:"omitempty,dive,len=1,dive,uuid4"`
	}
	type args struct {
		Root tree `json:"root"`
	}
	a := compile[args](t, nil)
	schema := resolved(t, a.Schema())
	values := map[string][]string{
		"name": {`"x"`, `"xy-z"`, `"-"`, `"x-"`, `"xab"`, `""`, `"y"`, `null`},
		"tags": {`{"k":"1"}`, `{"kk":"1.5"}`, `{"a":"1"}`, `{"k1":"1"}`, `{"k":"7"}`, `{"k":"x"}`, `{}`},
		"list": {`["::1"]`, `["::1",null]`, `[null,null,null]`, `["::1","::2","::3","::4"]`, `["::ffff:1.2.3.4"]`, `["a"]`, `["z"]`, `[]`},
		"id":   {`[["57b73598-8764-4ad0-a76a-679bb6640eb1"]]`, `[["57B73598-8764-4ad0-a76a-679bb6640eb1"]]`, `[[]]`, `[]`},
	}
	taken, refused := 0, 0
	for field, texts := range values {
		for _, text := range texts {
			member := fmt.Sprintf("%q:%s", field, text)
			for _, raw := range []string{`{"root":{` + member + `}}`, `{"root":{"kids":[{"kids":[{` + member + `}]}]}}`} {
				var v any
				if err := json.Unmarshal([]byte(raw), &v); err != nil {
					t.Fatal(err)
				}
				_, err := a.Decode(t.Context(), json.RawMessage(raw))
				if (err == nil) != (schema.Validate(v) == nil) {
					t.Errorf("%s: %v, and the schema %s: %v", raw, err, a.Schema(), schema.Validate(v))
				}
				if err == nil {
					taken++
				} else {
					refused++
				}
			}
		}
	}
	if taken < 20 || refused < 20 {
		t.Errorf("%d are taken and %d refused", taken, refused)
	}
}

type hexID [2]byte

func (h *hexID) UnmarshalText(text []byte) error { copy(h[:], text); return nil }

func (h hexID) String() string {
	return fmt.Sprintf("%02x%02x98b3-8764-4ad0-a76a-679bb6640eb1", h[0], h[1])
}

// Validator asks a type with a method String for the text of a UUID: so is it here.
func TestARuleForUUIDsIsForTypesThatPrintOne(t *testing.T) {
	t.Parallel()
	type args struct {
		ID hexID `json:"id" validate:"uuid4"`
	}
	a := compile[args](t, nil)
	if _, err := a.Decode(t.Context(), json.RawMessage(`{"id":"ab"}`)); err != nil {
		t.Error(err)
	}
	if raw := string(a.Schema()); strings.Contains(raw, "pattern") || !strings.Contains(raw, "must be a UUID of version 4") {
		t.Error(raw)
	}
	if err := validate.CompileType(reflect.StructOf([]reflect.StructField{{Name: "F", Type: reflect.TypeFor[hexID](), Tag: `json:"f" validate:"uuid5|uuid4"`}}), nil); err != nil {
		t.Error(err)
	}
}
