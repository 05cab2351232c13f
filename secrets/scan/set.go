package scan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// grace is for how long an expired value is still looked for: answers and log
	// lines that hold it may be under way.
	grace = time.Hour
	// sweep is how often expired values are dropped.
	sweep = time.Minute
	// maxWatched bounds the memory of patterns, in bytes.
	maxWatched = 64 << 20
)

// A Set holds the values that are looked for. It is safe for concurrent use.
type Set struct {
	short bool // values of fewer than MinValue bytes are allowed
	now   func() time.Time

	any      atomic.Bool // whether there is anything to look for: the cheap question
	mu       sync.RWMutex
	entries  map[string]*entry
	patterns []*pattern // those found by their window
	few      []*pattern // those that have none
	cost     int
	swept    time.Time
	most     int // maxWatched, or less in tests

	// Which windows may be anchors, and whose they are. All patterns are looked for in
	// one pass: looked for one by one, the seven of a single value take as long.
	filter []uint64
	shift  uint
	index  map[uint64][]*pattern
}

// New returns an empty Set. short allows values of fewer than 8 bytes: from 4 bytes
// on they are looked for as they are and in no other form; below that they are not
// looked for at all.
func New(short bool) *Set {
	return &Set{short: short, now: time.Now, entries: map[string]*entry{}, most: maxWatched}
}

// Add makes value one that is looked for until an hour after it has expired; a zero
// expires is never. White space around the value is left out: files end in a newline
// that handlers trim. The label stands for the value once it is redacted.
//
// It refuses a value that could not be redacted: one of fewer than 8 bytes, unless
// those are allowed, of more than 64 KiB, or one that is part of its own label. No
// error contains the value.
func (w *Set) Add(value []byte, label string, expires time.Time) error {
	value, now := bytes.TrimSpace(value), w.now()
	if err := checkValue(value, label, w.short); err != nil {
		return err
	}
	if len(value) < minShort {
		return nil // by leave of InsecureShortValues, or refused already
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.entries[string(value)]; e != nil {
		if e.expires.IsZero() || expires.IsZero() {
			e.expires = time.Time{}
		} else if expires.After(e.expires) {
			e.expires = expires
		}
		return nil
	}
	if now.Sub(w.swept) > sweep {
		w.drop(now)
	}
	e := &entry{label: label, size: len(value), expires: expires}
	e.addPatterns(value)
	if w.cost+e.cost() > w.most {
		return errors.New("secrets: too many values are valid at the same time to look for them all in what leaves: share credentials between calls, or issue them for a shorter time")
	}
	w.entries[string(value)] = e
	w.cost += e.cost()
	w.watch(e)
	w.any.Store(true)
	return nil
}

// watch makes the patterns of e ones that are looked for.
func (w *Set) watch(e *entry) {
	for _, p := range e.patterns {
		if len(p.text) < MinValue {
			w.few = append(w.few, p)
			continue
		}
		w.patterns = append(w.patterns, p)
		if len(w.patterns) > 2*len(w.filter) { // 32 bits a pattern at least
			w.rebuild()
		} else {
			w.enter(p)
		}
	}
}

// drop forgets what has expired.
func (w *Set) drop(now time.Time) {
	w.swept = now
	gone := false
	for key, e := range w.entries {
		if !e.expires.IsZero() && now.Sub(e.expires) > grace {
			delete(w.entries, key)
			w.cost -= e.cost()
			gone = true
		}
	}
	if !gone {
		return
	}
	w.patterns, w.few, w.filter, w.index = nil, nil, nil, nil
	for _, e := range w.entries {
		w.watch(e)
	}
}

// rebuild makes the filter large enough that one window in 60 or fewer passes it
// by chance.
func (w *Set) rebuild() {
	size := max(14, bits.Len(uint(len(w.patterns)*64))) // log2 of its bits; maxWatched bounds it
	w.filter, w.shift = make([]uint64, 1<<(size-6)), uint(64-size)
	w.index = make(map[uint64][]*pattern, len(w.patterns))
	for _, p := range w.patterns {
		w.enter(p)
	}
}

func (w *Set) enter(p *pattern) {
	window := binary.LittleEndian.Uint64(p.text[p.anchor:])
	h := hash(window, w.shift)
	w.filter[h>>6] |= 1 << (h & 63)
	w.index[window] = append(w.index[window], p)
}

// hash is Fibonacci hashing: the high bits of a product with 2^64 divided by the
// golden ratio.
func hash(window uint64, shift uint) uint64 { return window * 0x9E3779B97F4A7C15 >> (shift & 63) }

// find appends a span for every pattern that stands in text, overlapping ones
// included.
func (w *Set) find(text []byte, spans []span) []span {
	for _, p := range w.few {
		spans = p.find(text, spans)
	}
	if w.filter != nil {
		return w.pass(text, spans)
	}
	return spans
}

// find looks for one pattern that is too short for a window. It goes on at the next byte after a hit, since a
// value may overlap itself.
func (p *pattern) find(text []byte, spans []span) []span {
	for from := 0; ; from++ {
		i := bytes.Index(text[from:], p.text)
		if i < 0 {
			return spans
		}
		from += i
		spans = append(spans, p.at(text, from))
	}
}

// pass looks for all patterns that have a window at once.
func (w *Set) pass(text []byte, spans []span) []span {
	filter, shift := w.filter, w.shift
	for i := 0; i+MinValue <= len(text); i++ {
		window := binary.LittleEndian.Uint64(text[i : i+MinValue])
		h := hash(window, shift)
		if filter[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		for _, p := range w.index[window] {
			if start := i - p.anchor; start >= 0 && bytes.HasPrefix(text[start:], p.text) {
				spans = append(spans, p.at(text, start))
			}
		}
	}
	return spans
}

// at is the span of p where it stands in text.
func (p *pattern) at(text []byte, start int) span {
	end := start + len(p.text)
	if p.left && start > 0 && base64Characters[text[start-1]] {
		start--
	}
	if p.right && end < len(text) && base64Characters[text[end]] {
		end++
	}
	return span{start: start, end: end, of: p.of}
}

// checkValue refuses a value that could not be redacted.
func checkValue(value []byte, label string, short bool) error {
	value = bytes.TrimSpace(value)
	switch {
	case len(value) < MinValue && !short:
		return fmt.Errorf("secrets: a value of %s has fewer than %d bytes: it could not be told from chance in what leaves; make it longer, or say in Options.InsecureShortValues why not", label, MinValue)
	case len(value) > maxValue:
		return fmt.Errorf("secrets: a value of %s has more than %d bytes", label, maxValue)
	case len(value) >= minShort && strings.Contains(marker(label), string(value)):
		return fmt.Errorf("secrets: a value of %s is part of its name, so redacting it would show it", label)
	}
	return nil
}

func marker(label string) string { return "[redacted:" + label + "]" }
