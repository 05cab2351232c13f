package validate

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// A respeller writes whole numbers anew that are written with a fraction or an exponent:
// to JSON Schema 5.0 and 5e0 are the integer 5, and models write them. The decoder takes
// 5 alone, so that this is done where it has refused, digit by digit: no number goes
// through floating point.
type respeller struct {
	raw  []byte
	out  []byte // nil while nothing has changed
	done int    // how much of raw is in out
}

// respelt returns arguments, an object in well-formed JSON, with their whole numbers
// written plainly, or nil where they are.
func (p *program) respelt(raw []byte) []byte {
	r := &respeller{raw: raw}
	r.value(p.root, jsonwalk.Space(raw, 0))
	if r.out == nil {
		return nil
	}
	return append(r.out, raw[r.done:]...)
}

// value looks at the value at an offset and returns its end.
func (r *respeller) value(n *node, at int) int {
	switch c := r.raw[at]; {
	case n.form == formInteger && (!n.own || n.typ == bigIntType) && (c == '-' || c >= '0' && c <= '9'):
		end := jsonwalk.Skip(r.raw, at)
		if most := mostDigits(n); bytes.ContainsAny(r.raw[at:end], ".eE") || string(r.raw[at:end]) == "-0" {
			if plain, whole := wholeNumber(string(r.raw[at:end]), most); whole {
				r.out = append(append(r.out, r.raw[r.done:at]...), plain...)
				r.done = end
			}
		}
		return end
	case n.own:
	case n.form == formObject && c == '{':
		return jsonwalk.EachMember(r.raw, at, func(name []byte, value int) int {
			if i := n.shape.find(name, 0); i >= 0 {
				return r.value(n.shape.fields[i].node, value)
			}
			return jsonwalk.Skip(r.raw, value)
		})
	case n.form == formArray && c == '[':
		return jsonwalk.EachElement(r.raw, at, func(_, value int) int { return r.value(n.elem, value) })
	case n.form == formMap && c == '{':
		return jsonwalk.EachMember(r.raw, at, func(_ []byte, value int) int { return r.value(n.elem, value) })
	}
	return jsonwalk.Skip(r.raw, at)
}

// mostDigits bounds what is written out: no type of 64 bits holds 21 digits.
func mostDigits(n *node) int {
	if n.own {
		return digits
	}
	return 20
}

// wholeNumber writes a number of JSON without a fraction or exponent, if it is a whole
// one of so many digits at most.
func wholeNumber(text string, most int) (plain string, whole bool) {
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		mantissa = text[:i]
		exponent, err = strconv.Atoi(text[i+1:])
		if err != nil { // so large that only zero is a whole number with few digits
			exponent = 1 << 30
			if strings.HasPrefix(text[i+1:], "-") {
				exponent = -exponent
			}
		}
	}
	before, fraction, _ := strings.Cut(mantissa, ".")
	all := before + fraction
	point := len(before)
	leading := len(all) - len(strings.TrimLeft(all, "0"))
	if leading == len(all) {
		return "0", true
	}
	all, point = strings.TrimRight(all[leading:], "0"), point-leading
	// The value is 0.all times ten to the point, and exponent more.
	if exponent > most+len(text) || exponent < -most-len(text) {
		return "", false
	}
	point += exponent
	if point < len(all) || point > most {
		return "", false
	}
	return sign + all + strings.Repeat("0", point-len(all)), true
}
