package validate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-playground/validator/v10"
	"github.com/google/jsonschema-go/jsonschema"
	santhosh "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/safemcp/safemcp/validate/text"
)

// A docHint makes values for a place that its schema alone does not say how to fill: what a
// rule that is said in words takes.
type docHint func(*rand.Rand) any

// A subject is a type, its program, and its listed schema as two libraries read it.
type agreement struct {
	name    string
	program *program
	google  *jsonschema.Resolved
	other   *santhosh.Schema // formats are taken out of it, and in formats
	formats []listedFormat
	slots   []*keywordSlot
	hints   map[string]docHint      // by the place in an instance, as a slot has it
	at      map[string]*keywordSlot // places that the schema speaks of
	wide    map[string]bool         // places of which the schema takes more, which it says in words
	rand    *rand.Rand
	engine  *validator.Validate

	kept     []refusedDoc // documents that were refused, for the mutants
	room     int          // for more of them
	keeping  string       // the place
	failures int
}

// A format is the keyword in one place of the schema.
type listedFormat struct {
	in    *santhosh.Schema
	is    *santhosh.Format
	place string
}

// A refusedDoc is a document that all refuse, made for a place.
type refusedDoc struct {
	raw   []byte
	place string
}

// newAgreement compiles a type and its schema.
func newAgreement(t *testing.T, name string, p *program, hints map[string]docHint) *agreement {
	t.Helper()
	s := &agreement{
		name: name, program: p, hints: hints, wide: map[string]bool{}, at: map[string]*keywordSlot{},
		rand: rand.New(rand.NewPCG(uint64(len(name)), 20260)), engine: validator.New(),
	}
	for _, c := range name {
		s.rand = rand.New(rand.NewPCG(s.rand.Uint64(), uint64(c)))
	}
	google := new(jsonschema.Schema)
	if err := google.UnmarshalJSON(p.schema); err != nil {
		t.Fatalf("%s: jsonschema-go reads %s: %v", name, p.schema, err)
	}
	var err error
	if s.google, err = google.Resolve(nil); err != nil {
		t.Fatalf("%s: jsonschema-go resolves %s: %v", name, p.schema, err)
	}
	listed, err := santhosh.UnmarshalJSON(bytes.NewReader(p.schema))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	c := santhosh.NewCompiler()
	c.DefaultDraft(santhosh.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("listed.json", listed); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if s.other, err = c.Compile("listed.json"); err != nil {
		t.Fatalf("%s: santhosh-tekuri/jsonschema compiles %s: %v", name, p.schema, err)
	}
	s.collect(s.other, "", nil, false, map[*santhosh.Schema]bool{})
	words := keywordsIn(listed)
	for _, f := range s.formats {
		words["format"]--
		f.in.Format = nil
		seenFormats.Store(f.is.Name, true)
	}
	for _, l := range s.slots {
		if l.counts != "" {
			words[l.counts]--
		}
	}
	for word, n := range words {
		if n != 0 {
			t.Errorf("%s: the schema has %d more of the keyword %s than this test looks at: %s", name, n, word, p.schema)
		}
	}
	s.widen(t, p.root, &level{}, "", map[*shape]bool{})
	for place := range s.wide {
		if l := s.at[place]; s.wide[place] && l != nil {
			l.in.Extensions = append(l.in.Extensions, l)
			s.slots = append(s.slots, l)
		}
	}
	s.formats = slices.DeleteFunc(s.formats, func(f listedFormat) bool { return s.wide[f.place] })
	slices.SortStableFunc(s.slots, func(a, b *keywordSlot) int { return cmp.Compare(a.place, b.place) })
	return s
}

func innerPlace(f form) string {
	if f == formMap {
		return "{}"
	}
	return "[]"
}

// decode is what Arguments.Decode does.
func (s *agreement) decode(t *testing.T, raw []byte) (reflect.Value, error) {
	p := s.program
	v := reflect.New(p.root.typ)
	if err := jsonv2.Unmarshal(raw, v.Interface(), p.reading); err != nil || !object(raw) {
		v = reflect.New(p.root.typ)
		return v.Elem(), p.diagnose(t.Context(), raw, v.Elem())
	}
	return v.Elem(), p.check(t.Context(), raw, v.Elem())
}

// takes is what the schema says of a document, formats aside.
func (s *agreement) takes(doc any) bool { return s.other.Validate(doc) == nil }

// seenFormats are the formats that schemas have listed.
var seenFormats sync.Map

// inFormat is what the schema says with the formats that stand beside exact keywords.
func (s *agreement) inFormat(doc any) bool {
	if len(s.formats) == 0 {
		return true
	}
	for _, f := range s.formats {
		f.in.Format = f.is
	}
	defer func() {
		for _, f := range s.formats {
			f.in.Format = nil
		}
	}()
	return s.takes(doc)
}

// judge holds a document against all, reports where they differ, and returns what
// Decode says; listed is what the schema says.
func (s *agreement) judge(t *testing.T, doc any, listed bool) bool {
	raw := writeDoc(s.rand, doc)
	value, err := s.decode(t, raw)
	var wrong *Error
	if err != nil && !errors.As(err, &wrong) {
		s.differ(t, raw, "Decode: %v", err)
		return false
	}
	decoded := err == nil
	if google := valid(s.google, readDoc(doc)); google != listed {
		s.differ(t, raw, "jsonschema-go %v, santhosh-tekuri/jsonschema %v", google, listed)
	}
	if listed && !s.inFormat(doc) {
		s.differ(t, raw, "a format refuses what the pattern beside it takes")
	}
	if decoded != listed && (decoded || !s.loose(doc, "")) {
		s.differ(t, raw, "Decode %v, schema %v: %v", decoded, listed, err)
	}
	if err == nil || wrong.Decoded {
		if holds := s.holds(t, s.program.root, nil, value, doc); decoded && !holds {
			s.differ(t, raw, "Decode takes it, validator does not")
		} else if !decoded && holds && !otherwiseWrong(wrong) {
			s.differ(t, raw, "validator takes it, Decode does not: %v", err)
		}
	}
	if !decoded && s.room > 0 {
		s.room--
		s.kept = append(s.kept, refusedDoc{raw, s.keeping})
	}
	return decoded
}

// otherwise says that something is wrong which is no rule of validator's: that is missing.
func otherwiseWrong(e *Error) bool {
	return slices.ContainsFunc(e.Fields, func(f FieldError) bool {
		return aboutOthers(f.Rule) || slices.Contains([]string{"required", "type", "unknown", "enum", "allow"}, f.Rule)
	})
}

func (s *agreement) differ(t *testing.T, raw []byte, say string, args ...any) {
	t.Helper()
	if s.failures++; s.failures <= 5 {
		t.Errorf("%s: %s: %s", s.name, raw, fmt.Sprintf(say, args...))
	}
}

// loose says that something in a document is in a place of which the schema takes more.
func (s *agreement) loose(doc any, place string) bool {
	if s.wide[place] {
		return true
	}
	switch v := doc.(type) {
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return s.loose(e, place+"[]") })
	case map[string]any:
		for name, e := range v {
			if s.wide[place+"{key}"] || s.loose(e, place+"."+name) || s.loose(e, place+"{}") {
				return true
			}
		}
	}
	return false
}

// visible says that no text of a document holds what nobody can see: this is no part of a
// schema.
func visibleDoc(doc any) bool {
	switch v := doc.(type) {
	case string:
		return text.Find(v) == nil
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !visibleDoc(e) })
	case map[string]any:
		_, zero := v["0"]
		_, minus := v["-0"]
		if zero && minus {
			return false
		}
		for name, e := range v {
			if text.Find(name) != nil || !visibleDoc(e) {
				return false
			}
		}
	}
	return true
}

// keywordsIn counts the keywords of a schema that say what a value must be.
func keywordsIn(listed any) map[string]int {
	words := map[string]int{}
	var schema func(v any)
	schema = func(v any) {
		s, is := v.(map[string]any)
		if !is {
			return
		}
		for word, value := range s {
			switch word {
			case "description", "default", "contentEncoding", "title":
			case "$defs", "properties":
				members, _ := value.(map[string]any)
				for _, e := range members {
					schema(e)
				}
			case "items", "propertyNames":
				schema(value)
			case "additionalProperties":
				if value == false {
					words[word]++
				}
				schema(value)
			case "allOf", "anyOf":
				if word == "anyOf" {
					words[word]++
				}
				list, _ := value.([]any)
				for _, e := range list {
					schema(e)
				}
			case "required":
				names, _ := value.([]any)
				words[word] += len(names)
			default:
				words[word]++
			}
		}
	}
	schema(listed)
	return words
}

// place is said of what a failure is about.
func atPlace(place, word string) string { return strings.TrimPrefix(place+" "+word, ".") }
