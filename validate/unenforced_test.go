package validate_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

type (
	hiddenBase struct {
		X string `json:"x,omitempty" validate:"omitempty,max=3"`
	}
	ownTags   []string
	ownStruct struct {
		City string `json:"city" validate:"oneof=Paris London"`
	}
	lowerKey string
)

func (o *ownTags) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*[]string)(o)) }

func (o *ownStruct) UnmarshalJSON(b []byte) error {
	type plain ownStruct
	return json.Unmarshal(b, (*plain)(o))
}

func (k *lowerKey) UnmarshalText(b []byte) error { *k = lowerKey(b); return nil }

// A rule that would not be enforced is refused at registration, not left out.
func TestARuleThatCouldNotBeEnforcedIsRefused(t *testing.T) {
	t.Parallel()
	type mail struct {
		Mail string `json:"mail" validate:"email"`
	}
	refused := map[string]error{}
	note := func(name string, err error) { refused[name] = err }
	_, err := validate.For[struct {
		Tags ownTags `json:"tags" validate:"max=3,dive,oneof=a b"`
	}](nil)
	note("dive into a type that reads itself", err)
	_, err = validate.For[struct {
		In ownStruct `json:"in"`
	}](nil)
	note("tags in a type that reads itself", err)
	_, err = validate.For[struct {
		B []byte `json:"b" validate:"max=30,dive,max=3"`
	}](nil)
	note("dive into bytes", err)
	_, err = validate.For[struct {
		M map[lowerKey]string `json:"m" validate:"max=3,dive,max=20"`
	}](nil)
	note("keys that read themselves", err)
	_, err = validate.For[struct {
		User string `json:"user,omitempty"`
		Mail string `json:"user.mail" validate:"email"`
	}](nil)
	note("a name with a dot", err)
	_, err = validate.For[struct {
		X any `json:"x" validate:"max=5"`
	}](nil)
	note("a rule on any", err)
	_, err = validate.For[struct {
		X []any `json:"x" validate:"max=5,unique"`
	}](nil)
	note("unique on any", err)
	_, err = validate.For[struct {
		X [][]string `json:"x" validate:"max=5,unique"`
	}](nil)
	note("unique on lists", err)
	_, err = validate.For[struct {
		X string `json:"x" validate:"email,unique,max=50"`
	}](nil)
	note("unique on a text, behind a rule that fails first", err)
	_, err = validate.For[struct {
		X mail `json:"x" validate:"email"`
	}](nil)
	note("a rule for texts on a struct", err)
	_, err = validate.For[struct {
		F float64 `json:"f" validate:"max=inf"`
	}](nil)
	note("a bound that bounds nothing", err)
	_, err = validate.For[struct {
		*hiddenBase
		Y string `json:"y,omitempty"`
	}](nil)
	note("an embedded pointer to a type that is not exported", err)
	_, err = validate.For[struct {
		A string `json:"a" validate:"required_with=Nobody"`
	}](nil)
	note("a relation to a field that is not there", err)
	_, err = validate.For[struct {
		A []string `json:"a" validate:"max=3,dive,required_with=A"`
	}](nil)
	note("a relation behind dive", err)
	_, err = validate.For[struct {
		A string `json:"a" validate:"oneof=a b,oneof=c d"`
	}](nil)
	note("rules that leave nothing", err)
	_, err = validate.For[struct {
		In struct {
			Pin string `json:"pin" validate:"max=9" audit:"drop"`
		} `json:"in" audit:"clear"`
	}](nil)
	note("an audit tag below an argument", err)
	for name, err := range refused {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestRulesForKeysAreEnforced(t *testing.T) {
	t.Parallel()
	a, err := validate.For[struct {
		M map[string]int `json:"m" validate:"max=3,dive,keys,alpha,endkeys,max=9"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range map[string]bool{`{"m":{"ok":1}}`: true, `{"m":{"../../etc":1}}`: false, `{"m":{"ok":10}}`: false} {
		if _, err := a.Decode(t.Context(), []byte(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Both ways of reading, the second that which says all that is wrong.
func TestRulesForKeysAreSaid(t *testing.T) {
	t.Parallel()
	verdicts[struct {
		M map[string]int `json:"m" validate:"max=3,dive,keys,alpha,endkeys,max=9"`
	}](t, nil, map[string]string{
		`{"m":{"../../etc":1}}`:       "m[*] has a name that must be letters a to z.",
		`{"m":{"../../etc":1},"x":1}`: "m[*] has a name that must be letters a to z. There are members",
	})
}

// What an error shows of an allowlist is a copy.
func TestAnErrorDoesNotHandOutTheAllowlist(t *testing.T) {
	t.Parallel()
	a, err := validate.For[struct {
		City string `json:"city" validate:"allow=x"`
	}](&validate.Options{Allow: map[string]validate.Allowlist{"x": validate.Static("Paris", "London")}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Decode(t.Context(), []byte(`{"city":"x"}`))
	var e *validate.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	e.Fields[0].Allowed[0] = "evil"
	if _, err := a.Decode(t.Context(), []byte(`{"city":"evil"}`)); err == nil {
		t.Error("the allowlist was changed from outside")
	}
}

type textLevel int

func (l *textLevel) UnmarshalText(b []byte) error { *l = textLevel(len(b)); return nil }

// A rule on a type that reads itself is about what was read: the schema, which is about
// what is sent, says it in words alone.
func TestRulesOnTypesThatReadThemselvesAreNoKeywords(t *testing.T) {
	t.Parallel()
	a, err := validate.For[struct {
		L textLevel       `json:"l" validate:"oneof=3 4"`
		R json.RawMessage `json:"r,omitempty" validate:"omitempty,max=9"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(a.Schema()); strings.Contains(s, "enum") || strings.Contains(s, "maxLength") || !strings.Contains(s, "must be one of 3, 4") {
		t.Error(s)
	}
	if a.Fields()[0].Closed {
		t.Error("what was sent is told to the log as if it were of a closed list")
	}
	for text, good := range map[string]bool{`{"l":"low"}`: true, `{"l":"3"}`: false, `{"l":"low","r":[1,2,3]}`: true, `{"l":"low","r":[1,2,3,4,5]}`: false} {
		if _, err := a.Decode(t.Context(), []byte(text)); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

type OutputBase struct {
	X int `json:"x" validate:"max=9"`
}

func TestAnOutputMayLeaveAnEmbeddedPointerNil(t *testing.T) {
	t.Parallel()
	type out struct {
		*OutputBase
		N int `json:"n"`
	}
	r, err := validate.ForResult[out](nil)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := r.Encode(out{N: 1}); err != nil || string(raw) != `{"n":1}` {
		t.Errorf("%s %v", raw, err)
	}
	if raw, err := r.Encode(out{OutputBase: &OutputBase{X: 10}}); err == nil {
		t.Errorf("%s", raw)
	}
}
