package validate

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/safemcp/safemcp/internal/jsonwalk"
	"github.com/safemcp/safemcp/validate/text"
)

// A walker holds a value against its nodes, beside the text that it was decoded
// from: only the text knows what was there, and what was null.
type walker struct {
	ctx     context.Context //nolint:containedctx // a walker lives for one call
	raw     []byte
	nulls   bool           // the text may hold a null
	reading jsonv2.Options // how a leaf is read again, to say what is wrong
	path    []step
	errs    []FieldError
	wrong   bool // something has not the shape of its type
	long    int  // texts, lists and maps that are longer than they may be
	source  error
	more    bool            // more is wrong than errs says
	root    reflect.Value   // the struct that the whole value is, for relations
	lists   []looked        // allowlists that have been asked
	work    int             // that is left for looking for what was meant
	bound   context.Context //nolint:containedctx // that of rules of one's own
	cancel  context.CancelFunc

	findings *Findings // nil where nobody asks
}

// looked is an allowlist as one call sees it: it is asked once.
type looked struct {
	list *allowed
	now  *snapshot // nil where it cannot be read
}

// A step is one part of a path: a member, an element, or a member of a map, whose
// name is the caller's and so not said.
type step struct {
	name  string
	index int
}

const anyMember = -2

var walkers = sync.Pool{New: func() any { return new(walker) }}

func newWalker(ctx context.Context, raw []byte) *walker {
	w, _ := walkers.Get().(*walker)
	w.ctx, w.raw, w.work = ctx, raw, nearWork
	w.findings, _ = ctx.Value(findingsKey{}).(*Findings)
	return w
}

func (w *walker) free() {
	if w.cancel != nil {
		w.cancel()
	}
	clear(w.lists)
	*w = walker{path: w.path[:0], lists: w.lists[:0]}
	walkers.Put(w)
}

// result is the error of the whole walk.
func (w *walker) result() error {
	switch {
	case w.source != nil && !w.wrong: // whether the value is allowed is not known, whatever else is wrong
		return w.source
	case w.errs != nil:
		if w.more {
			w.errs = append(w.errs, FieldError{Rule: "more", Message: "More is wrong than is said here."})
		}
		return &Error{Fields: w.errs, Decoded: !w.wrong}
	}
	return nil
}

func (w *walker) enter(name string) { w.path = append(w.path, step{name, -1}) }
func (w *walker) enterAt(i int)     { w.path = append(w.path, step{"", i}) }
func (w *walker) leave()            { w.path = w.path[:len(w.path)-1] }

func (w *walker) where() string {
	var b strings.Builder
	for _, s := range w.path {
		switch {
		case s.index == anyMember:
			b.WriteString("[*]")
		case s.index >= 0:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		}
	}
	return b.String()
}

// told bounds how many wrong values an error says, since a caller can send as many as
// fit into a message.
const told = 100

// fail says that the value where the walk stands breaks a rule.
func (w *walker) fail(rule, phrase string, allowed []string) { w.failNear(rule, phrase, allowed, nil) }

// failNear is fail with the allowed values that are nearest to the one that was sent.
func (w *walker) failNear(rule, phrase string, allowed, nearest []string) {
	if len(w.errs) >= told {
		w.more = true
		return
	}
	path := w.where()
	if w.errs == nil {
		w.errs = make([]FieldError, 0, 8) // as many as most wrong arguments have, at once
	}
	w.errs = append(w.errs, FieldError{
		Path: path, Rule: rule, Message: sentence(path, phrase), Nearest: nearest,
		Allowed: slices.Clone(allowed), // what a caller does with it changes nothing for others
	})
}

// value walks over the value at an offset and returns its end.
func (w *walker) value(n *node, v reflect.Value, at int) int {
	if w.raw[at] == 'n' && !n.readsNull(v) {
		w.null(n)
		return at + len("null")
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if len(n.rules) == 0 && !n.whole {
		return w.within(n, v, at)
	}
	before, long, wrong := len(w.errs), w.long, w.wrong
	w.wrong = false
	end := w.within(n, v, at)
	if !w.wrong { // what has not the shape of its type is not shown to rules of one's own
		w.behind(n, v, before, long)
	}
	w.wrong = w.wrong || wrong
	return end
}

// within holds a value against its checks, and what is in it against theirs.
func (w *walker) within(n *node, v reflect.Value, at int) int {
	if !w.checks(n, v) || n.own || (!n.deep && !w.nulls) {
		return jsonwalk.Skip(w.raw, at)
	}
	switch n.form {
	case formObject:
		return w.object(n.shape, v, at)
	case formArray:
		return jsonwalk.EachElement(w.raw, at, func(i, value int) int {
			w.enterAt(i)
			end := w.value(n.elem, v.Index(i), value)
			w.leave()
			return end
		})
	case formMap:
		return jsonwalk.EachMember(w.raw, at, func(name []byte, value int) int {
			w.enterAt(anyMember)
			key := keyOf(n.typ.Key(), name)
			w.key(n.key, key)
			end := w.value(n.elem, v.MapIndex(key), value)
			w.leave()
			return end
		})
	}
	return jsonwalk.Skip(w.raw, at)
}

func (w *walker) null(n *node) {
	if !n.nullable {
		w.fail("type", "must be "+article(n)+", not null", nil)
		w.wrong = true
	}
}

// checks holds a value against the rules of its node and says whether it may be looked
// into: not where it has more elements than it may.
func (w *walker) checks(n *node, v reflect.Value) bool {
	if n.watched && !w.hygienic(n, v) {
		w.lengthy(n, v)
		return false
	}
	for i := range n.checks {
		if c := &n.checks[i]; !c.ok(v) {
			var nearest []string
			if c.near != nil && len(w.errs) < told {
				nearest = near(c.near, v.String(), &w.work)
			}
			w.failNear(c.rule, c.phrase, c.allowed, nearest)
			w.lengthy(n, v)
			return false // one rule a value is enough to say
		}
	}
	if n.allow != nil {
		w.allowed(n.allow, v.String())
	}
	return true
}

// key holds a member's name in a map against the rules for keys.
func (w *walker) key(n *node, key reflect.Value) {
	if n.watched && text.Find(key.String()) != nil {
		w.fail("text", "has a name with characters that cannot be seen", nil)
		w.lengthy(n, key)
		return
	}
	for i := range n.checks {
		if c := &n.checks[i]; !c.ok(key) {
			w.fail(c.rule, "has a name that "+c.phrase, c.allowed)
			w.lengthy(n, key)
			return
		}
	}
}

// allowed asks an allowlist, once a call.
func (w *walker) allowed(a *allowed, s string) {
	if w.source != nil { // the call is refused already, and another source may be as slow
		return
	}
	i := slices.IndexFunc(w.lists, func(l looked) bool { return l.list == a })
	if i < 0 {
		now, err := a.list.get(w.ctx)
		if err != nil && w.source == nil {
			w.source = &SourceError{a.name, err}
		}
		i, w.lists = len(w.lists), append(w.lists, looked{a, now})
	}
	if len(s) > mostValueBytes {
		w.long++
	}
	now := w.lists[i].now
	if now == nil {
		return
	}
	if _, in := now.set[s]; in || len(w.errs) >= told {
		w.more = w.more || !in
		return
	}
	w.failNear("allow", now.phrase, now.allowed, now.near(s, &w.work))
}

// keyOf is the key of a map that a member's name was decoded into.
func keyOf(typ reflect.Type, name []byte) reflect.Value {
	key := reflect.New(typ).Elem()
	switch k := typ.Kind(); {
	case k == reflect.String:
		key.SetString(string(name))
	case k <= reflect.Int64:
		n, _ := strconv.ParseInt(string(name), 10, 64)
		key.SetInt(n)
	default:
		n, _ := strconv.ParseUint(string(name), 10, 64)
		key.SetUint(n)
	}
	return key
}

// object walks over the members of a struct.
func (w *walker) object(s *shape, v reflect.Value, at int) int {
	var few [32]presence // no allocation for most structs
	seen := few[:]
	if len(s.fields) > len(few) {
		seen = make([]presence, len(s.fields))
	}
	next := 0
	at = jsonwalk.EachMember(w.raw, at, func(name []byte, value int) int {
		i := s.find(name, next)
		if i < 0 {
			return jsonwalk.Skip(w.raw, value)
		}
		next, seen[i] = i+1, given
		f := &s.fields[i]
		if !f.node.walked() && w.raw[value] != 'n' && !w.nulls {
			return jsonwalk.Skip(w.raw, value)
		}
		before := len(w.errs)
		w.enter(f.name)
		end := w.value(f.node, f.of(v), value)
		w.leave()
		seen[i] = w.presence(value, before)
		return end
	})
	w.absent(s, v, seen)
	if s.related {
		w.relations(s, v, seen)
	}
	return at
}

// presence is that of a value that has been walked over, before which there were so
// many errors.
func (w *walker) presence(value, before int) presence {
	switch {
	case len(w.errs) > before || w.more:
		return misformed
	case w.raw[value] == 'n':
		return null
	}
	return given
}

// relations holds the members against each other.
func (w *walker) relations(s *shape, v reflect.Value, seen []presence) {
	o := occasion{v, w.root, s, append([]presence(nil), seen...)}
	for i := range s.fields {
		f := &s.fields[i]
		for j := range f.relations {
			if r := &f.relations[j]; seen[i] != misformed && (seen[i] != absent || !f.required) && r.broken(&o, i) {
				w.enter(f.name)
				w.fail(r.rule, r.phrase, nil)
				w.leave()
				break
			}
		}
	}
}

// absent says what is not there and has to be, and gives what is not there its default.
func (w *walker) absent(s *shape, v reflect.Value, seen []presence) {
	for i := range s.fields {
		f := &s.fields[i]
		if seen[i] == absent && f.fallback.value.IsValid() {
			f.fall(v)
			seen[i] = given
		}
		if seen[i] == absent && f.required {
			w.enter(f.name)
			w.fail("required", "is required", nil)
			w.leave()
		}
	}
}

// find returns which field a name is, looking first where it is if members come in
// the order of the fields, or -1.
func (s *shape) find(name []byte, next int) int {
	if next < len(s.fields) && s.fields[next].name == string(name) {
		return next
	}
	if i, ok := s.byName[string(name)]; ok {
		return i
	}
	return -1
}

// of returns the field of v, which is there: its embedded structs have been made.
func (f *field) of(v reflect.Value) reflect.Value {
	if len(f.index) == 1 {
		return v.Field(f.index[0])
	}
	for i, x := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v
}

// peek returns the field of v; it is not valid where an embedded struct is nil.
func (f *field) peek(v reflect.Value) reflect.Value {
	found, err := v.FieldByIndexErr(f.index)
	if err != nil {
		return reflect.Value{}
	}
	return found
}
