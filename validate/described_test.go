package validate_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

// even reads a text itself, and says what it takes.
type even struct{ text string }

func (even) ArgumentSchema() (json.RawMessage, error) {
	return json.RawMessage(`{"type": "string", "description": "an \"even\" text", "maxLength": 8, "pattern": "^(..)*$"}`), nil
}

func (e *even) UnmarshalText(b []byte) error {
	if len(b)%2 != 0 || len(b) > 8 {
		return validate.Refuse("must be an even text")
	}
	e.text = string(b)
	return nil
}

// pair reads any JSON itself.
type pair struct{ a, b int }

func (pair) ArgumentSchema() (json.RawMessage, error) {
	return json.RawMessage(`{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}`), nil
}

func (p *pair) UnmarshalJSON(b []byte) error {
	var list []int
	if json.Unmarshal(b, &list) != nil || len(list) != 2 {
		return validate.Refuse("must be a list of two whole numbers")
	}
	p.a, p.b = list[0], list[1]
	return nil
}

// colour is one of a few.
type colour string

func (*colour) ArgumentSchema() (json.RawMessage, error) {
	return json.RawMessage(`{"enum":["red","blue"]}`), nil
}

func (c *colour) UnmarshalText(b []byte) error {
	if string(b) != "red" && string(b) != "blue" {
		return validate.Refuse("must be one of red, blue")
	}
	*c = colour(b)
	return nil
}

type describedTypes struct {
	Even    even            `json:"even" jsonschema:"how it is"`
	Maybe   *even           `json:"maybe,omitempty"`
	All     []even          `json:"all,omitempty" validate:"max=3"`
	ByName  map[string]even `json:"by_name,omitempty" validate:"max=3"`
	Pair    pair            `json:"pair,omitzero"`
	MayPair *pair           `json:"may_pair,omitempty"`
	Colour  *colour         `json:"colour,omitempty"`
}

func TestATypeThatReadsItselfIsListedAsItSays(t *testing.T) {
	t.Parallel()
	args, err := validate.For[describedTypes](nil)
	if err != nil {
		t.Fatal(err)
	}
	even := `"maxLength":8,"pattern":"^(..)*$"}`
	said := `"description":"an \"even\" text",`
	pair := `"items":{"type":"integer"},"minItems":2,"maxItems":2}`
	want := `{"type":"object","properties":{"even":{"type":"string","description":"how it is; an \"even\" text",` + even +
		`,"maybe":{"type":["null","string"],` + said + even +
		`,"all":{"type":["null","array"],"maxItems":3,"items":{"type":"string",` + said + even + `}` +
		`,"by_name":{"type":["null","object"],"maxProperties":3,"additionalProperties":{"type":"string",` + said + even + `}` +
		`,"pair":{"type":"array",` + pair + `,"may_pair":{"type":["null","array"],` + pair +
		`,"colour":{"type":["null","string"],"enum":["red","blue",null]}}` +
		`,"required":["even"],"additionalProperties":false}`
	want = strings.ReplaceAll(strings.ReplaceAll(want, `["null","array"],"maxItems"`, `"array","maxItems"`), `["null","object"],`, `"object",`)
	if got := string(args.Schema()); got != want {
		t.Errorf("the schema is\n%s, not\n%s", got, want)
	}
	if w := args.Warnings(); len(w) > 0 {
		t.Errorf("what is bounded is warned about: %v", w)
	}
	if f := args.Fields(); f[0].Closed || !f[6].Closed {
		t.Errorf("%+v", f)
	}
	in, err := args.Decode(t.Context(), []byte(`{"even":"ab","maybe":null,"all":["","cd"],"pair":[1,2],"may_pair":null,"colour":null}`))
	if err != nil || in.Even.text != "ab" || in.Maybe != nil || in.All[1].text != "cd" || in.Pair.b != 2 {
		t.Errorf("%+v, %v", in, err)
	}
}

// Each is said in its type's own words, all at once, and nothing of what was sent.
func TestNoTypeThatReadsItselfIsRefusedWithoutItsWords(t *testing.T) {
	t.Parallel()
	args, err := validate.For[describedTypes](nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = args.Decode(t.Context(), []byte(`{"even":"odd","maybe":"canary","all":["","canary!"],"by_name":{"canary":"odd"},"pair":[1],"may_pair":"canary","colour":"canary"}`))
	var wrong *validate.Error
	if !errors.As(err, &wrong) || wrong.Decoded || len(wrong.Fields) != 6 || strings.Contains(err.Error(), "canary") {
		t.Fatalf("%+v", err)
	}
	for _, want := range []string{"even must be an even text.", "all[1] must be an even text.", "by_name[*] must be an even text.", "pair must be a list of two whole numbers.", "may_pair must be a list of two whole numbers.", "colour must be one of red, blue."} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
	for _, raw := range []string{`{"even":null}`, `{"even":1}`, `{"even":"ab","pair":null}`, `{"even":"ab","all":[null]}`} {
		if _, err := args.Decode(t.Context(), []byte(raw)); !errors.As(err, &wrong) {
			t.Errorf("%s is taken: %v", raw, err)
		}
	}
}

type (
	says1 struct{ even }
	says2 struct{ even }
	says3 struct{ even }
	says4 struct{ even }
	says5 struct{ even }
	says6 struct{ even }
)

func (says1) ArgumentSchema() (json.RawMessage, error) {
	return nil, errors.New("it is bound to nothing")
}

func (says2) ArgumentSchema() (json.RawMessage, error) { panic("canary") }

func (says3) ArgumentSchema() (json.RawMessage, error) { return json.RawMessage(`"string"`), nil }

func (says4) ArgumentSchema() (json.RawMessage, error) {
	return json.RawMessage(`{"type":"integer"}`), nil
}

func (says5) ArgumentSchema() (json.RawMessage, error) { return json.RawMessage(`{"$ref":"#/a"}`), nil }

func (says6) ArgumentSchema() (json.RawMessage, error) { return json.RawMessage(`{"const":"a"}`), nil }

func compiled[T any]() error {
	_, err := validate.For[struct {
		Value T `json:"value"`
	}](nil)
	return err
}

func TestNoTypeIsCompiledThatSaysNothingUsable(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"bound to nothing":      compiled[says1](),
		"its ArgumentSchema":    compiled[[]says2](),
		"no JSON object":        compiled[says3](),
		"its type is string":    compiled[says4](),
		"says $ref":             compiled[map[string]says5](),
		"would refuse the null": compiled[*says6](),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the field Value") {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
	if err := compiled[says6](); err != nil {
		t.Error(err)
	}
}
