package safetool

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

type ring struct {
	Name string
	Next any
}

type named struct{ all []any }

func (named) String() string { return "a name" }

// A value that leads back to itself exhausts the stack of who prints it, and that ends
// the process.
func TestAValueThatLeadsBackToItselfNeverEndsTheProcess(t *testing.T) {
	t.Parallel()
	mapped := map[string]any{"a": 1}
	mapped["b"] = mapped
	list := []any{1, nil}
	list[1] = list
	ringed := ring{Name: "r"}
	held := map[string]any{"r": ringed}
	ringed.Next = held
	held["r"] = ringed
	var out strings.Builder
	log := slog.New(&redactingHandler{inner: slog.NewJSONHandler(&out, nil)})
	for name, v := range map[string]any{"map": mapped, "list": list, "in a struct": held, "pointer": &ringed, "further in": [][]any{{map[int]any{1: mapped}}}} {
		out.Reset()
		log.Info("x", "v", v)
		if !strings.Contains(out.String(), "leads back to itself") {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

// What fmt can print is printed as fmt has it.
func TestWhatCanBePrintedIs(t *testing.T) {
	t.Parallel()
	shared := map[string]any{"k": []any{1, "a", nil}}
	back := &ring{Name: "p"}
	back.Next = back // an address, where fmt meets it again
	own := named{all: make([]any, 1)}
	own.all[0] = own.all
	for _, v := range []any{
		nil, 1, "a", errors.New("e"),
		[]string{"a"},
		[2]any{1, shared},
		[]any{shared, shared},
		map[string]any{"a": shared, "b": shared},
		ring{Name: "a", Next: ring{Name: "b", Next: shared}},
		back, own,
		[]any{own},
		[]any{[]any{}, []any{}},
		map[any]any{ring{}: nil},
		(*ring)(nil),
		struct{ a, b any }{shared, shared},
	} {
		if got, want := printed(v), fmt.Sprint(v); got != want {
			t.Errorf("%T: %s, not %s", v, got, want)
		}
	}
}
