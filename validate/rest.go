package validate

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// rest runs the rules that validator knows and this package does not compile. It
// has a validator of its own: what validator knows of a type is kept by type.
type rest struct {
	v *validator.Validate
}

// unusedTag keeps validator from reading the validate tags itself.
const unusedTag = "safemcp:rest"

func newRest(p *planner) (*rest, error) {
	r := &rest{v: validator.New()}
	r.v.SetTagName(unusedTag)
	for _, s := range p.order {
		for i := range s.fields {
			f := &s.fields[i]
			if err := f.tryRest(s.typ); err != nil {
				return nil, err
			}
		}
	}
	for typ, tags := range restRules(p.order) {
		r.v.RegisterStructValidationMapRules(tags, reflect.New(typ).Elem().Interface())
	}
	return r, nil
}

// restRules are the tags for validator, by struct type and Go's name of a field.
func restRules(shapes []*shape) map[reflect.Type]map[string]string {
	rules := map[reflect.Type]map[string]string{}
	for _, s := range shapes {
		for i := range s.fields {
			f := &s.fields[i]
			owner, name := f.owner(s.typ)
			if rules[owner] == nil {
				rules[owner] = map[string]string{}
			}
			tag := f.node.restTag()
			if tag == "" && !f.node.needsValidator() {
				tag = "-"
			}
			rules[owner][name] = tag
		}
	}
	return rules
}

// owner is the struct type that a field stands in, embedded ones included, and its
// name there.
func (f *field) owner(typ reflect.Type) (reflect.Type, string) {
	last := len(f.index) - 1
	for _, i := range f.index[:last] {
		if typ = typ.Field(i).Type; typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
	}
	return typ, typ.Field(f.index[last]).Name
}

// tryRest runs the rules of a field once, alone: validator panics on those that it
// does not know or that are not made for the type, and does so here rather than at
// a call.
func (f *field) tryRest(typ reflect.Type) (err error) {
	tag := f.node.restTag()
	if tag == "" {
		return nil
	}
	owner, name := f.owner(typ)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the field %s: the rules %q are not understood: %v", name, tag, p)
		}
	}()
	v := validator.New()
	v.SetTagName(unusedTag)
	v.RegisterStructValidationMapRules(map[string]string{name: tag}, reflect.New(owner).Elem().Interface())
	var broken validator.ValidationErrors
	if err := v.Struct(populated(owner, 0).Interface()); err != nil && !errors.As(err, &broken) {
		return fmt.Errorf("the field %s: the rules %q: %w", name, tag, err)
	}
	return nil
}

// restTag is what is left to validator of the rules of a node and of what is in
// it.
func (n *node) restTag() string {
	var parts []string
	for _, t := range n.rest {
		parts = append(parts, t.text)
	}
	if n.elem != nil && (n.elem.needsValidator() || len(n.restKeys) > 0) {
		parts = append(parts, "dive")
		if len(n.restKeys) > 0 {
			parts = append(parts, "keys")
			for _, t := range n.restKeys {
				parts = append(parts, t.text)
			}
			parts = append(parts, "endkeys")
		}
		if below := n.elem.restTag(); below != "" {
			parts = append(parts, below)
		}
	}
	return strings.Join(parts, ",")
}

// populated is a value of typ in which nothing is nil, so that every rule runs: it
// panics then on a type that it is not made for, and not at a call.
func populated(typ reflect.Type, depth int) reflect.Value {
	v := reflect.New(typ).Elem()
	if depth > 4 || typ == timeType {
		return v
	}
	switch typ.Kind() {
	case reflect.Pointer:
		v.Set(populated(typ.Elem(), depth+1).Addr())
	case reflect.Slice:
		v.Set(reflect.Append(v, populated(typ.Elem(), depth+1)))
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(populated(typ.Key(), depth+1), populated(typ.Elem(), depth+1))
	case reflect.Struct:
		for i := range typ.NumField() {
			if f := v.Field(i); f.CanSet() {
				f.Set(populated(f.Type(), depth+1))
			}
		}
	}
	return v
}

// run runs validator over v. It knows nothing of what was there, so that what it
// says of absent members does not count, conditional rules aside.
func (r *rest) run(w *walker, root *node, v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	var broken validator.ValidationErrors
	if err := r.v.StructCtx(w.ctx, v.Addr().Interface()); !errors.As(err, &broken) {
		return
	}
	missing := w.missingPaths(root)
	for _, f := range broken {
		path := pathOf(f.StructNamespace(), root)
		if w.told(path) || (under(missing, path) && !conditional(f.Tag())) {
			continue
		}
		w.errs = append(w.errs, FieldError{Path: path, Rule: f.Tag(), Message: sentence(path, phrase(f.Tag(), f.Param()))})
	}
}

// told says that something has been said of a path already.
func (w *walker) told(path string) bool {
	for _, e := range w.errs {
		if e.Path == path {
			return true
		}
	}
	return false
}

// missingPaths walks once more, to collect what is absent or null.
func (w *walker) missingPaths(root *node) map[string]bool {
	again := &walker{ctx: w.ctx, raw: w.raw, missing: map[string]bool{}}
	again.gather(root, jsonwalk.Space(w.raw, 0))
	return again.missing
}

// gather collects what is absent or null in the text alone.
func (w *walker) gather(n *node, at int) int {
	if w.raw[at] == 'n' {
		w.missing[w.where()] = true
		return jsonwalk.Skip(w.raw, at)
	}
	if n.own || !n.looks(w.raw[at]) {
		return jsonwalk.Skip(w.raw, at)
	}
	switch n.form {
	case formArray:
		return jsonwalk.EachElement(w.raw, at, func(i, value int) int {
			w.enterAt(i)
			defer w.leave()
			return w.gather(n.elem, value)
		})
	case formObject:
		seen := make([]bool, len(n.shape.fields))
		end := jsonwalk.EachMember(w.raw, at, func(name []byte, value int) int {
			i := n.shape.find(name, 0)
			if i < 0 {
				return jsonwalk.Skip(w.raw, value)
			}
			seen[i] = true
			w.enter(n.shape.fields[i].name)
			defer w.leave()
			return w.gather(n.shape.fields[i].node, value)
		})
		w.absent(n.shape, seen)
		return end
	}
	return jsonwalk.Skip(w.raw, at)
}

// under says that a path or something above it is in set.
func under(set map[string]bool, path string) bool {
	for i := range path {
		if (path[i] == '.' || path[i] == '[') && set[path[:i]] {
			return true
		}
	}
	return set[path]
}

// pathOf turns validator's name for a field, which is made of Go's, into one made
// of JSON's. Behind a map it stops: the rest begins with the caller's own word.
func pathOf(namespace string, root *node) string {
	typ, n := root.typ, root
	rest := namespace
	if name := typ.Name(); name != "" {
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, name), ".")
	}
	var b strings.Builder
	var index []int // since the last shape
	for rest != "" {
		if rest[0] == '[' {
			if n.form != formArray {
				return b.String() + "[*]"
			}
			i, after, _ := strings.Cut(rest[1:], "]")
			if _, err := strconv.Atoi(i); err != nil {
				return b.String()
			}
			b.WriteString("[" + i + "]")
			n, typ, rest, index = n.elem, n.elem.typ, strings.TrimPrefix(after, "."), nil
			continue
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		goName := rest[:end]
		rest = strings.TrimPrefix(rest[end:], ".")
		f, ok := typ.FieldByName(goName)
		if !ok || n.shape == nil {
			return b.String()
		}
		index = append(index, f.Index...)
		i := n.shape.at(index)
		if i < 0 { // embedded
			if typ = f.Type; typ.Kind() == reflect.Pointer {
				typ = typ.Elem()
			}
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(n.shape.fields[i].name)
		n = n.shape.fields[i].node
		typ, index = n.typ, nil
	}
	return b.String()
}

// at returns the field of an index, or -1.
func (s *shape) at(index []int) int {
	for i, f := range s.fields {
		if fmt.Sprint(f.index) == fmt.Sprint(index) {
			return i
		}
	}
	return -1
}
