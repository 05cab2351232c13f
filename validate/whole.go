package validate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/safemcp/safemcp/validate/text"
)

// wholeRule is a type with a rule for its values as a whole.
type wholeRule interface {
	Validate(ctx context.Context) error
}

// A Rejection is what a Validate method returns to say what is wrong, in words that are
// meant for the caller; see [Reject].
type Rejection struct {
	// Path is the field that is wrong, by its name in JSON and from the value that is
	// validated: "end", "stops[2].city". It is empty for the value as a whole. One that
	// does not lead to a field is left out, and so are keys of maps: say [*] for them.
	Path string
	// Phrase follows the path in a sentence: "must be after start". More than 1000 bytes
	// of it, and what nobody can see, are left out.
	Phrase string
}

// Reject returns an error for a Validate method whose words are meant for the caller:
//
//	func (t Trip) Validate(context.Context) error {
//		if !t.End.After(t.Start) {
//			return validate.Reject("end", "must be after start")
//		}
//		return nil
//	}
//
// path names the field, see [Rejection]; format and args make what follows it. Several
// are joined with errors.Join. What an error says that is not made so stays inside.
func Reject(path, format string, args ...any) error {
	return &Rejection{path, fmt.Sprintf(format, args...)}
}

// Error is the sentence.
func (r *Rejection) Error() string { return sentence(r.Path, r.Phrase) }

// wholeRules looks at the Validate methods of a struct and of what is embedded in it.
func (p *planner) wholeRules(s *shape) error {
	if p.output || has[wholeRule](s.typ) {
		return nil
	}
	if s.ruled != "" { // promoted from two, Go has neither
		return fmt.Errorf("the Validate method of the embedded %s would not be called, since %s has none that is one method alone: give it one that calls those of its parts", s.ruled, s.typ)
	}
	if _, other := reflect.PointerTo(s.typ).MethodByName("Validate"); other {
		p.notes = append(p.notes, fmt.Sprintf("the method Validate of %s is not called: it is no Validate(context.Context) error", s.typ))
	}
	return nil
}

// lengthy notes that a text, a list or a map is longer than a rule of its node allows,
// which need not be the rule that is said to be broken.
func (w *walker) lengthy(n *node, v reflect.Value) {
	if k := v.Kind(); k != reflect.String && k != reflect.Slice && k != reflect.Map {
		return
	}
	for i := range n.checks {
		if c := &n.checks[i]; c.bounds && (c.aboutLength(v) || v.Len() > c.longest()) && !c.ok(v) {
			w.long++
			return
		}
	}
}

// aboutLength says that what breaks a rule which bounds a value may do so by its length alone.
func (c *check) aboutLength(v reflect.Value) bool {
	switch c.rule {
	case "max", "lte", "lt", "len":
		return true
	case "eq":
		return v.Kind() != reflect.String
	}
	return strings.Contains(c.rule, "|")
}

// longest is how many bytes a text may have that keeps a rule which bounds it by what it is.
func (c *check) longest() int {
	if c.near == nil {
		return mostValueBytes
	}
	most := 0
	for _, s := range c.near {
		most = max(most, len(s))
	}
	return most
}

type brokenKey struct{}

// Broken reports, within a Validate method, that rules of the value's fields are broken, so
// that the call is refused in any case. A method whose work is bounded by a rule, as that of a
// loop up to a number with a max, returns nil then: what it would say is said when the fields
// are right.
func Broken(ctx context.Context) bool {
	broken, _ := ctx.Value(brokenKey{}).(bool)
	return broken
}

// behind holds a value that has been walked over against the rules of one's own, before
// which there were so many errors, and so many of what is longer than it may be.
func (w *walker) behind(n *node, v reflect.Value, before, long int) {
	if w.more || w.source != nil { // the call is refused, and more is not said
		return
	}
	if len(w.errs) == before {
		w.ownRules(n, v)
	}
	if n.whole && w.source == nil && w.long == long {
		w.wholeValue(n, v, len(w.errs) > before)
	}
}

// ownRules holds a value against rules by name; one that is broken is enough to say.
func (w *walker) ownRules(n *node, v reflect.Value) {
	defer func() {
		if p := recover(); p != nil {
			w.source = &PanicError{p, debug.Stack()}
		}
	}()
	for i := range n.rules {
		r := &n.rules[i]
		right, err := r.holds(w.patience(), v)
		switch {
		case err != nil:
			w.source = &RuleError{r.name, err}
			return
		case !right:
			w.fail(r.name, r.Message, nil)
			if k := r.keywords; k != nil && k.Schema().MaxLength != nil && utf8.RuneCountInString(v.String()) > *k.Schema().MaxLength {
				w.long++
			}
			return
		}
	}
}

// wholeValue calls a Validate method, and takes what it says of fields.
func (w *walker) wholeValue(n *node, v reflect.Value, broken bool) {
	// It may rely on rules that are broken: then the call is refused for those, and as one of
	// which more is not known.
	untold := func(err error) {
		if broken {
			w.wrong = true
		} else {
			w.source = err
		}
	}
	defer func() {
		if p := recover(); p != nil {
			untold(&PanicError{p, debug.Stack()})
		}
	}()
	if !v.CanAddr() { // in a map
		copied := reflect.New(v.Type())
		copied.Elem().Set(v)
		v = copied.Elem()
	}
	rule, _ := reflect.TypeAssert[wholeRule](v.Addr())
	ctx := w.patience()
	if broken {
		ctx = context.WithValue(ctx, brokenKey{}, true)
	}
	err := ctx.Err()
	if err == nil {
		err = rule.Validate(ctx)
	}
	if err == nil {
		return
	}
	rejections, inside := rejected(err)
	if inside {
		untold(&RuleError{"Validate", fmt.Errorf("of %s: %w", n.typ, err)})
		return
	}
	for _, r := range rejections {
		w.reject(n, r)
	}
}

// patience is the context of all rules of one's own in a call.
func (w *walker) patience() context.Context {
	if w.bound == nil {
		w.bound, w.cancel = context.WithTimeout(w.ctx, sourceTimeout)
	}
	return w.bound
}

// rejected returns the rejections that an error is made of, and whether there is
// anything else in it.
func rejected(err error) (all []*Rejection, inside bool) {
	queue := []error{err}
	for looked := 0; len(queue) > 0; looked++ {
		err, queue = queue[0], queue[1:]
		if looked > 10*told { // it leads back to itself
			return all, true
		}
		switch e := err.(type) { //nolint:errorlint // each error of the tree is looked at
		case nil:
		case *Rejection:
			if e == nil {
				return all, true
			}
			all = append(all, e)
		case interface{ Unwrap() []error }:
			queue = append(queue, e.Unwrap()...)
		default:
			next := errors.Unwrap(err)
			if next == nil {
				return all, true
			}
			queue = append(queue, next)
		}
	}
	return all, len(all) == 0
}

func (w *walker) reject(n *node, r *Rejection) {
	phrase := text.Clean(r.Phrase)
	if len(phrase) > mostValueBytes {
		phrase = strings.ToValidUTF8(phrase[:mostValueBytes], "") + "…"
	}
	before := len(w.path)
	w.follow(n, r.Path)
	w.fail("Validate", strings.TrimSuffix(strings.TrimSpace(phrase), "."), nil)
	w.path = w.path[:before]
}

// follow goes down a path, or nowhere where it does not lead to a field: a path never
// says what a caller could have written.
func (w *walker) follow(n *node, path string) {
	before := len(w.path)
	for rest := path; rest != ""; {
		var s step
		var ok bool
		if n, s, rest, ok = n.step(rest); !ok {
			w.path = w.path[:before]
			return
		}
		w.path = append(w.path, s)
	}
}

// step takes the first step of a path.
func (n *node) step(path string) (next *node, s step, rest string, ok bool) {
	if inner, isIndex := strings.CutPrefix(path, "["); isIndex {
		index, rest, closed := strings.Cut(inner, "]")
		rest = strings.TrimPrefix(rest, ".")
		i, err := strconv.ParseUint(index, 10, 31)
		switch {
		case !closed || n.elem == nil:
			return nil, s, "", false
		case n.form == formArray && err == nil:
			return n.elem, step{"", int(i)}, rest, true
		case n.form == formMap && index == "*":
			return n.elem, step{"", anyMember}, rest, true
		}
		return nil, s, "", false
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	if n.shape == nil || n.own {
		return nil, s, "", false
	}
	i, known := n.shape.byName[path[:end]]
	if !known {
		return nil, s, "", false
	}
	return n.shape.fields[i].node, step{path[:end], -1}, strings.TrimPrefix(path[end:], "."), true
}
