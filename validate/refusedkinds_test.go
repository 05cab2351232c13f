package validate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/safemcp/safemcp/validate"
)

type (
	selfList   []selfList
	selfMap    map[string]selfMap
	selfPtr    *selfPtr
	selfEmbed  struct{ *selfEmbed }
	keyReads   string
	namesApart struct {
		Exported
		Further
	}
	// Further has the name of a field of Exported.
	Further  struct{ A int }
	badKind  int
	badNames int
	// Plainly is embedded with tags.
	Plainly struct {
		P string `json:"p"`
	}
)

func (k *keyReads) UnmarshalText(b []byte) error { *k = keyReads(b); return nil }
func (badKind) Values() []string                 { return []string{"one"} }
func (badNames) Values() []badNames              { return nil }

// What cannot be expressed fails when it is compiled, with a sentence that says what to do.
func TestWhatCannotBeExpressedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	const leave = `has no form in JSON: use another type, or leave the field out with json:"-"`
	refuses[struct{ A chan int }](t, "the field A: a chan int "+leave)
	refuses[struct{ A func() }](t, "the field A: a func() "+leave)
	refuses[struct{ A complex64 }](t, "the field A: a complex64 "+leave)
	refuses[struct{ A []map[string]complex128 }](t, "the field A: a complex128 "+leave)
	refuses[struct{ A unsafe.Pointer }](t, leave)
	refuses[struct{ A io.Reader }](t, "the interface io.Reader cannot be made from JSON: use a struct, or any")
	refuses[struct{ A error }](t, "use a struct, or any")
	refuses[struct{ A *url.URL }](t, `Go struct has no exported fields: use a type that can be read from JSON, or leave the field out with json:"-"`)
	refuses[struct{ A map[bool]int }](t, "use strings or whole numbers")
	refuses[struct{ A map[float64]int }](t, "use strings or whole numbers")
	refuses[struct{ A map[Plainly]int }](t, "use strings or whole numbers")
	refuses[struct{ A map[*string]int }](t, "use strings or whole numbers")
	refuses[struct{ A map[keyReads]int }](t, "read themselves, so that rules would be held against other values: use strings or whole numbers")
	refuses[struct{ A map[time.Time]int }](t, "use strings or whole numbers")
	refuses[struct{ A selfList }](t, "contains itself without a struct between: put it into a struct")
	refuses[struct{ A selfMap }](t, "put it into a struct")
	refuses[struct{ A selfPtr }](t, "put it into a struct")
	refuses[selfEmbed](t, "exported")
	refuses[namesApart](t, "two fields of validate_test.namesApart have the JSON name A")
	refuses[struct {
		A int `json:"a,string"`
	}](t, `its json tag says "string", which is not supported here: leave it out, since numbers of every size are read exactly; where clients send texts, use a string and convert it in the handler`)
	refuses[struct {
		A Plainly `json:",inline"`
	}](t, "embed the struct, without a name for the field")
	refuses[struct {
		A time.Time `json:"a,format:DateOnly"`
	}](t, "use a type that reads itself, with UnmarshalText, or a string with a rule such as datetime=2006-01-02")
	refuses[struct {
		A map[string]any `json:",unknown"`
	}](t, "give a map a field of its own")
	refuses[struct {
		A int `json:"a,case:ignore"`
	}](t, "names are spelt exactly")
	refuses[struct {
		A int `json:"a,omitemtpy"` //nolint:staticcheck // what is refused
	}](t, `"omitemtpy", which is not supported here: leave it out`)
	refuses[struct {
		A int `json:"a.b"`
	}](t, "a dot or a bracket")
	refuses[[]int](t, "is no object: use a struct, a map or any")
	refuses[string](t, "is no object: use a struct, a map or any")
	refuses[io.Reader](t, "use a struct, a map or any")
	refuses[struct{ A badKind }](t, "the method Values of validate_test.badKind does not list its values: it takes nothing and returns a list of validate_test.badKind, or of strings where it is one")
	refuses[struct{ A badNames }](t, "lists none")
	whole := reflect.TypeFor[int]()
	for want, fields := range map[string][]reflect.StructField{
		"have the JSON name x": {{Name: "A", Type: whole, Tag: `json:"x"`}, {Name: "B", Type: whole, Tag: `json:"x"`}},
		"the field a has tags but is not exported, so that nothing could be decoded into it: export it, or take them away": {{Name: "a", PkgPath: "example.org/p", Type: whole, Tag: `json:"a"`}},
		"the field b has tags but is not exported": {{Name: "b", PkgPath: "example.org/p", Type: whole, Tag: `default:"1"`}},
	} {
		if err := validate.CompileType(reflect.StructOf(fields), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, and not: %s", err, want)
		}
	}
	for _, tag := range []string{`validate:"required"`, `default:"x"`, `text:"raw"`, `audit:"omit"`} {
		err := validate.CompileType(reflect.StructOf([]reflect.StructField{{Name: "Plainly", Type: reflect.TypeFor[Plainly](), Anonymous: true, Tag: reflect.StructTag(tag)}}), nil)
		if err == nil || !strings.Contains(err.Error(), "its fields are the struct's own, so put it on them") {
			t.Errorf("an embedded struct with %s: %v", tag, err)
		}
	}
}

// However many fields a struct has, each is held, also where there are more than a walk has
// room for on its stack.
func TestStructsOfAnyNumberOfFields(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 31, 32, 33, 63, 64, 65, 128, 300} {
		var fields []reflect.StructField
		good, names := map[string]int{}, []string{}
		for i := range n {
			name := fmt.Sprintf("f%d", i)
			tag := fmt.Sprintf(`json:"%s" validate:"min=%d"`, name, i)
			if i%3 == 1 {
				tag += fmt.Sprintf(` default:"%d"`, 1000+i)
			}
			fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int](), Tag: reflect.StructTag(tag)})
			good[name], names = i, append(names, name)
		}
		typ := reflect.StructOf(fields)
		_, read, err := validate.OfType(typ, &validate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		decode := func(of map[string]int) (reflect.Value, string) {
			raw, err := json.Marshal(of)
			if err != nil {
				t.Fatal(err)
			}
			v, err := read(t.Context(), raw)
			if err != nil {
				return v, err.Error()
			}
			return v, ""
		}
		if v, said := decode(good); said != "" || v.Field(n-1).Int() != int64(n-1) {
			t.Errorf("%d fields: %s", n, said)
		}
		for i, name := range names {
			if i > 2 && i < n-3 && i%29 != 0 {
				continue
			}
			one := maps.Clone(good)
			one[name] = i - 1
			if _, said := decode(one); said != fmt.Sprintf("%s must be at least %d.", name, i) {
				t.Errorf("%s of %d: %s", name, n, said)
			}
			delete(one, name)
			v, said := decode(one)
			if i%3 == 1 && (said != "" || v.Field(i).Int() != int64(1000+i)) || i%3 != 1 && said != name+" is required." {
				t.Errorf("%s of %d left out: %q", name, n, said)
			}
			one["other"] = 1
			if _, said = decode(one); !strings.Contains(said, "There are members that are not known") || strings.Contains(said, "is required") == (i%3 == 1) {
				t.Errorf("%s of %d left out, and another given: %q", name, n, said)
			}
		}
	}
}

// A document as deep as JSON may be is read or refused, by both ways of reading.
func TestDeepDocumentsOfRecursiveTypesComeToAnEnd(t *testing.T) {
	t.Parallel()
	a := compile[tree](t, nil)
	for _, c := range []struct {
		depth  int
		inmost string
		want   []string
	}{
		{4000, `{}`, nil},
		{1000, `{"n":4}`, []string{strings.TrimSuffix(strings.Repeat("kids[0].", 1000), ".") + ".n max"}},
		{1000, `{"m":4}`, []string{strings.TrimSuffix(strings.Repeat("kids[0].", 1000), ".") + " unknown"}},
		{6000, `{}`, []string{" syntax"}}, // deeper than JSON is read
		{1000000, `{}`, []string{" syntax"}},
	} {
		raw := strings.Repeat(`{"kids":[`, c.depth) + c.inmost + strings.Repeat("]}", c.depth)
		if got := broken(t, a, raw); !slices.Equal(got, c.want) {
			t.Errorf("%d deep, %s: %.100q", c.depth, c.inmost, got)
		}
	}
}

type sharing struct {
	N *big.Int       `json:"n" default:"12345678901234567890123"`
	V big.Int        `json:"v" default:"7"`
	B []byte         `json:"b" default:"AQID"`
	T *textual       `json:"t" default:"it"`
	J json.Number    `json:"j" default:" 1.50 "`
	P **string       `json:"p" default:"text"`
	D *time.Duration `json:"d" default:"-1m"`
	M time.Time      `json:"m" default:"2026-01-02T03:04:05Z"`
	L level          `json:"l" default:"2"`
	U *uint8         `json:"u" default:"255"`
	F float32        `json:"g" default:"1e3"`
	X bool           `json:"x,omitzero" default:"true" validate:"required"`
	E string         `json:"e" default:""`
	*Other
}

// A default is each call's own: what a handler does to one reaches no other.
func TestDefaultsOfEveryKindAreEachCallsOwn(t *testing.T) {
	t.Parallel()
	a := compile[sharing](t, nil)
	const want = `{"n":12345678901234567890123,"v":{},"b":"AQID","t":"read it","j":1.50,"p":"text","d":-60000000000,"m":"2026-01-02T03:04:05Z","l":2,"u":255,"g":1000,"x":true,"e":"","f":4}`
	for range 3 {
		v, err := a.Decode(t.Context(), json.RawMessage(`{"e":"given","x":false}`))
		if err != nil || v.E != "given" || v.X {
			t.Fatal(err)
		}
		v, err = a.Decode(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(v)
		if err != nil || string(raw) != want || v.V.Int64() != 7 {
			t.Fatalf("%s, %v", raw, err)
		}
		v.N.SetBit(v.N, 0, 0).Rsh(v.N, 3)
		v.V.SetBit(&v.V, 0, 0)
		v.B[0], v.T.read, **v.P, *v.D, *v.U = 9, "changed", "changed", 9, 9
	}
	if got := at(t, string(a.Schema()), "/required"); got != "none" {
		t.Errorf("required: %s", got)
	}
}

type (
	ranged struct {
		Low  int `json:"low"  default:"5"`
		High int `json:"high" default:"3" validate:"gtefield=Low"`
	}
	needing struct {
		Low  int `json:"low"`
		High int `json:"high" default:"3" validate:"gtefield=Low"`
	}
)

// A default that its field would not take, or that only a call could judge, is refused.
func TestDefaultsThatWouldNotBeTakenAreRefused(t *testing.T) {
	t.Parallel()
	refuses[struct {
		A int `json:"a" default:"0" validate:"min=1"`
	}](t, `its default "0" breaks its rule min: it must be at least 1`)
	refuses[struct {
		A json.Number `json:"a" default:"1.5" validate:"lt=1.5"`
	}](t, `its default "1.5" breaks its rule lt: it must be less than 1.5`)
	refuses[struct {
		A level `json:"a" default:"3"`
	}](t, `its default "3" breaks its rule enum: it must be one of -1, 1, 2`)
	refuses[struct {
		A *ownRead `json:"a" default:"C"`
	}](t, "breaks its rule enum")
	refuses[struct {
		A string `json:"a" default:"x\u200by"`
	}](t, `its default "x\u200by" holds a character without width, at character 2, which a caller could not send: leave it out`)
	refuses[struct {
		A string `json:"a" default:"e\u0301" text:"strip"`
	}](t, "which a caller could not send")
	refuses[struct {
		A string `json:"a" default:"\xff"`
	}](t, "is not UTF-8")
	refuses[struct {
		A time.Duration `json:"a" default:"1 hour"`
	}](t, `its default "1 hour" is no time.Duration: write it as in 1h30m`)
	refuses[struct {
		A time.Time `json:"a" default:"2026-01-02"`
	}](t, "write it as in 2006-01-02T15:04:05Z")
	refuses[struct {
		A []byte `json:"a" default:"?"`
	}](t, "write it in base64")
	refuses[struct {
		A *int `json:"a" default:"null"`
	}](t, `its default "null" is no int`)
	refuses[struct {
		A int `json:"a" default:""`
	}](t, `its default "" is no int`)
	refuses[struct {
		A textual `json:"a" default:"no"`
	}](t, `its default "no" is no validate_test.textual`)
	for _, typ := range []reflect.Type{reflect.TypeFor[[]int](), reflect.TypeFor[map[string]int](), reflect.TypeFor[inner](), reflect.TypeFor[any](), reflect.TypeFor[valued](), reflect.TypeFor[[2]int]()} {
		err := validate.CompileType(reflect.StructOf([]reflect.StructField{{Name: "A", Type: typ, Tag: `default:"{}"`}}), nil)
		if err == nil || !strings.Contains(err.Error(), "a default is for a text, a number or a boolean: set others in the handler") {
			t.Errorf("%s: %v", typ, err)
		}
	}
	refuses[struct {
		A code `json:"a" default:"good"`
	}](t, "whose type has a Validate method, as validate_test.code has, has no default, since it would be the method's to judge at each call: set it in the handler")
	refuses[struct {
		A int `json:"-" default:"1"`
	}](t, "take one of them away")
	refuses[struct {
		A int `json:"a" default:"1" validate:"excluded_with=B"`
		B int `json:"b"`
	}](t, "its rule excluded_with cannot be kept by a field with a default")
	refuses[ranged](t, "the field High: its default breaks its rule gtefield where nothing else is given: it must be at least low")
	compile[needing](t, nil)
	yes := validate.Rule{Message: "must be", Check: validate.RuleFor(func(context.Context, string) (bool, error) { return true, nil })}
	for rule, o := range map[string]*validate.Options{
		"rule=r":  {Rules: map[string]validate.Rule{"r": yes}},
		"allow=l": {Allow: map[string]validate.Allowlist{"l": &source{values: []string{"x"}}}},
	} {
		_, err := validate.For[struct {
			A string `json:"a" default:"x" validate:"rule=r"`
		}](o)
		if rule == "allow=l" {
			_, err = validate.For[struct {
				A string `json:"a" default:"x" validate:"allow=l"`
			}](o)
		}
		if err == nil || !strings.Contains(err.Error(), "set it in the handler") {
			t.Errorf("%s: %v", rule, err)
		}
	}
	type static struct {
		A string `json:"a" default:"x" validate:"allow=l"`
	}
	compile[static](t, &validate.Options{Allow: map[string]validate.Allowlist{"l": validate.Static("x")}})
	if _, err := validate.For[static](&validate.Options{Allow: map[string]validate.Allowlist{"l": validate.Static("y")}}); err == nil || !strings.Contains(err.Error(), "breaks its rule allow") {
		t.Error(err)
	}
}
