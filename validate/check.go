package validate

import (
	"errors"
	"fmt"
	"reflect"
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
	bounds  bool // no long text, list or map keeps it
}

// A compiled rule also says itself in JSON Schema.
type compiled struct {
	check
	keywords []keyword
	exact    bool   // the keywords take what the check takes, and no more
	says     string // what no keyword says, or not plainly
	bounds   bool   // it bounds how long a value can be
	closes   bool   // it leaves a closed vocabulary
}

// compile returns the check of a term.
func compile(t term, n *node) (*compiled, error) {
	if sides := alternatives(t); len(sides) > 1 {
		return compileEither(t, sides, n)
	}
	if aliases[t.name] != "" && t.text != t.name {
		return nil, fmt.Errorf("the rule %s takes no value", t.name)
	}
	if t.name == "" {
		return nil, errors.New("one of several alternatives is empty: look for a bar too many")
	}
	if aboutOthers(t.name) {
		return nil, fmt.Errorf("the rule %s is about other fields: it stands on a field itself, not on elements or keys", t.name)
	}
	if err := suits(t, n); err != nil {
		return nil, err
	}
	switch t.name {
	case "oneof", "noneof":
		return compileListed(t, n)
	case "unique":
		return compileUnique(t, n)
	case "isdefault":
		return compileZero(t, n)
	case "min", "gte", "max", "lte", "len", "gt", "lt", "eq", "ne":
		return compileComparison(t, n)
	}
	switch kind := n.typ.Kind(); {
	case kind == reflect.String:
		return compileText(t, n)
	case kind >= reflect.Bool && kind <= reflect.Float64:
		return compileOfNumber(t, n)
	}
	return borrow(t, n)
}

// compileComparison compiles the rules that compare a value, or its length, with a
// parameter.
func compileComparison(t term, n *node) (*compiled, error) {
	switch kind := n.typ.Kind(); kind {
	case reflect.String:
		if t.name == "eq" || t.name == "ne" {
			return compileEqual(t, n), nil
		}
		return compileLength(t, n, "minLength", maxLength, "character", func(v reflect.Value) int { return utf8.RuneCountInString(v.String()) })
	case reflect.Slice, reflect.Array:
		if n.form == formString {
			return compileBytes(t, n)
		}
		noun := "element"
		if n.typ.Elem() == byteType && n.own { // a json.RawMessage, say
			noun = "byte"
		}
		return compileLength(t, n, "minItems", "maxItems", noun, reflect.Value.Len)
	case reflect.Map:
		return compileLength(t, n, "minProperties", "maxProperties", "member", reflect.Value.Len)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n.typ == durationType {
			return compileDuration(t)
		}
		return compileNumber(t, func(s string) (int64, error) { return strconv.ParseInt(s, 0, 64) }, reflect.Value.Int)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return compileNumber(t, func(s string) (uint64, error) { return strconv.ParseUint(s, 0, 64) }, reflect.Value.Uint)
	case reflect.Float32, reflect.Float64:
		bits := n.typ.Bits()
		return compileNumber(t, func(s string) (float64, error) { return strconv.ParseFloat(s, bits) }, reflect.Value.Float)
	case reflect.Bool:
		return compileBool(t)
	}
	return borrow(t, n)
}

// lengths are what a rule about lengths demands: from low to high, each -1 where there
// is no bound, or (not) one length.
type lengths struct {
	low, high int
	not       bool // any but low
	phrase    string
}

func lengthsOf(t term, noun string) (l lengths, err error) {
	wide, err := strconv.ParseInt(t.param, 0, 32) // as validator reads it
	n := int(wide)
	if err != nil || n < 0 {
		return l, fmt.Errorf("the rule %s takes a whole number that is not negative", t.name)
	}
	count := func(n int) string {
		if n == 1 {
			return "1 " + noun
		}
		return strconv.Itoa(n) + " " + noun + "s"
	}
	l.low, l.high = -1, -1
	switch t.name {
	case "min", "gte":
		l.low = n
		l.phrase = "must have at least " + count(n)
	case "gt":
		l.low = n + 1
		l.phrase = "must have at least " + count(l.low)
	case "max", "lte":
		l.high = n
		l.phrase = "must have at most " + count(n)
	case "lt":
		l.high = n - 1
		if l.high < 0 {
			return l, errors.New("the rule lt=0 allows nothing")
		}
		l.phrase = "must have at most " + count(l.high)
	case "len", "eq":
		l.low, l.high = n, n
		l.phrase = "must have exactly " + count(n)
	case "ne":
		l.low, l.high, l.not = n, n, true
		l.phrase = "must not have exactly " + count(n)
	}
	return l, nil
}

func (l lengths) holds(n int) bool {
	return ((l.low < 0 || n >= l.low) && (l.high < 0 || n <= l.high)) != l.not
}

func compileLength(t term, n *node, least, most, noun string, length func(reflect.Value) int) (*compiled, error) {
	l, err := lengthsOf(t, noun)
	if err != nil {
		return nil, err
	}
	c := &compiled{check: check{rule: t.name, phrase: l.phrase}, exact: true, bounds: l.high >= 0 && !l.not}
	if l.low >= 0 && (l.low > 0 || l.high < 0) {
		c.keywords = append(c.keywords, keyword{least, strconv.Itoa(l.low)})
	}
	if l.high >= 0 {
		c.keywords = append(c.keywords, keyword{most, strconv.Itoa(l.high)})
	}
	low, high := l.low, l.high
	switch {
	case l.not:
		c.keywords = []keyword{n.negated(c.keywords...)}
		c.ok = func(v reflect.Value) bool { return length(v) != low }
	case high < 0:
		c.ok = func(v reflect.Value) bool { return length(v) >= low }
	case low <= 0:
		c.ok = func(v reflect.Value) bool { return length(v) <= high }
	default:
		c.ok = func(v reflect.Value) bool { n := length(v); return low <= n && n <= high }
	}
	return c, nil
}

// compileBytes bounds a value that is base64 in JSON (RFC 4648, section 4): four
// characters for each three bytes begun, and what is missing of three is padding.
func compileBytes(t term, n *node) (*compiled, error) {
	l, err := lengthsOf(t, "byte")
	if err != nil {
		return nil, err
	}
	c := &compiled{check: check{rule: t.name, phrase: l.phrase}, exact: true, says: l.phrase, bounds: l.high >= 0 && !l.not}
	c.ok = func(v reflect.Value) bool { return l.holds(v.Len()) }
	characters := func(bytes int) int { return (bytes + 2) / 3 * 4 }
	exactly := func(bytes int) []keyword {
		size := strconv.Itoa(characters(bytes))
		end := [...]string{"[^=]$", "==$", "[^=]=$"}[bytes%3]
		if bytes == 0 {
			return []keyword{{maxLength, "0"}}
		}
		return []keyword{{"minLength", size}, {maxLength, size}, pattern(end)}
	}
	switch {
	case l.not:
		c.keywords = []keyword{n.negated(exactly(l.low)...)}
	case l.low == l.high:
		c.keywords = exactly(l.low)
	case l.high >= 0:
		size := characters(l.high)
		c.keywords = []keyword{{maxLength, strconv.Itoa(size)}}
		if missing := l.high % 3; missing > 0 {
			c.keywords = append(c.keywords, n.either([]keyword{{maxLength, strconv.Itoa(size - 4)}}, []keyword{pattern([...]string{"", "==$", "=$"}[missing])}))
		}
	case l.low > 0:
		size := characters(l.low)
		c.keywords = []keyword{{"minLength", strconv.Itoa(size)}}
		if missing := l.low % 3; missing != 1 {
			c.keywords = append(c.keywords, n.either([]keyword{{"minLength", strconv.Itoa(size + 4)}}, []keyword{pattern([...]string{"[^=]$", "", "[^=]=?$"}[missing])}))
		}
	}
	return c, nil
}

func compileEqual(t term, n *node) *compiled {
	if t.name == "ne" {
		return noneOf("ne", []string{t.param}, n)
	}
	return oneOf("eq", []string{t.param})
}

// alternatives are the sides of a rule that holds if one of them does; of any other rule
// it is itself. Some of validator's names stand for such a rule.
func alternatives(t term) []term {
	var sides []term
	for text := range strings.SplitSeq(t.text, "|") {
		if full := aliases[text]; full != "" {
			for name := range strings.SplitSeq(full, "|") {
				sides = append(sides, term{name: name, text: name})
			}
			continue
		}
		name, param, _ := strings.Cut(text, "=")
		sides = append(sides, term{name, unescape(param), text})
	}
	return sides
}

// aliases are validator's.
var aliases = map[string]string{
	"iscolor":         "hexcolor|rgb|rgba|hsl|hsla|cmyk",
	"country_code":    "iso3166_1_alpha2|iso3166_1_alpha3|iso3166_1_alpha_numeric",
	"eu_country_code": "iso3166_1_alpha2_eu|iso3166_1_alpha3_eu|iso3166_1_alpha_numeric_eu",
}

// aliasPhrases say them more shortly than their sides do.
var aliasPhrases = map[string]string{
	"iscolor":         "must be a colour, as in #aabbcc or rgb(170,187,204)",
	"country_code":    "must be a country code, of two or three letters or three digits",
	"eu_country_code": "must be the country code of a member of the European Union, of two or three letters or three digits",
}

// compileEither compiles alternatives.
func compileEither(t term, sides []term, n *node) (*compiled, error) {
	out := &compiled{check: check{rule: t.text}, exact: true, bounds: true, closes: true}
	var phrases []string
	var keywords [][]keyword
	var checks []func(reflect.Value) bool
	unbound := false
	for _, side := range sides {
		c, err := compile(side, n)
		if err != nil {
			return nil, err
		}
		phrases = append(phrases, c.phrase)
		keywords = append(keywords, c.keywords)
		checks = append(checks, c.ok)
		unbound = unbound || len(c.keywords) == 0
		out.exact, out.bounds, out.closes = out.exact && c.exact, out.bounds && c.bounds, out.closes && c.closes
	}
	out.phrase = strings.Join(phrases, ", or ")
	if says := aliasPhrases[t.text]; says != "" {
		out.phrase = says
	}
	if !unbound {
		out.keywords = []keyword{n.either(keywords...)}
	}
	if out.says = out.phrase; out.closes {
		out.says = ""
	}
	out.ok = func(v reflect.Value) bool {
		return slices.ContainsFunc(checks, func(ok func(reflect.Value) bool) bool { return ok(v) })
	}
	return out, nil
}
