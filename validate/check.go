package validate

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A check is a rule that was compiled for one kind of value.
type check struct {
	rule    string
	phrase  string // follows the path in a sentence: "must be at least 1"
	allowed []string
	near    []string // values of which the nearest are named
	ok      func(reflect.Value) bool
}

// A compiled rule also says itself in JSON Schema.
type compiled struct {
	check
	keywords []keyword
	says     string // what no keyword says
	bounds   bool   // it bounds how long a value can be
	closes   bool   // it leaves a closed vocabulary
}

// compile returns the check of a term.
func compile(t term, n *node) (*compiled, error) {
	typ := n.typ
	if aboutOthers(t.name) {
		return nil, fmt.Errorf("the rule %s is about other fields: it stands on a field itself, not on elements or keys", t.name)
	}
	if strings.Contains(t.text, "|") || typ == durationType || typ == timeType {
		return borrow(t, n)
	}
	switch t.name {
	case "oneof":
		return compileOneOf(t, typ)
	case "unique":
		if kind := typ.Kind(); kind != reflect.Slice && kind != reflect.Array && kind != reflect.Map || n.elem == nil {
			return nil, errors.New("the rule unique is for lists and maps")
		}
		return compileUnique(t, n)
	case "min", "gte", "max", "lte", "len", "gt", "lt", "eq", "ne":
	default:
		return borrow(t, n)
	}
	switch kind := typ.Kind(); kind {
	case reflect.String:
		if t.name == "eq" || t.name == "ne" {
			return compileEqual(t), nil
		}
		return compileLength(t, "minLength", "maxLength", "character", func(v reflect.Value) int { return utf8.RuneCountInString(v.String()) })
	case reflect.Slice, reflect.Array:
		if kind == reflect.Slice && typ.Elem().Kind() == reflect.Uint8 {
			return compileBytes(t)
		}
		return compileLength(t, "minItems", "maxItems", "element", reflect.Value.Len)
	case reflect.Map:
		return compileLength(t, "minProperties", "maxProperties", "member", reflect.Value.Len)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return compileNumber(t, func(s string) (int64, error) { return strconv.ParseInt(s, 0, 64) }, reflect.Value.Int)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return compileNumber(t, func(s string) (uint64, error) { return strconv.ParseUint(s, 0, 64) }, reflect.Value.Uint)
	case reflect.Float32, reflect.Float64:
		bits := typ.Bits()
		return compileNumber(t, func(s string) (float64, error) { return strconv.ParseFloat(s, bits) }, reflect.Value.Float)
	}
	return borrow(t, n)
}

func compileLength(t term, least, most, noun string, length func(reflect.Value) int) (*compiled, error) {
	n, err := strconv.Atoi(t.param)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("the rule %s takes a whole number that is not negative", t.name)
	}
	c := &compiled{check: check{rule: t.name}}
	count := func(n int) string {
		if n == 1 {
			return "1 " + noun
		}
		return strconv.Itoa(n) + " " + noun + "s"
	}
	low, high := -1, -1
	switch t.name {
	case "min", "gte":
		low = n
		c.phrase = "must have at least " + count(n)
	case "gt":
		low = n + 1
		c.phrase = "must have at least " + count(low)
	case "max", "lte":
		high = n
		c.phrase = "must have at most " + count(n)
	case "lt":
		high = n - 1
		if high < 0 {
			return nil, fmt.Errorf("the rule lt=0 allows nothing")
		}
		c.phrase = "must have at most " + count(high)
	case "len", "eq":
		low, high = n, n
		c.phrase = "must have exactly " + count(n)
	case "ne":
		c.phrase = "must not have exactly " + count(n)
		c.says = c.phrase
		c.ok = func(v reflect.Value) bool { return length(v) != n }
		return c, nil
	}
	if low >= 0 {
		c.keywords = append(c.keywords, keyword{least, strconv.Itoa(low)})
	}
	if high >= 0 {
		c.keywords = append(c.keywords, keyword{most, strconv.Itoa(high)})
		c.bounds = true
	}
	switch {
	case high < 0:
		c.ok = func(v reflect.Value) bool { return length(v) >= low }
	case low <= 0:
		c.ok = func(v reflect.Value) bool { return length(v) <= high }
	default:
		c.ok = func(v reflect.Value) bool { n := length(v); return low <= n && n <= high }
	}
	return c, nil
}

// compileBytes bounds a value that is base64 in JSON (RFC 4648, section 4). The schema
// bounds its characters, four for each three bytes begun, and says the bytes in words.
func compileBytes(t term) (*compiled, error) {
	c, err := compileLength(t, "minLength", "maxLength", "byte", reflect.Value.Len)
	if err != nil {
		return nil, err
	}
	c.says = c.phrase
	for i := range c.keywords {
		n, err := strconv.Atoi(c.keywords[i].value)
		if err != nil {
			return nil, fmt.Errorf("the rule %s: %w", t.name, err)
		}
		c.keywords[i].value = strconv.Itoa((n + 2) / 3 * 4)
	}
	return c, nil
}

func compileNumber[N int64 | uint64 | float64](t term, parse func(string) (N, error), value func(reflect.Value) N) (*compiled, error) {
	n, err := parse(t.param)
	if err != nil || math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return nil, fmt.Errorf("the rule %s takes a number that its field can hold", t.name)
	}
	shown := fmt.Sprint(n)
	c := &compiled{check: check{rule: t.name}}
	say := func(phrase, word string, ok func(v reflect.Value) bool) {
		c.phrase, c.ok = phrase+" "+shown, ok
		if word != "" {
			c.keywords = []keyword{{word, shown}}
		}
	}
	switch t.name {
	case "min", "gte":
		say("must be at least", "minimum", func(v reflect.Value) bool { return value(v) >= n })
	case "max", "lte":
		say("must be at most", "maximum", func(v reflect.Value) bool { return value(v) <= n })
	case "gt":
		say("must be more than", "exclusiveMinimum", func(v reflect.Value) bool { return value(v) > n })
	case "lt":
		say("must be less than", "exclusiveMaximum", func(v reflect.Value) bool { return value(v) < n })
	case "eq", "len":
		say("must be", "", func(v reflect.Value) bool { return value(v) == n })
		c.keywords, c.closes = []keyword{{"enum", "[" + shown + "]"}}, true
	case "ne":
		say("must not be", "", func(v reflect.Value) bool { return value(v) != n })
		c.keywords = []keyword{{"not", `{"enum":[` + shown + `]}`}}
	}
	return c, nil
}

func compileEqual(t term) *compiled {
	c := &compiled{check: check{rule: t.name}}
	if t.name == "ne" {
		c.phrase = "must not be " + quoted(t.param)
		c.keywords = []keyword{{"not", `{"enum":[` + jsonString(t.param) + `]}`}}
		c.ok = func(v reflect.Value) bool { return v.String() != t.param }
		return c
	}
	return oneOf("eq", []string{t.param})
}

// words are how validator splits the parameter of oneof.
var words = regexp.MustCompile(`'[^']*'|\S+`)

func compileOneOf(t term, typ reflect.Type) (*compiled, error) {
	values := words.FindAllString(t.param, -1)
	for i, v := range values {
		values[i] = strings.ReplaceAll(v, "'", "")
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("the rule oneof lists no value")
	}
	switch typ.Kind() {
	case reflect.String:
		return oneOf("oneof", values), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return oneOfNumbers(values, func(s string) (int64, error) { return strconv.ParseInt(s, 10, typ.Bits()) }, reflect.Value.Int)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return oneOfNumbers(values, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, typ.Bits()) }, reflect.Value.Uint)
	}
	return nil, fmt.Errorf("the rule oneof is for strings and whole numbers; for the elements of a list it stands behind dive")
}

func oneOfNumbers[N int64 | uint64](values []string, parse func(string) (N, error), value func(reflect.Value) N) (*compiled, error) {
	numbers := make([]N, len(values))
	shown := make([]string, len(values))
	for i, v := range values {
		n, err := parse(v)
		if err != nil {
			return nil, fmt.Errorf("the rule oneof lists something that is no number which its field can hold")
		}
		numbers[i], shown[i] = n, fmt.Sprint(n)
	}
	return &compiled{
		check: check{
			rule: "oneof", phrase: "must be one of " + strings.Join(shown, ", "), allowed: shown,
			ok: func(v reflect.Value) bool { return slices.Contains(numbers, value(v)) },
		},
		keywords: []keyword{{"enum", "[" + strings.Join(shown, ",") + "]"}},
		closes:   true,
	}, nil
}

// oneOf is the check of a closed list of strings.
func oneOf(rule string, values []string) *compiled {
	values = slices.Clone(values) // what an error shows is not what is enforced
	encoded := make([]string, len(values))
	for i, v := range values {
		encoded[i] = jsonString(v)
	}
	c := &compiled{
		check:    check{rule: rule, phrase: mustBeOneOf(values), allowed: slices.Clone(values[:min(len(values), listed)]), near: values},
		keywords: []keyword{{"enum", "[" + strings.Join(encoded, ",") + "]"}},
		bounds:   true, closes: true,
	}
	if len(values) <= 8 { // faster than hashing
		c.ok = func(v reflect.Value) bool { return slices.Contains(values, v.String()) }
		return c
	}
	set := make(map[string]struct{}, len(values))
	for _, v := range values {
		set[v] = struct{}{}
	}
	c.ok = func(v reflect.Value) bool { _, in := set[v.String()]; return in }
	return c
}

func mustBeOneOf(values []string) string {
	switch n := len(values); {
	case n == 0:
		return "has no allowed value at the moment"
	case n == 1:
		return "must be " + quoted(values[0])
	case n > listed:
		return fmt.Sprintf("must be one of %d values, among them %s", n, strings.Join(values[:listed], ", "))
	}
	return "must be one of " + strings.Join(values, ", ")
}

func quoted(s string) string {
	if s == "" || strings.ContainsAny(s, " ,.") {
		return strconv.Quote(s)
	}
	return s
}
