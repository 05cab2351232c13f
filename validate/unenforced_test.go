package validate_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

type (
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
	_, err = validate.For[map[string]mail](nil)
	note("a map of structs as the whole", err)
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
