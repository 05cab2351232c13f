package validate

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// rangeOf is what a type of numbers holds. Those of 64 bits are bounded by powers of two,
// which a reader that has but floating point keeps exactly; a float32 takes what is
// rounded to one.
func rangeOf(typ reflect.Type) []keyword {
	kind := typ.Kind()
	switch {
	case kind == reflect.Float64:
		return nil
	case kind == reflect.Float32:
		return []keyword{{"exclusiveMinimum", "-" + beyondFloat32}, {exclusiveMaximum, beyondFloat32}}
	case kind >= reflect.Uint && kind <= reflect.Uintptr:
		if typ.Bits() < 64 {
			return []keyword{{"minimum", "0"}, {"maximum", fmt.Sprint(uint64(1)<<typ.Bits() - 1)}}
		}
		return []keyword{{"minimum", "0"}, {exclusiveMaximum, "18446744073709551616"}}
	}
	if bits := typ.Bits(); bits < 64 {
		return []keyword{{"minimum", fmt.Sprint(-(int64(1) << (bits - 1)))}, {"maximum", fmt.Sprint(int64(1)<<(bits-1) - 1)}}
	}
	return []keyword{{"minimum", "-9223372036854775808"}, {exclusiveMaximum, "9223372036854775808"}}
}

// beyondFloat32 is the least number that is not rounded to a float32: it is half way
// from the largest one to two to the 128th.
const beyondFloat32 = "340282356779733661637539395458142568448"

// tidied is what the keywords of a node are once all its rules have been added.
func (n *node) tidied() ([]keyword, error) {
	if n.own || (n.form != formInteger && n.form != formNumber) {
		return n.keywords, nil
	}
	return tidied(n.keywords)
}

// nameKeywords says what the keywords of whole numbers say of numbers that are written
// as names of members, which are texts: a zero has a sign where the type has one.
func nameKeywords(keywords []keyword, typ reflect.Type) ([]keyword, error) {
	signs := typ.Kind() <= reflect.Int64
	var low, high *big.Int
	var out []keyword
	listed := false
	for _, k := range keywords {
		switch b, is := bounds[k.name]; {
		case is:
			n := number(k.value)
			if !n.IsInt() {
				return nil, fmt.Errorf("the keyword %s %s is not for names of members", k.name, k.value)
			}
			at := new(big.Int).Set(n.Num())
			switch {
			case b.upper && b.exclusive:
				high = at.Sub(at, big.NewInt(1))
			case b.upper:
				high = at
			case b.exclusive:
				low = at.Add(at, big.NewInt(1))
			default:
				low = at
			}
		case k.name == "enum":
			listed = true // which says more than the bounds do
			out = append([]keyword{pattern("^(" + strings.Join(written(elements(k.value), signs), "|") + ")$")}, out...)
		case k.name == "not" && strings.HasPrefix(k.value, anEnum):
			values := elements(strings.TrimSuffix(strings.TrimPrefix(k.value, `{"enum":`), "}"))
			out = append(out, keyword{"not", members(pattern("^(" + strings.Join(written(values, signs), "|") + ")$"))})
		default:
			return nil, fmt.Errorf("the keyword %s is not for names of members", k.name)
		}
	}
	if low != nil && high != nil && !listed {
		out = append([]keyword{pattern(wholeNumbers(low, high, signs))}, out...)
	}
	return out, nil
}

// written is how values may be written: a zero has either sign.
func written(values []string, signs bool) []string {
	out := slices.Clone(values)
	for i, v := range out {
		if v == "0" && signs {
			out[i] = "-?0"
		}
	}
	return out
}

// wholeNumbers is the pattern of the whole numbers from low to high as JSON writes them.
func wholeNumbers(low, high *big.Int, signs bool) string {
	zero, one := new(big.Int), big.NewInt(1)
	negative, positive := "", ""
	if low.Sign() < 0 {
		from := zero // of what follows the sign
		if high.Sign() < 0 {
			from = new(big.Int).Neg(high)
		}
		negative = decimals(from.String(), new(big.Int).Neg(low).String())
	} else if low.Sign() == 0 && signs {
		negative = "0"
	}
	if high.Sign() >= 0 {
		from := low
		if from.Sign() < 0 {
			from = zero
		}
		positive = decimals(from.String(), high.String())
	}
	switch {
	case negative == "":
		return "^(" + positive + ")$"
	case positive == "":
		return "^-(" + negative + ")$"
	case positive == negative:
		return "^-?(" + positive + ")$"
	case low.Sign() == 0:
		return "^(-0|" + positive + ")$"
	case new(big.Int).Add(low, high).Cmp(new(big.Int).Neg(one)) == 0: // as with two's complement
		return "^(-?(" + positive + ")|" + low.String() + ")$"
	}
	return "^(-(" + negative + ")|" + positive + ")$"
}

// decimals is the alternation that takes the decimal numbers from low to high, which
// are not negative and written without leading zeros.
func decimals(low, high string) string {
	var parts []string
	if low == "0" {
		if len(high) == 1 {
			return digit('0', high[0])
		}
		parts, low = append(parts, "0"), "1"
	}
	whole := 0 // how many lengths, so far, are taken as a whole, from the length first on
	first := 0
	flush := func() {
		if whole > 0 {
			parts = append(parts, "[1-9]"+digits09(first-1, first+whole-2))
			whole = 0
		}
	}
	for size := len(low); size <= len(high); size++ {
		from, to := "1"+strings.Repeat("0", size-1), strings.Repeat("9", size)
		if size == len(low) {
			from = low
		}
		if size == len(high) {
			to = high
		}
		if from == "1"+strings.Repeat("0", size-1) && to == strings.Repeat("9", size) {
			if whole == 0 {
				first = size
			}
			whole++
			continue
		}
		flush()
		parts = append(parts, sameLength(from, to)...)
	}
	flush()
	return strings.Join(parts, "|")
}

// sameLength are patterns of the numbers from low to high, which have as many digits.
func sameLength(low, high string) []string {
	n := len(low)
	switch {
	case n == 1:
		return []string{digit(low[0], high[0])}
	case strings.Trim(low, "0") == "" && strings.Trim(high, "9") == "":
		return []string{digits09(n, n)}
	case low[0] == high[0]:
		rest := sameLength(low[1:], high[1:])
		for i, r := range rest {
			rest[i] = low[:1] + r
		}
		return rest
	}
	var out []string
	from, to := low[0], high[0]
	if strings.Trim(low[1:], "0") != "" {
		for _, r := range sameLength(low[1:], strings.Repeat("9", n-1)) {
			out = append(out, low[:1]+r)
		}
		from++
	}
	var last []string
	if strings.Trim(high[1:], "9") != "" {
		for _, r := range sameLength(strings.Repeat("0", n-1), high[1:]) {
			last = append(last, high[:1]+r)
		}
		to--
	}
	if from <= to {
		out = append(out, digit(from, to)+digits09(n-1, n-1))
	}
	return append(out, last...)
}

func digit(from, to byte) string {
	switch {
	case from == to:
		return string(from)
	case from == '0' && to == '9':
		return `\d`
	}
	return "[" + string(from) + "-" + string(to) + "]"
}

// digits09 are from least to most digits.
func digits09(least, most int) string {
	switch {
	case most == 0:
		return ""
	case least == most && most == 1:
		return `\d`
	case least == most && most == 2:
		return `\d\d`
	case least == most:
		return `\d{` + strconv.Itoa(most) + "}"
	case least == 0 && most == 1:
		return `\d?`
	}
	return `\d{` + strconv.Itoa(least) + "," + strconv.Itoa(most) + "}"
}
