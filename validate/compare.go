package validate

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// comparisons are the rules that compare a field with another: of the same struct, or
// (…cs…) of one that is found from the whole value down.
var comparisons = map[string]struct {
	phrase string
	holds  func(order int) bool
}{
	"eqfield": {"must be the same as", func(o int) bool { return o == 0 }}, "nefield": {"must not be the same as", func(o int) bool { return o != 0 }},
	"gtfield": {"must be more than", func(o int) bool { return o > 0 }}, "gtefield": {"must be at least", func(o int) bool { return o >= 0 }},
	"ltfield": {"must be less than", func(o int) bool { return o < 0 }}, "ltefield": {"must be at most", func(o int) bool { return o <= 0 }},
}

// An operand is the other side of a comparison.
type operand struct {
	typ  reflect.Type // without pointers
	name string
	get  func(*occasion) reflect.Value // not valid where a pointer is nil
	at   int                           // the field of the shape that it is in, or -1
}

// operand finds a field by a dotted path of Go's names, from the struct of the shape or
// (csfield) from the whole value down.
func (p *planner) operand(s *shape, t term) (*operand, error) {
	from, whole := s.typ, strings.Contains(t.name, "csfield")
	if whole {
		for from = p.whole; from.Kind() == reflect.Pointer; from = from.Elem() {
		}
	}
	out := &operand{typ: from, at: -1}
	var index [][]int
	var names []string
	for goName := range strings.SplitSeq(t.param, ".") {
		at := p.shapes[out.typ]
		if out.typ.Kind() != reflect.Struct || at == nil {
			return nil, fmt.Errorf("%s is no field of %s that a caller can give", t.param, from)
		}
		f, found := out.typ.FieldByName(goName)
		if !found {
			return nil, fmt.Errorf("%s is no field of %s that a caller can give", goName, out.typ)
		}
		index, out.typ = append(index, f.Index), f.Type
		for out.typ.Kind() == reflect.Pointer {
			out.typ = out.typ.Elem()
		}
		if i := at.at(f.Index); i >= 0 {
			goName = at.fields[i].name
		} else {
			return nil, fmt.Errorf("%s is no field of %s that a caller can give", goName, at.typ)
		}
		names = append(names, goName)
	}
	out.name = strings.Join(names, ".")
	if !whole {
		out.at = s.at(index[0])
	}
	out.get = func(o *occasion) reflect.Value {
		v := o.value
		if whole {
			v = o.root
		}
		for _, step := range index {
			if v = pointed(v); !v.IsValid() {
				return v
			}
			var err error
			if v, err = v.FieldByIndexErr(step); err != nil {
				return reflect.Value{}
			}
		}
		return pointed(v)
	}
	return out, nil
}

var country = regexp.MustCompile(`^[A-Z]{2}$`)

// compares compiles the rules that hold a field against another. They are held where
// the field is there. The other counts as the handler sees it: an absent one is zero,
// and behind a nil pointer it is nothing, which no comparison but nefield holds against.
func (p *planner) compares(s *shape, i int, t term) (*relation, error) {
	other, err := p.operand(s, t)
	if err != nil {
		return nil, err
	}
	mine := s.fields[i].node.typ
	r := &relation{rule: t.name}
	var holds func(a, b reflect.Value) bool
	otherwise := false
	switch t.name {
	case "fieldcontains":
		r.phrase, holds = "must contain what is in "+other.name, func(a, b reflect.Value) bool { return strings.Contains(a.String(), b.String()) }
	case "fieldexcludes":
		r.phrase, holds, otherwise = "must not contain what is in "+other.name, func(a, b reflect.Value) bool { return !strings.Contains(a.String(), b.String()) }, true
	case "postcode_iso3166_alpha2_field":
		r.phrase, holds = "must be a postcode of the country in "+other.name, func(a, b reflect.Value) bool {
			return country.MatchString(b.String()) && engine().Var(a.String(), "postcode_iso3166_alpha2="+b.String()) == nil
		}
	default:
		rule := strings.Replace(t.name, "csfield", "field", 1)
		order, equality := ordering(mine, other.typ), rule == "eqfield" || rule == "nefield"
		if order == nil || (!equality && !isExact(mine) && (mine.Kind() == reflect.String || mine.Kind() == reflect.Bool)) {
			return nil, fmt.Errorf("a %s cannot be compared with a %s: it is for two numbers or times, and eqfield and nefield for two texts or booleans, too", mine, other.typ)
		}
		c := comparisons[rule]
		r.phrase, otherwise = c.phrase+" "+other.name, rule == "nefield"
		r.broken = func(o *occasion, i int) bool {
			return o.broken(i, other, otherwise, func(a, b reflect.Value) bool { return c.holds(order(a, b)) })
		}
		return r, nil
	}
	if mine.Kind() != reflect.String || other.typ.Kind() != reflect.String || isExact(mine) || isExact(other.typ) {
		return nil, errors.New("it is for two texts")
	}
	r.broken = func(o *occasion, i int) bool { return o.broken(i, other, otherwise, holds) }
	return r, nil
}

// broken says that the field is there, and does not hold against the other.
func (o *occasion) broken(i int, other *operand, otherwise bool, holds func(a, b reflect.Value) bool) bool {
	if o.seen[i] != given || (other.at >= 0 && o.seen[other.at] == misformed) {
		return false
	}
	b := other.get(o)
	if !b.IsValid() {
		return !otherwise
	}
	return !holds(pointed(o.shape.fields[i].peek(o.value)), b)
}

// ordering returns how values of two types compare, nil where they do not.
func ordering(a, b reflect.Type) func(a, b reflect.Value) int {
	switch ka, kb := a.Kind(), b.Kind(); {
	case isExact(a) || isExact(b):
		if a == b {
			return orderExact
		}
	case a == timeType && b == timeType:
		return func(a, b reflect.Value) int {
			x, _ := reflect.TypeAssert[time.Time](a)
			y, _ := reflect.TypeAssert[time.Time](b)
			return x.Compare(y)
		}
	case ka == reflect.String && kb == reflect.String:
		return func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) }
	case ka == reflect.Bool && kb == reflect.Bool:
		return func(a, b reflect.Value) int {
			if a.Bool() == b.Bool() {
				return 0
			}
			return 1
		}
	case ka >= reflect.Int && ka <= reflect.Int64 && kb >= reflect.Int && kb <= reflect.Int64:
		return func(a, b reflect.Value) int { return cmp.Compare(a.Int(), b.Int()) }
	case ka >= reflect.Uint && ka <= reflect.Uintptr && kb >= reflect.Uint && kb <= reflect.Uintptr:
		return func(a, b reflect.Value) int { return cmp.Compare(a.Uint(), b.Uint()) }
	case (ka == reflect.Float32 || ka == reflect.Float64) && (kb == reflect.Float32 || kb == reflect.Float64):
		return func(a, b reflect.Value) int { return cmp.Compare(a.Float(), b.Float()) }
	}
	return nil
}
