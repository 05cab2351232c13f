package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A Described is a type that reads itself from JSON, with UnmarshalText or
// UnmarshalJSON, and says what it takes; package validate/arg has such types. How they
// read is their own: what they refuse with [Refuse] is told to the caller in their words.
type Described interface {
	// ArgumentSchema returns the JSON Schema of what is read, an object without $ref; a
	// type with UnmarshalText has the type string. Its description is added to that of
	// the field. It is asked once, of a zero value, when a type is compiled. An error is
	// a sentence about what the author of the tool has to correct, and fails that.
	ArgumentSchema() (json.RawMessage, error)
}

// Refuse returns the error with which a type that reads itself says what it takes: a
// phrase that follows the name of a field, as in "must be a path below the directory".
// The phrase is told to the caller as it is: it holds nothing of what was sent.
func Refuse(phrase string) error { return &refusal{phrase} }

type refusal struct{ phrase string }

func (r *refusal) Error() string { return r.phrase }

// refused is what a type that reads itself has said of a value, "" where it has not.
func refused(err error) string {
	if r, own := errors.AsType[*refusal](err); own {
		return r.phrase
	}
	return ""
}

// readsNull says that a null has been read by a type that reads itself, so that what it made
// of it is a value like any other. A pointer to one takes the null itself.
func (n *node) readsNull(v reflect.Value) bool {
	return n.own && n.nullable && v.Kind() != reflect.Pointer
}

// describe asks a type that reads itself what it takes, where it says so. Null is for
// pointers, as with any other type.
func (p *planner) describe(n *node, pointer bool) error {
	if p.output || !has[Described](n.typ) {
		return nil
	}
	raw, err := described(n.typ)
	if err != nil {
		return fmt.Errorf("a %s cannot be used as it is: %w", n.typ, err)
	}
	keywords, err := keywordsOf(raw)
	if err != nil {
		return fmt.Errorf("what ArgumentSchema of %s returns: %w", n.typ, err)
	}
	n.nullable = pointer
	for _, k := range keywords {
		var says string
		switch {
		case k.name == "description" && json.Unmarshal([]byte(k.value), &says) == nil:
			n.says = append(n.says, says)
			continue
		case k.name == "type" && n.form == formString:
			if k.value != `"string"` {
				return fmt.Errorf("ArgumentSchema of %s says the type %s, but it reads a text: its type is string", n.typ, k.value)
			}
			continue
		case k.name == "type" && pointer && strings.HasPrefix(k.value, `"`):
			k.value = `["null",` + k.value + "]"
		case pointer && slices.Contains(ofAnyType, k.name):
			return fmt.Errorf("ArgumentSchema of %s says %s, which would refuse the null that a pointer takes: use it as a value", n.typ, k.name)
		}
		n.keywords = append(n.keywords, k)
		n.closed = n.closed || k.name == "enum" || k.name == "const"
		n.bounded = n.bounded || k.name == maxLength || n.closed
	}
	return nil
}

// ofAnyType are the keywords that hold for null as well. An enum is given one.
var ofAnyType = []string{"const", "not", "anyOf", "oneOf", "allOf", "if", "then", "else"}

func described(typ reflect.Type) (raw json.RawMessage, err error) {
	defer func() {
		if r := recover(); r != nil {
			raw, err = nil, fmt.Errorf("its ArgumentSchema panics on a zero value: %v", r)
		}
	}()
	d, ok := reflect.TypeAssert[Described](reflect.New(typ))
	if !ok { // what has a method has it through a pointer as well
		return nil, errors.New("it says nothing")
	}
	return d.ArgumentSchema()
}

// keywordsOf are the members of a schema, in their order.
func keywordsOf(raw json.RawMessage) (keywords []keyword, err error) {
	if !strictly(raw) || !object(raw) {
		return nil, errors.New("it is no JSON object")
	}
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.ReadToken(); err != nil {
		return nil, fmt.Errorf("it is no JSON object: %w", err)
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("it is no JSON object: %w", err)
		}
		text := name.String()
		if strings.HasPrefix(text, "$") {
			return nil, fmt.Errorf("it says %s, which a part of another schema cannot", text)
		}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("it is no JSON object: %w", err)
		}
		if err := value.Compact(); err != nil {
			return nil, fmt.Errorf("it is no JSON object: %w", err)
		}
		keywords = append(keywords, keyword{text, string(value)})
	}
	return keywords, nil
}
