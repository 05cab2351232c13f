package validate

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// words are how validator splits the parameter of oneof.
var words = regexp.MustCompile(`'[^']*'|\S+`)

// listOf are the values that a rule lists.
func listOf(t term) ([]string, error) {
	values := words.FindAllString(t.param, -1)
	for i, v := range values {
		values[i] = strings.ReplaceAll(v, "'", "")
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("the rule %s lists no value", t.name)
	}
	return values, nil
}

// compileListed compiles oneof and noneof.
func compileListed(t term, n *node) (*compiled, error) {
	values, err := listOf(t)
	if err != nil {
		return nil, err
	}
	bits := 0
	if n.form != formString && n.typ.Kind() != reflect.String {
		bits = n.typ.Bits()
	}
	switch kind := n.typ.Kind(); {
	case kind == reflect.String && t.name == "noneof":
		return noneOf(t.name, values, n), nil
	case kind == reflect.String:
		return oneOf(t.name, values), nil
	case kind >= reflect.Int && kind <= reflect.Int64:
		return listedNumbers(t, values, func(s string) (int64, error) { return strconv.ParseInt(s, 10, bits) }, reflect.Value.Int)
	}
	return listedNumbers(t, values, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, bits) }, reflect.Value.Uint)
}

// listedNumbers compiles a list of numbers. Validator compares what they are written
// like, so that one that is written otherwise would never be meant.
func listedNumbers[N int64 | uint64](t term, values []string, parse func(string) (N, error), value func(reflect.Value) N) (*compiled, error) {
	numbers := make([]N, len(values))
	for i, v := range values {
		n, err := parse(v)
		if err != nil || fmt.Sprint(n) != v {
			return nil, fmt.Errorf("the rule %s lists something that is no number which its field can hold, written as in -12", t.name)
		}
		numbers[i] = n
	}
	list := "[" + strings.Join(values, ",") + "]"
	if t.name == "noneof" {
		return &compiled{
			check: check{
				rule: t.name, phrase: "must not be " + strings.Join(values, " or "),
				ok: func(v reflect.Value) bool { return !slices.Contains(numbers, value(v)) },
			},
			keywords: []keyword{{"not", `{"enum":` + list + `}`}}, exact: true,
		}, nil
	}
	return &compiled{
		check: check{
			rule: t.name, phrase: "must be one of " + strings.Join(values, ", "), allowed: values,
			ok: func(v reflect.Value) bool { return slices.Contains(numbers, value(v)) },
		},
		keywords: []keyword{{"enum", list}}, exact: true, closes: true,
	}, nil
}

// oneOf is the check of a closed list of strings.
func oneOf(rule string, values []string) *compiled {
	values = slices.Clone(values) // what an error shows is not what is enforced
	return &compiled{
		check: check{
			rule: rule, phrase: mustBeOneOf(values), allowed: slices.Clone(values[:min(len(values), listed)]), near: values, ok: among(values),
		},
		keywords: []keyword{{"enum", jsonStrings(values)}}, exact: true,
		bounds: true, closes: true,
	}
}

// noneOf is the check of a list of strings that are not taken.
func noneOf(rule string, values []string, n *node) *compiled {
	in := among(values)
	shown := make([]string, len(values))
	for i, v := range values {
		shown[i] = quoted(v)
	}
	return &compiled{
		check:    check{rule: rule, phrase: "must not be " + strings.Join(shown, " or "), ok: func(v reflect.Value) bool { return !in(v) }},
		keywords: []keyword{n.negated(keyword{"enum", jsonStrings(values)})}, exact: true,
	}
}

// among says whether a text is one of some.
func among(values []string) func(reflect.Value) bool {
	if len(values) <= 8 { // faster than hashing
		return func(v reflect.Value) bool { return slices.Contains(values, v.String()) }
	}
	set := make(map[string]struct{}, len(values))
	for _, v := range values {
		set[v] = struct{}{}
	}
	return func(v reflect.Value) bool { _, in := set[v.String()]; return in }
}

// jsonStrings is a list of strings in JSON.
func jsonStrings(values []string) string {
	encoded := make([]string, len(values))
	for i, v := range values {
		encoded[i] = jsonString(v)
	}
	return "[" + strings.Join(encoded, ",") + "]"
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

// compileZero compiles isdefault: what is there is the zero value of its type.
func compileZero(t term, n *node) (*compiled, error) {
	c := &compiled{check: check{rule: t.name, ok: reflect.Value.IsZero}, exact: true, bounds: true, closes: true}
	zero := "0"
	switch kind := n.typ.Kind(); {
	case kind == reflect.String:
		zero = `""`
	case kind == reflect.Bool:
		zero = "false"
	case kind > reflect.Bool && kind <= reflect.Float64:
	default:
		return nil, errors.New("the rule isdefault is for texts, numbers and booleans")
	}
	c.phrase = "must be " + zero
	c.keywords = []keyword{{"enum", "[" + zero + "]"}}
	return c, nil
}
