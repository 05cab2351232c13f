package validate

import (
	"context"
	"reflect"

	jsonv2 "github.com/go-json-experiment/json"
)

// CompileType compiles a type that a test made at run time.
func CompileType(typ reflect.Type, allow map[string]Allowlist) error {
	_, err := newProgram(typ, &Options{Allow: allow})
	return err
}

// CompileRuled compiles a type that a test made at run time, with rules.
func CompileRuled(typ reflect.Type, rules map[string]Rule) error {
	if err := checkRules(rules); err != nil {
		return err
	}
	_, err := newProgram(typ, &Options{Rules: rules})
	return err
}

// CompareDecimals orders two numbers of JSON, and says whether they are such.
func CompareDecimals(a, b string) (int, bool) {
	x, okX := decimalOf(a)
	y, okY := decimalOf(b)
	return x.compare(y), okX && okY
}

// DecoderOf returns what decodes into a type that a test made at run time.
func DecoderOf(typ reflect.Type) (func(ctx context.Context, raw string) (reflect.Value, error), error) {
	p, err := newProgram(typ, &Options{})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, raw string) (reflect.Value, error) {
		v := reflect.New(typ).Elem()
		if err := jsonv2.Unmarshal([]byte(raw), v.Addr().Interface(), p.reading); err != nil {
			return v, p.diagnose(ctx, []byte(raw), v)
		}
		return v, p.check(ctx, []byte(raw), v)
	}, nil
}
