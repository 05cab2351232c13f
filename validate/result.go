package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/google/jsonschema-go/jsonschema"
)

// Result encodes what a tool answers and holds it against its schema. It cannot be
// changed and is safe for concurrent use.
type Result[T any] struct {
	program  *program // nil where T is any, or has a form of its own
	schema   json.RawMessage
	own      *document                   // the author's schema
	derived  func() *jsonschema.Resolved // the derived schema, for a value that is no T; nil if it is not usable
	isObject bool
	closed   bool // no json.Number can be in a T
	ruled    bool // its tags say more than its types do
}

// writing is how answers are written: as encoding/json does, but a nil list is [],
// a nil map is {}, and nothing is escaped for HTML.
var writing = jsonv2.JoinOptions(
	jsonv1.OmitEmptyWithLegacySemantics(true),
	jsonv1.FormatDurationAsNano(true),
	jsonv1.FormatByteArrayAsArray(true),
	jsontext.AllowInvalidUTF8(true),
	jsonv2.Deterministic(true),
)

// writingNumbers is writing where there may be a json.Number: looking for one costs
// something at each value.
var writingNumbers = jsonv2.JoinOptions(writing, jsonv2.WithMarshalers(writeNumber))

// ForResult compiles T with the schema that its author gives, or derives one of T
// and its tags; there is none for any. The error is a sentence about type or
// schema.
func ForResult[T any](schema json.RawMessage) (*Result[T], error) {
	r := &Result[T]{isObject: true}
	typ := reflect.TypeFor[T]()
	if schema != nil {
		own, err := newDocument(schema, false)
		if err != nil {
			return nil, fmt.Errorf("the output schema: %w", err)
		}
		r.own, r.schema = own, schema
		r.isObject = own.schema.Type == "object"
		return r, nil
	}
	if typ.Kind() == reflect.Interface {
		return r, nil
	}
	p := &planner{output: true}
	root, err := p.program(typ)
	if err != nil {
		return nil, fmt.Errorf("the output's type %s: %w", typ, err)
	}
	if err := auditTags(root); err != nil {
		return nil, fmt.Errorf("the output's type %s: %w", typ, err)
	}
	r.closed = !p.numbers && !p.open
	r.program = &program{root: root}
	if root.form == formAny {
		r.program = nil
		return r, nil
	}
	r.isObject = root.form == formObject || root.form == formMap
	root.nullable = root.nullable && !r.isObject
	r.ruled = root.ruled(map[*shape]bool{})
	r.schema = schemaOf(root, nil)
	r.derived = sync.OnceValue(func() *jsonschema.Resolved { // few tools answer with what is no T
		var parsed jsonschema.Schema
		if json.Unmarshal(r.schema, &parsed) != nil {
			return nil
		}
		resolved, err := resolve(&parsed)
		if err != nil {
			return nil
		}
		return resolved
	})
	return r, nil
}

// Schema returns the JSON Schema to list, nil where nothing is said about the
// output. It must not be changed.
func (r *Result[T]) Schema() json.RawMessage { return r.schema }

// Fields returns the members of an answer that is an object, or a list of objects, as far
// as its type or the author's schema names them.
func (r *Result[T]) Fields() []Field {
	switch {
	case r.program != nil:
		return r.program.root.members(maxWithin)
	case r.own != nil:
		return r.own.fields()
	}
	return nil
}

// IsObject reports whether every output is a JSON object, or nothing is said about
// it.
func (r *Result[T]) IsObject() bool { return r.isObject }

// errOutput is told to nobody but the audit log.
var errOutput = errors.New("the handler's output does not match its output schema")

// Encode encodes v, a T or what took its place, and holds it against the schema.
// The error never quotes v; it is a [*PanicError] where a method of v panicked.
func (r *Result[T]) Encode(v any) (raw json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			raw, err = nil, &PanicError{p, debug.Stack()}
		}
	}()
	_, typed := v.(T)
	options := writing
	if !typed || !r.closed {
		options = writingNumbers
	}
	if raw, err = jsonv2.Marshal(r.filled(v), options); err != nil {
		var semantic *jsonv2.SemanticError
		if errors.As(err, &semantic) && semantic.GoType != nil {
			return nil, fmt.Errorf("encoding the output: a %s cannot be encoded", semantic.GoType)
		}
		return nil, fmt.Errorf("encoding the output, a %T: %w", v, err)
	}
	switch {
	case r.own != nil:
		return r.completed(raw)
	case r.program == nil:
		return raw, nil
	case !typed:
		return raw, r.held(r.derived(), raw)
	}
	return raw, r.rules(v, raw)
}

// completed fills in the defaults of the author's schema, as the SDK does, and holds the
// whole against it.
func (r *Result[T]) completed(raw []byte) (json.RawMessage, error) {
	if !r.own.defaults {
		return raw, r.held(r.own.resolved, raw)
	}
	v, err := exactly(raw)
	if _, object := v.(map[string]any); err == nil && object {
		if err = r.own.resolved.ApplyDefaults(&v); err == nil {
			raw, err = jsonv2.Marshal(v, writingNumbers)
		}
	}
	if err != nil {
		return nil, errOutput
	}
	return raw, r.held(r.own.resolved, raw)
}

func (r *Result[T]) held(schema *jsonschema.Resolved, raw []byte) error {
	v, err := exactly(raw)
	if err != nil || schema == nil {
		return errOutput
	}
	if v, err = numbers(v); err != nil || (r.own != nil && r.own.divides && beyondDivision(v)) || !valid(schema, v) {
		return errOutput
	}
	return nil
}

// filled returns v, or for a nil pointer where an object is promised the zero value
// that it could have pointed to, as the SDK does.
func (r *Result[T]) filled(v any) any {
	if value := reflect.ValueOf(v); r.schema != nil && r.isObject && value.Kind() == reflect.Pointer && value.IsNil() {
		return reflect.New(value.Type().Elem()).Interface()
	}
	return v
}

// rules holds a T against its tags. Its types are right by construction.
func (r *Result[T]) rules(v any, raw []byte) error {
	if !r.ruled {
		return nil
	}
	value := reflect.ValueOf(r.filled(v))
	for value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	addressable := reflect.New(value.Type()).Elem()
	addressable.Set(value)
	var broken *Error
	if err := r.program.check(context.Background(), raw, addressable); errors.As(err, &broken) {
		return fmt.Errorf("%w: %w", errOutput, broken)
	}
	return nil
}

// ruled says that there are checks in a node or below it.
func (n *node) ruled(seen map[*shape]bool) bool {
	if len(n.checks) > 0 || n.allow != nil || (n.key != nil && len(n.key.checks) > 0) || (n.elem != nil && n.elem.ruled(seen)) {
		return true
	}
	if n.shape == nil || seen[n.shape] {
		return false
	}
	seen[n.shape] = true
	return n.shape.related || slices.ContainsFunc(n.shape.fields, func(f field) bool { return f.node.ruled(seen) })
}
