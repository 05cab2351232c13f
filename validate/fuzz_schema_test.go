package validate_test

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/safemcp/safemcp/validate"
)

// schema is one of an author's own, of two definitions and three members.
func (r *recipe) schema() string {
	members := r.subschemas(`"a"`, `"b"`, `"c"`)
	more := []string{`"type":"object"`, `"properties":` + members}
	if r.seldom(3) {
		more = append(more, `"required":["a"]`)
	}
	if r.seldom(3) {
		more = append(more, `"additionalProperties":`+r.of("false", "true", `{"type":"integer"}`))
	}
	more = append(more, `"$defs":`+r.subschemas(`"n"`, `"m"`))
	if r.seldom(4) {
		more = append(more, r.keyword(2))
	}
	return "{" + strings.Join(more, ",") + "}"
}

func (r *recipe) subschemas(names ...string) string {
	var members []string
	for _, name := range names {
		members = append(members, name+":"+r.subschema(2))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (r *recipe) subschema(depth int) string {
	if r.seldom(5) {
		return `{"$ref":` + r.of(`"#/$defs/n"`, `"#/$defs/m"`, `"#/$defs/n"`, `"#"`) + "}"
	}
	var keywords []string
	if !r.seldom(3) {
		keywords = append(keywords, `"type":`+r.of(`"string"`, `"integer"`, `"number"`, `"boolean"`, `"array"`, `"object"`, `"null"`, `["null","string"]`, `["integer","object"]`))
	}
	for range r.choose(3) {
		keywords = append(keywords, r.keyword(depth))
	}
	return "{" + strings.Join(keywords, ",") + "}"
}

// keyword is one of them, with its value.
func (r *recipe) keyword(depth int) string {
	if depth > 0 && r.seldom(3) {
		switch word := r.of("not", "items", "additionalProperties", "propertyNames", "contains", "if", "then", "else", "allOf", "anyOf", "oneOf", "allOf", "anyOf", "oneOf", "prefixItems",
			"properties", "patternProperties", "dependentSchemas", "unevaluatedProperties"); word {
		case "allOf", "anyOf", "oneOf", "prefixItems":
			return `"` + word + `":[` + r.subschema(depth-1) + "," + r.subschema(depth-1) + "]"
		case "properties", "patternProperties", "dependentSchemas":
			return `"` + word + `":{"a":` + r.subschema(depth-1) + "}"
		default:
			return `"` + word + `":` + r.subschema(depth-1)
		}
	}
	switch word := r.of("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
		"$ref", "enum", "const", "default", "uniqueItems", "pattern", "required", "dependentRequired", "format", "minContains", "maxContains", "odd"); word {
	case "$ref":
		return `"$ref":` + r.of(`"#/$defs/n"`, `"#/$defs/m"`, `"#"`, `"#/properties/a"`, `"#/$defs/none"`, `"#x"`, `"https://a.example/"`, `"#/$defs/n/items"`)
	case "odd":
		return r.of(`"$anchor"`, `"$id"`, `"$dynamicRef"`, `"$comment"`) + `:"x"`
	case "enum":
		return `"enum":[` + r.anything(1) + "," + r.anything(1) + "]"
	case "const", "default":
		return `"` + word + `":` + r.anything(1)
	case "uniqueItems":
		return `"uniqueItems":true`
	case "pattern":
		return `"pattern":` + r.of(`"^a"`, `"b$"`, `"^[0-9]+$"`, `"("`)
	case "required":
		return `"required":[` + r.of(`"a"`, `"b"`) + "]"
	case "dependentRequired":
		return `"dependentRequired":{"a":["b"]}`
	case "format":
		return `"format":"date-time"`
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		return `"` + word + `":` + r.of("0", "1", "2", "-1", "5", "0.5", "100", "9007199254740993", "1e1")
	default:
		return `"` + word + `":` + r.of("0", "1", "2", "3", "-1")
	}
}

// FuzzSchema gives whatever schemas for an author's own, and whatever documents to them.
// A schema that is taken is enforced as jsonschema-go does, for arguments and for answers,
// beside strict JSON; nothing panics, and nothing goes on for ever.
func FuzzSchema(f *testing.F) {
	debug.SetMaxStack(64 << 20) // what goes on for ever is to end soon
	for _, seed := range [][2]string{
		{`{"type":"object","properties":{"a":{"type":"integer","minimum":2}},"required":["a"],"additionalProperties":false}`, `{"a":3}`},
		{`{"type":"object","properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"array","items":{"$ref":"#/$defs/n"}}}}`, `{"a":[[],[[]]]}`},
		{`{"type":"object","properties":{"a":{"anyOf":[{"type":"string","maxLength":3},{"$ref":"#/$defs/n"}]}},"$defs":{"n":{"enum":[1,"x",null]}}}`, `{"a":null}`},
		{`{"type":"object","properties":{"a":{"type":"integer","default":7},"b":{"type":"string","pattern":"^a"}}}`, `{"b":"ab"}`},
		{`{"type":"object","properties":{"a":{"not":{"const":1}},"b":{"oneOf":[{"type":"integer"},{"minimum":3}]}}}`, `{"a":2,"b":3.5}`},
		{`{"type":"object","if":{"required":["a"]},"then":{"properties":{"b":{"type":"integer"}}},"else":{"maxProperties":1}}`, `{"c":1}`},
		{`{"type":"object","patternProperties":{"^x":{"multipleOf":2}},"propertyNames":{"maxLength":2}}`, `{"x1":4}`},
		{`{"type":"object"}`, "{\"a\":\"\xff\"}"},
		{`{"type":"array"}`, `[1]`},
		{`{`, ``},
		{`true`, `{}`},
		{`{"type":"object","properties":{"a":{"$ref":"#/nowhere"}}}`, `{}`},
		{"\x01", "\x01"},
		{"\x01\x05\x00\x01\x02", "\x01\x01\x03"},
		{"\x01\x01\x02\x01\x01\x01", `{"a":1}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(enforced)
}

// enforced says of a schema and a document what FuzzSchema promises.
func enforced(t *testing.T, schema, doc []byte) {
	if len(schema) > 4096 || len(doc) > 4096 {
		t.Skip("An author's schema of many branches takes its time.")
	}
	defer endless([]any{schema, doc})()
	schema = cooked(schema, (*recipe).schema)
	document, err := validate.ForSchema(schema, nil)
	answer, aerr := validate.ForResult[any](schema)
	whole, werr := validate.For[any](&validate.Options{Schema: schema})
	if (err == nil) != (werr == nil) || err == nil && aerr != nil {
		t.Fatalf("%q: %v, as that of a type %v, of an answer %v", schema, err, werr, aerr)
	}
	if aerr != nil || len(schema) == 0 {
		return
	}
	listed := parsed(t, schema)
	resolved, rerr := listed.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if rerr != nil {
		t.Fatalf("%q is taken: %v", schema, rerr)
	}
	doc = cooked(doc, func(r *recipe) string { return r.document(listed) })
	answers(t, answer, resolved, listed, doc)
	if err != nil {
		return
	}
	instance, invalid := instanceOf(doc)
	_, object := instance.(map[string]any)
	want := strictJSON(doc) && invalid == nil && object && inRange(instance)
	if len(doc) == 0 {
		instance, want = map[string]any{}, true
	}
	want = want && takes(resolved, filledIn(resolved, listed, instance))
	cerr := document.Check(t.Context(), doc)
	v, derr := whole.Decode(t.Context(), doc)
	if (cerr == nil) != want || (derr == nil) != want {
		t.Fatalf("%q: %q is taken %v, %v; by the schema %v", schema, doc, cerr, derr, want)
	}
	if cerr != nil {
		refusal(t, doc, cerr, document.Check(t.Context(), doc), string(schema))
		refusal(t, doc, derr, second(whole.Decode(t.Context(), doc)), string(schema))
	} else if _, is := v.(map[string]any); !is {
		t.Fatalf("%q: %q is decoded as %v", schema, doc, v)
	}
}

func second[T any](_ T, err error) error { return err }

// filledIn is an instance with the defaults of its schema.
func filledIn(resolved *jsonschema.Resolved, listed *jsonschema.Schema, instance any) any {
	if _, object := instance.(map[string]any); object && len(listed.Properties) > 0 {
		if err := resolved.ApplyDefaults(&instance); err != nil {
			return struct{}{} // which no schema takes
		}
	}
	return instance
}

// answers holds an answer against the schema of answers.
func answers(t *testing.T, r *validate.Result[any], resolved *jsonschema.Resolved, listed *jsonschema.Schema, doc []byte) {
	t.Helper()
	instance, err := instanceOf(doc)
	if err != nil || !strictJSON(doc) {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var answer any
	if err := dec.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	want := inRange(instance) && takes(resolved, filledIn(resolved, listed, instance))
	if raw, err := r.Encode(answer); (err == nil) != want {
		t.Fatalf("%s: the answer %s is taken as %s, %v; by the schema %v", listed, doc, raw, err, want)
	}
}
