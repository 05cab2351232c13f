package validate

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// wellFormed says that raw is one JSON text in UTF-8, names that occur twice aside.
func wellFormed(raw []byte) bool {
	return jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true))
}

// diagnose says everything that is wrong with arguments that do not decode, where
// the decoder stops at the first: it decodes value by value, into v, and holds
// what it could decode against the rules. Where nothing is wrong but how whole numbers
// are written it returns no error, and the value is in v.
func (p *program) diagnose(ctx context.Context, raw []byte, v reflect.Value) error {
	if !wellFormed(raw) {
		return wholeError(raw)
	}
	if !object(raw) {
		return notAnObject()
	}
	if spelt := p.respelt(raw); spelt != nil { // whole numbers written as 1.0 or 1e2
		fresh := reflect.New(v.Type()).Elem()
		if jsonv2.Unmarshal(spelt, fresh.Addr().Interface(), p.reading) == nil {
			v.Set(fresh)
			return p.check(ctx, spelt, v)
		}
		raw = spelt
	}
	w := newWalker(ctx, raw)
	defer w.free()
	w.nulls, w.reading = true, p.reading
	w.root = v
	w.lenient(p.root, v, jsonwalk.Space(raw, 0))
	if err := w.result(); err != nil {
		return err
	}
	return wholeError(raw) // what the decoder refused is nothing that has a name here
}

// lenient decodes the value at an offset into v and returns the value's end.
func (w *walker) lenient(n *node, v reflect.Value, at int) int {
	if w.raw[at] == 'n' && !n.readsNull(v) {
		w.null(n)
		return at + len("null")
	}
	if !n.looks(w.raw[at]) {
		w.mistyped(n, "")
		return jsonwalk.Skip(w.raw, at)
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	before, long, wrong := len(w.errs), w.long, w.wrong
	w.wrong = false
	end := w.lenientWithin(n, v, at)
	if !w.wrong {
		w.behind(n, v, before, long)
	}
	w.wrong = w.wrong || wrong
	return end
}

// lenientWithin decodes what is in a value, holds it against its checks and returns its
// end. It goes over each byte once, however deep it lies.
func (w *walker) lenientWithin(n *node, v reflect.Value, at int) (end int) {
	before, more := len(w.errs), w.more
	switch {
	case n.form == formObject && !n.own:
		return w.lenientObject(n, v, at)
	case n.form == formArray && !n.own:
		end = w.lenientArray(n, v, at)
	case n.form == formMap && !n.own:
		end = w.lenientMap(n, v, at)
	default:
		end = jsonwalk.Skip(w.raw, at)
		w.leaf(n, v, at, end)
	}
	switch {
	case len(w.errs) == before && !w.more:
		w.checks(n, v)
	case n.form == formArray || n.form == formMap:
		// What is said of a list that is too long is that.
		elements := slices.Clone(w.errs[before:])
		if w.errs, w.more = w.errs[:before], more; w.checks(n, v) {
			for _, e := range elements {
				if len(w.errs) < told {
					w.errs = append(w.errs, e)
				}
			}
			w.more = w.more || len(elements) >= told-before
		}
	}
	return end
}

// looks says that a value which begins with c can be of this form.
func (n *node) looks(c byte) bool {
	switch n.form {
	case formString:
		return c == '"'
	case formInteger, formNumber:
		return c == '-' || (c >= '0' && c <= '9')
	case formBoolean:
		return c == 't' || c == 'f'
	case formArray:
		return c == '['
	case formMap, formObject:
		return c == '{'
	}
	return true
}

func (w *walker) mistyped(n *node, more string) {
	w.fail("type", "must be "+article(n)+more, nil)
	w.wrong = true
}

func (w *walker) leaf(n *node, v reflect.Value, at, end int) {
	err := jsonv2.Unmarshal(w.raw[at:end], v.Addr().Interface(), w.reading)
	switch {
	case err == nil:
	case n.own && refused(err) != "":
		w.fail("type", refused(err), nil)
		w.wrong = true
	case !strictly(w.raw[at:end]):
		w.fail("duplicate", "has a name twice in one object: give each once", nil)
		w.wrong = true
	case n.typ == bigIntType:
		w.mistyped(n, fmt.Sprintf(" of at most %d digits", digits))
	case n.form == formInteger && !n.own:
		w.mistyped(n, n.between())
	case n.form == formNumber:
		w.mistyped(n, " that can be held exactly enough")
	case n.typ == timeType:
		w.mistyped(n, " that holds a time, as in 2006-01-02T15:04:05Z")
	case n.form == formString && !n.own && v.Kind() == reflect.Slice:
		w.mistyped(n, " in base64")
	default:
		w.fail("type", "does not have the form that is expected", nil)
		w.wrong = true
	}
}

// between says what a type of whole numbers holds.
func (n *node) between() string {
	least, most := "", ""
	for _, k := range rangeOf(n.typ) {
		at := number(k.value).Num()
		switch k.name {
		case "minimum":
			least = at.String()
		case "maximum":
			most = at.String()
		case exclusiveMaximum:
			most = at.Sub(at, big.NewInt(1)).String()
		}
	}
	return ", from " + least + " to " + most
}

func (w *walker) lenientArray(n *node, v reflect.Value, at int) int {
	list := reflect.New(reflect.SliceOf(n.typ.Elem())).Elem()
	count := 0
	end := jsonwalk.EachElement(w.raw, at, func(i, value int) int {
		list = reflect.Append(list, reflect.Zero(n.typ.Elem()))
		w.enterAt(i)
		end := w.lenient(n.elem, list.Index(i), value)
		w.leave()
		count++
		return end
	})
	switch {
	case n.typ.Kind() == reflect.Slice:
		v.Set(list.Convert(n.typ))
	case count != n.typ.Len():
		w.mistyped(n, fmt.Sprintf(" of exactly %d elements", n.typ.Len()))
	default:
		reflect.Copy(v, list)
	}
	return end
}

func (w *walker) lenientMap(n *node, v reflect.Value, at int) int {
	v.Set(reflect.MakeMap(n.typ))
	names := map[string]bool{}
	return jsonwalk.EachMember(w.raw, at, func(name []byte, value int) int {
		twice := names[string(name)]
		names[string(name)] = true
		w.enterAt(anyMember)
		elem := reflect.New(n.typ.Elem()).Elem()
		end := w.lenient(n.elem, elem, value)
		key := reflect.New(n.typ.Key())
		quoted, err := json.Marshal(string(name))
		switch {
		case twice:
			w.fail("duplicate", "is given twice: give each name once", nil)
			w.wrong = true
		case err == nil && jsonv2.Unmarshal(quoted, key.Interface(), jsonv2.StringifyNumbers(true)) == nil:
			if v.MapIndex(key.Elem()).IsValid() { // 0 and -0
				w.fail("duplicate", "is given twice: give each name once", nil)
				w.wrong = true
				break
			}
			w.key(n.key, key.Elem())
			v.SetMapIndex(key.Elem(), elem)
		default:
			w.fail("type", "has a name that must be a whole number"+n.key.between(), nil)
			w.wrong = true
		}
		w.leave()
		return end
	})
}

func (w *walker) lenientObject(n *node, v reflect.Value, at int) int {
	s := n.shape
	seen := make([]presence, len(s.fields))
	unknown := false
	var miswritten []string
	end := jsonwalk.EachMember(w.raw, at, func(name []byte, value int) int {
		i := s.find(name, 0)
		if i < 0 {
			unknown = true
			if j := s.closest(name); j != "" && !slices.Contains(miswritten, j) {
				miswritten = append(miswritten, j)
			}
			return jsonwalk.Skip(w.raw, value)
		}
		f := &s.fields[i]
		w.enter(f.name)
		defer w.leave()
		if seen[i] != absent {
			w.fail("duplicate", "is given twice: give it once", nil)
			w.wrong = true
			return jsonwalk.Skip(w.raw, value)
		}
		before := len(w.errs)
		end := w.lenient(f.node, f.of(v), value)
		seen[i] = w.presence(value, before)
		return end
	})
	w.absent(s, v, seen)
	if s.related {
		w.relations(s, v, seen)
	}
	if unknown {
		w.unknown(s, miswritten)
	}
	return end
}

// unknown says that there are members that s does not have, without saying their
// names, which are the caller's; it says those that it has.
func (w *walker) unknown(s *shape, miswritten []string) {
	if len(w.errs) >= told {
		w.more = true
		return
	}
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	path := w.where()
	subject := "There are members"
	if path != "" {
		subject = path + " has members"
	}
	message := subject + " that are not known; none are."
	if len(names) > 0 {
		message = subject + " that are not known; those that are: " + strings.Join(names, ", ") + "."
	}
	if miswritten != nil {
		message += " Names are spelt exactly, in upper and lower case: " + strings.Join(miswritten, ", ") + "."
	}
	w.errs = append(w.errs, FieldError{Path: path, Rule: "unknown", Message: message, Allowed: names})
}

// closest returns the field that a name would be if case did not matter.
func (s *shape) closest(name []byte) string {
	for _, f := range s.fields {
		if strings.EqualFold(f.name, string(name)) {
			return f.name
		}
	}
	return ""
}

// strictly says that raw is one JSON text in UTF-8 without a name twice.
func strictly(raw []byte) bool { return jsontext.Value(raw).IsValid() }
