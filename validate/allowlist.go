package validate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/safemcp/safemcp/validate/text"
)

// An Allowlist holds the values that are allowed at the moment, the same for every
// caller: what one of them may do is an authorizer's to say. It must be safe for
// concurrent use. An error refuses the call: what cannot be looked up is not allowed.
//
// Unless it is [Static] it is asked through [Cached], with a context that holds nothing
// of the call and ends after 5 seconds. Its values are told to callers. There are at
// most 100,000, of at most 1,000 bytes each, without control or invisible characters;
// where one breaks that, none is allowed.
type Allowlist interface {
	Values(ctx context.Context) ([]string, error)
}

// static is an allowlist that does not change, so that a schema may list it.
type static []string

// Static returns an allowlist of a copy of values. It is listed in the schema as an
// enum.
func Static(values ...string) Allowlist { return static(slices.Clone(values)) }

// Values implements [Allowlist]. It returns a copy.
func (s static) Values(context.Context) ([]string, error) { return slices.Clone(s), nil }

// AllowFunc lets a function be an [Allowlist]: a query, say. See [Cached] for when it
// is called.
type AllowFunc func(ctx context.Context) ([]string, error)

// Values calls f.
func (f AllowFunc) Values(ctx context.Context) ([]string, error) { return f(ctx) }

// sourceTimeout is how long an allowlist has to say what is allowed, and how long the
// rules of one's own have for one call together.
const sourceTimeout = 5 * time.Second

// The bounds of an allowlist that may change.
const (
	mostValues     = 100_000
	mostValueBytes = 1000
)

// errEnded is how runtime.Goexit in a source looks from outside.
var errEnded = errors.New("it ended its goroutine")

// valuesOf asks an allowlist under recover: its source is somebody else's code.
func valuesOf(ctx context.Context, list Allowlist) (values []string, err error) {
	defer func() {
		if r := recover(); r != nil {
			values, err = nil, fmt.Errorf("it panicked with %s: %w", panicText(r), &PanicError{r, debug.Stack()})
		}
	}()
	return list.Values(ctx)
}

// panicText is what a panic's value says, if it is a text: printing anything else may
// not come to an end.
func panicText(r any) string {
	if s, is := r.(string); is {
		return s
	}
	return fmt.Sprintf("a %T", r)
}

// A snapshot is what an allowlist held at one moment: sorted, since many sources have no
// order, and a list that is listed anew must not look like another.
type snapshot struct {
	given     []string // as the source has it
	values    []string
	letterSet []letterSet // of each value
	set       map[string]struct{}
	phrase    string   // of an error
	allowed   []string // those that an error lists
}

func newSnapshot(values []string) (*snapshot, error) {
	if len(values) > mostValues {
		return nil, fmt.Errorf("it holds %d values: at most %d are taken", len(values), mostValues)
	}
	given := slices.Clone(values) // its owner may go on with it
	values = slices.Clone(values)
	for i, v := range values {
		if why := unfit(v); why != "" {
			return nil, fmt.Errorf("value %d of %d %s", i+1, len(values), why) // without the value, which could garble a log
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	s := &snapshot{given: given, values: values, letterSet: make([]letterSet, len(values)), set: make(map[string]struct{}, len(values))}
	for i, v := range values {
		s.set[v], s.letterSet[i] = struct{}{}, lettersOf(v)
	}
	s.allowed = some(values, listed, 1000)
	switch {
	case len(values) == 0:
		s.phrase = "has no allowed value at the moment"
	case len(s.allowed) < len(values):
		s.phrase = fmt.Sprintf("must be one of the %d values that are allowed at the moment, among them %s", len(values), inWords(s.allowed))
	default:
		s.phrase = "must be one of those that are allowed at the moment: " + inWords(values)
	}
	return s, nil
}

// unfit says why a value cannot be in an allowlist: it is told to callers and written
// into logs, and whoever reads it there has to see what it is.
func unfit(v string) string {
	switch {
	case len(v) > mostValueBytes:
		return fmt.Sprintf("has more than %d bytes", mostValueBytes)
	case !utf8.ValidString(v):
		return "is not UTF-8"
	case strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) || text.Clean(v) != v:
		return "holds a control or invisible character"
	}
	return ""
}

// some are the first of values, no more than most and about so many bytes together.
func some(values []string, most, bytes int) []string {
	n := 0
	for n < min(len(values), most) && (n == 0 || bytes >= len(values[n])) {
		bytes -= len(values[n])
		n++
	}
	return slices.Clip(values[:n])
}

// inWords lists values for a reader: one that holds what separates them is quoted.
func inWords(values []string) string {
	shown := make([]string, len(values))
	for i, v := range values {
		shown[i] = quoted(v)
	}
	return strings.Join(shown, ", ")
}

// allowed is the rule allow=NAME whose list may change.
type allowed struct {
	name string
	list *cache
}

func (p *planner) allowRule(n *node, name string) error {
	if n.typ.Kind() != reflect.String || n.own {
		return errors.New("allow is for strings; for the elements of a list it stands behind dive")
	}
	list := p.allow[name]
	if list == nil {
		return fmt.Errorf("there is no allowlist %q: give it in Options.Allow", name)
	}
	n.bounded, n.closed = true, true
	values, fixed := list.(static)
	if !fixed {
		i := slices.IndexFunc(p.live, func(a *allowed) bool { return a.name == name })
		if i < 0 {
			c, _ := Cached(list, nil).(*cache)
			i, p.live = len(p.live), append(p.live, &allowed{name, c})
		}
		n.allow = p.live[i]
		return nil
	}
	if len(values) == 0 {
		return fmt.Errorf("the allowlist %q is empty", name)
	}
	for i, v := range values {
		if why := unfit(v); why != "" {
			return fmt.Errorf("the allowlist %q: value %d %s", name, i+1, why)
		}
	}
	return n.add(oneOf("allow", values))
}
