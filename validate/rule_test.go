package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/safemcp/safemcp/validate"
)

type accountNumber string

var errLedger = errors.New("ledger at 10.0.0.7: connection refused")

// ownRules are rules as a program would have them.
func ownRules() map[string]validate.Rule {
	return map[string]validate.Rule{
		"open_account": {
			Message: "must be the number of an open account", Keywords: json.RawMessage(`{ "pattern": "^[0-9]{4}$" }`),
			Check: validate.RuleFor(func(_ context.Context, n string) (bool, error) {
				if n == "0000" {
					return true, errLedger
				}
				return n != "9999", nil
			}),
		},
		"even": {Message: "must be even", Keywords: json.RawMessage(`{"multipleOf":2,"maximum":10}`), Check: validate.RuleFor(func(_ context.Context, n int64) (bool, error) {
			return n%2 == 0, nil
		})},
		"sorted": {Message: "must be in order", Check: validate.RuleFor(func(_ context.Context, l []string) (bool, error) {
			return slices.IsSorted(l), nil
		})},
		"workday": {Message: "must be on a day from Monday to Friday", Check: validate.RuleFor(func(_ context.Context, t time.Time) (bool, error) {
			return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday, nil
		})},
		"crash": {Message: "must not crash", Check: validate.RuleFor(func(_ context.Context, s string) (bool, error) {
			return s[3] == 'x', nil
		})},
	}
}

type ruledArgs struct {
	From  accountNumber     `json:"from"            validate:"rule=open_account"`
	To    []accountNumber   `json:"to,omitempty"    validate:"omitempty,max=3,dive,len=4,rule=open_account"`
	Count int               `json:"count,omitempty" validate:"omitempty,min=1,max=20,rule=even"`
	Tags  []string          `json:"tags,omitempty"  validate:"omitempty,max=9,rule=sorted,dive,max=4"`
	Day   *time.Time        `json:"day,omitempty"   validate:"omitempty,rule=workday"`
	Names map[string]string `json:"names,omitempty" validate:"omitempty,max=9,dive,rule=open_account"`
}

func TestRulesOfOnesOwnAreHeldWithThoseOfTheTag(t *testing.T) {
	t.Parallel()
	o := &validate.Options{Rules: ownRules()}
	verdicts[ruledArgs](t, o, map[string]string{
		`{"from":"1234","to":["1","12345"],"count":3,"tags":["b","a"],"day":"2026-01-03T00:00:00Z"}`: "to[0] must have exactly 4 characters. to[1] must have exactly 4 characters. count must be even. tags must be in order. day must be on a day from Monday to Friday.",
		`{"from":"1234","to":["1234"],"count":4,"tags":["a","b"],"day":null,"names":{"k":"4321"}}`:   "",
		`{"from":"9999"}`:                         "from must be the number of an open account.",
		`{"from":"abc"}`:                          "from must be the number of an open account.", // by its keyword
		`{"from":"1234","count":12}`:              "count must be even.",                         // by its maximum
		`{"from":"1234","count":21}`:              "count must be at most 20.",
		`{"from":"1234","to":["9999","1"]}`:       "to[0] must be the number of an open account. to[1] must have exactly 4 characters.",
		`{"from":"1234","names":{"k":"9999"}}`:    "names[*] must be the number of an open account.",
		`{"from":"9999","unknown":1,"count":"x"}`: "from must be the number of an open account. count must be a whole number. There are members that are not known; those that are: from, to, count, tags, day, names.",
		`{"from":"1234","tags":["b","aaaaa"]}`:    "tags[1] must have at most 4 characters.",
	})
	a := compile[ruledArgs](t, o)
	for _, part := range []string{
		`"from":{"type":"string","description":"must be the number of an open account","pattern":"^[0-9]{4}$"}`,
		`"count":{"type":"integer","description":"must be even","minimum":1,"maximum":10,"multipleOf":2}`,
		`"tags":{"type":"array","description":"must be in order","maxItems":9,`,
		`"day":{"type":["null","string"],"description":"must be on a day from Monday to Friday","format":"date-time"}`,
	} {
		if schema := string(a.Schema()); !strings.Contains(schema, part) {
			t.Errorf("%s is not in %s", part, schema)
		}
	}
	if got := broken(t, a, `{"from":"9999","count":3}`); !slices.Equal(got, []string{"from open_account", "count even"}) {
		t.Errorf("rules are called %v", got)
	}
}

// A rule that cannot tell refuses, and what it says stays inside; one that panics too.
func TestARuleThatCannotTellRefuses(t *testing.T) {
	t.Parallel()
	a := compile[ruledArgs](t, &validate.Options{Rules: ownRules()})
	for _, raw := range []string{`{"from":"0000"}`, `{"from":"0000","count":3}`, `{"from":"0000","unknown":true}`, `{"from":"1234","to":["1234","0000","9999"]}`} {
		_, err := a.Decode(t.Context(), json.RawMessage(raw))
		var rule *validate.RuleError
		if !errors.As(err, &rule) || rule.Rule != "open_account" || !errors.Is(err, errLedger) {
			t.Errorf("%s: %v", raw, err)
		}
	}
	type many struct {
		L []string `json:"l" validate:"max=1000,dive,rule=down"`
	}
	asked := 0
	m := compile[many](t, &validate.Options{Rules: map[string]validate.Rule{"down": {Message: "must be", Check: validate.RuleFor(func(context.Context, string) (bool, error) {
		asked++
		return true, errLedger
	})}}})
	if _, err := m.Decode(t.Context(), json.RawMessage(`{"l":["`+strings.Repeat(`","`, 999)+`"]}`)); !errors.Is(err, errLedger) || asked != 1 {
		t.Errorf("what is down was asked %d times in one call: %v", asked, err)
	}
	type crashes struct {
		S string `json:"s" validate:"rule=crash"`
	}
	c := compile[crashes](t, &validate.Options{Rules: ownRules()})
	for _, raw := range []string{`{"s":"abc"}`, `{"s":"abc","unknown":1}`} {
		_, err := c.Decode(t.Context(), json.RawMessage(raw))
		var panicked *validate.PanicError
		if !errors.As(err, &panicked) || !strings.Contains(string(panicked.Stack), "rule_test.go") {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if got := broken(t, c, `{"s":"abcd"}`); !slices.Equal(got, []string{"s crash"}) {
		t.Errorf("got %v", got)
	}
}

// All rules of a call have one time together, however many values it has.
func TestRulesOfOnesOwnHaveOneTimeACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type args struct {
			L []string `json:"l" validate:"max=1000,dive,rule=slow"`
		}
		ran := 0
		a := compile[args](t, &validate.Options{Rules: map[string]validate.Rule{"slow": {Message: "must be", Check: validate.RuleFor(func(ctx context.Context, _ string) (bool, error) {
			ran++
			select {
			case <-time.After(time.Second + time.Millisecond):
				return ran%2 == 0, nil
			case <-ctx.Done():
				return true, nil // what it says now is of no use any more
			}
		})}}})
		var last func() error
		fine := compile[args](t, &validate.Options{Rules: map[string]validate.Rule{"slow": {Message: "must be", Check: validate.RuleFor(func(ctx context.Context, _ string) (bool, error) {
			last = ctx.Err
			return true, nil
		})}}})
		if _, err := fine.Decode(t.Context(), json.RawMessage(`{"l":["a"]}`)); err != nil || last() == nil {
			t.Errorf("%v; the context ends with the call: %v", err, last())
		}
		began := time.Now()
		_, err := a.Decode(t.Context(), json.RawMessage(`{"l":["`+strings.Repeat(`","`, 999)+`"]}`))
		var rule *validate.RuleError
		if !errors.As(err, &rule) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second || ran != 5 {
			t.Errorf("%v after %s and %d calls", err, time.Since(began), ran)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.Decode(ctx, json.RawMessage(`{"l":["a"]}`)); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has left: %v", err)
		}
	})
}

func TestRulesAreWiredWithASentence(t *testing.T) {
	t.Parallel()
	yes := func(_ context.Context, _ string) (bool, error) { return true, nil }
	fine := validate.Rule{Message: "must be", Check: validate.RuleFor(yes)}
	with := func(edit func(*validate.Rule)) validate.Rule { r := fine; edit(&r); return r }
	for i, c := range []struct {
		tag, name string
		rule      validate.Rule
		want      string
	}{
		{"rule=mine", "mine", fine, ""},
		{"rule=other", "mine", fine, `no rule "other"`},
		{"mine", "mine", fine, "not understood"}, // by its name alone
		{"rule", "mine", fine, "takes the name"},
		{"rule=mine,rule=mine", "mine", fine, "once"},
		{"rule=mine|email", "mine", fine, "no rule"},
		{"email|rule=mine", "mine", fine, "alternatives"},
		{"", "email", fine, "validator's"},
		{"", "eqfield", fine, "validator's"},
		{"", "min", fine, "validator's"},
		{"", "oneof", fine, "validator's"},
		{"", "required_if", fine, "validator's"},
		{"", "file", fine, "validator's"},
		{"", "iscolor", fine, "validator's"},
		{"", "allow", fine, "this package"},
		{"", "dive", fine, "this package"},
		{"", "unknown", fine, "this package"},
		{"", "a b", fine, "its name"},
		{"", "", fine, "its name"},
		{"", "mine", with(func(r *validate.Rule) { r.Message = "" }), "needs a Message"},
		{"", "mine", with(func(r *validate.Rule) { r.Message = "must\u200b be" }), "needs a Message"},
		{"", "mine", validate.Rule{Message: "must be"}, "has no Check"},
		{"", "mine", with(func(r *validate.Rule) { r.Check = validate.RuleFor[string](nil) }), "has no Check"},
		{"", "mine", with(func(r *validate.Rule) {
			r.Check = validate.RuleFor(func(context.Context, any) (bool, error) { return true, nil })
		}), "interface"},
		{"rule=mine", "mine", with(func(r *validate.Rule) {
			r.Check = validate.RuleFor(func(context.Context, int) (bool, error) { return true, nil })
		}), "values of type int"},
		{"rule=mine", "mine", with(func(r *validate.Rule) {
			r.Check = validate.RuleFor(func(context.Context, []byte) (bool, error) { return true, nil })
		}), "values of type []uint8"},
		{"rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"pattern":"^a"}`) }), ""},
		{"alpha,rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"maxLength":3}`) }), ""},
		{"email,rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"format":"email"}`) }), ""},
		{"alpha,rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"pattern":"^a"}`) }), ""},
		{"rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"pattern":"("}`) }), "no usable"},
		{"rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"$ref":"#"}`) }), "is none of"},
		{"rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"type":"string"}`) }), "is none of"},
		{"rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"enum":"a"}`) }), "no JSON Schema"},
		{"oneof=a b,rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{"enum":["c"]}`) }), "no value that is allowed"},
		{"rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`[]`) }), "no JSON object"},
		{"rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`null`) }), "no JSON object"},
		{"rule=mine", "mine", with(func(r *validate.Rule) { r.Keywords = json.RawMessage(`{`) }), "no JSON object"},
	} {
		err := validate.CompileRuled(reflect.StructOf([]reflect.StructField{{
			Name: "F", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`json:"f" validate:"` + c.tag + `"`),
		}}), map[string]validate.Rule{c.name: c.rule})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: %s of %q: %v", i, c.tag, c.name, err)
		}
	}
	if _, err := validate.For[struct {
		N int64 `json:"n" validate:"rule=mine"`
	}](&validate.Options{Rules: map[string]validate.Rule{"mine": {
		Message: "must be", Keywords: json.RawMessage(`{"maximum":9007199254740993}`), Check: validate.RuleFor(func(context.Context, int64) (bool, error) { return true, nil }),
	}}}); err == nil || !strings.Contains(err.Error(), "9007199254740993") {
		t.Errorf("a bound that a schema's validator rounds: %v", err)
	}
	if _, err := validate.For[map[string]any](&validate.Options{Rules: map[string]validate.Rule{"email": fine}}); err == nil {
		t.Error("a rule that no tag names is not looked at")
	}
	if _, err := validate.For[struct {
		M map[string]string `json:"m" validate:"dive,keys,rule=mine,endkeys"`
	}](&validate.Options{Rules: map[string]validate.Rule{"mine": fine}}); err == nil || !strings.Contains(err.Error(), "between keys") {
		t.Error(err)
	}
	if _, err := validate.ForResult[struct {
		S string `json:"s" validate:"rule=mine"`
	}](nil); err == nil {
		t.Error("an output is held against a rule that nobody gave")
	}
}

// What a rule's keywords say is what is enforced.
func TestAgreementOnTheKeywordsOfRules(t *testing.T) {
	t.Parallel()
	yes := validate.RuleFor(func(context.Context, string) (bool, error) { return true, nil })
	number := validate.RuleFor(func(context.Context, float64) (bool, error) { return true, nil })
	type args struct {
		S string  `json:"s,omitempty" validate:"omitempty,max=6,rule=s"`
		N float64 `json:"n,omitempty" validate:"omitempty,max=9,rule=n"`
	}
	for _, c := range []struct{ s, n string }{
		{`{"pattern":"^[a-c]+$"}`, `{"minimum":2}`},
		{`{"minLength":2,"maxLength":4}`, `{"exclusiveMaximum":3}`},
		{`{"enum":["a","abc"]}`, `{"enum":[1,2.5]}`},
		{`{"maxLength":9}`, `{"multipleOf":0.5,"maximum":20}`},
	} {
		a := compile[args](t, &validate.Options{Rules: map[string]validate.Rule{
			"s": {Message: "must be", Check: yes, Keywords: json.RawMessage(c.s)}, "n": {Message: "must be", Check: number, Keywords: json.RawMessage(c.n)},
		}})
		var schema jsonschema.Schema
		if err := json.Unmarshal(a.Schema(), &schema); err != nil {
			t.Fatal(err)
		}
		r, err := schema.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		took := 0
		for _, s := range []string{`"a"`, `"abc"`, `"abca"`, `"x"`, `""`, `"abcabca"`, `"éé"`, `"ééééé"`} {
			for _, n := range []string{"0", "1", "2.5", "2.25", "3", "9", "10"} {
				raw := fmt.Sprintf(`{"s":%s,"n":%s}`, s, n)
				var v any
				if err := json.Unmarshal([]byte(raw), &v); err != nil {
					t.Fatal(err)
				}
				_, derr := a.Decode(t.Context(), json.RawMessage(raw))
				if serr := r.Validate(v); (serr == nil) != (derr == nil) {
					t.Errorf("%s: the schema says %v and Decode %v, in %s", raw, serr, derr, a.Schema())
				}
				if derr == nil {
					took++
				}
			}
		}
		if took == 0 || took == 56 {
			t.Errorf("%v: %d of 56 taken", c, took)
		}
	}
}
