package validate

import (
	"context"
	"encoding/json"
	"reflect"

	jsonv2 "github.com/go-json-experiment/json"
)

// OfType compiles a struct type that a test made at run time, and returns its schema and
// what Decode would do, but for panics, which are the test's to see.
func OfType(typ reflect.Type, o *Options) (json.RawMessage, func(context.Context, []byte) (reflect.Value, error), error) {
	p, err := newProgram(typ, o)
	if err != nil {
		return nil, nil, err
	}
	return p.schema, func(ctx context.Context, raw []byte) (reflect.Value, error) {
		v := reflect.New(typ).Elem()
		if err := jsonv2.Unmarshal(raw, v.Addr().Interface(), p.reading); err != nil || !object(raw) {
			v.SetZero()
			return v, p.diagnose(ctx, raw, v)
		}
		return v, p.check(ctx, raw, v)
	}, nil
}

// ResultOfType compiles a struct type that a test made at run time for an answer, and
// returns its schema.
func ResultOfType(typ reflect.Type) (json.RawMessage, error) {
	p := &planner{output: true}
	root, err := p.program(typ)
	if err != nil {
		return nil, err
	}
	return schemaOf(root, nil), nil
}
