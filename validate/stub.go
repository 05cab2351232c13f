// Package validate is being written.
package validate

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
)

// Options are the options.
type Options struct {
	Allow  map[string]Allowlist
	Schema json.RawMessage
}

// Allowlist is a list of allowed values.
type Allowlist interface {
	Values(context.Context) ([]string, error)
}

// Static is a fixed list.
func Static(values ...string) Allowlist { return AllowFunc(func(context.Context) ([]string, error) { return values, nil }) }

// AllowFunc is a list by function.
type AllowFunc func(context.Context) ([]string, error)

// Values calls f.
func (f AllowFunc) Values(ctx context.Context) ([]string, error) { return f(ctx) }

// Arguments are compiled arguments.
type Arguments[T any] struct{}

// For compiles T.
func For[T any](*Options) (*Arguments[T], error) { return nil, errors.New("not written yet") }

// Schema is the schema.
func (*Arguments[T]) Schema() json.RawMessage { return nil }

// Decode decodes.
func (*Arguments[T]) Decode(context.Context, json.RawMessage) (T, error) {
	var zero T
	return zero, errors.New("not written yet")
}

// Fields are the fields.
func (*Arguments[T]) Fields() []Field { return nil }

// Warnings are warnings.
func (*Arguments[T]) Warnings() []string { return nil }

// Field is a top-level member.
type Field struct {
	Name   string
	Closed bool
	Audit  string
}

// Document is a hand-written schema.
type Document struct{}

// ForSchema compiles a schema.
func ForSchema(json.RawMessage, *Options) (*Document, error) { return nil, errors.New("not written yet") }

// Schema is the schema.
func (*Document) Schema() json.RawMessage { return nil }

// Check checks.
func (*Document) Check(context.Context, json.RawMessage) error { return errors.New("not written yet") }

// Fields are the fields.
func (*Document) Fields() []Field { return nil }

// Warnings are warnings.
func (*Document) Warnings() []string { return nil }

// Result is a compiled result.
type Result[T any] struct{}

// ForResult compiles a result.
func ForResult[T any](json.RawMessage) (*Result[T], error) { return nil, errors.New("not written yet") }

// Schema is the schema.
func (*Result[T]) Schema() json.RawMessage { return nil }

// IsObject says whether.
func (*Result[T]) IsObject() bool { return false }

// Encode encodes.
func (*Result[T]) Encode(any) (json.RawMessage, error) { return nil, errors.New("not written yet") }

// Error is bad input.
type Error struct {
	Fields  []FieldError
	Decoded bool
}

// Error lists the fields.
func (e *Error) Error() string {
	var b strings.Builder
	for i, f := range e.Fields {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Path + ": " + f.Message)
	}
	return b.String()
}

// FieldError is one wrong field.
type FieldError struct {
	Path, Rule, Message string
	Allowed             []string
}

// SourceError is an allowlist down.
type SourceError struct {
	Allowlist string
	Err       error
}

// Error says which.
func (e *SourceError) Error() string { return "allowlist " + e.Allowlist + " cannot be read: " + e.Err.Error() }

// Unwrap is the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// PanicError is a panic while encoding.
type PanicError struct {
	Value any
	Stack []byte
}

// Error says so.
func (e *PanicError) Error() string { return "panic" }
