package validate

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// widen finds the places whose schema takes more than is enforced, as the compiler of the
// rules says it.
func (s *agreement) widen(t *testing.T, n *node, l *level, place string, seen map[*shape]bool) {
	t.Helper()
	s.wide[place] = s.wide[place] || !saysExactly(t, n, l.terms)
	below := l.dive
	if below == nil {
		below = &level{}
	}
	if n.key != nil {
		s.widen(t, n.key, &level{terms: below.keys}, place+"{key}", seen)
	}
	if n.elem != nil {
		s.widen(t, n.elem, below, place+innerPlace(n.form), seen)
	}
	if n.shape == nil || seen[n.shape] {
		return
	}
	seen[n.shape] = true
	for i := range n.shape.fields {
		f := &n.shape.fields[i]
		s.wide[place] = s.wide[place] || len(f.relations) > 0
		s.widen(t, f.node, n.shape.level(t, f), place+"."+f.name, seen)
	}
}

// level is what the validate tag of a field says.
func (s *shape) level(t *testing.T, f *field) *level {
	t.Helper()
	l, err := parseTag(s.typ.FieldByIndex(f.index).Tag.Get("validate"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// saysExactly says that the schema takes what a node takes, and no more.
func saysExactly(t *testing.T, n *node, terms []term) bool {
	t.Helper()
	for _, rule := range terms {
		if aboutOthers(rule.name) {
			continue // it is the struct that is more than its schema says
		}
		c, err := compile(rule, n)
		if err != nil {
			t.Fatal(err)
		}
		if !c.exact {
			if c.says == "" || !slices.ContainsFunc(n.says, func(s string) bool { return strings.Contains(s, c.says) }) {
				t.Errorf("the rule %s is said neither in keywords nor in words", rule.text)
			}
			return false
		}
	}
	// A big.Int has a bound on its digits, far beyond the numbers that jsonschema-go reads.
	return !n.own || n.typ == numberType || n.typ == bigIntType
}

// holds asks validator, a rule at a time, what it says of a value that was decoded from a
// document.
func (s *agreement) holds(t *testing.T, n *node, l *level, v reflect.Value, doc any) bool {
	if doc == nil {
		return true
	}
	v = pointed(v)
	if l == nil {
		l = &level{}
	}
	if !s.vars(v, l.terms) {
		return false
	}
	below := l.dive
	if below == nil {
		below = &level{}
	}
	switch doc := doc.(type) {
	case []any:
		if n.elem == nil {
			return true
		}
		for i, e := range doc {
			if i >= v.Len() {
				s.differ(t, writeDoc(s.rand, doc), "a list is decoded as one of %d elements", v.Len())
				return true
			}
			if !s.holds(t, n.elem, below, v.Index(i), e) {
				return false
			}
		}
	case map[string]any:
		for name, e := range doc {
			if n.form == formMap {
				key := keyOf(n.typ.Key(), []byte(name))
				if !s.vars(key, below.keys) || !s.holds(t, n.elem, below, v.MapIndex(key), e) {
					return false
				}
			}
			if n.shape == nil {
				continue
			}
			i, known := n.shape.byName[name]
			if !known {
				continue
			}
			f := &n.shape.fields[i]
			if !s.holds(t, f.node, n.shape.level(t, f), f.peek(v), e) {
				return false
			}
		}
	}
	return true
}

func (s *agreement) vars(v reflect.Value, terms []term) bool {
	return !slices.ContainsFunc(terms, func(rule term) bool {
		return !aboutOthers(rule.name) && s.engine.Var(v.Interface(), rule.text) != nil
	})
}
