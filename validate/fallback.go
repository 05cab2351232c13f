package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	jsonv2 "github.com/go-json-experiment/json"
)

// fallsBack compiles the default tag of a field: the value that it has where it is not
// given. The tag is the value itself for texts, times and durations ("1h30m"), and JSON for
// numbers and booleans. It has to keep the field's own rules.
func (p *planner) fallsBack(f *field, typ reflect.Type, tag string) error {
	n := f.node
	if p.output {
		return nil
	}
	if f.required && !f.optional {
		f.required = false
	}
	switch n.form {
	case formString, formInteger, formNumber, formBoolean:
	case formAny, formArray, formMap, formObject:
		return errors.New("a default is for a text, a number or a boolean: set others in the handler")
	}
	raw := []byte(tag)
	if n.form == formString {
		raw = []byte(jsonString(tag))
	}
	value := reflect.New(typ)
	if err := jsonv2.Unmarshal(raw, value.Interface(), reading); err != nil || string(raw) == "null" {
		return fmt.Errorf("its default %q is no %s", tag, n.typ)
	}
	inner := value.Elem()
	for inner.Kind() == reflect.Pointer {
		inner = inner.Elem()
	}
	for i := range n.checks {
		if c := &n.checks[i]; !c.ok(inner) {
			return fmt.Errorf("its default %q breaks its rule %s: it %s", tag, c.rule, c.phrase)
		}
	}
	if n.allow != nil {
		return errors.New("a field with an allowlist has no default: what is allowed may change")
	}
	shown := raw
	if n.form == formInteger || n.form == formNumber || n.form == formBoolean {
		var err error
		if shown, err = json.Marshal(json.RawMessage(raw)); err != nil {
			return fmt.Errorf("its default %q is no JSON", tag)
		}
	}
	f.fallback = value.Elem()
	n.keywords = append(n.keywords, keyword{"default", string(shown)})
	return nil
}

// fall gives a field its default. A pointer is each value's own.
func (f *field) fall(v reflect.Value) {
	at := f.of(v)
	if f.fallback.Kind() != reflect.Pointer {
		at.Set(f.fallback)
		return
	}
	target := reflect.New(f.fallback.Type().Elem())
	for from, to := f.fallback.Elem(), target.Elem(); ; from, to = from.Elem(), to.Elem() {
		if from.Kind() != reflect.Pointer {
			to.Set(from)
			break
		}
		to.Set(reflect.New(from.Type().Elem()))
	}
	at.Set(target)
}

// fallsBackIn says that a field of a node, or in it, has a default.
func (n *node) fallsBackIn() bool {
	return n.any(map[*node]bool{}, func(n *node) bool {
		if n.shape == nil {
			return false
		}
		for i := range n.shape.fields {
			if n.shape.fields[i].fallback.IsValid() {
				return true
			}
		}
		return false
	})
}

// enumerated returns the values of a named string type that says them: by a method Values,
// of the type and without arguments, which returns a list of strings or of the type.
func enumerated(typ reflect.Type) (values []string, err error) {
	method, found := typ.MethodByName("Values")
	if typ.Kind() != reflect.String || !found {
		return nil, nil
	}
	if t := method.Type; t.NumIn() != 1 || t.NumOut() != 1 || t.Out(0).Kind() != reflect.Slice || t.Out(0).Elem().Kind() != reflect.String {
		return nil, fmt.Errorf("the method Values of %s does not list its values: it takes nothing and returns a list of strings, or of %s", typ, typ.Name())
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the method Values of %s panics: %v", typ, r)
		}
	}()
	for _, v := range reflect.New(typ).Elem().MethodByName("Values").Call(nil)[0].Seq2() {
		values = append(values, v.String())
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("the method Values of %s lists none", typ)
	}
	return values, nil
}
