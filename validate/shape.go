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
	if err := p.wholeRules(s); err != nil {
		return nil, err
	}
	if err := s.hide(); err != nil {
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
			if _, there := f.Tag.Lookup("default"); there && !p.output {
				return fmt.Errorf("the field %s has a default and json:\"-\", which keeps it out of all that is done here: take one of them away", f.Name)
			}
			continue
		}
		if embedded := p.embedded(f, name); embedded != nil {
			if err := p.embed(s, f, embedded, at, within); err != nil {
				return err
			}
			continue
		}
		if !f.IsExported() {
			if tagged || heldTag(f) != "" {
				return fmt.Errorf("the field %s has tags but is not exported, so that nothing could be decoded into it: export it, or take them away", f.Name)
			}
			continue
		}
		planned, err := p.field(f, name, options)
		if err != nil {
			return fmt.Errorf("the field %s: %w", f.Name, err)
		}
		planned.index = at
		s.fields = append(s.fields, planned)
	}
	return nil
}

// heldTags are the tags by which values are held against something, or changed.
var heldTags = []string{"validate", "default", "text"}

// heldTag is one of them that a field has.
func heldTag(f reflect.StructField) string {
	for _, tag := range heldTags {
		if have, there := f.Tag.Lookup(tag); there && have != "-" {
			return tag
		}
	}
	return ""
}

// embed plans the fields of a struct that is embedded as f.
func (p *planner) embed(s *shape, f reflect.StructField, typ reflect.Type, index []int, within []reflect.Type) error {
	for _, tag := range append(slices.Clone(heldTags), "audit") {
		if _, there := f.Tag.Lookup(tag); there {
			return fmt.Errorf("the embedded %s has a %s tag: its fields are the struct's own, so put it on them", f.Name, tag)
		}
	}
	pointer := f.Type.Kind() == reflect.Pointer
	if pointer && !f.IsExported() && !p.output {
		return fmt.Errorf("the embedded %s is a pointer to a type that is not exported, which nothing can be decoded into: embed it as a value", f.Name)
	}
	if has[wholeRule](typ) && !p.output {
		if pointer {
			return fmt.Errorf("the embedded %s is a pointer to a type with a Validate method, which may be nil when it is called: embed it as a value", f.Name)
		}
		s.ruled = f.Name
	}
	before := len(s.fields)
	if err := p.fields(s, typ, index, within); err != nil {
		return err
	}
	for i := before; pointer && p.output && i < len(s.fields); i++ {
		s.fields[i].required = false // nothing of it is written where it is nil
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
			return out, fmt.Errorf("its json tag says %q, which is not supported here: %s", option, instead(option))
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
	l.terms = slices.DeleteFunc(l.terms, func(t term) bool {
		if aboutOthers(t.name) {
			out.others = append(out.others, t)
			return true
		}
		return false
	})
	out.required = l.required || (!out.optional && !l.omitempty && !sometimes)
	if p.output {
		out.required = !out.optional
	}
	if l.hygiene, err = parseHygiene(f.Tag.Get("text")); err != nil {
		return out, err
	}
	if out.node, err = p.plan(f.Type, l); err != nil {
		return out, err
	}
	if _, there := f.Tag.Lookup("text"); there && !p.output && !out.node.texts() {
		return out, errors.New("a text tag is for texts, and for lists and maps of them: in any, and in what reads itself, nobody looks at texts; on a struct it says nothing of the struct's fields, so put it on these")
	}
	if tag, there := f.Tag.Lookup("default"); there {
		err = p.fallsBack(&out, f.Type, tag)
	}
	return out, err
}

// instead says what to do in place of an option of a json tag.
func instead(option string) string {
	name, _, _ := strings.Cut(option, ":")
	switch name {
	case "string":
		return "leave it out, since numbers of every size are read exactly; where clients send texts, use a string and convert it in the handler"
	case "inline", "embed":
		return "embed the struct, without a name for the field"
	case "format":
		return "use a type that reads itself, with UnmarshalText, or a string with a rule such as datetime=2006-01-02"
	case "unknown":
		return "members that are not known are refused; give a map a field of its own"
	case "case", "nocase", "strictcase":
		return "leave it out, since names are spelt exactly"
	}
	return "leave it out"
}

// hide leaves of the fields with one name that which is embedded least deeply, as Go
// does.
func (s *shape) hide() error {
	least := map[string]int{}
	for _, f := range s.fields {
		if depth, known := least[f.name]; !known || len(f.index) < depth {
			least[f.name] = len(f.index)
		}
	}
	s.fields = slices.DeleteFunc(s.fields, func(f field) bool { return len(f.index) > least[f.name] })
	named := map[string]bool{}
	for _, f := range s.fields {
		if named[f.name] {
			return fmt.Errorf("two fields of %s have the JSON name %s", s.typ, f.name)
		}
		named[f.name] = true
	}
	return nil
}

// auditTags refuses audit tags that nobody would look at, wherever their type stands: what is
// in a map, in a list of lists, in a type that reads itself or in a field that has a tag is
// recorded as a whole.
func auditTags(root *node) error { return root.auditTags(false, map[tagged]bool{}) }

// tagged is a shape in a place whose tags are looked at or not.
type tagged struct {
	shape *shape
	whole bool
}

func (n *node) auditTags(whole bool, seen map[tagged]bool) error {
	for lists := 0; n.form == formArray || n.form == formMap; n = n.elem {
		lists++
		whole = whole || n.form == formMap || lists > 1
	}
	whole = whole || n.own
	if n.shape == nil || seen[tagged{n.shape, whole}] {
		return nil
	}
	seen[tagged{n.shape, whole}] = true
	for _, f := range n.shape.fields {
		if f.audit != "" && whole {
			return fmt.Errorf("the field %s of %s has an audit tag, and stands in what is recorded as a whole: in a map, in a list of lists, in a type that reads itself or in a field that has an audit tag; put the tag on that", f.name, n.shape.typ)
		}
		if err := f.node.auditTags(whole || f.audit != "", seen); err != nil {
			return err
		}
	}
	return nil
}

// settle says for each node whether it is to be walked at all. Types may contain
// themselves, so it goes around until nothing changes.
func (p *planner) settle(root *node) {
	for changed := true; changed; {
		changed = p.settleNode(root)
		for _, s := range p.order {
			for i := range s.fields {
				changed = p.settleNode(s.fields[i].node) || changed
			}
		}
	}
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
		n.deep = n.elem.walked() || (n.key != nil && n.key.walked())
	}
	return changed || n.deep
}

// walked says that a value of this node is to be looked at when it is there, even
// where no null is.
func (n *node) walked() bool {
	return n.deep || n.watched || len(n.checks) > 0 || n.allow != nil || len(n.rules) > 0 || n.whole
}
