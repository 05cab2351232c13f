package validate

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A relation is a rule of one field that looks at others of its struct. It is held
// when all members have been seen: whether one is there is known from the text, so
// that 0 and "" are there and what is absent or null is not.
type relation struct {
	rule, phrase string
	// missing says that the rule is about whether the field is there at all.
	missing bool
	broken  func(o *occasion, i int) bool
}

// An occasion is a struct that has been walked over.
type occasion struct {
	value reflect.Value
	root  reflect.Value
	shape *shape
	seen  []presence
}

// presence is what the text holds of a field.
type presence uint8

const (
	absent presence = iota
	null
	given
	misformed // it is there and breaks a rule of its own
)

func (p presence) there() bool { return p >= given }

// conditional rules say when a member has to be there, or may not.
func conditional(name string) bool {
	return strings.HasPrefix(name, "required_") || strings.HasPrefix(name, "excluded_")
}

// aboutOthers says that a rule is a relation.
func aboutOthers(name string) bool {
	switch name {
	case "fieldcontains", "fieldexcludes", "postcode_iso3166_alpha2_field":
		return true
	}
	return conditional(name) || comparisons[strings.Replace(name, "csfield", "field", 1)].holds != nil
}

// relate compiles the relations of all fields, which are known now.
func (p *planner) relate() error {
	for _, s := range p.order {
		if err := p.relateShape(s); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) relateShape(s *shape) error {
	for i := range s.fields {
		f := &s.fields[i]
		for _, t := range f.others {
			r, err := p.relation(s, i, t)
			if err != nil {
				return fmt.Errorf("the field %s: the rule %s: %w", s.typ.FieldByIndex(f.index).Name, t.name, err)
			}
			f.relations = append(f.relations, *r)
			f.node.says = append(f.node.says, r.phrase)
			s.related = true
		}
	}
	return nil
}

func (p *planner) relation(s *shape, i int, t term) (*relation, error) {
	switch {
	case strings.Contains(t.text, "|"):
		return nil, errors.New("it cannot be one of several alternatives")
	case strings.HasSuffix(t.name, "_if") || strings.HasSuffix(t.name, "_unless"):
		return s.dependsOnValues(t)
	case conditional(t.name):
		return s.dependsOnPresence(t)
	}
	return p.compares(s, i, t)
}

// sibling finds a field of the shape by its name in Go.
func (s *shape) sibling(goName string) (int, error) {
	if f, found := s.typ.FieldByName(goName); found {
		if i := s.at(f.Index); i >= 0 {
			return i, nil
		}
	}
	return -1, fmt.Errorf("%s is no field of %s that a caller can give", goName, s.typ)
}

// at returns the field of an index, or -1.
func (s *shape) at(index []int) int {
	return slices.IndexFunc(s.fields, func(f field) bool { return slices.Equal(f.index, index) })
}

func (s *shape) dependsOnPresence(t term) (*relation, error) {
	others := strings.Fields(t.param)
	if len(others) == 0 {
		return nil, errors.New("it names no other field")
	}
	fields, names := make([]int, len(others)), make([]string, len(others))
	for k, name := range others {
		i, err := s.sibling(name)
		if err != nil {
			return nil, err
		}
		fields[k], names[k] = i, s.fields[i].name
	}
	verb, when, _ := strings.Cut(t.name, "_")
	if when != "with" && when != "with_all" && when != "without" && when != "without_all" {
		return nil, errors.New("it is not understood")
	}
	there := strings.HasPrefix(when, "with") && !strings.HasPrefix(when, "without")
	all := strings.HasSuffix(when, "_all")
	word, link := "with", " or "
	if !there {
		word = "without"
	}
	if all {
		link = " and "
	}
	return presenceRule(t.name, verb, word+" "+strings.Join(names, link), func(o *occasion) bool {
		as := func(i int) bool { return o.seen[i].there() == there }
		if all {
			return !slices.ContainsFunc(fields, func(i int) bool { return !as(i) })
		}
		return slices.ContainsFunc(fields, as)
	}), nil
}

// presenceRule is a field that is required, or excluded, on a condition.
func presenceRule(rule, verb, condition string, holds func(*occasion) bool) *relation {
	if verb == "required" {
		return &relation{rule: rule, phrase: "is required " + condition, missing: true, broken: func(o *occasion, i int) bool { return !o.seen[i].there() && holds(o) }}
	}
	return &relation{rule: rule, phrase: "must be left out " + condition, missing: true, broken: func(o *occasion, i int) bool { return o.seen[i].there() && holds(o) }}
}

func (s *shape) dependsOnValues(t term) (*relation, error) {
	params := words.FindAllString(t.param, -1)
	if len(params) == 0 || len(params)%2 != 0 {
		return nil, errors.New("it takes pairs of a field and its value")
	}
	var fields []int
	var tests []func(*occasion) bool
	var says []string
	for k := 0; k < len(params); k += 2 {
		i, err := s.sibling(params[k])
		if err != nil {
			return nil, err
		}
		literal := strings.ReplaceAll(params[k+1], "'", "")
		equals, err := equalsLiteral(s.fields[i].node, literal)
		if err != nil {
			return nil, err
		}
		tests = append(tests, func(o *occasion) bool {
			v := pointed(s.fields[i].peek(o.value))
			return v.IsValid() && equals(v)
		})
		fields = append(fields, i)
		says = append(says, s.fields[i].name+" is "+quoted(literal))
	}
	verb, when, _ := strings.Cut(t.name, "_")
	either := func(o *occasion) bool {
		return slices.ContainsFunc(tests, func(test func(*occasion) bool) bool { return test(o) })
	}
	all := func(o *occasion) bool {
		return !slices.ContainsFunc(tests, func(test func(*occasion) bool) bool { return !test(o) })
	}
	known := func(o *occasion) bool {
		return !slices.ContainsFunc(fields, func(i int) bool { return o.seen[i] == misformed })
	}
	if when == "unless" {
		return presenceRule(t.name, verb, "unless "+strings.Join(says, " or "), func(o *occasion) bool { return known(o) && !either(o) }), nil
	}
	return presenceRule(t.name, verb, "where "+strings.Join(says, " and "), func(o *occasion) bool { return known(o) && all(o) }), nil
}

// equalsLiteral compares a value with what a tag says. A member that is absent has the
// zero value of its type, as the handler sees it; one behind a nil pointer has none.
func equalsLiteral(n *node, literal string) (func(reflect.Value) bool, error) {
	bad := fmt.Errorf("%s cannot be compared with %q", n.typ, literal)
	if n.own {
		return nil, bad
	}
	switch kind := n.typ.Kind(); {
	case kind == reflect.String:
		return func(v reflect.Value) bool { return v.String() == literal }, nil
	case kind == reflect.Bool:
		b, err := strconv.ParseBool(literal)
		if err != nil {
			return nil, bad
		}
		return func(v reflect.Value) bool { return v.Bool() == b }, nil
	case kind >= reflect.Int && kind <= reflect.Int64:
		x, err := strconv.ParseInt(literal, 0, 64)
		if err != nil {
			return nil, bad
		}
		return func(v reflect.Value) bool { return v.Int() == x }, nil
	case kind >= reflect.Uint && kind <= reflect.Uintptr:
		x, err := strconv.ParseUint(literal, 0, 64)
		if err != nil {
			return nil, bad
		}
		return func(v reflect.Value) bool { return v.Uint() == x }, nil
	case kind == reflect.Float32 || kind == reflect.Float64:
		x, err := strconv.ParseFloat(literal, n.typ.Bits())
		if err != nil {
			return nil, bad
		}
		return func(v reflect.Value) bool { return v.Float() == x }, nil
	}
	return nil, bad
}
