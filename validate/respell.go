package validate

import (
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
	case n.form == formInteger && !n.own && (c == '-' || c >= '0' && c <= '9'):
		end := jsonwalk.Skip(r.raw, at)
		if plain, whole := wholeNumber(string(r.raw[at:end])); whole {
			r.out = append(append(r.out, r.raw[r.done:at]...), plain...)
			r.done = end
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

// wholeNumber writes a number of JSON plainly that is a whole one and is not, if a type of
// 64 bits may hold it: none holds 21 digits.
func wholeNumber(text string) (plain string, is bool) {
	if !strings.ContainsAny(text, ".eE") && text != "-0" {
		return "", false
	}
	d, ok := decimalOf(text)
	n, whole := d.wholeOf(20)
	if !ok || !whole {
		return "", false
	}
	return n.String(), true
}
