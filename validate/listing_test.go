package validate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/safemcp/safemcp/validate"
)

type shown struct {
	City  string   `json:"city"            validate:"allow=cities" jsonschema:"where to"`
	Via   []string `json:"via,omitempty"   validate:"omitempty,max=9,dive,allow=cities,max=20"`
	Maybe *string  `json:"maybe,omitempty" validate:"omitempty,allow=cities,ne=Rome"`
	Only  string   `json:"only,omitempty"  validate:"omitempty,oneof=Paris Oslo Lima,allow=cities"`
}

// agreed holds documents against the listed schema and against Decode.
func agreed(t *testing.T, a *validate.Arguments[shown], documents ...string) (taken int) {
	t.Helper()
	if !jsontext.Value(a.Current(t.Context())).IsValid() { // a name twice, say
		t.Errorf("listed %s", a.Current(t.Context()))
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(a.Current(t.Context()), &schema); err != nil {
		t.Fatal(err)
	}
	r, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range documents {
		var v any
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			t.Fatal(err)
		}
		_, derr := a.Decode(t.Context(), json.RawMessage(raw))
		if serr := r.Validate(v); (serr == nil) != (derr == nil) {
			t.Errorf("%s: the schema says %v and Decode %v, in %s", raw, serr, derr, a.Current(t.Context()))
		}
		if derr == nil {
			taken++
		}
	}
	return taken
}

func TestWhatIsListedIsWhatIsEnforced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		a := compile[shown](t, &validate.Options{Allow: map[string]validate.Allowlist{"cities": s}})
		if !a.Live() {
			t.Error("it does not say that it may change")
		}
		many := make([]string, 50)
		for i := range many {
			many[i] = fmt.Sprintf("City%02d", i)
		}
		var documents []string
		for _, city := range []string{"Paris", "Oslo", "Rome", "Lima", "City07", "City49", "", "paris"} {
			documents = append(documents, fmt.Sprintf(`{"city":%q}`, city), fmt.Sprintf(`{"city":%q,"via":[%[1]q,%[1]q],"maybe":%[1]q,"only":%[1]q}`, city),
				fmt.Sprintf(`{"city":%q,"maybe":null}`, city), fmt.Sprintf(`{"city":%q,"maybe":"Rome"}`, city), fmt.Sprintf(`{"city":%q,"via":[]}`, city))
		}
		for _, c := range []struct {
			values []string
			taken  int
		}{
			{nil, 0},
			{[]string{"Paris"}, 4},
			{[]string{"Rome"}, 3},
			{[]string{"Oslo", "Paris", "Rome"}, 11},
			{many, 6},
			{[]string{"City07", ""}, 6},
		} {
			s.set(nil, c.values...)
			time.Sleep(5 * time.Second)
			if taken := agreed(t, a, documents...); taken != c.taken {
				t.Errorf("of %.60v: %d taken, not %d", c.values, taken, c.taken)
			}
		}
	})
}

func TestTheListedSchemaChangesWithItsListsAndNotElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{values: []string{"Paris", "Oslo"}}
		a := compile[shown](t, &validate.Options{Allow: map[string]validate.Allowlist{"cities": s}})
		was := a.Current(t.Context())
		if !strings.Contains(string(was), `"city":{"type":"string","description":"where to","enum":["Oslo","Paris"]}`) || !strings.Contains(string(was), `"enum":["Oslo","Paris",null]`) {
			t.Errorf("listed %s", was)
		}
		s.set(nil, "Oslo", "Paris", "Oslo") // another order, and the same
		time.Sleep(time.Minute)
		if now := a.Current(t.Context()); &now[0] != &was[0] {
			t.Errorf("the same list is listed anew: %s", now)
		}
		s.set(errors.New("down"))
		time.Sleep(time.Minute)
		if now := string(a.Current(t.Context())); strings.Contains(now, "Oslo\"") && strings.Contains(now, `"enum":["Oslo","Paris"]`) || !strings.Contains(now, "cannot be looked up just now") || strings.Contains(now, "down") {
			t.Errorf("while the source fails: %s", now)
		}
		s.set(nil, "Oslo")
		time.Sleep(time.Minute)
		if now := string(a.Current(t.Context())); !strings.Contains(now, `"enum":["Oslo"]`) {
			t.Errorf("after it: %s", now)
		}
		if schema := string(a.Schema()); !strings.Contains(schema, "must be one of the cities that are allowed at the moment") {
			t.Errorf("in general: %s", schema)
		}
	})
}

// Beyond its bound a list is said by its count, in as many bytes whatever it holds.
func TestALongListIsSaidByItsCount(t *testing.T) {
	t.Parallel()
	values := make([]string, 10_000)
	for i := range values {
		values[i] = fmt.Sprintf("customer %05d, Ltd", i)
	}
	for name, c := range map[string]struct {
		values []string
		most   int
	}{
		"many": {values, 4000}, "fifty-one": {values[:51], 4000}, "long": {[]string{strings.Repeat("a", 1000), strings.Repeat("b", 1000), strings.Repeat("c", 1000), strings.Repeat("d", 1000), "e"}, 9000},
	} {
		a := compile[shown](t, &validate.Options{Allow: map[string]validate.Allowlist{"cities": &source{values: c.values}}})
		listed := string(a.Current(t.Context()))
		if n := fmt.Sprintf("must be one of the %d cities that are allowed at the moment, among them ", len(c.values)); !strings.Contains(listed, n) || len(listed) > c.most || !strings.Contains(listed, "the refusal names those that are nearest") {
			t.Errorf("%s: %d bytes: %.2000s", name, len(listed), listed)
		}
	}
	a := cities(t, &source{values: values})
	for _, i := range []int{0, 4711, 9999} {
		if got := verdict(t.Context(), a, values[i]); got != "ok" {
			t.Errorf("%s: %s", values[i], got)
		}
	}
	_, err := a.Decode(t.Context(), json.RawMessage(`{"city":"customer 04711 Ltd"}`))
	var wrong *validate.Error
	if !errors.As(err, &wrong) || len(wrong.Fields) != 1 {
		t.Fatal(err)
	}
	f := wrong.Fields[0]
	if !slices.Equal(f.Nearest[:1], []string{"customer 04711, Ltd"}) || len(f.Nearest) != 3 || strings.Contains(f.Message, "04711") ||
		!strings.HasPrefix(f.Message, "city must be one of the 10000 values that are allowed at the moment, among them \"customer 00000, Ltd\", ") || len(f.Message) > 2000 || len(f.Allowed) > 50 {
		t.Errorf("%+v", f)
	}
}

// An author's own schema is listed as it is.
func TestAnOwnSchemaDoesNotChange(t *testing.T) {
	t.Parallel()
	own := json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}`)
	a := compile[cityArgs](t, &validate.Options{Schema: own, Allow: map[string]validate.Allowlist{"cities": &source{values: []string{"Paris"}}}})
	if a.Live() || string(a.Current(t.Context())) != string(own) {
		t.Errorf("listed %s", a.Current(t.Context()))
	}
	if got := verdict(t.Context(), a, "Oslo"); got != "no" {
		t.Errorf("and enforced: %s", got)
	}
}
