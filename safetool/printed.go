package safetool

import (
	"fmt"
	"reflect"
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
// It goes where fmt goes: through pointers at the top only, and into nothing that has
// words of its own. The path is what it has come through.
func cyclic(v reflect.Value, top bool, path []reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	if v.CanInterface() {
		switch v.Interface().(type) {
		case error, fmt.Stringer, fmt.Formatter:
			return false
		}
	}
	inside := func(element reflect.Value) bool { return cyclic(element, false, path) }
	switch v.Kind() {
	case reflect.Interface:
		return inside(v.Elem())
	case reflect.Pointer:
		switch v.Type().Elem().Kind() {
		case reflect.Array, reflect.Slice, reflect.Struct, reflect.Map:
			return top && inside(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if inside(v.Field(i)) {
				return true
			}
		}
	case reflect.Map:
		if among(path, v) {
			return true
		}
		path = append(path, v)
		for each := v.MapRange(); each.Next(); {
			if inside(each.Key()) || inside(each.Value()) {
				return true
			}
		}
	case reflect.Array, reflect.Slice:
		switch v.Type().Elem().Kind() {
		case reflect.Array, reflect.Slice, reflect.Struct, reflect.Map, reflect.Interface:
		default:
			return false
		}
		if v.Kind() == reflect.Slice {
			if among(path, v) {
				return true
			}
			path = append(path, v)
		}
		for i := range v.Len() {
			if inside(v.Index(i)) {
				return true
			}
		}
	}
	return false
}

// among reports whether v, a map or a slice, is one of those in path.
func among(path []reflect.Value, v reflect.Value) bool {
	for _, p := range path {
		if p.Kind() == v.Kind() && p.Pointer() == v.Pointer() && p.Len() == v.Len() && v.Len() > 0 {
			return true
		}
	}
	return false
}
