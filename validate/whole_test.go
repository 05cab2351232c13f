package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/validate"
)

type span struct {
	From int    `json:"from" validate:"max=9"`
	To   int    `json:"to"   validate:"max=9"`
	Note string `json:"note,omitempty"`
}

func (s span) Validate(ctx context.Context) error {
	var all []error
	if _, bounded := ctx.Deadline(); !bounded {
		all = append(all, errors.New("it may take as long as it likes"))
	}
	if s.From > s.To {
		all = append(all, validate.Reject("to", "must not be before from"))
	}
	switch s.Note {
	case "inside":
		all = append(all, fmt.Errorf("table spans at %s: locked", "db.internal"))
	case "wrapped":
		all = append(all, fmt.Errorf("while at db.internal: %w", validate.Reject("note", "must not be wrapped")))
	case "whole":
		all = append(all, validate.Reject("", "must be better"))
	case "panic":
		panic("db.internal")
	}
	return errors.Join(all...)
}

type listSpan []span

func (l *listSpan) Validate(context.Context) error {
	if len(*l) == 2 {
		return errors.Join(validate.Reject("[1].to", "must be last"), validate.Reject("", "must not be two."))
	}
	return nil
}

type code string

func (c code) Validate(context.Context) error {
	if c == "bad" {
		return validate.Reject("", "must be good")
	}
	return nil
}

type tripArgs struct {
	Span  span             `json:"span"`
	More  listSpan         `json:"more,omitempty"  validate:"omitempty,max=3"`
	Named map[string]*span `json:"named,omitempty" validate:"omitempty,max=3"`
	Plain map[string]span  `json:"plain,omitempty" validate:"omitempty,max=3"`
	Code  code             `json:"code,omitempty"  validate:"omitempty,max=5"`
	Count int              `json:"count,omitempty" validate:"omitempty,max=3"`
	Path  string           `json:"path,omitempty"  validate:"omitempty,max=99"`
}

func (a *tripArgs) Validate(context.Context) error {
	if a.Path == "" {
		return nil
	}
	return validate.Reject(a.Path, "must be %d", 7)
}

func TestWholeValueRulesAreReportedWithThoseOfFields(t *testing.T) {
	t.Parallel()
	verdicts[tripArgs](t, nil, map[string]string{
		`{"span":{"from":1,"to":2}}`:                                               "",
		`{"span":{"from":2,"to":1},"count":4}`:                                     "span.to must not be before from. count must be at most 3.",
		`{"span":{"from":10,"to":1}}`:                                              "span.from must be at most 9. span.to must not be before from.",
		`{"span":{"from":1,"to":2,"note":"whole"}}`:                                "span must be better.",
		`{"span":{"from":1,"to":2,"note":"wrapped"}}`:                              "span.note must not be wrapped.",
		`{"span":{"from":3,"to":2,"note":"whole"},"code":"bad"}`:                   "span.to must not be before from. span must be better. code must be good.",
		`{"span":{"from":1,"to":2},"more":[{"from":2,"to":1}]}`:                    "more[0].to must not be before from.",
		`{"span":{"from":1,"to":2},"more":[{"from":1,"to":1},{"from":1,"to":2}]}`:  "more[1].to must be last. more must not be two.",
		`{"span":{"from":1,"to":2},"named":{"secret":{"from":2,"to":1},"x":null}}`: "named[*].to must not be before from.",
		`{"span":{"from":2,"to":1},"unknown":1}`:                                   "span.to must not be before from. There are members that are not known; those that are: span, more, named, plain, code, count, path.",
		`{"span":{"from":2,"to":1},"count":"x"}`:                                   "span.to must not be before from. count must be a whole number.",
		`{"span":{"from":2},"code":"bad"}`:                                         "span.to is required. span.to must not be before from. code must be good.",
		`{"span":{"from":2,"to":"1","note":"panic"},"code":"bad"}`:                 "span.to must be a whole number. code must be good.", // what has no shape is not shown
		`{"span":{"from":1,"to":2},"plain":{"secret":{"from":2,"to":1}}}`:          "plain[*].to must not be before from.",
		`{"span":{"from":2,"to":"1","note":"whole"}}`:                              "span.to must be a whole number.",
		`{"span":{"from":2,"to":null,"note":"whole"},"code":"bad"}`:                "span.to must be a whole number, not null. code must be good.",
		`{"span":{"from":10,"to":2,"note":"panic"}}`:                               "span.from must be at most 9.", // it may have relied on the rule
	})
}

// What is no value of its type is not taken for one because what stands beside it is.
func TestAValueOfItsTypeMakesNothingElseOne(t *testing.T) {
	t.Parallel()
	a := compile[tripArgs](t, nil)
	for _, raw := range []string{`{"count":null,"span":{"from":1,"to":2}}`, `{"count":"x","span":{"from":1,"to":2}}`, `{"span":{"from":1,"to":2},"count":null}`} {
		_, err := a.Decode(t.Context(), json.RawMessage(raw))
		var wrong *validate.Error
		if !errors.As(err, &wrong) || wrong.Decoded {
			t.Errorf("%s is said to have the shape of its type: %v", raw, err)
		}
	}
}

// A path leads to a field, or is not said: it never says what a caller wrote.
func TestNoPathOfAValidateMethodSaysWhatWasSent(t *testing.T) {
	t.Parallel()
	a := compile[tripArgs](t, nil)
	for path, want := range map[string]string{
		"count": "count must be 7.", "span.to": "span.to must be 7.", "more[2].from": "more[2].from must be 7.", "named[*].to": "named[*].to must be 7.", "more": "more must be 7.",
		"Count": "", "span.nope": "", "named[secret].to": "", "named.secret": "", "more[x]": "", "more[-1]": "", "more[99999999999]": "", "hunter2": "", "span.": "", "[0]": "", "more[0": "", "count.x": "", "code[0]": "", ".": "",
	} {
		raw, err := json.Marshal(map[string]any{"span": map[string]int{"from": 1, "to": 2}, "path": path})
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Decode(t.Context(), raw)
		if want == "" {
			want = "The value as a whole must be 7."
			if path == "span." {
				want = "span must be 7."
			}
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What an error says that is no rejection is never told, whatever else is wrong.
func TestWhatAValidateMethodSaysByAccidentStaysInside(t *testing.T) {
	t.Parallel()
	a := compile[tripArgs](t, nil)
	for _, raw := range []string{`{"span":{"from":1,"to":2,"note":"inside"}}`, `{"span":{"from":2,"to":1,"note":"inside"},"code":"bad"}`, `{"span":{"from":1,"to":2,"note":"inside"},"unknown":1}`} {
		_, err := a.Decode(t.Context(), json.RawMessage(raw))
		var rule *validate.RuleError
		var wrong *validate.Error
		if !errors.As(err, &rule) || errors.As(err, &wrong) || rule.Rule != "Validate" {
			t.Errorf("%s: %v", raw, err)
		}
	}
	_, err := a.Decode(t.Context(), json.RawMessage(`{"span":{"from":2,"to":"x","note":"inside"}}`))
	if err == nil || strings.Contains(err.Error(), "db.internal") {
		t.Error(err)
	}
	_, err = a.Decode(t.Context(), json.RawMessage(`{"span":{"from":1,"to":2,"note":"panic"}}`))
	var panicked *validate.PanicError
	if !errors.As(err, &panicked) || strings.Contains(err.Error(), "db.internal") || !strings.Contains(string(panicked.Stack), "span.Validate") {
		t.Errorf("%v", err)
	}
}

type oddArgs struct {
	Kind string `json:"kind"`
}

type selfish struct{ error }

func (s selfish) Unwrap() error { return s }

func (o oddArgs) Validate(ctx context.Context) error {
	switch o.Kind {
	case "nil":
		var r *validate.Rejection
		return r
	case "loop":
		return selfish{errors.New("inside")}
	case "empty":
		return errors.Join(&joined{})
	case "many":
		var all []error
		for range 900 {
			all = append(all, validate.Reject("kind", "must be one"))
		}
		return errors.Join(all...)
	case "long":
		return validate.Reject("kind", "must be é%s", strings.Repeat("é", 4000))
	case "hidden":
		return validate.Reject("kind", "must \x1b[31mnot\u200b hide. ")
	case "waits":
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

type joined struct{}

func (*joined) Error() string   { return "inside" }
func (*joined) Unwrap() []error { return nil }

func TestOddErrorsOfValidateMethodsRefuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := compile[oddArgs](t, nil)
		of := func(kind string) error {
			_, err := a.Decode(t.Context(), json.RawMessage(`{"kind":"`+kind+`"}`))
			return err
		}
		for _, kind := range []string{"nil", "loop", "empty", "waits"} {
			var rule *validate.RuleError
			began := time.Now()
			if err := of(kind); !errors.As(err, &rule) || kind == "waits" != (time.Since(began) == 5*time.Second) {
				t.Errorf("%s: %v after %s", kind, err, time.Since(began))
			}
		}
		var wrong *validate.Error
		if err := of("many"); !errors.As(err, &wrong) || len(wrong.Fields) != 101 || wrong.Fields[100].Rule != "more" {
			t.Errorf("many: %d, %.200v", len(wrong.Fields), err)
		}
		if err := of("long"); err == nil || len(err.Error()) > 1100 || strings.Contains(err.Error(), "\ufffd") {
			t.Errorf("long: %v", err)
		}
		if err := of("hidden"); err == nil || err.Error() != "kind must not hide." {
			t.Errorf("hidden: %q", err)
		}
		if err := of("fine"); err != nil {
			t.Error(err)
		}
	})
}

type (
	base    struct{ A int }
	further struct{ B int }
	twoOf   struct {
		base
		further
	}
	oneOf   struct{ base }
	pointed struct{ *Exported }
	// Exported is embedded as a pointer.
	Exported struct{ A int }
	other    struct {
		A int `validate:"max=3"`
	}
	overriding struct{ base }
	keyed      struct {
		M map[code]int `json:"m" validate:"max=3"`
	}
)

func (b base) Validate(context.Context) error      { return only(b.A) }
func (s further) Validate(context.Context) error   { return only(s.B) }
func (e *Exported) Validate(context.Context) error { return only(e.A) }
func (other) Validate() error                      { return nil }
func (o overriding) Validate(ctx context.Context) error {
	if o.A == 2 {
		return nil
	}
	return o.base.Validate(ctx)
}

func only(n int) error {
	if n > 1 {
		return validate.Reject("", "must be small")
	}
	return nil
}

// No Validate method is left uncalled without a word.
func TestNoValidateMethodIsSilentlySkipped(t *testing.T) {
	t.Parallel()
	refused := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
	_, err := validate.For[twoOf](nil)
	refused(err, "would not be called")
	_, err = validate.For[pointed](nil)
	refused(err, "embed it as a value")
	_, err = validate.For[keyed](nil)
	refused(err, "not called on keys")
	verdicts[oneOf](t, nil, map[string]string{`{"A":1}`: "", `{"A":2}`: "The value as a whole must be small."})
	verdicts[*oneOf](t, nil, map[string]string{`{"A":2}`: "The value as a whole must be small."})
	verdicts[overriding](t, nil, map[string]string{`{"A":2}`: "", `{"A":3}`: "The value as a whole must be small."})
	a := compile[other](t, nil)
	if w := a.Warnings(); !slices.ContainsFunc(w, func(s string) bool { return strings.Contains(s, "is not called") }) {
		t.Errorf("warnings: %v", w)
	}
}
