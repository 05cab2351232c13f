package validate_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

// verdicts holds texts against a type; each is to pass, or to fail with a message that
// begins so, and that is all of it where it ends in a full stop.
func verdicts[T any](t *testing.T, o *validate.Options, cases map[string]string) {
	t.Helper()
	a, err := validate.For[T](o)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range cases {
		_, err := a.Decode(t.Context(), json.RawMessage(raw))
		var wrong *validate.Error
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: refused: %v", raw, err)
		case want != "" && err == nil:
			t.Errorf("%s: passed, want %q", raw, want)
		case want != "" && (!errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", raw, err, want)
		case strings.HasSuffix(want, ".") && err.Error() != want:
			t.Errorf("%s: got %v, want %q", raw, err, want)
		}
	}
}

// Whether a member is there is read from the text: 0 and "" are there.
func TestConditionsLookAtWhatIsThere(t *testing.T) {
	t.Parallel()
	type onValue struct {
		Kind string  `json:"kind" validate:"oneof=mail post"`
		Mail string  `json:"e_mail" validate:"email,required_if=Kind mail"`
		Post *string `json:"post" validate:"excluded_unless=Kind post"`
	}
	verdicts[onValue](t, nil, map[string]string{
		`{"kind":"mail"}`:                                    "e_mail is required where kind is mail.",
		`{"kind":"mail","e_mail":"x"}`:                       "e_mail must be an e-mail address.",
		`{"kind":"mail","e_mail":"a@b.example"}`:             "",
		`{"kind":"post"}`:                                    "",
		`{"kind":7,"post":"x"}`:                              "kind must be a string.",
		`{"kind":"post","post":"x"}`:                         "",
		`{"kind":"mail","e_mail":"a@b.example","post":""}`:   "post must be left out unless kind is post.",
		`{"kind":"mail","e_mail":"a@b.example","post":null}`: "",
		`{"kind":"other"}`:                                   "kind must be one of mail, post.",
	})
	type onPresence struct {
		A *int `json:"a,omitempty"`
		B int  `json:"b" validate:"required_with=A"`
		C int  `json:"c" validate:"excluded_with=A"`
		D int  `json:"d" validate:"required_without_all=A B"`
		E int  `json:"e" validate:"required_with_all=A B"`
	}
	verdicts[onPresence](t, nil, map[string]string{
		`{"d":0}`:                     "",
		`{}`:                          "d is required without a and b.",
		`{"a":0,"b":0,"e":0}`:         "",
		`{"a":0,"e":0}`:               "b is required with a.",
		`{"a":0,"b":0}`:               "e is required with a and b.",
		`{"a":0,"b":0,"c":0,"e":0}`:   "c must be left out with a.",
		`{"a":null,"c":0,"d":0}`:      "",
		`{"a":"x","c":0,"d":0,"z":1}`: "a must be a whole number",
	})
	type inner struct {
		A string `json:"a" validate:"required_without=B"`
		B string `json:"b" validate:"required_without=A"`
	}
	type outer struct {
		In   inner            `json:"in,omitzero"`
		List []inner          `json:"list,omitempty" validate:"max=3"`
		Map  map[string]inner `json:"map,omitempty" validate:"max=3"`
	}
	verdicts[outer](t, nil, map[string]string{
		`{}`:                     "",
		`{"in":{}}`:              "in.a is required without b. in.b is required without a.",
		`{"list":[{"a":""},{}]}`: "list[1].a is required without b. list[1].b is required without a.",
		`{"map":{"k":{}}}`:       "map[*].a is required without b. map[*].b is required without a.",
	})
}

func TestFieldsAreComparedAsTheHandlerSeesThem(t *testing.T) {
	t.Parallel()
	type limits struct {
		Floor int `json:"floor"`
	}
	type span struct {
		From time.Time  `json:"from"`
		To   time.Time  `json:"to" validate:"gtfield=From"`
		Last *time.Time `json:"last,omitempty" validate:"gtefield=To"`
	}
	type args struct {
		Limits limits   `json:"limits"`
		Span   *span    `json:"span,omitempty"`
		Count  int      `json:"count" validate:"gtefield=Limits.Floor"`
		Word   string   `json:"word,omitempty"`
		Again  string   `json:"again,omitempty" validate:"omitempty,eqfield=Word"`
		Half   float64  `json:"half,omitempty" validate:"omitempty,gtfield=Whole"`
		Whole  *float64 `json:"whole,omitempty"`
		Text   string   `json:"text,omitempty" validate:"omitempty,fieldcontains=Word"`
		Deep   struct {
			N int `json:"n" validate:"ltecsfield=Limits.Floor"`
		} `json:"deep,omitzero"`
	}
	base := func(more string) string { return `{"limits":{"floor":5},"count":5` + more + `}` }
	verdicts[args](t, nil, map[string]string{
		base(``):                           "",
		`{"limits":{"floor":5},"count":4}`: "count must be at least limits.floor.",
		base(`,"again":"x"`):               "again must be the same as word.",
		base(`,"word":"x","again":"x"`):    "",
		base(`,"word":7,"again":"x"`):      "word must be a string.",
		base(`,"half":1`):                  "half must be more than whole.",
		base(`,"half":1,"whole":0.5`):      "",
		base(`,"word":"b","text":"abc"`):   "",
		base(`,"word":"x","text":"abc"`):   "text must contain what is in word.",
		base(`,"deep":{"n":6}`):            "deep.n must be at most limits.floor.",
		base(`,"deep":{"n":5}`):            "",
		base(`,"span":{"from":"2026-01-02T00:00:00Z","to":"2026-01-02T00:00:00+01:00"}`): "span.to must be more than from.",
		base(`,"span":{"from":"2026-01-02T00:00:00Z","to":"2026-01-03T00:00:00Z"}`):      "",
		base(`,"span":{"from":"x","to":"2026-01-03T00:00:00Z"}`):                         "span.from must be",
	})
}

func TestUniqueComparesValuesNotPointers(t *testing.T) {
	t.Parallel()
	type item struct {
		ID *string `json:"id"`
	}
	type args struct {
		P []*string      `json:"p,omitempty" validate:"omitempty,max=5,unique"`
		M map[string]int `json:"m,omitempty" validate:"omitempty,max=5,unique"`
		I []*item        `json:"i,omitempty" validate:"omitempty,max=5,unique=ID"`
	}
	verdicts[args](t, nil, map[string]string{
		`{"p":["a","b",null]}`:           "",
		`{"p":["a","a"]}`:                "p must have no element twice.",
		`{"p":[null,null]}`:              "p must have no element twice.",
		`{"m":{"a":1,"b":2}}`:            "",
		`{"m":{"a":1,"b":1}}`:            "m must have no element twice.",
		`{"i":[{"id":"a"},{"id":"b"}]}`:  "",
		`{"i":[{"id":"a"},{"id":"a"}]}`:  "i must have no two elements with the same id.",
		`{"i":[null,{"id":"a"}]}`:        "",
		`{"i":[{"id":null},{"id":"a"}]}`: "",
	})
}
