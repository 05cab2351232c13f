package validate

import (
	"fmt"
	"maps"
	"slices"

	santhosh "github.com/santhosh-tekuri/jsonschema/v6"
)

// A hop leads from a schema to one in it: of another value, or (same) of the same one.
type hop struct {
	kind hopKind
	name string
	to   *santhosh.Schema
}

type hopKind int

const (
	hopSame hopKind = iota
	hopMember
	hopItem
	hopValue
	hopKey
)

// A slot is one keyword in one place of a schema.
type keywordSlot struct {
	place  string // in an instance
	word   string
	counts string // the keyword that it is one of
	path   []hop
	in     *santhosh.Schema
	name   string // of what is required
	// drop takes the keyword out, and returns what puts it back.
	drop func() func()
	kind string // of values that it is about; "" is any
	seen bool   // it was looked at
	// alternative: it stands in an alternative, so that what it says may not count.
	alternative bool
	// opposed is the schema of what the keyword does not take, among values that it is
	// about.
	opposed *santhosh.Schema
	// reversed: what the keyword names is taken, and not without it.
	reversed bool

	tries   int
	found   []string // texts that the keyword alone refuses
	no, yes int      // how often it alone decided
	why     string
}

// wordsAlone is the word of a slot for what a schema says in words.
const wordsAlone = "what is said in words"

func (l *keywordSlot) String() string {
	if l.word == "pattern" {
		return atPlace(l.place, l.word+" "+l.in.Pattern.String())
	}
	return atPlace(l.place, l.word)
}

// Validate notes that the keyword is held against a value that it is about.
func (l *keywordSlot) Validate(_ *santhosh.ValidatorContext, v any) {
	l.seen = l.seen || l.kind == "" || l.kind == kindOf(v)
}

// without runs f while the keyword is not there.
func (l *keywordSlot) without(f func() bool) bool {
	defer l.drop()()
	return f()
}

// against runs f while the schema asks for the contrary, too.
func (l *keywordSlot) against(f func() bool) bool {
	before := l.in.AllOf
	defer func() { l.in.AllOf = before }()
	l.in.AllOf = append(slices.Clip(before), l.opposed)
	return f()
}

// not is the schema of what another does not take.
func schemaNot(s *santhosh.Schema) *santhosh.Schema {
	return &santhosh.Schema{DraftVersion: 2020, Not: s}
}

func schemaTypes(names ...string) *santhosh.Types {
	t := new(santhosh.Types)
	for _, name := range names {
		t.Add(name)
	}
	return t
}

// dropping returns a drop that sets a pointer, slice or interface to its zero value.
func dropping[T any](at *T) func() func() {
	return func() func() {
		was := *at
		var none T
		*at = none
		return func() { *at = was }
	}
}

// collect finds the slots of a schema and of those in it.
func (s *agreement) collect(in *santhosh.Schema, place string, path []hop, alternative bool, seen map[*santhosh.Schema]bool) {
	if in == nil || seen[in] {
		return
	}
	seen[in] = true
	path = slices.Clip(path)
	if _, known := s.at[place]; !known {
		s.at[place] = &keywordSlot{place: place, word: wordsAlone, path: path, in: in}
	}
	if in.Format != nil {
		s.formats = append(s.formats, listedFormat{in, in.Format, place})
	}
	add := func(word string, drop func() func(), only string, says santhosh.Schema) *keywordSlot {
		says.DraftVersion = 2020
		if only != "" {
			says.Types = schemaTypes(only)
		}
		l := &keywordSlot{kind: only, alternative: alternative, place: place, word: word, counts: word, path: path, in: in, drop: drop, opposed: schemaNot(&says)}
		s.slots = append(s.slots, l)
		in.Extensions = append(in.Extensions, l)
		l.why = l.redundant()
		return l
	}
	s.collectAny(in, add)
	s.collectText(in, add)
	s.collectMany(in, add)
	deeper := func(to *santhosh.Schema, kind hopKind, name, suffix string) {
		s.collect(to, place+suffix, append(path, hop{kind, name, to}), alternative, seen)
	}
	for _, name := range slices.Sorted(maps.Keys(in.Properties)) {
		deeper(in.Properties[name], hopMember, name, "."+name)
	}
	if to, is := in.AdditionalProperties.(*santhosh.Schema); is {
		deeper(to, hopValue, "", "{}")
	}
	deeper(in.PropertyNames, hopKey, "", "{key}")
	deeper(in.Items2020, hopItem, "", "[]")
	deeper(in.Ref, hopSame, "", "")
	for _, to := range in.AllOf {
		deeper(to, hopSame, "", "")
	}
	alternative = alternative || len(in.AnyOf) > 1
	for _, to := range in.AnyOf {
		deeper(to, hopSame, "", "")
	}
}

type slotAdder = func(word string, drop func() func(), only string, says santhosh.Schema) *keywordSlot

// collectAny finds the keywords for any value.
func (s *agreement) collectAny(in *santhosh.Schema, add slotAdder) {
	if in.Types != nil {
		add("type", dropping(&in.Types), "", santhosh.Schema{Types: in.Types})
		if names := in.Types.ToStrings(); len(names) > 1 && slices.Contains(names, "null") {
			rest := schemaTypes(slices.DeleteFunc(names, func(n string) bool { return n == "null" })...)
			both := in.Types
			l := add("type null", func() func() {
				in.Types = rest
				return func() { in.Types = both }
			}, "", santhosh.Schema{})
			l.reversed, l.counts = true, ""
		}
	}
	if in.Enum != nil {
		add("enum", dropping(&in.Enum), "", santhosh.Schema{Enum: in.Enum})
	}
	if in.Const != nil {
		add("const", dropping(&in.Const), "", santhosh.Schema{Const: in.Const})
	}
	if in.Not != nil {
		add("not", dropping(&in.Not), "", santhosh.Schema{Not: in.Not})
	}
	if in.AnyOf != nil {
		add("anyOf", dropping(&in.AnyOf), "", santhosh.Schema{AnyOf: in.AnyOf})
	}
	if in.Ref != nil {
		add("$ref", dropping(&in.Ref), "", santhosh.Schema{Ref: in.Ref})
	}
	if in.Minimum != nil {
		add("minimum", dropping(&in.Minimum), "number", santhosh.Schema{Minimum: in.Minimum})
	}
	if in.Maximum != nil {
		add("maximum", dropping(&in.Maximum), "number", santhosh.Schema{Maximum: in.Maximum})
	}
	if in.ExclusiveMinimum != nil {
		add("exclusiveMinimum", dropping(&in.ExclusiveMinimum), "number", santhosh.Schema{ExclusiveMinimum: in.ExclusiveMinimum})
	}
	if in.ExclusiveMaximum != nil {
		add("exclusiveMaximum", dropping(&in.ExclusiveMaximum), "number", santhosh.Schema{ExclusiveMaximum: in.ExclusiveMaximum})
	}
	if in.MultipleOf != nil {
		add("multipleOf", dropping(&in.MultipleOf), "number", santhosh.Schema{MultipleOf: in.MultipleOf})
	}
}

// collectText finds the keywords for texts.
func (s *agreement) collectText(in *santhosh.Schema, add slotAdder) {
	if in.Pattern != nil {
		add("pattern", dropping(&in.Pattern), "string", santhosh.Schema{Pattern: in.Pattern})
	}
	if in.MinLength != nil {
		add("minLength", dropping(&in.MinLength), "string", santhosh.Schema{MinLength: in.MinLength})
	}
	if in.MaxLength != nil {
		add("maxLength", dropping(&in.MaxLength), "string", santhosh.Schema{MaxLength: in.MaxLength})
	}
}

// collectMany finds the keywords for lists and objects.
func (s *agreement) collectMany(in *santhosh.Schema, add slotAdder) {
	if in.MinItems != nil {
		add("minItems", dropping(&in.MinItems), "array", santhosh.Schema{MinItems: in.MinItems})
	}
	if in.MaxItems != nil {
		add("maxItems", dropping(&in.MaxItems), "array", santhosh.Schema{MaxItems: in.MaxItems})
	}
	if in.UniqueItems {
		add("uniqueItems", dropping(&in.UniqueItems), "array", santhosh.Schema{UniqueItems: true})
	}
	if in.MinProperties != nil {
		add("minProperties", dropping(&in.MinProperties), "object", santhosh.Schema{MinProperties: in.MinProperties})
	}
	if in.MaxProperties != nil {
		add("maxProperties", dropping(&in.MaxProperties), "object", santhosh.Schema{MaxProperties: in.MaxProperties})
	}
	for _, name := range in.Required {
		l := add(fmt.Sprintf("required %q", name), func() func() {
			all := in.Required
			in.Required = slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == name })
			return func() { in.Required = all }
		}, "object", santhosh.Schema{Required: []string{name}})
		l.counts, l.name = "required", name
	}
	if in.AdditionalProperties == false {
		known := map[string]*santhosh.Schema{}
		for name := range in.Properties {
			known[name] = &santhosh.Schema{DraftVersion: 2020, Bool: new(true)}
		}
		add("additionalProperties", dropping(&in.AdditionalProperties), "object", santhosh.Schema{Properties: known, AdditionalProperties: false})
	}
}
