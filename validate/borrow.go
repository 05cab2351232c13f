package validate

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
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

// comparing are the rules that compare a value, or its length, with a parameter.
var comparing = []string{"eq", "ne", "min", "max", "gt", "gte", "lt", "lte", "len"}

// madeFor are the rules of validator by the kind of value that they are made for, beside
// texts. Any other holds against what Go prints for such a value, "<int Value>", and so
// never.
var madeFor = map[reflect.Kind][]string{
	reflect.Bool: {"boolean", "eq", "ne", "isdefault"},
	reflect.Int64: append([]string{
		"latitude", "longitude", "numeric", "number", "port", "oneof", "noneof", "luhn_checksum", "isdefault",
		"iso3166_1_alpha_numeric", "iso3166_1_alpha_numeric_eu", "iso4217_numeric",
	}, comparing...),
	reflect.Float64: append([]string{"latitude", "longitude", "numeric", "number", "isdefault"}, comparing...),
	reflect.Slice:   append([]string{"unique"}, comparing...),
	reflect.Map:     append([]string{"unique"}, comparing...),
	reflect.Struct:  nil,
}

// forNoText are the rules that are not made for texts.
var forNoText = []string{"port", "iso4217_numeric", "unique"}

// ofStringers are the rules that are made for types with a method String, too.
var ofStringers = []string{
	"uuid", "uuid3", "uuid4", "uuid5", "uuid7", "uuid_rfc4122", "uuid3_rfc4122", "uuid4_rfc4122", "uuid5_rfc4122", "ulid",
}

// ofUintptr are the rules that a uintptr has as other whole numbers do, beside comparisons.
var ofUintptr = []string{"isdefault", "port", "number", "numeric"}

// ofTimes are the rules that compare a time with the present.
var ofTimes = map[string]string{
	"gt": "must be later than now", "gte": "must not be earlier than now", "min": "must not be earlier than now",
	"lt": "must be earlier than now", "lte": "must not be later than now", "max": "must not be later than now",
}

// suits refuses rules on types that they are not made for.
func suits(t term, n *node) error {
	kind := n.typ.Kind()
	switch {
	case n.typ == timeType:
		if t.text != t.name && ofTimes[t.name] != "" {
			return fmt.Errorf("the rule %s compares a time with the present, and takes no value", t.name)
		}
		if ofTimes[t.name] != "" {
			return nil
		}
		return fmt.Errorf("the rule %s is not for times: they have gt, gte, lt and lte, which compare with the present", t.name)
	case kind == reflect.String:
		if slices.Contains(forNoText, t.name) {
			return fmt.Errorf("the rule %s is not for texts", t.name)
		}
		return nil
	case t.name == "json" && kind == reflect.Slice && n.typ.Elem() == byteType:
		return nil
	case n.own && slices.Contains(ofStringers, t.name) && has[fmt.Stringer](n.typ):
		return nil
	case kind >= reflect.Int && kind <= reflect.Int64, kind >= reflect.Uint && kind <= reflect.Uintptr:
		kind = reflect.Int64
		if n.typ.Kind() == reflect.Uintptr && !slices.Contains(comparing, t.name) && !slices.Contains(ofUintptr, t.name) {
			return fmt.Errorf("the rule %s is not for values of type %s", t.name, n.typ)
		}
	case kind == reflect.Float32:
		kind = reflect.Float64
	case kind == reflect.Array:
		kind = reflect.Slice
	case kind == reflect.Struct:
		return fmt.Errorf("the rule %s is not for structs: put it on a field of theirs, or check it in the handler", t.name)
	}
	if t.name == "unique" && n.elem == nil {
		return fmt.Errorf("the rule unique is for lists and maps, not for a %s", n.typ)
	}
	if !slices.Contains(madeFor[kind], t.name) {
		return fmt.Errorf("the rule %s is not for values of type %s; for the elements of a list it stands behind dive", t.name, n.typ)
	}
	return nil
}

// borrow returns a check that has validator run a term, and says it in words. The term is
// run once, since validator panics on what it does not know or is not made for the type,
// and does so here rather than at a call.
func borrow(t term, n *node) (*compiled, error) {
	if err := attempt(t.text, n.typ); err != nil {
		return nil, err
	}
	c := &compiled{check: check{
		rule: t.name, phrase: phrase(t, n),
		ok: func(v reflect.Value) bool { return engine().Var(v.Interface(), t.text) == nil },
	}}
	c.says = c.phrase
	return c, nil
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
