package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode"

	santhosh "github.com/santhosh-tekuri/jsonschema/v6"
)

// along makes a document in which the value that a slot is about is made by f.
func (m *docMaker) along(s *santhosh.Schema, path []hop, place string, depth int, f func(s *santhosh.Schema, place string) any) any {
	i := slices.IndexFunc(path, func(h hop) bool { return h.kind != hopSame })
	if i < 0 {
		return f(s, place)
	}
	h, rest := path[i], path[i+1:]
	v := m.viewOf(s)
	for range i { // the way leads through an alternative
		if h.kind == hopMember && v.members[h.name] == nil {
			v = m.viewOf(s)
		}
	}
	if h.kind == hopItem {
		list := m.list(v, place, depth)
		e := m.along(h.to, rest, place+"[]", depth+1, f)
		if len(list) == 0 {
			return []any{e}
		}
		list[m.IntN(len(list))] = e
		return list
	}
	if h.kind == hopMember && depth == 0 && m.IntN(m.lonely) > 0 {
		v = &schemaView{largest: -1, order: v.required, required: v.required, members: v.members} // alone
	}
	object := m.object(v, place, depth)
	switch h.kind {
	case hopMember:
		object[h.name] = m.along(h.to, rest, place+"."+h.name, depth+1, f)
	case hopValue:
		e := m.along(h.to, rest, place+"{}", depth+1, f)
		object[m.one(object, m.name(v, place))] = e
	case hopKey:
		old := m.one(object, "")
		e, there := object[old]
		if !there {
			e = m.valid(v.more, place+"{}", depth+1)
		}
		delete(object, old)
		object[fmt.Sprint(m.along(h.to, rest, place+"{key}", depth+1, f))] = e
	}
	return object
}

// one picks a name of an object.
func (m *docMaker) one(object map[string]any, otherwise string) string {
	if len(object) == 0 {
		return otherwise
	}
	names := slices.Sorted(maps.Keys(object))
	return names[m.IntN(len(names))]
}

// broken makes a value that breaks a keyword, or is near to what does.
func (m *docMaker) broken(l *keywordSlot, s *santhosh.Schema, place string, depth int) any {
	if len(l.found) > 0 && l.place == place && m.IntN(3) > 0 { // near to one that did
		return m.edited(l.found[m.IntN(len(l.found))])
	}
	if h := m.hints[place+"!"]; h != nil && l.place == place && l.word != "type" && l.word != "type null" && m.IntN(2) == 0 {
		return h(m.Rand)
	}
	good := m.valid(s, place, depth)
	if l.place == place && m.IntN(8) > 0 {
		if v, made := m.breaks(l, good, s, place, depth); made {
			return v
		}
	}
	return m.changed(good)
}

func (m *docMaker) breaks(l *keywordSlot, good any, s *santhosh.Schema, place string, depth int) (any, bool) {
	in := l.in
	if text, is := good.(string); is && (l.kind == "string" || (l.kind == "" && !slices.Contains([]string{"type", "type null", "not"}, l.word))) {
		return m.breaksText(l, text, m.viewOf(s), place), true
	}
	list, _ := good.([]any)
	object, _ := good.(map[string]any)
	switch l.word {
	case "type":
		if m.IntN(6) == 0 {
			return nil, true
		}
		return m.anything(), true
	case "type null":
		return nil, true
	case "$ref":
		return nil, m.IntN(4) == 0
	case "enum", "const":
		if m.IntN(3) == 0 {
			return m.ofKind(&schemaView{longest: 6, largest: 3}, kindOf(good), "", depth), true
		}
		return m.changed(good), true
	case "not":
		v, outer := *m.viewOf(in.Not), m.viewOf(s)
		v.types, v.items, v.more, v.names = outer.types, outer.items, outer.more, outer.names
		if len(v.enums) > 0 || len(v.types) == 0 {
			return m.valid(in.Not, place, depth), true
		}
		return m.ofKind(&v, v.types[len(v.types)-1], "", depth), true
	case "minimum", "exclusiveMinimum":
		return m.beside(cmpOr(in.Minimum, in.ExclusiveMinimum), -1, s), true
	case "maximum", "exclusiveMaximum":
		return m.beside(cmpOr(in.Maximum, in.ExclusiveMaximum), 1, s), true
	case "minItems":
		return list[:min(len(list), m.IntN(max(*in.MinItems, 1)))], true
	case "maxItems":
		for over := *in.MaxItems + 1 + m.IntN(2); len(list) < over; {
			list = append(list, m.list(m.viewOf(s), place, depth)...)
			if len(list) == 0 {
				list = append(list, m.valid(in.Items2020, place+"[]", depth+1))
			}
		}
		return list, true
	case "uniqueItems":
		if len(list) > 1 && m.IntN(2) == 0 {
			list[0] = list[1]
		} else if len(list) > 0 {
			list = append(list, list[m.IntN(len(list))])
		}
		if len(list) > 1 {
			m.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		return list, true
	case "minProperties":
		for len(object) >= *in.MinProperties {
			delete(object, m.one(object, ""))
		}
		return object, object != nil
	case "maxProperties":
		v := m.viewOf(s)
		for range 50 {
			if object != nil && len(object) <= *in.MaxProperties+m.IntN(2) {
				object[m.name(v, place)] = m.valid(v.more, place+"{}", depth+1)
			}
		}
		return object, object != nil
	case "additionalProperties":
		if object != nil {
			object[m.strange(object)] = m.anything()
		}
		return object, object != nil
	}
	if l.name != "" {
		delete(object, l.name)
		return object, object != nil
	}
	return nil, false
}

func cmpOr(a, b *big.Rat) *big.Rat {
	if a != nil {
		return a
	}
	return b
}

// strange is the name of a member that a type may not have: often nearly that of one.
func (m *docMaker) strange(object map[string]any) string {
	name := m.one(object, "x")
	switch m.IntN(5) {
	case 0:
		return strings.ToUpper(name)
	case 1:
		return name + " "
	case 2:
		return ""
	case 3:
		return m.edited(name)
	}
	return m.word(1 + m.IntN(8))
}

// beside is a number at a bound or beyond it.
func (m *docMaker) beside(bound *big.Rat, sign int64, s *santhosh.Schema) any {
	by := []*big.Rat{big.NewRat(0, 1), big.NewRat(1, 1), big.NewRat(1, 2), big.NewRat(2, 1), big.NewRat(1, 1000), big.NewRat(m.Int64N(1<<20), 1), big.NewRat(m.Int64N(1<<62), 1)}
	far := by[m.IntN(len(by))]
	if bound.Cmp(big.NewRat(1<<52, 1)) > 0 || bound.Cmp(big.NewRat(-(1<<52), 1)) < 0 {
		far = new(big.Rat).Mul(bound, big.NewRat(m.Int64N(1000)*sign*int64(bound.Sign()), 1000))
		if bound.Cmp(new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 65))) < 0 && m.IntN(2) == 0 {
			far = big.NewRat(m.Int64N(5000)*2048, 1)
		}
		far.Abs(far)
	}
	at := new(big.Rat).Add(bound, new(big.Rat).Mul(far, big.NewRat(sign, 1)))
	if slices.Contains(m.viewOf(s).types, "integer") {
		return m.written(wholePart(at))
	}
	return m.decimal(at)
}

// breaksText makes a text that breaks a keyword for texts, or is near to what does: made from
// a good one, from what one of the patterns takes, or from what its rule takes.
func (m *docMaker) breaksText(l *keywordSlot, text string, v *schemaView, place string) string {
	switch m.IntN(4) {
	case 0:
		if len(v.patterns) > 0 {
			text = m.matching(v.patterns[m.IntN(len(v.patterns))])
		}
	case 1, 2:
		if h := m.hints[place]; h != nil {
			text = fmt.Sprint(h(m.Rand))
		}
	}
	r := []rune(text)
	switch {
	case l.word == wordsAlone && m.IntN(2) == 0:
		return text
	case l.word == "pattern" && m.IntN(3) == 0: // with a character of it
		all, i := []rune(l.in.Pattern.String()), m.IntN(len(r)+1)
		return string(slices.Insert(r, i, all[m.IntN(len(all))]))
	case l.word == "minLength" || l.word == "maxLength":
	case m.IntN(5) > 0:
		return m.edited(text)
	}
	switch {
	case l.word == "minLength" && m.IntN(3) > 0:
		text = string(r[:min(len(r), m.IntN(max(*l.in.MinLength, 1)))])
	case l.word == "maxLength" && m.IntN(3) > 0:
		if len(r) == 0 {
			r = []rune("a")
		}
		for over := *l.in.MaxLength + 1 + m.IntN(3); len(r) < over; {
			i := m.IntN(len(r))
			r = slices.Insert(r, i, r[i])
		}
		text = string(r)
	}
	return text
}

// changed is a value with something in it changed.
func (m *docMaker) changed(v any) any {
	switch v := v.(type) {
	case string:
		return m.edited(v)
	case json.Number:
		r, ok := new(big.Rat).SetString(v.String())
		if !ok {
			return v
		}
		by := []*big.Rat{big.NewRat(1, 1), big.NewRat(-1, 1), big.NewRat(1, 2), big.NewRat(-100, 1), big.NewRat(1, 100)}
		return m.decimal(r.Add(r, by[m.IntN(len(by))]))
	case []any:
		if len(v) == 0 || m.IntN(4) == 0 {
			return append(v, m.anything())
		}
		i := m.IntN(len(v))
		if m.IntN(4) == 0 {
			return slices.Delete(v, i, i+1)
		}
		v[i] = m.changed(v[i])
		return v
	case map[string]any:
		name := m.one(v, "")
		if e, there := v[name]; there {
			if m.IntN(4) == 0 {
				delete(v, name)
			} else {
				v[name] = m.changed(e)
			}
			return v
		}
		v[m.strange(v)] = m.anything()
		return v
	}
	return m.anything()
}

const docTricky = "0189azAZfgFG-_.:/@+=%# \n\t,;(){}[]'\"\\<>&~`!?$^*|éßſKİı漢字😀"

// edited is a text that differs in little.
func (m *docMaker) edited(s string) string {
	r := []rune(s)
	all := []rune(docTricky)
	for range 1 + m.IntN(2) {
		at := m.IntN(len(r) + 1)
		odd := all[m.IntN(len(all))]
		if len(r) > 0 && m.IntN(4) == 0 {
			odd = r[m.IntN(len(r))]
		}
		switch op := m.IntN(7); {
		case op == 0 || len(r) == 0:
			r = slices.Insert(r, at, odd)
		case op == 1:
			r = append(r, odd)
		case op == 2:
			r = slices.Insert(r, 0, odd)
		case op == 3:
			at %= len(r)
			r = slices.Delete(r, at, at+1)
		case op == 4:
			r[at%len(r)] = odd
		case op == 5:
			at %= len(r)
			if unicode.IsUpper(r[at]) {
				r[at] = unicode.ToLower(r[at])
			} else {
				r[at] = unicode.ToUpper(r[at])
			}
		default:
			i, j := at%len(r), m.IntN(len(r))
			r[i], r[j] = r[j], r[i]
		}
	}
	return string(r)
}
