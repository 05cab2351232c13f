package validate

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// looksOver refuses what the library that runs schemas would not survive, or not keep
// its word on: a subschema that leads to itself without going into a member (it runs
// until the stack overflows, which no recover reaches, and a caller's value decides
// whether it is reached), and whole numbers that it would round.
func looksOver(raw json.RawMessage) error {
	v, err := exactly(raw)
	if err != nil {
		return errors.New("it is not JSON")
	}
	l := &loops{root: v, state: map[uintptr]int{}, anchors: map[string]map[string]any{}}
	if err := l.collect(v, true); err != nil {
		return err
	}
	return l.walk(v)
}

// loops looks for schemas that lead to themselves.
type loops struct {
	root    any
	anchors map[string]map[string]any
	refs    bool
	nested  bool // a subschema has an $id
	state   map[uintptr]int
}

// collect finds the anchors, and numbers beyond what is compared exactly.
func (l *loops) collect(v any, root bool) error {
	switch v := v.(type) {
	case json.Number:
		return roundable(v)
	case []any:
		for _, e := range v {
			if err := l.collect(e, false); err != nil {
				return err
			}
		}
	case map[string]any:
		if err := l.note(v, root); err != nil {
			return err
		}
		for _, e := range v {
			if err := l.collect(e, false); err != nil {
				return err
			}
		}
	}
	if root && l.refs && l.nested {
		return errors.New("it has a subschema with an $id, so that what a $ref means depends on where it stands: leave the $id out")
	}
	return nil
}

// note keeps what a schema says of itself and of others.
func (l *loops) note(schema map[string]any, root bool) error {
	if err := divisor(schema[multipleOf]); err != nil {
		return err
	}
	if name, is := schema["$anchor"].(string); is {
		l.anchors[name] = schema
	}
	if _, is := schema["$id"].(string); is && !root {
		l.nested = true
	}
	if _, is := schema["$ref"].(string); is {
		l.refs = true
	}
	if _, is := schema["$dynamicRef"].(string); is {
		return errors.New("it has a $dynamicRef: use $ref")
	}
	return nil
}

// roundable refuses a whole number that a float64 does not hold.
func roundable(n json.Number) error {
	if strings.ContainsAny(n.String(), ".eE") {
		return nil
	}
	if f, err := strconv.ParseFloat(n.String(), 64); err != nil || strconv.FormatFloat(f, 'f', -1, 64) != strings.TrimPrefix(n.String(), "+") && n.String() != "-0" {
		return fmt.Errorf("the number %s in it would be rounded: whole numbers are compared exactly up to 2 to the 53rd", n)
	}
	return nil
}

const (
	unvisited = iota
	visiting
	visited
)

// walk visits each schema, wherever it stands.
func (l *loops) walk(v any) error {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := l.walk(e); err != nil {
				return err
			}
		}
	case map[string]any:
		if err := l.visit(v); err != nil {
			return err
		}
		for _, e := range v {
			if err := l.walk(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// visit follows the keywords that hold against the same value as their schema does.
func (l *loops) visit(schema map[string]any) error {
	id := reflect.ValueOf(schema).Pointer()
	switch l.state[id] {
	case visiting:
		return errors.New("a schema in it leads to itself without going into a member, so that checking would not end")
	case visited:
		return nil
	}
	l.state[id] = visiting
	var next []any
	if ref, is := schema["$ref"].(string); is {
		target, err := l.target(ref)
		if err != nil {
			return err
		}
		next = append(next, target)
	}
	for _, word := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := schema[word].([]any)
		next = append(next, list...)
	}
	for _, word := range []string{"not", "if", "then", "else"} {
		next = append(next, schema[word])
	}
	for _, word := range []string{"dependentSchemas", "dependencies"} {
		members, _ := schema[word].(map[string]any)
		for _, e := range members {
			next = append(next, e)
		}
	}
	for _, e := range next {
		if inner, is := e.(map[string]any); is {
			if err := l.visit(inner); err != nil {
				return err
			}
		}
	}
	l.state[id] = visited
	return nil
}

// target is what a $ref of the document leads to.
func (l *loops) target(ref string) (any, error) {
	elsewhere := fmt.Errorf("its $ref %q leads nowhere in it: write one like #/$defs/name", ref)
	fragment, local := strings.CutPrefix(ref, "#")
	if !local {
		return nil, elsewhere
	}
	if fragment == "" {
		return l.root, nil
	}
	if !strings.HasPrefix(fragment, "/") {
		if schema, known := l.anchors[fragment]; known {
			return schema, nil
		}
		return nil, elsewhere
	}
	if strings.Contains(fragment, "%") {
		return nil, fmt.Errorf("its $ref %q has a percent sign, which is not supported", ref)
	}
	at := l.root
	for part := range strings.SplitSeq(fragment[1:], "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil, elsewhere
			}
			at = v[i]
		}
		if at == nil {
			return nil, elsewhere
		}
	}
	return at, nil
}
