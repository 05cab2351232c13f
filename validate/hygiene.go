package validate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/safemcp/safemcp/validate/text"
)

// A hygiene says what becomes of a text with characters that a reader cannot see. It is the
// text tag of a field, for all texts in it: text:"strip".
type hygiene uint8

const (
	rejects hygiene = iota // the default for arguments
	strips
	flags
	takesRaw
)

func parseHygiene(tag string) (hygiene, error) {
	switch tag {
	case "", "reject":
		return rejects, nil
	case "strip":
		return strips, nil
	case "flag":
		return flags, nil
	case "raw":
		return takesRaw, nil
	}
	return 0, errors.New(`the text tag is reject, strip, flag or raw`)
}

// clean adds what a node does about such characters to a string's. It comes before the
// rules: they are held against what is left.
func (n *node) clean(h hygiene) {
	if n.closed || h == takesRaw { // from a list, which its author has seen
		return
	}
	n.hygiene, n.watched = h, true
}

// keysOf is what becomes of the names in a map: they are not changed.
func keysOf(h hygiene) hygiene {
	if h == takesRaw {
		return takesRaw
	}
	return rejects
}

// strips says that texts in a node may be changed.
func (n *node) strips(seen map[*node]bool) bool {
	return n.any(seen, func(n *node) bool { return n.watched && n.hygiene == strips })
}

// texts says that a text tag says something of a node.
func (n *node) texts() bool {
	for ; n != nil && !n.own; n = n.elem {
		if n.typ.Kind() == reflect.String || (n.key != nil && n.key.form == formString) {
			return true
		}
	}
	return false
}

// flagged says that a text in a node has the tag text:"flag".
func (n *node) flagged(seen map[*node]bool) bool {
	return n.any(seen, func(n *node) bool { return n.watched && n.hygiene == flags })
}

// any says that something holds of a node, or of one in it.
func (n *node) any(seen map[*node]bool, holds func(*node) bool) bool {
	if n == nil || seen[n] {
		return false
	}
	seen[n] = true
	if holds(n) {
		return true
	}
	if n.shape != nil {
		for _, f := range n.shape.fields {
			if f.node.any(seen, holds) {
				return true
			}
		}
	}
	return n.elem.any(seen, holds)
}

// mostStrips is more than any known text needs; one that needs more is refused.
const mostStrips = 4

// hygienic does with a text what its tag says, and says whether it may stay.
func (w *walker) hygienic(n *node, v reflect.Value) bool {
	s := v.String()
	found := text.Find(s)
	// Normal form C writes a few signs as several, beside which a selector or a mark that
	// stayed does nothing any more: so what is left is looked at again.
	for again := 0; n.hygiene == strips && found != nil && again < mostStrips; again++ {
		s = norm.NFC.String(text.Clean(s))
		v.SetString(s)
		found = text.Find(s)
	}
	switch {
	case found == nil:
	case n.hygiene == flags:
		w.findings.add(w.where(), found)
	default:
		phrase := "must not hold " + tellFound(found) + ": leave it out"
		if found[0].Kind == text.NotComposed {
			phrase = fmt.Sprintf("must be in Unicode's normal form C, which it is not at character %d", found[0].At)
		}
		w.fail("text", phrase, nil)
		return false
	}
	return true
}

// tellFound says the first of what was found, and how much more there is.
func tellFound(found []text.Finding) string {
	if len(found) == 1 {
		return found[0].String()
	}
	return fmt.Sprintf("%s, and %d more of what cannot be seen", found[0], len(found)-1)
}

// Findings are what texts hold that a reader cannot see, of fields with the tag
// text:"flag". They are for one call, and not safe for concurrent use.
type Findings struct {
	paths []string
	found [][]text.Finding
}

type findingsKey struct{}

// Collect returns a context with which Decode notes what is found in flagged texts.
func Collect(ctx context.Context) (context.Context, *Findings) {
	f := new(Findings)
	return context.WithValue(ctx, findingsKey{}, f), f
}

// maxFlagged bounds the texts that findings are kept of.
const maxFlagged = 16

func (f *Findings) add(path string, found []text.Finding) {
	if f == nil || len(f.paths) == maxFlagged {
		return
	}
	f.paths, f.found = append(f.paths, path), append(f.found, found)
}

// Empty says that nothing was found.
func (f *Findings) Empty() bool { return f == nil || len(f.paths) == 0 }

// String says what was found where, in one line, and nothing of the texts: "note: an
// invisible tag, at character 3". Of more than 16 texts it says the first.
func (f *Findings) String() string {
	if f.Empty() {
		return ""
	}
	var all []string
	for i, path := range f.paths {
		all = append(all, path+": "+tellFound(f.found[i]))
	}
	return strings.Join(all, "; ")
}
