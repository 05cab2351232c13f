package validate

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A decimal is a number as JSON writes it, of any size and exact: a fraction below one, of
// the digits behind its point, times a power of ten. It takes no more memory than the text,
// however large the exponent is.
type decimal struct {
	negative bool
	digits   string // without zeros at either end; none at all are zero
	exponent int64
}

// farthest is what an exponent counts as that is larger: no rule has such a bound.
const farthest = 1 << 40

// decimalOf reads a number of JSON.
func decimalOf(text string) (d decimal, ok bool) {
	if v := jsontext.Value(text); v.Kind() != '0' || !v.IsValid() || strings.TrimSpace(text) != text {
		return d, false
	}
	text, d.negative = strings.CutPrefix(text, "-")
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		n, err := strconv.ParseInt(text[at+1:], 10, 64)
		switch far := n > farthest || n < -farthest; {
		case err == nil && !far:
			d.exponent = n
		case strings.HasPrefix(text[at+1:], "-"):
			d.exponent = -farthest
		default:
			d.exponent = farthest
		}
		text = text[:at]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	d.exponent += int64(len(digits) - len(fraction))
	if d.digits = strings.TrimRight(digits, "0"); d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// compare orders two decimals.
func (d decimal) compare(other decimal) int {
	sign := func(d decimal) int {
		switch {
		case d.digits == "":
			return 0
		case d.negative:
			return -1
		}
		return 1
	}
	mine := sign(d)
	if theirs := sign(other); mine != theirs || mine == 0 {
		return cmp.Compare(mine, theirs)
	}
	return mine * cmp.Or(cmp.Compare(d.exponent, other.exponent), cmp.Compare(d.digits, other.digits))
}

// wholeOf is a whole number of at most so many digits, which may be written as 1.0 or 1e3.
func (d decimal) wholeOf(most int64) (*big.Int, bool) {
	if d.digits == "" {
		return new(big.Int), true
	}
	if d.exponent < int64(len(d.digits)) || d.exponent > most {
		return nil, false
	}
	n, ok := new(big.Int).SetString(d.digits+strings.Repeat("0", int(d.exponent)-len(d.digits)), 10)
	if ok && d.negative {
		n.Neg(n)
	}
	return n, ok
}

// exactValue is the decimal that a json.Number or a big.Int holds.
func exactValue(v reflect.Value) decimal {
	var d decimal
	if v.Type() == numberType {
		d, _ = decimalOf(v.String()) // the empty one is zero
		return d
	}
	n, _ := reflect.TypeAssert[big.Int](v)
	d, _ = decimalOf(n.String())
	return d
}

// isExact says that values of a type are held against rules without any rounding.
func isExact(typ reflect.Type) bool { return typ == numberType || typ == bigIntType }

// compileExact is the check of a json.Number or a big.Int.
func compileExact(t term, typ reflect.Type) (*compiled, error) {
	if !slices.Contains([]string{"min", "gte", "max", "lte", "gt", "lt", "eq", "ne", "oneof"}, t.name) || strings.Contains(t.text, "|") {
		return nil, fmt.Errorf("the rule %s is not for a %s, which takes min, max, gt, gte, lt, lte, eq, ne and oneof: use int64 or float64, or a rule of your own", t.text, typ)
	}
	bounds := []string{t.param}
	if t.name == "oneof" {
		if bounds = words.FindAllString(t.param, -1); bounds == nil {
			return nil, errors.New("the rule oneof lists no value")
		}
	}
	limits := make([]decimal, len(bounds))
	for i, b := range bounds {
		d, ok := decimalOf(b)
		if _, whole := d.wholeOf(digits); !ok || d.exponent > digits || d.exponent < -digits || (typ == bigIntType && !whole) {
			return nil, fmt.Errorf("the rule %s takes a number that its field can hold, written as in JSON", t.name)
		}
		limits[i] = d
	}
	c := &compiled{check: check{rule: t.name, phrase: "must be one of " + strings.Join(bounds, ", ")}, exact: true}
	if t.name == "eq" || t.name == "oneof" {
		if len(bounds) == 1 {
			c.phrase = "must be " + bounds[0]
		}
		c.keywords, c.closes, c.allowed = []keyword{{"enum", "[" + strings.Join(bounds, ",") + "]"}}, true, bounds
		c.ok = func(v reflect.Value) bool {
			d := exactValue(v)
			return slices.ContainsFunc(limits, func(l decimal) bool { return d.compare(l) == 0 })
		}
		return c, nil
	}
	say := func(phrase, word, value string, holds func(order int) bool) {
		c.phrase, c.keywords = phrase+" "+t.param, []keyword{{word, value}}
		c.ok = func(v reflect.Value) bool { return holds(exactValue(v).compare(limits[0])) }
	}
	switch t.name {
	case "min", "gte":
		say("must be at least", "minimum", t.param, func(o int) bool { return o >= 0 })
	case "max", "lte":
		say("must be at most", "maximum", t.param, func(o int) bool { return o <= 0 })
	case "gt":
		say("must be more than", "exclusiveMinimum", t.param, func(o int) bool { return o > 0 })
	case "lt":
		say("must be less than", "exclusiveMaximum", t.param, func(o int) bool { return o < 0 })
	case "ne":
		say("must not be", "not", `{"enum":[`+t.param+`]}`, func(o int) bool { return o != 0 })
	}
	return c, nil
}

// orderExact compares two values of one such type.
func orderExact(a, b reflect.Value) int { return exactValue(a).compare(exactValue(b)) }
