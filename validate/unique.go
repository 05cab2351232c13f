package validate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// compileUnique is the check that no two elements of a list, or values of a map, are
// equal; with a parameter, that no two structs have the same value in that field. Two
// nulls are equal.
func compileUnique(t term, n *node) (*compiled, error) {
	c := &compiled{check: check{rule: "unique", phrase: "must have no element twice"}}
	typ, get := n.typ.Elem(), func(v reflect.Value) reflect.Value { return v }
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if t.param != "" {
		if typ.Kind() != reflect.Struct {
			return nil, fmt.Errorf("the rule unique=%s is for lists of structs", t.param)
		}
		f, found := typ.FieldByName(t.param)
		if !found || !f.IsExported() {
			return nil, fmt.Errorf("the rule unique=%s: there is no such field", t.param)
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",") // its shape may not be known yet
		if name == "" || name == "-" || n.elem.own {
			name = t.param
		}
		c.phrase = "must have no two elements with the same " + name
		typ, get = f.Type, func(v reflect.Value) reflect.Value {
			inner, err := v.FieldByIndexErr(f.Index)
			if err != nil { // an embedded pointer that is nil
				return reflect.Zero(f.Type)
			}
			return inner
		}
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
	}
	if !plainlyComparable(typ) {
		return nil, fmt.Errorf("the rule unique cannot compare a %s: it is for texts, numbers, booleans, and structs of these", typ)
	}
	c.says = c.phrase
	if t.param == "" && n.form == formArray && !n.elem.own {
		c.keywords = []keyword{{"uniqueItems", "true"}}
		if c.exact = n.elem.oneForm(); c.exact {
			c.says = ""
		}
	}
	c.ok = func(v reflect.Value) bool { return allDiffer(v, get) }
	return c, nil
}

// plainlyComparable says that == on two values is what a reader of their JSON sees: no
// pointer is compared by where it points.
func plainlyComparable(typ reflect.Type) bool {
	switch typ.Kind() {
	case reflect.Struct:
		for f := range typ.Fields() {
			if !plainlyComparable(f.Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return plainlyComparable(typ.Elem())
	case reflect.String, reflect.Bool:
		return true
	}
	return typ.Kind() >= reflect.Int && typ.Kind() <= reflect.Float64
}

// oneForm says that two values of a node are equal where their JSON is. Of others the
// schema takes some that are refused: those that differ in a member which is left out or
// has the value that it would have then, in characters that are stripped, or in digits
// that floating point does not hold.
func (n *node) oneForm() bool {
	switch {
	case n.own:
		return false
	case n.form == formString:
		return n.hygiene != strips
	case n.form == formArray:
		return n.elem.oneForm()
	case n.form == formObject:
		return !slices.ContainsFunc(n.shape.fields, func(f field) bool { return !f.required || f.fallback.value.IsValid() || !f.node.oneForm() })
	}
	return n.form == formInteger || n.form == formBoolean
}

func allDiffer(v reflect.Value, get func(reflect.Value) reflect.Value) bool {
	seen := make(map[any]struct{}, v.Len())
	differs := func(e reflect.Value) bool {
		var key any // nil stands for null
		if e = pointed(e); e.IsValid() {
			if e = pointed(get(e)); e.IsValid() {
				key = e.Interface()
			}
		}
		_, twice := seen[key]
		seen[key] = struct{}{}
		return !twice
	}
	if v.Kind() == reflect.Map {
		for entries := v.MapRange(); entries.Next(); {
			if !differs(entries.Value()) {
				return false
			}
		}
		return true
	}
	for i := range v.Len() {
		if !differs(v.Index(i)) {
			return false
		}
	}
	return true
}

// pointed follows pointers; the result is not valid behind a nil one.
func pointed(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}
