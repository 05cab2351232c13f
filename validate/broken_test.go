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

// An order is a type whose Validate method relies on the rules of its fields, as people write
// them.
type order struct {
	Lines []string       `json:"lines"           validate:"min=1,max=3,dive,max=4"`
	Pick  int            `json:"pick"            validate:"min=0,max=2"`
	Day   string         `json:"day"             validate:"oneof=mon tue"`
	Note  string         `json:"note,omitempty"  validate:"omitempty,max=5"`
	Parts map[string]int `json:"parts,omitempty" validate:"omitempty,max=2"`
	Count int            `json:"count,omitempty" validate:"omitempty,max=10"`
}

var (
	days     = map[string]*atomic.Int64{"mon": new(atomic.Int64), "tue": new(atomic.Int64)} // tests run side by side
	errStore = errors.New("orders at 10.0.0.7: no such day")
)

func (o *order) Validate(ctx context.Context) error {
	if len(o.Lines) > 3 || len(o.Note) > 5 || len(o.Parts) > 2 {
		panic("it is shown what is longer than it may be")
	}
	if validate.Broken(ctx) != (o.Pick < 0 || o.Pick > 2 || len(o.Lines) == 0 || days[o.Day] == nil || o.Count > 10 || strings.Contains(strings.Join(o.Lines, ""), "longer")) {
		panic("it is not told whether rules are broken")
	}
	switch {
	case o.Note == "store":
		return errStore
	case o.Note == "also":
		return validate.Reject("note", "must be another")
	case o.Count > 10:
		for range o.Count { // a rule says that it is small
			if validate.Broken(ctx) {
				return nil
			}
		}
	}
	days[o.Day].Add(1) // by a rule it is one of those
	if o.Lines[o.Pick] == "bad" {
		return validate.Reject("lines", "must not have a bad one picked")
	}
	return nil
}

// A Validate method that relies on rules of fields which are broken is never an error of the
// server's: the caller reads which rules they are.
func TestAMethodThatReliesOnWhatIsBrokenHidesNoRule(t *testing.T) {
	t.Parallel()
	const day = "day must be one of mon, tue."
	verdicts[order](t, nil, map[string]string{
		`{"lines":["a"],"pick":0,"day":"mon"}`:                              "",
		`{"lines":["bad"],"pick":0,"day":"mon"}`:                            "lines must not have a bad one picked.",
		`{"lines":["bad","longer"],"pick":0,"day":"mon"}`:                   "lines[1] must have at most 4 characters.",
		`{"lines":["a"],"pick":-1,"day":"mon"}`:                             "pick must be at least 0.", // indexing panics
		`{"lines":["a"],"pick":3,"day":"mon"}`:                              "pick must be at most 2.",
		`{"lines":[],"pick":0,"day":"mon"}`:                                 "lines must have at least 1 element.",
		`{"lines":["a"],"pick":0,"day":"sun"}`:                              day,                                   // a nil pointer
		`{"lines":["a"],"pick":0,"day":"sun","note":"also"}`:                day + " note must be another.",        // all is said at once
		`{"lines":["a"],"pick":0,"day":"sun","note":"store"}`:               day,                                   // not that a store could not find it
		`{"lines":["a"],"pick":0,"day":"mon","count":9223372036854775807}`:  "count must be at most 10.",           // it does not count
		`{"lines":["a","b","c","bad"],"pick":0,"day":"mon","note":"also"}`:  "lines must have at most 3 elements.", // not shown
		`{"lines":["a"],"pick":0,"day":"mon","note":"longer"}`:              "note must have at most 5 characters.",
		`{"lines":["a"],"pick":0,"day":"mon","parts":{"a":1,"b":2,"c":3}}`:  "parts must have at most 2 members.",
		`{"lines":["a"],"pick":3,"day":"mon","unknown":1}`:                  "pick must be at most 2. There are members that are not known",
		`{"lines":["a","b","c","bad"],"pick":0,"day":"mon","unknown":true}`: "lines must have at most 3 elements. There are members",
	})
}

// Where a method could not say whether a value is right, nothing that only observes rules may
// take the error for one of rules alone.
func TestWhatAMethodCouldNotSayIsNoErrorOfRulesAlone(t *testing.T) {
	t.Parallel()
	type outer struct {
		Orders []order `json:"orders" validate:"max=2"`
	}
	a := compile[outer](t, nil)
	for raw, decoded := range map[string]bool{
		`{"lines":["bad"],"pick":0,"day":"mon"}`:               true,
		`{"lines":["a"],"pick":0,"day":"sun","note":"also"}`:   true,
		`{"lines":["a"],"pick":0,"day":"mon","note":"longer"}`: true,
		`{"lines":["a"],"pick":0,"day":"sun"}`:                 false,
		`{"lines":["a"],"pick":-1,"day":"mon"}`:                false,
		`{"lines":["a"],"pick":0,"day":"sun","note":"store"}`:  false,
	} {
		for _, rest := range []string{"", `,"unknown":1`} {
			_, err := a.Decode(t.Context(), json.RawMessage(`{"orders":[`+raw+`]`+rest+`}`))
			var wrong *validate.Error
			if !errors.As(err, &wrong) || wrong.Decoded != decoded {
				t.Errorf("%s%s: %#v", raw, rest, err)
			}
		}
	}
	_, err := a.Decode(t.Context(), json.RawMessage(`{"orders":[{"lines":["a"],"pick":0,"day":"mon","note":"store"}]}`))
	if !errors.Is(err, errStore) {
		t.Errorf("where no rule is broken: %v", err)
	}
}

// A trimmed value is changed by its own method.
type trimmed struct {
	Name string `json:"name" validate:"max=5"`
}

func (m *trimmed) Validate(context.Context) error {
	m.Name = strings.TrimSpace(m.Name) + strings.Repeat("!", 9)
	return nil
}

// What a method changes is what the handler gets, and is held against nothing any more: that
// is the author's, and said in the documentation.
func TestWhatAMethodChangesIsItsAuthors(t *testing.T) {
	t.Parallel()
	type outer struct {
		One  trimmed            `json:"one"`
		Many map[string]trimmed `json:"many"`
	}
	v, err := compile[outer](t, nil).Decode(t.Context(), json.RawMessage(`{"one":{"name":" a "},"many":{"k":{"name":" b "}}}`))
	if err != nil || v.One.Name != "a!!!!!!!!!" || v.Many["k"].Name != " b " {
		t.Errorf("%+v, %v", v, err)
	}
}
