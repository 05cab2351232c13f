package validate

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"time"
)

func compileNumber[N int64 | uint64 | float64](t term, parse func(string) (N, error), value func(reflect.Value) N) (*compiled, error) {
	n, err := parse(t.param)
	if err != nil || math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return nil, fmt.Errorf("the rule %s takes a number that its field can hold", t.name)
	}
	shown := fmt.Sprint(n)
	c := &compiled{check: check{rule: t.name}, exact: true}
	say := func(phrase string, ok func(v reflect.Value) bool, keywords ...keyword) {
		c.phrase, c.ok, c.keywords = phrase+" "+shown, ok, keywords
	}
	switch t.name {
	case "min", "gte":
		say("must be at least", func(v reflect.Value) bool { return value(v) >= n }, atLeast(n))
	case "max", "lte":
		say("must be at most", func(v reflect.Value) bool { return value(v) <= n }, atMost(n))
	case "gt":
		say("must be more than", func(v reflect.Value) bool { return value(v) > n }, keyword{"exclusiveMinimum", shown})
	case "lt":
		say("must be less than", func(v reflect.Value) bool { return value(v) < n }, keyword{exclusiveMaximum, shown})
	case "eq", "len":
		say("must be", func(v reflect.Value) bool { return value(v) == n }, keyword{"enum", "[" + shown + "]"})
		c.closes = true
	case "ne":
		say("must not be", func(v reflect.Value) bool { return value(v) != n }, keyword{"not", `{"enum":[` + shown + `]}`})
	}
	return c, nil
}

// atLeast and atMost say the bound of whole numbers that floating point does not hold by
// its neighbour, if that is held: a reader of the schema may round what stands in it.
func atLeast[N int64 | uint64 | float64](n N) keyword {
	return neighbour(n, -1, "minimum", "exclusiveMinimum")
}

func atMost[N int64 | uint64 | float64](n N) keyword {
	return neighbour(n, 1, "maximum", exclusiveMaximum)
}

func neighbour[N int64 | uint64 | float64](n N, step int64, inclusive, exclusive string) keyword {
	shown := fmt.Sprint(n)
	at, whole := new(big.Int).SetString(shown, 10)
	if whole && !roundless(at) {
		if next := new(big.Int).Add(at, big.NewInt(step)); roundless(next) {
			return keyword{exclusive, next.String()}
		}
	}
	return keyword{inclusive, shown}
}

// roundless says that floating point holds a whole number.
func roundless(n *big.Int) bool {
	_, accuracy := new(big.Float).SetInt(n).Float64()
	return accuracy == big.Exact
}

// compileDuration compares a duration, which is a number of nanoseconds in JSON, with one
// that the tag writes as 1h30m or as such a number.
func compileDuration(t term) (*compiled, error) {
	d, err := time.ParseDuration(t.param)
	if err != nil {
		n, err := strconv.ParseInt(t.param, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("the rule %s takes a duration, as in 1h30m", t.name)
		}
		d = time.Duration(n)
	}
	t.param = strconv.FormatInt(int64(d), 10)
	c, err := compileNumber(t, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }, reflect.Value.Int)
	if err == nil {
		c.phrase += " (" + d.String() + " in nanoseconds)"
		c.says = c.phrase
	}
	return c, err
}

// compileBool compares a boolean.
func compileBool(t term) (*compiled, error) {
	b, err := strconv.ParseBool(t.param)
	if err != nil || (t.name != "eq" && t.name != "ne") {
		return nil, fmt.Errorf("the rule %s takes true or false, and of the rules that compare a boolean has eq and ne", t.name)
	}
	if t.name == "ne" {
		b = !b
	}
	shown := strconv.FormatBool(b)
	return &compiled{
		check:    check{rule: t.name, phrase: "must be " + shown, ok: func(v reflect.Value) bool { return v.Bool() == b }},
		keywords: []keyword{{"enum", "[" + shown + "]"}}, exact: true, closes: true,
	}, nil
}

// numberRules are the rules of validator without a parameter that are made for numbers
// or booleans: what they say of those.
var numberRules = map[string][]keyword{
	"boolean": nil, "number": nil, "numeric": nil,
	"latitude":      {{"minimum", "-90"}, {"maximum", "90"}},
	"longitude":     {{"minimum", "-180"}, {"maximum", "180"}},
	"port":          {{"minimum", "1"}, {"maximum", "65535"}},
	"luhn_checksum": {{"minimum", "10"}},

	"iso3166_1_alpha_numeric": {{"minimum", "1"}}, "iso3166_1_alpha_numeric_eu": {{"minimum", "1"}},
}

// compileOfNumber compiles a rule for numbers or booleans.
func compileOfNumber(t term, n *node) (*compiled, error) {
	c, err := borrow(t, n)
	if err != nil {
		return nil, err
	}
	c.keywords = append([]keyword(nil), numberRules[t.name]...)
	switch t.name {
	case "boolean", "number", "numeric":
		c.exact, c.says, c.ok = true, "", func(reflect.Value) bool { return true }
	case "latitude", "longitude", "port":
		c.exact = true
	case "iso4217_numeric":
		c.exact, c.closes, c.keywords = true, true, []keyword{{"enum", currencyNumbers()}}
	}
	return c, nil
}
