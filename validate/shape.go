package validate

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// struct_ plans a struct type, once.
func (p *planner) struct_(typ reflect.Type) (*shape, error) {
	if s := p.shapes[typ]; s != nil {
		s.twice = s.twice || s.busy
		return s, nil
	}
	s := &shape{typ: typ, byName: map[string]int{}, busy: true}
	if p.shapes == nil {
		p.shapes = map[reflect.Type]*shape{}
	}
	p.shapes[typ] = s
	p.order = append(p.order, s)
	if err := p.fields(s, typ, nil, nil); err != nil {
		return nil, err
	}
	s.busy = false
	for i, f := range s.fields {
		s.byName[f.name] = i
	}
	return s, nil
}

// fields plans the fields of typ, which is that of the shape or embedded in it at
// index.
func (p *planner) fields(s *shape, typ reflect.Type, index []int, within []reflect.Type) error {
	if slices.Contains(within, typ) {
		return fmt.Errorf("%s embeds itself", typ)
	}
	within = append(within, typ)
	for i := range typ.NumField() {
		f := typ.Field(i)
		at := append(slices.Clone(index), i)
		tag, tagged := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" {
			continue
		}
		if embedded := p.embedded(f, name); embedded != nil {
			if f.Tag.Get("validate") != "" {
				return fmt.Errorf("the embedded %s has a validate tag: its fields are the struct's own, so put it on them", f.Name)
			}
			if err := p.fields(s, embedded, at, within); err != nil {
				return err
			}
			continue
		}
		if !f.IsExported() {
			if tagged || f.Tag.Get("validate") != "" {
				return fmt.Errorf("the field %s has tags but is not exported, so that nothing could be decoded into it", f.Name)
			}
			continue
		}
		planned, err := p.field(f, name, options)
		if err != nil {
			return fmt.Errorf("the field %s: %w", f.Name, err)
		}
		planned.index = at
		if err := s.add(planned); err != nil {
			return err
		}
	}
	return nil
}

// embedded returns the struct type whose fields are those of the struct that f stands
// in, or nil where f is a field like any other.
func (p *planner) embedded(f reflect.StructField, name string) reflect.Type {
	typ := f.Type
	if !f.Anonymous || name != "" {
		return nil
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || p.writesItself(typ) || p.writesText(typ) {
		return nil
	}
	return typ
}

func (p *planner) field(f reflect.StructField, name, options string) (field, error) {
	out := field{name: name, audit: f.Tag.Get("audit"), description: f.Tag.Get("jsonschema")}
	if name == "" {
		out.name = f.Name
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "omitempty", "omitzero":
			out.optional = true
		default:
			return out, fmt.Errorf("its json tag says %q, which is not supported here: write the type that you mean", option)
		}
	}
	if strings.ContainsAny(out.name, `'"\.[]`) {
		return out, errors.New("its JSON name holds a quote, a backslash, a dot or a bracket, which the paths of wrong values are made of")
	}
	l, err := parseTag(f.Tag.Get("validate"))
	if err != nil {
		return out, err
	}
	sometimes := slices.ContainsFunc(l.terms, func(t term) bool { return conditional(t.name) })
	out.required = l.required || (!out.optional && !l.omitempty && !sometimes)
	if p.output {
		out.required = !out.optional
	}
	out.node, err = p.plan(f.Type, l)
	return out, err
}

// add adds a field as Go does: the one that is less deeply embedded hides others
// of its name.
func (s *shape) add(f field) error {
	i := slices.IndexFunc(s.fields, func(other field) bool { return other.name == f.name })
	if i < 0 {
		s.fields = append(s.fields, f)
		return nil
	}
	switch have := len(s.fields[i].index); {
	case have < len(f.index):
	case have > len(f.index):
		s.fields[i] = f
	default:
		return fmt.Errorf("two fields of %s have the JSON name %s", s.typ, f.name)
	}
	return nil
}

// settle says for each node whether it is to be walked at all, and for each shape
// whether validator is needed. Types may contain themselves, so it goes around
// until nothing changes.
func (p *planner) settle(root *node) (rest bool) {
	for changed := true; changed; {
		changed = p.settleNode(root)
		for _, s := range p.order {
			for i := range s.fields {
				n := s.fields[i].node
				changed = p.settleNode(n) || changed
				if !s.rest && n.needsValidator() {
					s.rest, changed = true, true
				}
			}
		}
	}
	return root.needsValidator()
}

func (p *planner) settleNode(n *node) (changed bool) {
	if n.elem != nil {
		changed = p.settleNode(n.elem)
	}
	if n.deep {
		return changed
	}
	switch n.form {
	case formObject:
		n.deep = true // members have to be there, and null is not taken
	case formArray, formMap:
		n.deep = n.elem.walked()
	}
	return changed || n.deep
}

// walked says that a value of this node is to be looked at when it is there, even
// where no null is.
func (n *node) walked() bool { return n.deep || len(n.checks) > 0 || n.allow != nil }

// needsValidator says that validator has rules to run in this node or below.
func (n *node) needsValidator() bool {
	switch {
	case len(n.rest) > 0 || len(n.restKeys) > 0:
		return true
	case n.elem != nil:
		return n.elem.needsValidator()
	case n.shape != nil:
		return n.shape.rest
	}
	return false
}
