package scan

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
)

// nested is how many times a text is read as JSON inside JSON.
const nested = 3

// A span is a piece of a text that shows a value.
type span struct {
	start, end int
	of         *entry // the longest value in it
	quoted     bool   // what replaces it has to bring its own quotes
}

// A scratch is the memory of one search.
type scratch struct {
	input  []byte
	views  [nested + 1][]byte // the text, and what it is read as when its escapes are undone once, twice, …
	folded []byte             // one of the views without line breaks inside base64
	part   []span             // of one view
	spans  []span             // of the text
	found  []string           // labels of all spans
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// keepAtMost bounds the buffers that stay in the pool, in bytes each.
const keepAtMost = 1 << 20

func (s *scratch) free() {
	s.views[0] = nil // the caller's
	for _, b := range []*[]byte{&s.input, &s.folded, &s.views[1], &s.views[2], &s.views[3]} {
		if cap(*b) > keepAtMost {
			*b = nil
		}
	}
	if cap(s.spans)+cap(s.part) > keepAtMost/64 {
		s.spans, s.part = nil, nil
	}
	scratches.Put(s)
}

// Redact returns text without the values of the set, and the labels of those that it
// held; text itself and nil if there are none. text is not changed.
func (w *Set) Redact(text []byte) (clean []byte, found []string) {
	if len(text) < minShort || !w.any.Load() {
		return text, nil
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	// A marker and what stands beside it may happen to spell another value, so the
	// search is repeated.
	most := 128*len(text) + 1<<16
	for range 8 {
		s, _ := scratches.Get().(*scratch)
		spans := w.search(text, s)
		if len(spans) > 0 {
			found = append(found, missing(s.found, found)...)
			text = replace(text, merge(spans))
		}
		done := len(spans) == 0
		s.free()
		if done {
			return text, found
		}
		if len(text) > most {
			break
		}
	}
	// Values that spell each other's names: nothing can be shown, and that is JSON too.
	return []byte(`""`), found
}

// RedactString is Redact for a string.
func (w *Set) RedactString(text string) (clean string, found []string) {
	if len(text) < minShort || !w.any.Load() {
		return text, nil
	}
	s, _ := scratches.Get().(*scratch)
	s.input = append(s.input[:0], text...)
	out, found := w.Redact(s.input)
	clean = text
	if found != nil {
		clean = string(out)
	}
	s.free()
	return clean, found
}

// search returns what shows values in text, in any order.
func (w *Set) search(text []byte, s *scratch) []span {
	s.spans, s.found, s.views[0] = s.spans[:0], s.found[:0], text
	for depth := range s.views {
		if depth > 0 && !s.undo(depth) {
			break
		}
		w.searchView(s, depth)
	}
	if len(s.spans) > 0 && bytes.IndexByte(text, '\\') >= 0 {
		s.spans = merge(s.spans)
		reading(escapes).widen(text, s.spans)
	}
	return s.spans
}

// undo makes the view of that depth, and reports whether it differs.
func (s *scratch) undo(depth int) (differs bool) {
	outer := s.views[depth-1]
	if bytes.IndexByte(outer, '\\') < 0 {
		return false
	}
	s.views[depth], differs = reading(escapes).read(s.views[depth][:0], outer)
	return differs
}

// searchView adds the spans of the view of that depth, and of what it is without
// line breaks.
func (w *Set) searchView(s *scratch, depth int) {
	view := s.views[depth]
	s.part = w.find(view, s.part[:0])
	s.collect(depth)
	if bytes.IndexByte(view, '\n') < 0 && bytes.IndexByte(view, '\r') < 0 {
		return
	}
	var differs bool
	if s.folded, differs = reading(folds).read(s.folded[:0], view); !differs {
		return
	}
	if s.part = w.find(s.folded, s.part[:0]); len(s.part) > 0 {
		s.label()
		s.part = merge(s.part)
		reading(folds).back(view, s.part)
		s.collect(depth)
	}
}

// collect turns the spans of a view into spans of the text.
func (s *scratch) collect(depth int) {
	if len(s.part) == 0 {
		return
	}
	s.label()
	for ; depth > 0; depth-- {
		s.part = merge(s.part)
		reading(escapes).back(s.views[depth-1], s.part)
	}
	s.spans = append(s.spans, s.part...)
}

// merge sorts spans and joins those that overlap: what one value leaves of another
// must not stay. The longest value gives its name to the whole.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	merged := spans[:0]
	for _, s := range spans {
		last := len(merged) - 1
		if last < 0 || s.start >= merged[last].end {
			merged = append(merged, s)
			continue
		}
		m := &merged[last]
		m.end, m.quoted = max(m.end, s.end), m.quoted || s.quoted
		if s.of.size > m.of.size {
			m.of = s.of
		}
	}
	return merged
}

// label notes whose values the spans of a view are, before they are merged.
func (s *scratch) label() {
	for _, p := range s.part {
		if !slices.Contains(s.found, p.of.label) {
			s.found = append(s.found, p.of.label)
		}
	}
}

// missing returns those of more that are not in found.
func missing(more, found []string) []string {
	return slices.DeleteFunc(slices.Clone(more), func(l string) bool { return slices.Contains(found, l) })
}
