package scan

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
)

// nested is how many times a text is read as one encoding inside another.
const nested = 4

// A span is a piece of a text that shows a value.
type span struct {
	start, end int
	of         *entry // the longest value in it
	quoted     bool   // what replaces it has to bring its own quotes
}

// A scratch is the memory of one search.
type scratch struct {
	input []byte
	views [nested + 1][]byte // the text, and what it is read as when its escapes are undone once, twice, …
	folds folding            // one of the views without line breaks inside base64
	bytes []byte             // what a run of numbers in one of the views is read as
	run   []span             // of it
	part  []span             // of one view
	spans []span             // of the text
	found []string           // labels of all spans
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// keepAtMost bounds the buffers that stay in the pool, in bytes each.
const keepAtMost = 1 << 20

func (s *scratch) free() {
	s.views[0] = nil // the caller's
	for i := range s.views {
		drop(&s.views[i])
	}
	drop(&s.input)
	drop(&s.folds.text)
	drop(&s.bytes)
	if cap(s.spans)+cap(s.part)+cap(s.run)+cap(s.folds.pieces) > keepAtMost/64 {
		s.spans, s.part, s.run, s.folds.pieces = nil, nil, nil, nil
	}
	scratches.Put(s)
}

func drop(b *[]byte) {
	if cap(*b) > keepAtMost {
		*b = nil
	}
}

// Redact returns text without the values of the set, and the labels of those that it
// held; text itself and nil if there are none. text is not changed.
func (w *Set) Redact(text []byte) (clean []byte, found []string) {
	if len(text) < minShort || !w.any.Load() {
		return text, nil
	}
	// A marker and what stands beside it may happen to spell another value, so the
	// search is repeated.
	most, rules := 128*len(text)+1<<16, w.options.Rules
	for range 8 {
		s, _ := scratches.Get().(*scratch)
		spans := w.search(text, s, rules)
		rules = nil // what they found would be found in its marker again
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
func (w *Set) search(text []byte, s *scratch, rules *Rules) []span {
	s.spans, s.found, s.views[0] = s.spans[:0], s.found[:0], text
	w.searchView(s, 0, nil)
	depth := w.searchViews(s, wholly, readUndo)
	for d := range min(depth, 1) + 1 {
		s.part = rules.find(s.views[d], s.part[:0])
		s.collect(d, wholly)
	}
	if depth > 0 && w.someDelicate() { // where there is nothing to undo, there is no part of it either
		for _, c := range partly {
			w.searchViews(s, c, nil)
		}
	}
	if len(s.spans) > 0 && bytes.IndexByte(text, '\\') >= 0 {
		s.spans = merge(s.spans)
		reading(escapes).widen(text, s.spans)
	}
	return s.spans
}

// searchViews searches what the text is read as by c, once, twice, …; fast is what
// reads as c does, if there is such a function. It returns how often the text could be
// read.
func (w *Set) searchViews(s *scratch, c chain, fast func(dst, text []byte) ([]byte, bool)) int {
	for depth := 1; depth <= nested; depth++ {
		read := fast
		if read == nil {
			read = c.at(depth).read
		}
		var differs bool
		if s.views[depth], differs = read(s.views[depth][:0], s.views[depth-1]); !differs {
			return depth - 1
		}
		w.searchView(s, depth, c)
	}
	return nested
}

// searchView adds the spans of the view of that depth, of what it is without line
// breaks, and of the bytes that numbers in it are.
func (w *Set) searchView(s *scratch, depth int, c chain) {
	view := s.views[depth]
	s.part = w.find(view, s.part[:0])
	s.collect(depth, c)
	s.part = w.findNumbers(s, view, s.part[:0])
	s.collect(depth, c)
	s.folds.fold(view)
	if len(s.folds.text) == 0 {
		return
	}
	s.part = w.findNumbers(s, s.folds.text, w.find(s.folds.text, s.part[:0]))
	s.folds.back(s.part)
	s.collect(depth, c)
}

// findNumbers appends a span for every value in what the numbers in text are, in every
// base that they may have.
func (w *Set) findNumbers(s *scratch, text []byte, spans []span) []span {
	numbers(text, func(from, to int) {
		run := text[from:to]
		tally := count(run)
		for _, b := range bases {
			if !b.written(tally) {
				continue
			}
			s.bytes, _ = reading(b.read).read(s.bytes[:0], run)
			if s.run = w.find(s.bytes, s.run[:0]); len(s.run) == 0 {
				continue
			}
			s.label(s.run)
			s.run = merge(s.run)
			reading(b.read).back(run, s.run)
			for _, found := range s.run {
				found.start += from
				found.end += from
				spans = append(spans, found)
			}
		}
	})
	return spans
}

// collect turns the spans of a view into spans of the text.
func (s *scratch) collect(depth int, c chain) {
	if len(s.part) == 0 {
		return
	}
	s.label(s.part)
	for ; depth > 0; depth-- {
		s.part = merge(s.part)
		c.at(depth).back(s.views[depth-1], s.part)
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

// label notes whose values spans are, before they are merged.
func (s *scratch) label(spans []span) {
	for _, p := range spans {
		if !slices.Contains(s.found, p.of.label) {
			s.found = append(s.found, p.of.label)
		}
	}
}

// missing returns those of more that are not in found.
func missing(more, found []string) []string {
	return slices.DeleteFunc(slices.Clone(more), func(l string) bool { return slices.Contains(found, l) })
}
