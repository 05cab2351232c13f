package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// A document is an author's own schema, resolved.
type document struct {
	raw      json.RawMessage
	schema   *jsonschema.Schema
	resolved *jsonschema.Resolved
	members  map[string]*jsonschema.Resolved // each property on its own, to say which are wrong
	defaults bool
	divides  bool // multipleOf is in it
}

func newDocument(raw json.RawMessage, object bool) (*document, error) {
	if !json.Valid(raw) {
		return nil, errors.New("it is not JSON")
	}
	if err := looksOver(raw); err != nil {
		return nil, err
	}
	d := &document{raw: raw, divides: bytes.Contains(raw, []byte(`"`+multipleOf+`"`)), schema: new(jsonschema.Schema)}
	if err := json.Unmarshal(raw, d.schema); err != nil {
		return nil, fmt.Errorf("it is no JSON Schema: %w", err)
	}
	if object && d.schema.Type != "object" {
		return nil, errors.New(`its type must be "object": arguments are always one`)
	}
	resolved, err := resolve(d.schema)
	if err != nil {
		return nil, err
	}
	d.resolved = resolved
	d.members = map[string]*jsonschema.Resolved{}
	for name, property := range d.schema.Properties {
		d.defaults = d.defaults || strings.Contains(string(raw), `"default"`)
		alone := &jsonschema.Schema{
			Schema: d.schema.Schema, Defs: d.schema.Defs, Definitions: d.schema.Definitions,
			Properties: map[string]*jsonschema.Schema{name: property.CloneSchemas()},
		}
		if r, err := resolve(alone.CloneSchemas()); err == nil { // one that refers elsewhere is not told apart
			d.members[name] = r
		}
	}
	return d, nil
}

func resolve(s *jsonschema.Schema) (r *jsonschema.Resolved, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("it is no usable JSON Schema: %v", p)
		}
	}()
	r, err = s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		return nil, fmt.Errorf("it is no usable JSON Schema: %w", err)
	}
	return r, nil
}

// exactly decodes a JSON text, with its numbers as they are written.
func exactly(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err //nolint:wrapcheck // never shown
	}
	return v, nil
}

// errRange is a number that no float64 holds: the validator takes an infinity for zero.
var errRange = errors.New("a number is out of range")

// numbers makes numbers of what exactly left as written, for the validator, which takes
// a json.Number for a string: whole ones as such as far as 64 bits go.
func numbers(v any) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		text := v.String()
		if plain, whole := wholeNumber(text); whole { // 5.0 and 5e0
			text = plain
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n, nil
		}
		n, err := v.Float64()
		if err != nil || (n == math.Trunc(n) && !isWhole(text)) { // a fraction that would be rounded away
			return nil, errRange
		}
		return n, nil
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = numbers(v[name]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// isWhole says that a number of JSON is a whole one.
func isWhole(text string) bool {
	d, ok := decimalOf(text)
	return ok && (d.digits == "" || d.exponent >= int64(len(d.digits)))
}

// valid holds a value against a schema. The validator's words quote the value, so
// that only its answer is used; it may panic on what it does not know.
func valid(r *jsonschema.Resolved, v any) (ok bool) {
	defer func() { ok = ok && recover() == nil }()
	return r.Validate(v) == nil
}

// check holds arguments against the schema, strictly read, and returns them with
// the schema's defaults filled in.
func (d *document) check(raw []byte) ([]byte, *Error) {
	if len(raw) == 0 {
		raw = emptyObject
	}
	if !strictly(raw) {
		return nil, wholeError(raw)
	}
	if !object(raw) {
		return nil, notAnObject()
	}
	v, err := exactly(raw)
	if err != nil {
		return nil, wholeError(raw)
	}
	if d.defaults {
		if err := d.resolved.ApplyDefaults(&v); err != nil {
			return nil, &Error{Fields: []FieldError{{Rule: "schema", Message: "The arguments do not have the shape of the tool's input schema."}}}
		}
		if raw, err = json.Marshal(v); err != nil {
			return nil, wholeError(raw)
		}
	}
	v, err = numbers(v)
	switch {
	case err != nil, d.divides && beyondDivision(v):
		return nil, wholeError(raw)
	case valid(d.resolved, v):
		return raw, nil
	}
	return raw, d.diagnose(v)
}

// diagnose says which members break the schema.
func (d *document) diagnose(v any) *Error {
	e := &Error{Decoded: true}
	members, _ := v.(map[string]any)
	for _, name := range d.schema.Required {
		if _, there := members[name]; !there {
			e.Fields = append(e.Fields, FieldError{Path: name, Rule: "required", Message: sentence(name, "is required")})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.members)) {
		value, there := members[name]
		if !there || valid(d.members[name], map[string]any{name: value}) {
			continue
		}
		e.Fields = append(e.Fields, wrongMember(name, d.schema.Properties[name]))
	}
	if closed(d.schema) {
		for name := range members {
			if _, known := d.schema.Properties[name]; !known {
				e.Fields = append(e.Fields, d.unknown())
				break
			}
		}
	}
	if e.Fields == nil {
		e.Fields = []FieldError{{Rule: "schema", Message: "The arguments do not match the tool's input schema."}}
	}
	return e
}

func (d *document) unknown() FieldError {
	names := slices.Sorted(maps.Keys(d.schema.Properties))
	message := "There are members that are not known; none are."
	if len(names) > 0 {
		message = "There are members that are not known; those that are: " + strings.Join(names, ", ") + "."
	}
	return FieldError{Rule: "unknown", Message: message, Allowed: names}
}

// closed says that a schema takes no members besides those that it names.
func closed(s *jsonschema.Schema) bool {
	extra := s.AdditionalProperties
	return extra != nil && extra.Not != nil && len(s.PatternProperties) == 0
}

// wrongMember says what a member must be, as far as its schema says so plainly.
func wrongMember(name string, s *jsonschema.Schema) FieldError {
	f := FieldError{Path: name, Rule: "schema"}
	if values := enumOf(s); values != nil {
		f.Rule, f.Allowed = "enum", values[:min(len(values), listed)]
		f.Message = sentence(name, mustBeOneOf(values))
		return f
	}
	phrase := "does not match the tool's input schema"
	var facts []string
	if s.Type != "" {
		facts = append(facts, "type "+s.Type)
	}
	for word, bound := range map[string]*float64{"at least": s.Minimum, "at most": s.Maximum, "more than": s.ExclusiveMinimum, "less than": s.ExclusiveMaximum} {
		if bound != nil {
			facts = append(facts, word+" "+strconv.FormatFloat(*bound, 'f', -1, 64))
		}
	}
	for word, bound := range map[string]*int{
		"characters at least": s.MinLength, "characters at most": s.MaxLength, "elements at least": s.MinItems, "elements at most": s.MaxItems,
		"members at least": s.MinProperties, "members at most": s.MaxProperties,
	} {
		if bound != nil {
			facts = append(facts, fmt.Sprintf("%s %d", word, *bound))
		}
	}
	facts = append(facts, insideFacts(s)...)
	if s.Pattern != "" {
		facts = append(facts, "pattern "+s.Pattern)
	}
	if s.Format != "" {
		facts = append(facts, "format "+s.Format)
	}
	if facts != nil {
		slices.Sort(facts)
		phrase += ": " + strings.Join(facts, ", ")
	}
	f.Message = sentence(name, phrase)
	return f
}

// insideFacts are what a schema says of a number's parts, and of what is in a list or object.
func insideFacts(s *jsonschema.Schema) (facts []string) {
	if s.MultipleOf != nil {
		facts = append(facts, "a multiple of "+strconv.FormatFloat(*s.MultipleOf, 'f', -1, 64))
	}
	if s.UniqueItems {
		facts = append(facts, "no element twice")
	}
	if len(s.Required) > 0 {
		facts = append(facts, "with the members "+strings.Join(s.Required, " and "))
	}
	if s.Properties != nil || s.Items != nil || s.AdditionalProperties != nil {
		facts = append(facts, "what is in it as the schema says")
	}
	return facts
}

// enumOf returns the values of an enum or const in words, nil where there is none.
func enumOf(s *jsonschema.Schema) []string {
	values := s.Enum
	if s.Const != nil {
		values = []any{*s.Const}
	}
	var words []string
	for _, v := range values {
		if text, ok := v.(string); ok {
			words = append(words, text)
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		words = append(words, string(raw))
	}
	return words
}

func (d *document) fields() []Field { return propertiesOf(d.schema, maxWithin) }

// propertiesOf are the members that a schema names, of an object or of the elements of a
// list, as far as it is sure that they are held against what it says: not where it refers to
// another schema (in draft-07 nothing counts beside $ref), nor where another type than the
// one that has members would be taken.
func propertiesOf(s *jsonschema.Schema, depth int) (fields []Field) {
	if s.Type == "array" && depth < maxWithin && !refers(s) && len(s.PrefixItems) == 0 && len(s.ItemsArray) == 0 && s.Items != nil {
		s = s.Items
	}
	if s.Type != "object" || refers(s) || depth == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		closed := !refers(p) && (p.Type == "boolean" || enumOf(p) != nil)
		fields = append(fields, Field{Name: name, Closed: closed, Within: propertiesOf(p, depth-1)})
	}
	return fields
}

func refers(s *jsonschema.Schema) bool { return s.Ref != "" || s.DynamicRef != "" }

func (d *document) warnings() []string {
	var out []string
	if d.divides {
		out = append(out, "its InputSchema says multipleOf, which is held as far as floating point is exact: whole numbers beyond 2 to the 53rd are refused, wherever they stand")
	}
	if !closed(d.schema) {
		out = append(out, `it takes members that its InputSchema does not name: say "additionalProperties": false there`)
	}
	for _, name := range slices.Sorted(maps.Keys(d.schema.Properties)) {
		s := d.schema.Properties[name]
		if enumOf(s) != nil {
			continue
		}
		if (s.Type == "string") && s.MaxLength == nil && s.Pattern == "" {
			out = append(out, "the string "+name+` has no upper bound: say "maxLength" in the InputSchema`)
		}
		if s.Type == "array" && s.MaxItems == nil {
			out = append(out, "the list "+name+` has no upper bound: say "maxItems" in the InputSchema`)
		}
	}
	return out
}

// A Document checks arguments against a hand-written schema and leaves reading them
// to the handler. It cannot be changed and is safe for concurrent use.
type Document struct{ d *document }

// ForSchema compiles a JSON Schema (draft 2020-12 or draft-07) of the type object. A
// multipleOf that floating point does not hold, as 0.01, is refused; beside any other,
// whole numbers beyond 2 to the 53rd are.
// The error is a sentence about the schema.
func ForSchema(schema json.RawMessage, _ *Options) (*Document, error) {
	d, err := newDocument(schema, true)
	if err != nil {
		return nil, err
	}
	return &Document{d}, nil
}

// Schema returns the schema as it was given.
func (d *Document) Schema() json.RawMessage { return d.d.raw }

// Warnings returns what the author should know: that the schema is open, and which
// members it does not bound.
func (d *Document) Warnings() []string { return d.d.warnings() }

// Fields returns the members that the schema names, sorted.
func (d *Document) Fields() []Field { return d.d.fields() }

// Check holds the bytes against the schema: one JSON object in UTF-8 in which no
// name occurs twice, with numbers that a float64 can hold, whole ones exactly up to 64 bits.
// The error is an [*Error].
func (d *Document) Check(_ context.Context, raw json.RawMessage) error {
	if _, err := d.d.check(raw); err != nil {
		return err
	}
	return nil
}
