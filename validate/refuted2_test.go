package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/validate"
)

// What somebody does with an error changes neither what others are told nor what is listed.
func TestAnErrorIsItsReadersOwn(t *testing.T) {
	t.Parallel()
	a, err := validate.For[struct {
		Live  string `json:"live,omitempty" validate:"allow=live"`
		Fixed string `json:"fixed,omitempty" validate:"allow=fixed"`
		One   int    `json:"one,omitempty" validate:"oneof=1 2"`
	}](&validate.Options{Allow: map[string]validate.Allowlist{
		"live":  validate.AllowFunc(func(context.Context) ([]string, error) { return []string{"1", "2"}, nil }),
		"fixed": validate.Static("1", "2"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, raw := range []string{`{"live":"x"}`, `{"fixed":"x"}`, `{"one":3}`} {
			_, err := a.Decode(t.Context(), json.RawMessage(raw))
			e, ok := errors.AsType[*validate.Error](err)
			if !ok || !slices.Equal(e.Fields[0].Allowed, []string{"1", "2"}) {
				t.Fatalf("%s: %v, allowed %q", raw, err, e.Fields[0].Allowed)
			}
			e.Fields[0].Allowed[0] = "0"
		}
	}
	b, err := validate.For[struct {
		Live string `json:"live,omitempty" validate:"allow=live"`
	}](&validate.Options{Allow: map[string]validate.Allowlist{"live": validate.AllowFunc(func(context.Context) ([]string, error) { return []string{"1", "2"}, nil })}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Decode(t.Context(), json.RawMessage(`{"live":"x"}`))
	if e, ok := errors.AsType[*validate.Error](err); ok {
		e.Fields[0].Allowed[0] = "0"
	}
	if now := string(b.Current(t.Context())); now != `{"type":"object","properties":{"live":{"type":"string","enum":["1","2"]}},"additionalProperties":false}` {
		t.Errorf("listed is %s", now)
	}
}

// What an own schema says of a member is said where the member breaks it.
func TestWhatAnOwnSchemaSaysIsTold(t *testing.T) {
	t.Parallel()
	d, err := validate.ForSchema(json.RawMessage(`{"type":"object","properties":{
		"m":{"type":"number","multipleOf":5},"l":{"type":"array","uniqueItems":true},"o":{"type":"object","required":["x"],"properties":{"x":{"type":"integer"}}},"p":{"type":"object","maxProperties":1}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		`{"m":7}`:             "m does not match the tool's input schema: a multiple of 5, type number.",
		`{"l":[1,1]}`:         "l does not match the tool's input schema: no element twice, type array.",
		`{"o":{"x":"s"}}`:     "o does not match the tool's input schema: type object, what is in it as the schema says, with the members x.",
		`{"p":{"a":1,"b":1}}`: "p does not match the tool's input schema: members at most 1, type object.",
	} {
		if err := d.Check(t.Context(), json.RawMessage(raw)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// Several sources that hang take no longer than one.
func TestSourcesThatHangAreNotWaitedForInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := validate.AllowFunc(func(ctx context.Context) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() })
		a, err := validate.For[struct {
			A string `json:"a" validate:"allow=a"`
			B string `json:"b" validate:"allow=b"`
			C string `json:"c" validate:"allow=c"`
		}](&validate.Options{Allow: map[string]validate.Allowlist{"a": hangs, "b": hangs, "c": hangs}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		a.Current(t.Context())
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("listed after %s", took)
		}
		time.Sleep(time.Minute)
		began = time.Now()
		_, err = a.Decode(t.Context(), json.RawMessage(`{"a":"x","b":"x","c":"x"}`))
		if _, source := errors.AsType[*validate.SourceError](err); !source || time.Since(began) != 5*time.Second {
			t.Errorf("decoded after %s: %v", time.Since(began), err)
		}
	})
}
