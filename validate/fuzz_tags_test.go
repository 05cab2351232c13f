package validate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/safemcp/safemcp/validate"
)

// fieldTypes are those that a tag is put on.
var fieldTypes = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint16](), reflect.TypeFor[float64](), reflect.TypeFor[bool](),
	reflect.TypeFor[[]string](), reflect.TypeFor[[]int](), reflect.TypeFor[map[string]string](), reflect.TypeFor[map[string]int](), reflect.TypeFor[map[int8][]string](),
	reflect.TypeFor[*string](), reflect.TypeFor[**int](), reflect.TypeFor[[2]string](), reflect.TypeFor[[][]string](), reflect.TypeFor[[]byte](), reflect.TypeFor[uint64](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](), reflect.TypeFor[json.Number](), reflect.TypeFor[*big.Int](), reflect.TypeFor[any](), reflect.TypeFor[json.RawMessage](),
	reflect.TypeFor[tagInner](), reflect.TypeFor[*tagInner](), reflect.TypeFor[[]tagInner](), reflect.TypeFor[map[string]tagInner](), reflect.TypeFor[float32](), reflect.TypeFor[chan int](), reflect.TypeFor[*int8](), reflect.TypeFor[*float64](), reflect.TypeFor[[]*int](),
}

type tagInner struct {
	X string    `json:"x,omitempty" validate:"max=2" text:"raw"`
	Y *tagInner `json:"y,omitempty"`
}

// tagPieces are what tags are made of.
var tagPieces = []string{
	",", "required", "omitempty", "min=1", "max=3", "gt=0", "lt=5", "gte=-2", "lte=2.5", "len=2", "eq=2", "ne=1", "eq=a", "ne=a", "oneof=a bb", "oneof=1 2 3", "unique", "dive", "keys", "endkeys", "|",
	"email", "url", "uuid4", "alpha", "alphanum", "numeric", "number", "hexadecimal", "lowercase", "ascii", "contains=a", "excludes=b", "startswith=a", "endswith=b", "containsany=ab", "ip", "cidr", "hostname", "datetime=2006-01-02",
	"boolean", "isdefault", "eqfield=G", "nefield=G", "gtfield=H", "required_with=G", "required_if=G a", "excluded_with=H", "required_without=G", "excluded_unless=G b", "allow=words", "rule=even", "file", "json", "base64", "latitude", "port", "=", "0x2C", "0x7C", " ", "-", "max=", "min=99999999999999999999", "max=-1", "structonly", "luhn_checksum", "noneof=a b",
}

// FuzzTags puts whatever tags on a field of whatever type: registering never panics, a type
// that is taken never panics while it is decoded, its schema compiles, and takes what is
// decoded. Where the schema says all in keywords, it takes nothing else.
func FuzzTags(f *testing.F) {
	for _, seed := range []struct {
		tag, extra string
		kind       uint8
		doc        string
	}{
		{"required,min=1,max=3", "raw", 0, `{"f":"ab"}`},
		{"omitempty,oneof=a bb", "", 0, `{"f":"a","g":"x"}`},
		{"min=2,max=7", "", 1, `{"f":5}`},
		{"lt=9", "", 2, "\x01"},
		{"ne=1", "", 3, "\x01\x05\x02\x01\x01"},
		{"gte=0.5", "", 4, `{"f":0.5}`},
		{"max=3,dive,min=2", "raw", 6, `{"f":["ab"]}`},
		{"max=3,dive,keys,alpha,endkeys,email", "strip", 8, `{"f":{"a":"a@example.com"},"h":1}`},
		{"required_with=G", "", 11, `{"f":"a","g":"b"}`},
		{"min=1", "", 12, `{"f":null}`},
		{"alpha|numeric", "flag", 0, `{"f":"1"}`},
		{"dive,dive,max=2", "raw", 14, `{"f":[["ab"]]}`},
		{"max=8", "", 15, `{"f":"QUJD"}`},
		{"email,startswith=a", "", 0, `{"f":"a@example.com"}`},
		{"", "7", 1, `{"f":null}`},
		{"oneof=1 2 3", "", 1, `{"f":2}`},
		{"", "", 26, `{"f":{"a":{"x":"ab"}}}`},
		{"allow=words", "", 0, `{"f":"alpha"}`},
		{"\x01\x01\x02\x03\x04", "", 0, "\x01"},
		{"\x01\x07\x0b", "raw", 0, "\x01a"},
	} {
		f.Add(seed.tag, seed.extra, seed.kind, []byte(seed.doc))
	}
	f.Fuzz(tagsHold)
}

// compiledTypes counts those of this process.
var compiledTypes atomic.Int64

// tagsHold says of a tag and a document what FuzzTags promises.
func tagsHold(t *testing.T, tag, extra string, kind uint8, doc []byte) {
	if compiledTypes.Add(1) > 200_000 || len(tag) > 200 {
		t.Skip("Types that are made at run time are kept for ever, so that there is an end to them.")
	}
	defer endless([]any{tag, kind, doc})()
	random := strings.HasPrefix(tag, string(rune(recipeMark)))
	tag = string(cooked([]byte(tag), func(r *recipe) string {
		var b strings.Builder
		kind += uint8(r.choose(len(fieldTypes)))
		for b.WriteString(r.of(tagPieces...)); b.Len() < 100 && !r.seldom(2); b.WriteString(r.of(tagPieces...)) {
			if !r.seldom(8) {
				b.WriteByte(',')
			}
		}
		return b.String()
	}))
	typ := tagType(fieldTypes[int(kind)%len(fieldTypes)], tag, extra)
	if raw, err := validate.ResultOfType(typ); err == nil {
		if _, err := parsed(t, raw).Resolve(nil); err != nil {
			t.Fatalf("%v: the schema %s of its answers: %v", typ, raw, err)
		}
	}
	raw, decode, err := validate.OfType(typ, &validate.Options{Allow: formsOptions().Allow, Rules: ownRules()})
	if err != nil {
		if err.Error() == "" {
			t.Fatalf("%v is refused without a word", typ)
		}
		return
	}
	listed := parsed(t, raw)
	schema, err := listed.Resolve(nil)
	if err != nil {
		t.Fatalf("%v: the schema %s: %v", typ, raw, err)
	}
	docs := [][]byte{doc}
	if random {
		for i := range byte(12) { // to compile a type takes longer than to decode into it
			docs = append(docs, append([]byte{recipeMark, i}, doc...))
		}
	}
	for _, doc := range docs {
		doc = cooked(doc, func(r *recipe) string { return r.document(listed) })
		if len(doc) > 0 {
			decodesAsListed(t, typ, raw, schema, decode, tag, extra, doc)
		}
	}
}

// decodesAsListed holds what is decoded into a type against its schema.
func decodesAsListed(t *testing.T, typ reflect.Type, raw json.RawMessage, schema *jsonschema.Resolved, decode func(context.Context, []byte) (reflect.Value, error), tag, extra string, doc []byte) {
	t.Helper()
	_, err := decode(t.Context(), doc)
	_, again := decode(t.Context(), doc)
	instance, invalid := instanceOf(doc)
	fits := strictJSON(doc) && invalid == nil && takes(schema, instance)
	switch {
	case err == nil && !fits && (extra != "strip" || !strictJSON(doc)): // strip comes before the rules
		t.Fatalf("%v takes %q, its schema %s does not", typ, doc, raw)
	case err != nil && fits && inKeywords(typ, string(raw), tag, extra) && readable(typ, doc):
		t.Fatalf("%v refuses %q: %v; its schema %s takes it", typ, doc, err, raw)
	case err != nil:
		refusal(t, doc, err, again, string(raw))
	}
}

// tagType is a struct with a field of the type and tag, and two that rules may name.
func tagType(field reflect.Type, tag, extra string) reflect.Type {
	more := ""
	switch extra {
	case "":
	case "raw", "strip", "flag", "reject":
		more = fmt.Sprintf(` text:%q`, extra)
	default:
		more = fmt.Sprintf(` default:%q`, extra)
	}
	return reflect.StructOf([]reflect.StructField{
		{Name: "F", Type: field, Tag: reflect.StructTag(fmt.Sprintf(`json:"f" validate:%q`, tag) + more)},
		{Name: "G", Type: reflect.TypeFor[string](), Tag: `json:"g,omitempty" validate:"max=9" text:"raw"`},
		{Name: "H", Type: reflect.TypeFor[int](), Tag: `json:"h,omitempty"`},
	})
}

// inKeywords says that a schema has no words beside its keywords, so that it says all.
func inKeywords(typ reflect.Type, schema, tag, extra string) bool {
	field := typ.Field(0).Type
	texts := extra == "raw" || !strings.Contains(field.String(), "string") && !strings.Contains(field.String(), "map") && !strings.Contains(field.String(), "tagInner")
	return texts && !strings.Contains(schema, `"description"`) && !strings.Contains(schema, `"format"`) && !strings.Contains(tag, "_") && !strings.Contains(tag, "field")
}

// readable says that the decoder of JSON takes a text for a type.
func readable(typ reflect.Type, doc []byte) bool {
	options := jsonv2.JoinOptions(jsonv2.RejectUnknownMembers(true), jsonv1.FormatDurationAsNano(true), jsonv1.FormatByteArrayAsArray(true))
	if field := typ.Field(0).Type; field == reflect.TypeFor[*big.Int]() || field == reflect.TypeFor[json.Number]() {
		return false // it has numbers for texts
	}
	return jsonv2.Unmarshal(doc, reflect.New(typ).Interface(), options) == nil
}
