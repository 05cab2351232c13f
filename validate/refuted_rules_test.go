package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

// refutedLevel reads itself, and takes null as zero: encoding/json calls UnmarshalJSON with it.
type refutedLevel int

func (l *refutedLevel) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*l = 0
		return nil
	}
	return json.Unmarshal(b, (*int)(l))
}

type refutedTier refutedLevel

func (l *refutedTier) UnmarshalJSON(b []byte) error { return (*refutedLevel)(l).UnmarshalJSON(b) }

func (l refutedTier) Validate(context.Context) error {
	if l < 3 {
		return validate.Reject("", "must be a tier")
	}
	return nil
}

// A null that a type has read is a value like any other: no rule is passed over.
func TestRefutedNullPassesTheRulesOfATypeThatReadsItself(t *testing.T) {
	t.Parallel()
	a, err := validate.For[struct {
		Level refutedLevel    `json:"level"          validate:"min=3"`
		Tier  refutedTier     `json:"tier"`
		Many  []refutedLevel  `json:"many,omitempty" validate:"max=9,dive,min=3"`
		Odd   refutedLevel    `json:"odd,omitempty"  validate:"rule=odd"`
		None  *refutedLevel   `json:"none,omitempty" validate:"min=3"`
		Raw   json.RawMessage `json:"raw,omitempty"`
	}](&validate.Options{Rules: map[string]validate.Rule{"odd": {
		Message: "must be odd",
		Check:   validate.RuleFor(func(_ context.Context, n refutedLevel) (bool, error) { return n%2 == 1, nil }),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		`{"level":null,"tier":3}`:              "level must be at least 3.",
		`{"level":3,"tier":null}`:              "tier must be a tier.",
		`{"level":3,"tier":3,"many":[3,null]}`: "many[1] must be at least 3.",
		`{"level":3,"tier":3,"odd":null}`:      "odd must be odd.",
		`{"level":null,"tier":null,"more":1}`:  "level must be at least 3. tier must be a tier. There are members",
		`{"level":3,"tier":3,"none":null}`:     "",
		`{"level":3,"tier":3,"raw":null}`:      "",
	} {
		if _, err := a.Decode(t.Context(), json.RawMessage(args)); (err == nil) != (want == "") || (err != nil && !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v, not %q", args, err, want)
		}
	}
}

type refutedText struct{ Name string }

func (o *refutedText) UnmarshalText(b []byte) error { o.Name = string(b); return nil }

type refutedRate float64

func (refutedRate) Values() []refutedRate { return []refutedRate{0.5, 1} }

type refutedNote struct {
	Text string `json:"text" validate:"max=9"`
}

// Rules, lists and tags that nothing would be held against are no part of a type.
func TestRefutedWhatIsNotEnforcedIsTaken(t *testing.T) {
	t.Parallel()
	refuse := func(what string, compile func() error) {
		t.Helper()
		defer func() {
			if p := recover(); p != nil {
				t.Errorf("%s: a panic: %v", what, p)
			}
		}()
		if err := compile(); err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
	refuse("keys without dive", compiles[struct {
		M map[string]int `json:"m" validate:"max=3,keys,max=3,endkeys"`
	}])
	refuse("keys of a list", compiles[struct {
		L []string `json:"l" validate:"max=3,dive,keys,max=3,endkeys"`
	}])
	refuse("keys of a text", compiles[struct {
		S string `json:"s" validate:"keys,max=3,endkeys"`
	}])
	refuse("endkeys alone", compiles[struct {
		M map[string]int `json:"m" validate:"max=3,dive,max=3,endkeys"`
	}])
	refuse("required of elements", compiles[struct {
		L []*string `json:"l" validate:"max=3,dive,required,max=3"`
	}])
	refuse("omitempty of elements", compiles[struct {
		L []string `json:"l" validate:"max=3,dive,omitempty,email"`
	}])
	refuse("a value of an alias", compiles[struct {
		S string `json:"s" validate:"iscolor=5"`
	}])
	refuse("the values of a number with a fraction", compiles[struct {
		R refutedRate `json:"r"`
	}])
	refuse("the text tag of a struct", compiles[struct {
		N refutedNote `json:"n" text:"raw"`
	}])
	refuse("the text tag of a list of structs", compiles[struct {
		N []refutedNote `json:"n" validate:"max=3" text:"flag"`
	}])
	refuse("the text tag of anything", compiles[struct {
		N any `json:"n" text:"strip"`
	}])
	refuse("the text tag of a number", compiles[struct {
		N int `json:"n" text:"strip"`
	}])
}

func compiles[T any]() error {
	_, err := validate.For[T](nil)
	return err
}

// A rule that names a field says its name in JSON, and takes that of a type that reads itself.
func TestRefutedUniqueNamesAFieldInGo(t *testing.T) {
	t.Parallel()
	a, err := validate.For[refutedTree](nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(a.Schema()); !strings.Contains(s, `elements with the same name"`) {
		t.Error(s)
	}
	b, err := validate.For[struct {
		L []refutedText `json:"l" validate:"max=3,unique=Name"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Decode(t.Context(), json.RawMessage(`{"l":["a","a"]}`)); err == nil {
		t.Error("two with one name are taken")
	}
}

// What is read as it is written is counted in bytes.
func TestRefutedRawBytesAreElements(t *testing.T) {
	t.Parallel()
	a, err := validate.For[struct {
		R json.RawMessage `json:"r" validate:"max=3"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Decode(t.Context(), json.RawMessage(`{"r":[1,2]}`)); err == nil || err.Error() != "r must have at most 3 bytes." {
		t.Error(err)
	}
}

type refutedTree struct {
	Kids []refutedTree `json:"kids,omitempty" validate:"omitempty,max=5,unique=Name"`
	Name string        `json:"name"           validate:"max=5"`
}

type refutedByte byte

// A list of bytes of a named type is a list to the decoder, and so in the schema.
func TestRefutedNamedBytesAreAText(t *testing.T) {
	t.Parallel()
	a, err := validate.For[struct {
		L []refutedByte `json:"l" validate:"max=2,dive,max=9"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(a.Schema()); !strings.Contains(s, `"l":{"type":"array","maxItems":2,"items":{"type":"integer","minimum":0,"maximum":9}}`) {
		t.Error(s)
	}
	for args, right := range map[string]bool{`{"l":[1,2]}`: true, `{"l":[1,2,3]}`: false, `{"l":[10]}`: false, `{"l":"AAA="}`: false} {
		if _, err := a.Decode(t.Context(), json.RawMessage(args)); (err == nil) != right {
			t.Errorf("%s: %v", args, err)
		}
	}
	r, err := validate.ForResult[struct {
		L []refutedByte `json:"l"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := r.Encode(struct {
		L []refutedByte `json:"l"`
	}{[]refutedByte{1, 2}}); err != nil {
		t.Errorf("%s: %v", raw, err)
	}
}

type refutedChain struct {
	Next *refutedChain `json:"next,omitempty"`
}

// What is said of members that are not known is bounded as all else is.
func TestRefutedUnknownMembersAreSaidWithoutBound(t *testing.T) { //nolint:paralleltest // it counts allocations
	a, err := validate.For[refutedChain](nil)
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Repeat(`{"x":1,"next":`, 1000) + `{}` + strings.Repeat(`}`, 1000)
	_, err = a.Decode(t.Context(), json.RawMessage(args))
	var wrong *validate.Error
	if !errors.As(err, &wrong) || len(wrong.Fields) > 101 {
		t.Errorf("an error says %d wrong values", len(wrong.Fields))
	}
	b, err := validate.For[struct {
		L []refutedChain `json:"l"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	args = `{"l":[` + strings.TrimSuffix(strings.Repeat(`{"x":1},`, 20000), ",") + `]}`
	allocs := testing.AllocsPerRun(1, func() { _, _ = b.Decode(t.Context(), json.RawMessage(args)) })
	if allocs > 40000 {
		t.Errorf("%v allocations for 20000 elements", allocs)
	}
}

// An own schema holds a whole number exactly, however it is written.
func TestRefutedAnOwnSchemaRoundsWholeNumbers(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{
		`{"type":"object","properties":{"n":{"type":"integer","maximum":9007199254740992}}}`,
		`{"type":"object","properties":{"n":{"enum":[9007199254740992]}}}`,
	} {
		a, err := validate.For[struct {
			N int64 `json:"n"`
		}](&validate.Options{Schema: json.RawMessage(schema)})
		if err != nil {
			t.Fatal(err)
		}
		for number, right := range map[string]bool{
			"9007199254740992": true, "9007199254740992.0": true, "90071992547409920e-1": true,
			"9007199254740993": false, "9007199254740993.0": false, "90071992547409930e-1": false,
		} {
			if v, err := a.Decode(t.Context(), json.RawMessage(`{"n":`+number+`}`)); (err == nil) != right {
				t.Errorf("%s takes %s: the handler has %d (%v)", schema, number, v.N, err)
			}
		}
	}
}

// The names of a map's members are said with all of their rules.
func TestRefutedRulesOfKeysBesideAListAreNotSaid(t *testing.T) {
	t.Parallel()
	a, err := validate.For[struct {
		M map[int8]int `json:"m" validate:"max=3,dive,keys,oneof=1 2 3,ne=2,endkeys"`
		N map[int8]int `json:"n" validate:"max=3,dive,keys,ne=2,oneof=1 2 3,max=2,endkeys"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range []string{
		`"propertyNames":{"pattern":"^(1|2|3)$","not":{"pattern":"^(2)$"}}`,
		`"propertyNames":{"pattern":"^(1|2)$","not":{"pattern":"^(2)$"}}`,
	} {
		if s := string(a.Schema()); !strings.Contains(s, names) {
			t.Errorf("%s is not in %s", names, s)
		}
	}
}

// What an own schema says of multiples is held, or refused when it is compiled.
func TestRefutedMultiplesAreRounded(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"0.01", "0.1", "1e-1", "0", "-2", "1e999999999"} {
		if _, err := validate.ForSchema(json.RawMessage(`{"type":"object","properties":{"n":{"type":"number","multipleOf":`+of+`}}}`), nil); err == nil {
			t.Errorf("multipleOf %s is taken", of)
		}
	}
	d, err := validate.ForSchema(json.RawMessage(`{"type":"object","properties":{"n":{"type":"number","multipleOf":2},"h":{"multipleOf":0.5},"i":{"type":"integer"}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for args, right := range map[string]bool{
		`{"n":4}`: true, `{"n":4.0}`: true, `{"n":5}`: false, `{"h":1.5}`: true, `{"h":1.25}`: false, `{"i":5e-1}`: false,
		`{"n":9007199254740993}`: false, `{"n":9223372036854775807}`: false, `{"n":9007199254740993.0}`: false,
		`{"i":9007199254740992.5}`: false, `{"i":0.99999999999999999999}`: false, `{"i":1.0}`: true, `{"i":1e20}`: false,
	} {
		if err := d.Check(t.Context(), json.RawMessage(args)); (err == nil) != right {
			t.Errorf("%s: %v", args, err)
		}
	}
	a, err := validate.For[struct {
		N int64 `json:"n" validate:"rule=even"`
	}](&validate.Options{Rules: map[string]validate.Rule{"even": {
		Message: "must be even", Keywords: json.RawMessage(`{"multipleOf":2}`),
		Check: validate.RuleFor(func(context.Context, int64) (bool, error) { return true, nil }),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for number, right := range map[string]bool{"9007199254740994": true, "9007199254740993": false, "9223372036854775807": false, "-9223372036854775808": true} {
		if _, err := a.Decode(t.Context(), json.RawMessage(`{"n":`+number+`}`)); (err == nil) != right {
			t.Errorf("%s: %v", number, err)
		}
	}
}

type refutedQuadratic struct {
	Name  string         `json:"name"            validate:"alpha,max=3"`
	Clean string         `json:"clean"           validate:"max=3"`
	Size  string         `json:"size"            validate:"max=3|len=5"`
	Unit  string         `json:"unit"            validate:"oneof=a bb"`
	Ident string         `json:"ident"           validate:"uuid4"`
	List  []string       `json:"list"            validate:"unique,max=3"`
	Names map[string]int `json:"names"           validate:"max=3,dive,keys,alpha,max=3,endkeys"`
	Rule  string         `json:"rule"            validate:"rule=short"`
	Live  string         `json:"live"            validate:"allow=live"`
	Short string         `json:"short,omitempty" validate:"alpha,max=3"`
}

var refutedCalled atomic.Int64

func (refutedQuadratic) Validate(context.Context) error { refutedCalled.Add(1); return nil }

// A Validate method relies on lengths, whichever rule is said to be broken.
func TestRefutedAValidateMethodSeesWhatIsTooLong(t *testing.T) { //nolint:paralleltest // it counts calls
	a, err := validate.For[refutedQuadratic](&validate.Options{
		Allow: map[string]validate.Allowlist{"live": validate.AllowFunc(func(context.Context) ([]string, error) { return []string{"a"}, nil })},
		Rules: map[string]validate.Rule{"short": {
			Message: "must be short", Keywords: json.RawMessage(`{"maxLength":3}`),
			Check: validate.RuleFor(func(context.Context, string) (bool, error) { return true, nil }),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("1", 5000)
	right := map[string]string{
		"name": `"a"`, "clean": `"a"`, "size": `"a"`, "unit": `"a"`, "ident": `"123e4567-e89b-42d3-a456-426614174000"`,
		"list": `["a"]`, "names": `{"a":1}`, "rule": `"a"`, "live": `"a"`,
	}
	for name, value := range map[string]string{
		"":      "",
		"name":  `"` + long + `"`,
		"clean": `"` + long + `\u0000"`,
		"size":  `"` + long + `"`,
		"unit":  `"` + long + `"`,
		"ident": `"` + long + `"`,
		"list":  `["a","a","a","a"]`,
		"names": `{"` + long + `":1}`,
		"rule":  `"` + long + `"`,
		"live":  `"` + long + `"`,
	} {
		var members []string
		for member, fits := range right {
			if member == name {
				fits = value
			}
			members = append(members, `"`+member+`":`+fits)
		}
		refutedCalled.Store(0)
		_, err := a.Decode(t.Context(), json.RawMessage("{"+strings.Join(members, ",")+"}"))
		if called := refutedCalled.Load() > 0; called != (name == "") || (err == nil) != (name == "") {
			t.Errorf("%q is too long: the method is called: %v (%.100v)", name, called, err)
		}
	}
	refutedCalled.Store(0)
	right["name"], right["unit"] = `"1"`, `"c"`
	var members []string
	for member, fits := range right {
		members = append(members, `"`+member+`":`+fits)
	}
	if _, err := a.Decode(t.Context(), json.RawMessage("{"+strings.Join(members, ",")+"}")); err == nil || refutedCalled.Load() != 1 {
		t.Errorf("what is wrong and not too long keeps the method from being called: %v", err)
	}
}
