package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	santhosh "github.com/santhosh-tekuri/jsonschema/v6"
)

// A maker makes documents from a schema.
type docMaker struct {
	*rand.Rand

	hints map[string]docHint
	views map[*santhosh.Schema]*schemaView // of schemas without alternatives
	trees map[string]*syntax.Regexp

	lonely int // one in so many documents has more members than has to be
}

// A view is all that a schema and those that it refers to say of one value.
type schemaView struct {
	types              []string
	enums              [][]any
	patterns           []string
	shortest, longest  int
	least, most        *big.Rat
	fewest, largest    int
	distinct           bool
	items, more, names *santhosh.Schema
	members            map[string]*santhosh.Schema
	order              []string // of the members
	required           []string
	several            bool // there are alternatives
}

// viewOf gathers what a schema says; of alternatives it takes one.
func (m *docMaker) viewOf(s *santhosh.Schema) *schemaView {
	if v := m.views[s]; v != nil {
		return v
	}
	v := &schemaView{longest: -1, largest: -1, members: map[string]*santhosh.Schema{}}
	m.gather(v, s, 0)
	v.order = slices.Sorted(maps.Keys(v.members))
	if !v.several {
		m.views[s] = v
	}
	return v
}

func (m *docMaker) gather(v *schemaView, s *santhosh.Schema, depth int) {
	if s == nil || depth > 8 {
		return
	}
	if s.Types != nil {
		names := s.Types.ToStrings()
		if v.types != nil {
			names = slices.DeleteFunc(names, func(n string) bool { return !slices.Contains(v.types, n) })
		}
		v.types = names
	}
	if s.Enum != nil {
		v.enums = append(v.enums, s.Enum.Values)
	}
	if s.Const != nil {
		v.enums = append(v.enums, []any{*s.Const})
	}
	if s.Pattern != nil {
		v.patterns = append(v.patterns, s.Pattern.String())
	}
	tighter := func(at *int, n *int, up bool) {
		if n != nil && (*at < 0 || (up && *n > *at) || (!up && *n < *at)) {
			*at = *n
		}
	}
	tighter(&v.shortest, s.MinLength, true)
	tighter(&v.longest, s.MaxLength, false)
	tighter(&v.fewest, s.MinItems, true)
	tighter(&v.largest, s.MaxItems, false)
	tighter(&v.fewest, s.MinProperties, true)
	tighter(&v.largest, s.MaxProperties, false)
	for _, n := range []*big.Rat{s.Minimum, s.ExclusiveMinimum} {
		if n != nil && (v.least == nil || n.Cmp(v.least) > 0) {
			v.least = n
		}
	}
	for _, n := range []*big.Rat{s.Maximum, s.ExclusiveMaximum} {
		if n != nil && (v.most == nil || n.Cmp(v.most) < 0) {
			v.most = n
		}
	}
	v.distinct = v.distinct || s.UniqueItems
	if s.Items2020 != nil {
		v.items = s.Items2020
	}
	if more, is := s.AdditionalProperties.(*santhosh.Schema); is {
		v.more = more
	}
	if s.PropertyNames != nil {
		v.names = s.PropertyNames
	}
	maps.Copy(v.members, s.Properties)
	v.required = append(v.required, s.Required...)
	m.gather(v, s.Ref, depth+1)
	for _, to := range s.AllOf {
		m.gather(v, to, depth+1)
	}
	if len(s.AnyOf) > 0 {
		v.several = true
		m.gather(v, s.AnyOf[m.IntN(len(s.AnyOf))], depth+1)
	}
}

// valid makes a value that a schema most likely takes.
func (m *docMaker) valid(s *santhosh.Schema, place string, depth int) any {
	v := m.viewOf(s)
	if len(v.enums) > 0 {
		shortest := slices.MinFunc(v.enums, func(a, b []any) int { return len(a) - len(b) })
		return shortest[m.IntN(len(shortest))]
	}
	kinds := v.types
	if kinds == nil {
		kinds = []string{"string", "integer", "number", "boolean", "array", "object", "null"}
	}
	kind := kinds[m.IntN(len(kinds))]
	if kind == "null" && len(kinds) > 1 && m.IntN(4) > 0 {
		kind = kinds[len(kinds)-1]
	}
	return m.ofKind(v, kind, place, depth)
}

func (m *docMaker) ofKind(v *schemaView, kind, place string, depth int) any {
	if h := m.hints[place]; h != nil && kind != "null" && m.IntN(5) > 0 {
		return h(m.Rand)
	}
	switch kind {
	case "string":
		return m.text(v)
	case "integer", "number":
		return m.number(v, kind)
	case "boolean":
		return m.IntN(2) == 0
	case "array":
		return m.list(v, place, depth)
	case "object":
		return m.object(v, place, depth)
	}
	return nil
}

// between is how many there are of something.
func (m *docMaker) between(least, most int) int {
	if most < 0 || most > least+3 && m.IntN(3) > 0 {
		most = least + 3
	}
	return least + m.IntN(max(most-least+1, 1))
}

func (m *docMaker) list(v *schemaView, place string, depth int) []any {
	list := []any{}
	n := m.between(v.fewest, v.largest)
	if depth > 4 {
		n = v.fewest
	}
	for range 4 * n {
		if len(list) == n {
			break
		}
		e := m.valid(v.items, place+"[]", depth+1)
		if !v.distinct || !slices.ContainsFunc(list, func(have any) bool { return alike(have, e) }) {
			list = append(list, e)
		}
	}
	return list
}

func alike(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func (m *docMaker) object(v *schemaView, place string, depth int) map[string]any {
	out := map[string]any{}
	for _, name := range v.order {
		to := v.members[name]
		if slices.Contains(v.required, name) || (m.IntN(3) == 0 && depth < 4) {
			out[name] = m.valid(to, place+"."+name, depth+1)
		}
	}
	if v.more != nil {
		n := m.between(v.fewest, v.largest)
		if depth > 4 {
			n = v.fewest
		}
		for range 4 * n {
			if len(out) >= n {
				break
			}
			out[m.name(v, place)] = m.valid(v.more, place+"{}", depth+1)
		}
	}
	return out
}

// name makes the name of a member of a map.
func (m *docMaker) name(v *schemaView, place string) string {
	if h := m.hints[place+"{key}"]; h != nil {
		return fmt.Sprint(h(m.Rand))
	}
	if v.names == nil {
		return m.word(1 + m.IntN(3))
	}
	names := m.viewOf(v.names)
	if len(names.enums) > 0 {
		return fmt.Sprint(m.valid(v.names, place+"{key}", 0))
	}
	return m.text(names)
}

const docLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.éß漢😀"

// word makes a text of n characters.
func (m *docMaker) word(n int) string {
	all := []rune(docLetters)
	out := make([]rune, n)
	for i := range out {
		out[i] = all[m.IntN(len(all))]
	}
	return string(out)
}

func (m *docMaker) text(v *schemaView) string {
	most := v.longest
	if most < 0 || most > v.shortest+8 && m.IntN(4) > 0 {
		most = v.shortest + 8
	}
	for range 20 {
		s := m.word(v.shortest + m.IntN(max(most-v.shortest+1, 1)))
		if len(v.patterns) > 0 {
			s = m.matching(v.patterns[m.IntN(len(v.patterns))])
		}
		if n := len([]rune(s)); n >= v.shortest && (v.longest < 0 || n <= v.longest) {
			return s
		}
	}
	return ""
}

var (
	lowest, highest  = big.NewRat(-1000, 1), big.NewRat(1000, 1)
	deepest, topmost = big.NewRat(-1<<60, 1), big.NewRat(1<<60, 1)
)

// number makes a number within bounds, most often at one of them. Numbers have few digits
// behind the point: what jsonschema-go reads is a float64, and so are its bounds.
func (m *docMaker) number(v *schemaView, kind string) json.Number {
	least, most := v.least, v.most
	switch {
	case least == nil && most == nil:
		least, most = lowest, highest
		if m.IntN(3) == 0 {
			least, most = deepest, topmost
		}
	case least == nil:
		least = new(big.Rat).Sub(most, highest)
	case most == nil:
		most = new(big.Rat).Add(least, highest)
	}
	if low, high := whole64(least), whole64(most); low < high && high < 1<<62 { // what is not so large is made faster
		n := low + m.Int64N(high-low+1)
		switch m.IntN(4) {
		case 0:
			n = min(low+m.Int64N(3), high)
		case 1:
			n = max(high-m.Int64N(3), low)
		}
		if kind == "number" && m.IntN(3) > 0 {
			return json.Number(strconv.FormatFloat(float64(n)+float64(1+m.IntN(99))/100, 'f', 2, 64))
		}
		return m.written(big.NewInt(n))
	}
	at := new(big.Rat)
	switch m.IntN(4) {
	case 0:
		at.Add(least, big.NewRat(int64(m.IntN(3)), 1))
	case 1:
		at.Sub(most, big.NewRat(int64(m.IntN(3)), 1))
	default:
		at.Sub(most, least)
		at.Mul(at, big.NewRat(m.Int64N(1_000_000), 1_000_000))
		at.Add(at, least)
	}
	if kind == "integer" {
		return m.written(wholePart(at))
	}
	return m.decimal(at)
}

// whole is the integer part.
// whole64 is the integer part, or 1<<62 where that is not small.
func whole64(r *big.Rat) int64 {
	if n := wholePart(r); n.BitLen() < 45 {
		return n.Int64()
	}
	return 1 << 62
}

func wholePart(r *big.Rat) *big.Int { return new(big.Int).Quo(r.Num(), r.Denom()) }

// written is a whole number, now and then as 5.0, 50e-1 or 0.5e1.
func (m *docMaker) written(n *big.Int) json.Number {
	if n.BitLen() > 63 && (n.Sign() < 0 || n.BitLen() > 64) {
		f, _ := new(big.Float).SetInt(n).Float64()
		n, _ = big.NewFloat(f).Int(nil)
	}
	s := n.String()
	if n.BitLen() > 52 { // jsonschema-go reads 5.0 as a float64, and what has more than 64 bits
		return json.Number(s)
	}
	if n.Sign() == 0 {
		return []json.Number{"0", "0", "0.0", "-0", "0e5"}[m.IntN(5)]
	}
	switch m.IntN(20) {
	case 0:
		return json.Number(s + ".0")
	case 1:
		return json.Number(s + "0e-1")
	case 2:
		if short, zeros := strings.TrimRight(s, "0"), len(s)-len(strings.TrimRight(s, "0")); zeros > 0 && zeros < len(s) {
			return json.Number(short + "E+" + strconv.Itoa(zeros))
		}
	}
	return json.Number(s)
}

func (m *docMaker) decimal(r *big.Rat) json.Number {
	if r.IsInt() && m.IntN(2) == 0 {
		return m.written(r.Num())
	}
	if new(big.Rat).Abs(r).Cmp(big.NewRat(1<<50, 1)) > 0 {
		f, _ := r.Float64()
		return json.Number(strconv.FormatFloat(f, 'g', 7, 64))
	}
	return json.Number(r.FloatString(m.IntN(4)))
}
