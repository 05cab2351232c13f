package scan

import (
	"bytes"
	"errors"
	"fmt"
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
	// quick is how many values are entered anew so soon that nobody notices.
	quick = 1000
	// maxWatched bounds the memory of patterns, in bytes.
	maxWatched = 128 << 20
)

// A Set holds the values that are looked for. It is safe for concurrent use.
type Set struct {
	options Options
	now     func() time.Time

	any      atomic.Bool // whether there is anything to look for: the cheap question
	mu       sync.RWMutex
	entries  map[string]*entry
	indexes  [len(strides)]index
	few      []*pattern // those that are too short for any index
	delicate int        // how many entries are
	cost     int
	swept    time.Time
	most     int // maxWatched, or less in tests
}

// Options change what a [Set] does. The zero value is the strictest.
type Options struct {
	// ShortValues allows values of fewer than 8 bytes. From 4 bytes on they are looked
	// for, but not in base64; below that they are not looked for at all.
	ShortValues bool
	// Rules find secrets that nobody added, as they are and behind one level of escapes.
	// Nil looks for none.
	Rules *Rules
}

// New returns a Set without values. Nil options are the zero value.
func New(o *Options) *Set {
	w := &Set{now: time.Now, entries: map[string]*entry{}, most: maxWatched}
	if o != nil {
		w.options = *o
	}
	w.any.Store(w.options.Rules != nil)
	w.clear()
	return w
}

// Add makes value one that is looked for until at least an hour after it has expired; a zero
// expires is never. White space around the value is left out: files end in a newline
// that handlers trim. The label stands for the value once it is redacted.
//
// It refuses a value that could not be redacted: one of fewer than 8 bytes, unless
// those are allowed, of more than 64 KiB, or one that is part of its own label. No
// error contains the value.
func (w *Set) Add(value []byte, label string, expires time.Time) error {
	value, now := bytes.TrimSpace(value), w.now()
	if err := checkValue(value, label, w.options.ShortValues); err != nil {
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
	if e.delicate {
		w.delicate++
	}
	for _, p := range e.patterns {
		if len(p.text) < MinValue {
			w.few = append(w.few, p)
			continue
		}
		for i := range w.indexes {
			x := &w.indexes[i]
			if !x.fits(len(p.text)) {
				continue
			}
			if from, sharing := x.place(p); sharing < crowd || x.stride == 1 {
				x.enter(p, from)
				break
			}
		}
	}
}

// clear forgets all patterns.
func (w *Set) clear() {
	w.few, w.delicate = nil, 0
	for i, stride := range strides {
		w.indexes[i] = index{stride: stride}
	}
}

// drop forgets what has expired, where that is worth it: everybody waits until what is
// left has been entered anew.
func (w *Set) drop(now time.Time) {
	w.swept = now
	var gone []string
	for key, e := range w.entries {
		if !e.expires.IsZero() && now.Sub(e.expires) > grace {
			gone = append(gone, key)
		}
	}
	few := len(gone) < len(w.entries)/8 && len(w.entries) > quick && w.cost < w.most/2
	if len(gone) == 0 || few {
		return
	}
	for _, key := range gone {
		w.cost -= w.entries[key].cost()
		delete(w.entries, key)
	}
	w.clear()
	for _, e := range w.entries {
		w.watch(e)
	}
}

// find appends a span for every pattern that stands in text, overlapping ones
// included. It alone holds the lock, and is the quick part of a search: were the lock
// held for the whole of one, Add would wait for the slowest text, and everybody else
// for Add.
func (w *Set) find(text []byte, spans []span) []span {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, p := range w.few {
		spans = p.findOne(text, spans)
	}
	for i := range w.indexes {
		spans = w.indexes[i].find(text, spans)
	}
	return spans
}

// someDelicate says whether any value is.
func (w *Set) someDelicate() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.delicate > 0
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

// markerStart begins what stands in the place of a value.
const markerStart = "[redacted:"

func marker(label string) string { return markerStart + label + "]" }
