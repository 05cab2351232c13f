package validate_test

import (
	"encoding/json"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

type refutedCard struct {
	Pin string `json:"pin" validate:"max=9" audit:"drop"`
}

type refutedBoth struct {
	Card  refutedCard            `json:"card"`
	Cards map[string]refutedCard `json:"cards,omitempty" validate:"omitempty,max=9"`
}

// A tag that nobody looks at in one place is refused, also where it is looked at in another.
func TestRefutedATagIsLookedAtInOnePlaceOnly(t *testing.T) {
	t.Parallel()
	if _, err := validate.For[refutedBoth](nil); err == nil {
		t.Error(`pin is to be dropped, and stands in the HMAC of the map "cards"`)
	}
}

type refutedOut struct {
	Cards map[string]refutedCard `json:"cards"`
}

// Tags of answers are held to the same.
func TestRefutedATagOfAnAnswerThatNobodyLooksAt(t *testing.T) {
	t.Parallel()
	if _, err := validate.ForResult[refutedOut](nil); err == nil {
		t.Error(`pin is to be dropped, and stands in the HMAC of the map "cards"`)
	}
}

// A field is closed only where its list is enforced.
func TestRefutedAFieldThatIsNotClosed(t *testing.T) {
	t.Parallel()
	for schema, args := range map[string]string{
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"any":{"type":"string"}},"properties":{"s":{"$ref":"#/definitions/any","enum":["x"]}}}`: `{"s":"free"}`,
		`{"type":"object","items":{"properties":{"s":{"enum":["x"]}}},"properties":{"s":{"type":"string"}}}`:                                                                         `{"s":"free"}`,
	} {
		d, err := validate.ForSchema(json.RawMessage(schema), nil)
		if err != nil {
			t.Fatal(err)
		}
		taken := d.Check(t.Context(), json.RawMessage(args)) == nil
		for _, f := range d.Fields() {
			if taken && f.Name == "s" && f.Closed {
				t.Errorf("%s takes %s, and says that s is closed", schema, args)
			}
		}
	}
}
