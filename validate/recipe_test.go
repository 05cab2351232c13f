package validate_test

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// A fuzzer that changes bytes of JSON seldom arrives at a document that a rule decides. So
// a text which begins with this byte is no document but a recipe for one: each byte that
// follows makes a choice.
const recipeMark = '\x01'

// A recipe is read a choice at a time; behind its end chance chooses, which is the same for
// the same recipe.
type recipe struct {
	left   []byte
	chance *rand.Rand
}

// cooked returns the text itself, or what cook makes of it where it is a recipe.
func cooked(raw []byte, cook func(*recipe) string) []byte {
	if len(raw) == 0 || raw[0] != recipeMark {
		return raw
	}
	sum := fnv.New64a()
	_, _ = sum.Write(raw) // never fails
	return []byte(cook(&recipe{raw[1:], rand.New(rand.NewPCG(sum.Sum64(), 1))}))
}

func (r *recipe) choose(n int) int {
	switch {
	case n < 1:
		return 0
	case len(r.left) == 0:
		return r.chance.IntN(n)
	}
	c := int(r.left[0])
	r.left = r.left[1:]
	return c % n
}

func (r *recipe) of(options ...string) string { return options[r.choose(len(options))] }

// seldom is once in n choices.
func (r *recipe) seldom(n int) bool { return r.choose(n) == n-1 }

// word is a text of about so many characters, in quotes: long ones are none of any schema.
func (r *recipe) word(length int) string {
	letters := []string{"a", "b", "é", "7", "界", " ", `\u0061`, "🔥", `\\`, `\"`, "Z", ".", `\u200b`, "́", `\u001b`, "@"}
	var b strings.Builder
	b.WriteByte('"')
	for range min(length, 40) {
		b.WriteString(letters[r.choose(len(letters))])
	}
	return b.String() + `"`
}

// formatted are texts that one format or pattern takes.
var formatted = []string{
	`"a"`, `"ab"`, `"Z9"`, `"2024-01-31T10:30:00Z"`, `"a@example.com"`, `"https://example.com/"`, `"1.1.1.1"`, `"123e4567-e89b-42d3-a456-426614174000"`, `"-1"`, `"01"`, `"127"`, `"1.0"`,
	`"2024-02-30"`, `"::1"`, `"10.0.0.0/8"`, `"a,b"`, `"true"`, `"#fff"`, `"+441234567890"`,
}

// wholes are what most types of whole numbers hold.
var wholes = []string{"0", "1", "2", "3", "-1", "5", "7", "10", "20", "100"}

var numerals = []string{
	"0", "1", "2", "3", "-1", "5", "7", "10", "20", "100", "127", "128", "-128", "-129", "255", "256", "1.5", "0.5", "1.0", "1e1", "-0", "0.1", "65536",
	"2147483648", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e400", "4.9e-325", "1234567890123456789012345",
}

// anything is a value of any form.
func (r *recipe) anything(depth int) string {
	n := 12
	if depth <= 0 {
		n = 8
	}
	switch r.choose(n) {
	case 0:
		return "null"
	case 1:
		return r.word(r.choose(8))
	case 2, 3:
		return r.of(numerals...)
	case 4:
		return r.of(formatted...)
	case 5:
		return r.of("true", "false")
	case 6:
		return "[]"
	case 7:
		return "{}"
	case 8, 9:
		return r.list(r.choose(4), func() string { return r.anything(depth - 1) })
	}
	var members []string
	for range r.choose(4) {
		members = append(members, r.of(`"a"`, `"b"`, `"s"`, `"x"`, `"A"`, `"é"`, `"1"`, `""`)+":"+r.anything(depth-1))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (r *recipe) list(n int, one func() string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = one()
	}
	return "[" + strings.Join(all, ",") + "]"
}

// about is a length near one of the bounds.
func (r *recipe) about(least, most *int) int {
	bounds := []int{1}
	for _, b := range []*int{least, most} {
		if b != nil {
			bounds = append(bounds, *b)
		}
	}
	return min(max(bounds[r.choose(len(bounds))]+[]int{0, 0, 0, 0, 0, 0, 1, -1}[r.choose(8)], 0), 40)
}

// near is a number near one of the bounds.
func (r *recipe) near(s *jsonschema.Schema) string {
	var bounds []float64
	for _, b := range []*float64{s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf} {
		if b != nil {
			bounds = append(bounds, *b)
		}
	}
	switch {
	case r.seldom(12):
		return r.of(numerals...)
	case bounds == nil:
		return r.of(wholes...)
	}
	steps := []float64{0, 0, 0, 1, 1, -1, -1, 0.5}
	return strconv.FormatFloat(bounds[r.choose(len(bounds))]+steps[r.choose(len(steps))], 'f', -1, 64)
}

// document is one that a schema takes, or nearly.
func (r *recipe) document(root *jsonschema.Schema) string { return r.value(root, root, 4) }

func (r *recipe) value(s, root *jsonschema.Schema, depth int) string {
	if s == nil || r.seldom(24) {
		return r.anything(min(depth, 2))
	}
	if name, local := strings.CutPrefix(s.Ref, "#/$defs/"); local && root.Defs[name] != nil {
		if depth <= 0 {
			return "{}"
		}
		return r.value(root.Defs[name], root, depth-1)
	}
	if of := slices.Concat(s.AnyOf, s.OneOf, s.AllOf); len(of) > 0 && s.Type == "" && depth > 0 {
		return r.value(of[r.choose(len(of))], root, depth-1)
	}
	kind := s.Type
	if len(s.Types) > 0 {
		kind = s.Types[len(s.Types)-1-r.choose(len(s.Types))]
	}
	if len(s.Enum) > 0 && kind != "null" {
		if text, err := json.Marshal(s.Enum[r.choose(len(s.Enum))]); err == nil {
			return string(text)
		}
	}
	switch kind {
	case "null":
		return "null"
	case "boolean":
		return r.of("true", "false")
	case "integer", "number":
		return r.near(s)
	case "string":
		if s.ContentEncoding == "base64" {
			return `"` + base64.StdEncoding.EncodeToString([]byte("ABCDEFGHIJKL")[:r.choose(12)]) + `"`
		}
		if s.Format == "date-time" && !r.seldom(4) {
			return `"2024-01-31T10:30:00Z"`
		}
		if s.Pattern != "" || s.Format != "" || r.seldom(16) {
			return r.of(formatted...)
		}
		return r.word(r.about(s.MinLength, s.MaxLength))
	case "array":
		return r.list(r.about(s.MinItems, s.MaxItems), func() string { return r.value(s.Items, root, depth-1) })
	case "object":
		return r.object(s, root, depth)
	}
	return r.anything(min(depth, 2))
}

// object has most of what is required, some of the rest, and seldom a name that is in
// another case, given twice or not known.
func (r *recipe) object(s, root *jsonschema.Schema, depth int) string {
	var members []string
	add := func(name, value string) {
		text, err := json.Marshal(name)
		if err == nil {
			members = append(members, string(text)+r.of(":", ":", ":", ":", ": ", "\n:\t")+value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		there := r.seldom(6)
		if slices.Contains(s.Required, name) {
			there = !r.seldom(24)
		}
		if !there || depth <= 0 && !slices.Contains(s.Required, name) {
			continue
		}
		value := r.value(s.Properties[name], root, depth-1)
		switch r.choose(40) {
		case 37:
			name = strings.ToUpper(name)
		case 38:
			add(name, r.value(s.Properties[name], root, depth-1))
		case 39:
			add("unknown", value)
		}
		add(name, value)
	}
	if extra := s.AdditionalProperties; extra != nil && extra.Not == nil && depth > 0 {
		names := []string{"a", "b", "c", "é", "1", "-1", "01", "300", "-0", "\u200b"}
		if s.PropertyNames != nil && s.PropertyNames.Pattern != "" {
			names = []string{"1", "2", "-1", "7", "0", "100", "01", "300", "-0", "a"}
		}
		for range r.about(s.MinProperties, s.MaxProperties) {
			add(r.of(names...), r.value(extra, root, depth-1))
		}
	}
	return "{" + strings.Join(members, r.of(",", " , ")) + "}"
}
