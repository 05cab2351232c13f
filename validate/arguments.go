package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync/atomic"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// Arguments decodes and validates values of type T. It is compiled once, cannot be
// changed and is safe for concurrent use.
type Arguments[T any] struct {
	program  *program // nil where T is any
	own      *document
	schema   json.RawMessage
	warnings []string
}

// A Field is a member of the arguments, as far as an audit log wants to know it.
type Field struct {
	Name   string
	Closed bool    // its vocabulary is closed: a boolean, an enum, an allowlist
	Audit  string  // its audit tag
	Within []Field // members of the object that it is, or that the elements of its list are; nil where they are not known
}

// maxWithin bounds how deep fields within fields are told: a type may contain itself.
const maxWithin = 8

// reading is how arguments are read. Durations are whole nanoseconds and arrays
// of bytes are arrays, as the SDK and encoding/json have them.
var reading = jsonv2.JoinOptions(
	jsonv2.RejectUnknownMembers(true),
	jsonv1.FormatDurationAsNano(true),
	jsonv1.FormatByteArrayAsArray(true),
)

// For compiles T: a struct, a pointer to one, a map, or any. The error is a
// sentence about the type, a tag or an allowlist that its author has to correct.
func For[T any](o *Options) (*Arguments[T], error) {
	var options Options
	if o != nil {
		options = *o
	}
	if err := checkRules(options.Rules); err != nil {
		return nil, err
	}
	a := &Arguments[T]{}
	typ := reflect.TypeFor[T]()
	if typ.Kind() != reflect.Interface {
		p, err := newProgram(typ, &options)
		if err != nil {
			return nil, fmt.Errorf("the arguments' type %s: %w", typ, err)
		}
		if f := p.root.form; f != formObject && f != formMap && f != formAny {
			return nil, fmt.Errorf("the arguments' type %s is no object: use a struct, a map or any", typ)
		}
		a.program, a.schema, a.warnings = p, p.schema, p.warnings()
	} else if typ.NumMethod() > 0 {
		return nil, fmt.Errorf("the arguments' type %s cannot be made from JSON: use a struct, a map or any", typ)
	}
	switch {
	case options.Schema != nil:
		own, err := newDocument(options.Schema, true)
		if err != nil {
			return nil, fmt.Errorf("the input schema: %w", err)
		}
		a.own, a.schema = own, own.raw
		if a.program == nil {
			a.warnings = own.warnings()
		}
	case a.program == nil || a.program.root.form == formAny:
		a.schema = json.RawMessage(`{"type":"object"}`)
		a.warnings = []string{"it takes any arguments, unchecked: give it a type, or an InputSchema"}
	}
	return a, nil
}

// Schema returns the JSON Schema to list: the author's own, or the one that says
// what T and its tags say. It must not be changed. Of allowlists that may change it
// says the names; see [Arguments.Current] for their values.
func (a *Arguments[T]) Schema() json.RawMessage { return a.schema }

// Flags says that texts of T have the tag text:"flag", so that it is worth a [Collect].
func (a *Arguments[T]) Flags() bool {
	return a.program != nil && a.program.root.flagged(map[*node]bool{})
}

// Warnings returns what the author should know though nothing is wrong: members
// without an upper bound, with the rule that bounds them.
func (a *Arguments[T]) Warnings() []string { return a.warnings }

// Fields returns the members that T has, in its order; for a map or any those that
// an own schema names.
func (a *Arguments[T]) Fields() []Field {
	if a.program != nil && a.program.root.shape != nil {
		return a.program.root.members(maxWithin)
	}
	if a.own != nil {
		return a.own.fields()
	}
	return nil
}

// members are the fields of the object that a node is, or that the elements of its list are.
func (n *node) members(depth int) (fields []Field) {
	if n.form == formArray { // a list in a list is one value
		n = n.elem
	}
	if n.shape == nil || n.own || depth == 0 {
		return nil
	}
	for _, f := range n.shape.fields {
		fields = append(fields, Field{f.name, f.node.vocabulary(), f.audit, f.node.members(depth - 1)})
	}
	return fields
}

// vocabulary says that every value of a node is from a closed list.
func (n *node) vocabulary() bool {
	if n.form == formArray {
		return n.elem.vocabulary()
	}
	return n.closed
}

// Decode decodes raw, an object; no bytes at all are {}. The error is an [*Error],
// a [*SourceError], a [*RuleError], or a [*PanicError] of a method of T. With an Error whose
// Decoded is true the value is there all the same.
func (a *Arguments[T]) Decode(ctx context.Context, raw json.RawMessage) (value T, err error) {
	if len(raw) == 0 {
		raw = emptyObject
	}
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{r, debug.Stack()}
		}
	}()
	if a.own != nil {
		defaulted, ferr := a.own.check(raw)
		if ferr != nil && !ferr.Decoded {
			return value, ferr
		}
		defer func() { err = joined(ferr, err) }()
		raw = defaulted
	}
	if a.program == nil {
		if err := jsonv2.Unmarshal(raw, &value, reading); err != nil {
			return value, wholeError(raw)
		}
		if !object(raw) {
			return value, notAnObject()
		}
		return value, nil
	}
	if err := jsonv2.Unmarshal(raw, &value, a.program.reading); err != nil || !object(raw) {
		var lenient T
		err := a.program.diagnose(ctx, raw, reflect.ValueOf(&lenient).Elem())
		return lenient, err
	}
	return value, a.program.check(ctx, raw, reflect.ValueOf(&value).Elem())
}

var emptyObject = json.RawMessage("{}")

// object says that raw, which is JSON, is an object.
func object(raw []byte) bool {
	at := jsonwalk.Space(raw, 0)
	return at < len(raw) && raw[at] == '{'
}

// joined is what the author's schema and the type say together, each field once.
func joined(own *Error, err error) error {
	if own == nil {
		return err
	}
	if err == nil {
		return own
	}
	var typed *Error
	if !errors.As(err, &typed) {
		return err
	}
	for _, f := range own.Fields {
		if !typed.names(f.Path) {
			typed.Fields = append(typed.Fields, f)
		}
	}
	return typed
}

func (e *Error) names(path string) bool {
	for _, f := range e.Fields {
		if f.Path == path {
			return true
		}
	}
	return false
}

func notAnObject() *Error {
	return &Error{Fields: []FieldError{{Rule: "type", Message: "The arguments must be a JSON object."}}}
}

// wholeError says what is wrong with a text that does not decode into any.
func wholeError(raw []byte) *Error {
	f := FieldError{Rule: "type", Message: "There is something in the arguments that cannot be read, such as a number out of range."}
	switch {
	case !wellFormed(raw):
		f = FieldError{Rule: "syntax", Message: "The arguments are not valid JSON in UTF-8."}
	case !strictly(raw):
		f = FieldError{Rule: "duplicate", Message: "A name is given twice in one object: give each once."}
	}
	return &Error{Fields: []FieldError{f}}
}

// A program is a type and its rules, compiled.
type program struct {
	root    *node
	schema  json.RawMessage
	reading jsonv2.Options
	notes   []string // for the author

	live   []*allowed // lists that may change
	latest atomic.Pointer[listing]
}

func newProgram(typ reflect.Type, o *Options) (*program, error) {
	p := &planner{allow: o.Allow, own: o.Rules}
	root, err := p.program(typ)
	if err != nil {
		return nil, err
	}
	if err := auditTags(root); err != nil {
		return nil, err
	}
	out := &program{root: root, reading: reading, live: p.live, notes: p.notes}
	if p.numbers {
		out.reading = jsonv2.JoinOptions(reading, jsonv2.WithUnmarshalers(readNumber))
	}
	out.schema = schemaOf(root, nil)
	if err := out.tryOut(p); err != nil {
		return nil, err
	}
	return out, nil
}

// tryOut decodes an empty object into each struct, since the decoder reports what
// it cannot do with a type when it first meets it.
func (p *program) tryOut(plan *planner) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reading into it panics: %v", r)
		}
	}()
	for _, s := range plan.order {
		var semantic *jsonv2.SemanticError
		if err := jsonv2.Unmarshal(emptyObject, reflect.New(s.typ).Interface(), p.reading); errors.As(err, &semantic) {
			return fmt.Errorf("%s: %w: use a type that can be read from JSON, or leave the field out with json:\"-\"", s.typ, semantic.Err)
		}
	}
	return nil
}

// check holds a decoded value against the rules.
func (p *program) check(ctx context.Context, raw []byte, v reflect.Value) error {
	w := newWalker(ctx, raw)
	defer w.free()
	w.nulls = bytes.Contains(raw, nullText)
	w.root = v
	w.value(p.root, v, jsonwalk.Space(raw, 0))
	return w.result()
}

var nullText = []byte("null")

// warnings name the members that could be of any size.
func (p *program) warnings() []string {
	var out []string
	seen := map[*shape]bool{}
	var look func(n *node, path string)
	look = func(n *node, path string) {
		if !n.bounded {
			switch n.form {
			case formString:
				out = append(out, "the string "+path+" has no upper bound: bound it with max=N in its validate tag")
			case formArray:
				out = append(out, "the list "+path+" has no upper bound: bound it with max=N in its validate tag")
			case formMap:
				if path != "" {
					out = append(out, "the map "+path+" has no upper bound: bound it with max=N in its validate tag")
				}
			}
		}
		if n.elem != nil {
			look(n.elem, path+"[*]")
		}
		if n.shape == nil || seen[n.shape] {
			return
		}
		seen[n.shape] = true
		for _, f := range n.shape.fields {
			look(f.node, joinPath(path, f.name))
		}
	}
	look(p.root, "")
	return append(out, p.notes...)
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
