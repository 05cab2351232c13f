package validate

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/safemcp/safemcp/validate/text"
)

// A fallback is the default of a field: the value that it has where it is not given.
type fallback struct {
	value reflect.Value // not valid where there is none
	again []byte        // its text, to be read for each call where values of the type share memory
}

// fallsBack compiles the default tag of a field. The tag is the value itself for texts, times
// and durations ("1h30m"), and JSON for numbers and booleans. It has to keep the field's own
// rules, and those about other fields as far as these have defaults, too.
func (p *planner) fallsBack(f *field, typ reflect.Type, tag string) error {
	n := f.node
	if p.output {
		return nil
	}
	f.required = false
	raw, err := n.defaultOf(tag)
	if err != nil {
		return err
	}
	value := reflect.New(typ)
	if err := jsonv2.Unmarshal(raw, value.Interface(), readingNumbers); err != nil || string(raw) == "null" {
		return fmt.Errorf("its default %q is no %s%s", tag, n.typ, n.example())
	}
	inner := pointed(value.Elem())
	for i := range n.checks {
		if c := &n.checks[i]; !c.ok(inner) {
			return fmt.Errorf("its default %q breaks its rule %s: it %s", tag, c.rule, c.phrase)
		}
	}
	switch excluded := slices.IndexFunc(f.others, func(t term) bool { return strings.HasPrefix(t.name, "excluded_") }); {
	case n.watched && text.Find(inner.String()) != nil:
		return fmt.Errorf("its default %q holds %s, which a caller could not send: leave it out", tag, tellFound(text.Find(inner.String())))
	case n.allow != nil:
		return errors.New("a field with an allowlist that may change has no default, since it could be one that is not allowed: set it in the handler")
	case len(n.rules) > 0:
		return fmt.Errorf("a field with a rule of the program's own (rule=%s) has no default, since it would be the rule's to judge at each call: set it in the handler", n.rules[0].name)
	case n.whole:
		return fmt.Errorf("a field whose type has a Validate method, as %s has, has no default, since it would be the method's to judge at each call: set it in the handler", n.typ)
	case excluded >= 0:
		return fmt.Errorf("its rule %s cannot be kept by a field with a default, which is never left out: take one of them away", f.others[excluded].name)
	}
	f.fallback.value = value.Elem()
	if !standsAlone(typ) {
		f.fallback.again = raw
	}
	n.keywords = append(n.keywords, keyword{"default", string(raw)})
	return nil
}

// readingNumbers is reading with the numbers that decoding alone would take for texts.
var readingNumbers = jsonv2.JoinOptions(reading, jsonv2.WithUnmarshalers(readNumber))

// defaultOf is a default tag as JSON.
func (n *node) defaultOf(tag string) ([]byte, error) {
	switch {
	case n.form == formAny || n.form == formArray || n.form == formMap || n.form == formObject:
		return nil, errors.New("a default is for a text, a number or a boolean: set others in the handler")
	case !utf8.ValidString(tag):
		return nil, fmt.Errorf("its default %q is not UTF-8", tag)
	case n.form == formString:
		return []byte(jsonString(tag)), nil
	case n.typ == durationType:
		if d, err := time.ParseDuration(tag); err == nil {
			return strconv.AppendInt(nil, int64(d), 10), nil
		}
	}
	return []byte(strings.TrimSpace(tag)), nil
}

// example says how a default is written where that is not plain.
func (n *node) example() string {
	switch {
	case n.typ == durationType:
		return ": write it as in 1h30m"
	case n.typ == timeType:
		return ": write it as in 2006-01-02T15:04:05Z"
	case n.form == formString && n.typ.Kind() == reflect.Slice:
		return ": write it in base64"
	}
	return ""
}

// standsAlone says that a copy of a value shares no memory with it that could be changed.
func standsAlone(typ reflect.Type) bool {
	kind := typ.Kind()
	return kind == reflect.String || (kind >= reflect.Bool && kind <= reflect.Float64) || typ == timeType
}

// fall gives a field its default, each value its own.
func (f *field) fall(v reflect.Value) {
	at := f.of(v)
	if f.fallback.again == nil {
		at.Set(f.fallback.value)
		return
	}
	if err := jsonv2.Unmarshal(f.fallback.again, at.Addr().Interface(), readingNumbers); err != nil {
		panic(fmt.Sprintf("the default of %s, which was read once, is not read again", f.name)) // Decode refuses
	}
}

// settled refuses defaults that together break a rule about other fields: nobody could then
// leave them out. A required field is there, with whatever value.
func (s *shape) settled() error {
	if !s.related {
		return nil
	}
	o := occasion{value: reflect.New(s.typ).Elem(), shape: s, seen: make([]presence, len(s.fields))}
	for i := range s.fields {
		switch f := &s.fields[i]; {
		case f.fallback.value.IsValid():
			f.fall(o.value)
			o.seen[i] = given
		case f.required:
			o.seen[i] = misformed // what is in it is not known
		}
	}
	for i := range s.fields {
		f := &s.fields[i]
		for _, r := range f.relations {
			if whole := strings.Contains(r.rule, "csfield"); f.fallback.value.IsValid() && !whole && r.broken(&o, i) {
				return fmt.Errorf("the field %s: its default breaks its rule %s where nothing else is given: it %s", s.typ.FieldByIndex(f.index).Name, r.rule, r.phrase)
			}
		}
	}
	return nil
}

// fallsBackIn says that a field of a node, or in it, has a default.
func (n *node) fallsBackIn() bool {
	return n.any(map[*node]bool{}, func(n *node) bool {
		if n.shape == nil {
			return false
		}
		for i := range n.shape.fields {
			if n.shape.fields[i].fallback.value.IsValid() {
				return true
			}
		}
		return false
	})
}

// notListed refuses a method Values that lists what it is not for.
func notListed(typ reflect.Type, own bool, method reflect.Type) error {
	listable := typ.Kind() == reflect.Float32 || typ.Kind() == reflect.Float64 || typ.Kind() == reflect.Bool
	if listable && !own && method.NumOut() == 1 && method.Out(0) == reflect.SliceOf(typ) {
		return fmt.Errorf("the method Values of %s would not be enforced: it is for texts and whole numbers", typ)
	}
	return nil
}

// enumerated returns the check of a named type of strings or whole numbers that says its
// values: by a method Values, without arguments, which returns a list of them.
func enumerated(typ reflect.Type, own bool) (*compiled, error) {
	integer := keyIsInteger(typ.Kind())
	method, found := reflect.PointerTo(typ).MethodByName("Values")
	if !found {
		return nil, nil
	}
	t := method.Type
	if typ.Kind() != reflect.String && !integer {
		return nil, notListed(typ, own, t)
	}
	if own && integer && t.NumOut() == 1 && t.Out(0) != reflect.SliceOf(typ) {
		return nil, nil // the names that it reads, perhaps: it refuses others itself
	}
	lists := t.NumIn() == 1 && t.NumOut() == 1 && t.Out(0).Kind() == reflect.Slice
	if !lists || (t.Out(0).Elem() != typ && t.Out(0).Elem().Kind() != reflect.String) || (integer && t.Out(0).Elem() != typ) {
		return nil, fmt.Errorf("the method Values of %s does not list its values: it takes nothing and returns a list of %[1]s, or of strings where it is one", typ)
	}
	values, err := valuesIn(typ, integer)
	if err != nil {
		return nil, err
	}
	if !integer {
		return oneOf("enum", values), nil
	}
	c, err := compileListed(term{name: "oneof", param: strings.Join(values, " ")}, &node{typ: typ, form: formInteger})
	if err == nil {
		c.rule = "enum"
	}
	return c, err
}

// valuesIn asks a type for its values.
func valuesIn(typ reflect.Type, integer bool) (values []string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the method Values of %s panics: %v", typ, r)
		}
	}()
	for _, v := range reflect.New(typ).MethodByName("Values").Call(nil)[0].Seq2() {
		if integer {
			values = append(values, fmt.Sprint(plain(v)))
		} else {
			values = append(values, v.String())
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("the method Values of %s lists none", typ)
	}
	for i, v := range values {
		if why := unfit(v); why != "" {
			return nil, fmt.Errorf("the method Values of %s: value %d %s", typ, i+1, why)
		}
	}
	return values, nil
}
