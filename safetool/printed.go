package safetool

import (
	"fmt"
	"reflect"
	"slices"
)

// printed is what fmt prints of v, whatever that is.
func printed(v any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a %T that panics when printed", v)
		}
	}()
	if b, ok := v.([]byte); ok {
		return string(b) // as slog's own handler for text has it
	}
	if cyclic(reflect.ValueOf(v), true, nil) {
		return fmt.Sprintf("a %T that leads back to itself", v)
	}
	return fmt.Sprint(v)
}

// cyclic reports whether fmt would follow v for ever, which exhausts the stack, and
// nothing recovers that: the handlers that a program gave may not have printed it so.
// The path is what it has come through.
func cyclic(v reflect.Value, top bool, path []reflect.Value) bool {
	if v.IsValid() && (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.Len() > 0 {
		if among(path, v) {
			return true
		}
		path = append(path, v)
	}
	for _, inside := range within(v, top) {
		if cyclic(inside, false, path) {
			return true
		}
	}
	return false
}

// within returns what fmt goes on to from v: through pointers at the top only, and into
// nothing that has words of its own.
func within(v reflect.Value, top bool) (all []reflect.Value) {
	if !v.IsValid() || speaks(v) {
		return nil
	}
	switch v.Kind() {
	case reflect.Interface:
		all = append(all, v.Elem())
	case reflect.Pointer:
		if top && nests(v.Type().Elem()) {
			all = append(all, v.Elem())
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			all = append(all, field)
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			all = append(all, key, value)
		}
	case reflect.Array, reflect.Slice:
		for i := 0; nests(v.Type().Elem()) && i < v.Len(); i++ {
			all = append(all, v.Index(i))
		}
	}
	return all
}

// speaks reports whether v has words of its own.
func speaks(v reflect.Value) bool {
	if !v.CanInterface() {
		return false
	}
	switch v.Interface().(type) {
	case error, fmt.Stringer, fmt.Formatter:
		return true
	}
	return false
}

// nests reports whether a value of that type may hold others.
func nests(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array, reflect.Slice, reflect.Struct, reflect.Map, reflect.Interface:
		return true
	}
	return false
}

// among reports whether v, a map or a slice, is one of those in path.
func among(path []reflect.Value, v reflect.Value) bool {
	return slices.ContainsFunc(path, func(p reflect.Value) bool {
		return p.Kind() == v.Kind() && p.Pointer() == v.Pointer() && p.Len() == v.Len()
	})
}
