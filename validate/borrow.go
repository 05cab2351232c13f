package validate

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"
)

// engine runs the rules of validator that are not compiled here, a value at a time:
// what is absent, and what stands beside a value, is known to the walk alone.
var engine = sync.OnceValue(func() *validator.Validate {
	v := validator.New()
	v.SetTagName("safemcp:none") // it reads no tags of structs
	return v
})

// beyondText are the rules of validator that are made for more than texts. Any other
// holds against what Go prints for such a value, "<int Value>", and so never.
var beyondText = map[reflect.Kind][]string{
	reflect.Bool:    {"boolean"},
	reflect.Int64:   {"latitude", "longitude", "numeric", "number", "port", "noneof", "luhn_checksum"},
	reflect.Uint64:  {"latitude", "longitude", "numeric", "number", "port", "noneof", "luhn_checksum"},
	reflect.Float64: {"latitude", "longitude", "numeric", "number"},
}

// borrow returns a check that has validator run a term. The term is run once, since
// validator panics on what it does not know or is not made for the type, and does so
// here rather than at a call.
func borrow(t term, n *node) (*compiled, error) {
	if err := suits(t, n); err != nil {
		return nil, err
	}
	// The whole, and each alternative on its own: an earlier one may hold for the value that is tried.
	for _, text := range append(strings.Split(t.text, "|"), t.text) {
		if err := attempt(text, n.typ); err != nil {
			return nil, err
		}
	}
	name := t.name
	if strings.Contains(t.text, "|") {
		name = t.text
	}
	c := &compiled{
		check: check{
			rule: name, phrase: phrase(name, t.param),
			ok: func(v reflect.Value) bool { return engine().Var(v.Interface(), t.text) == nil },
		},
		bounds: short[t.name],
	}
	c.says = c.phrase
	if format := formats[t.name]; format != "" && n.form == formString {
		c.keywords = []keyword{{"format", jsonString(format)}}
	}
	return c, nil
}

// suits refuses rules on types that they are not made for.
func suits(t term, n *node) error {
	if n.own || n.typ == durationType || n.typ.Kind() == reflect.String {
		return nil
	}
	if n.typ.Kind() == reflect.Slice && n.form == formString && t.name == "json" {
		return nil
	}
	kind := n.typ.Kind()
	switch {
	case kind >= reflect.Int && kind <= reflect.Int64:
		kind = reflect.Int64
	case kind >= reflect.Uint && kind <= reflect.Uintptr:
		kind = reflect.Uint64
	case kind == reflect.Float32:
		kind = reflect.Float64
	case kind == reflect.Struct:
		return fmt.Errorf("the rule %s is not for structs: put it on a field of theirs, or check it in the handler", t.name)
	}
	for alternative := range strings.SplitSeq(t.text, "|") {
		name, _, _ := strings.Cut(alternative, "=")
		if comparing := strings.Contains(t.text, "|") && slices.Contains([]string{"eq", "ne", "min", "max", "gt", "gte", "lt", "lte", "len", "oneof"}, name); !comparing && name != "isdefault" && !slices.Contains(beyondText[kind], name) {
			return fmt.Errorf("the rule %s is not for values of type %s; for the elements of a list it stands behind dive", name, n.typ)
		}
	}
	return nil
}

// attempt runs a rule once on a value in which nothing is nil.
func attempt(text string, typ reflect.Type) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the rule %q is not understood: %v", text, p)
		}
	}()
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.Slice:
		v.Set(reflect.MakeSlice(typ, 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
	}
	var broken validator.ValidationErrors
	if err := engine().Var(v.Interface(), text); err != nil && !errors.As(err, &broken) {
		return fmt.Errorf("the rule %q: %w", text, err)
	}
	return nil
}
