package scan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

const (
	// window is how many bytes of a pattern it is found by.
	window = MinValue
	// bitsAWindow is how many bits of the filter a window has at least. It sets two,
	// in one word, so about one in a hundred that are none of ours passes.
	bitsAWindow = 24
)

// An index finds patterns by windows of eight bytes, all of them in one pass. It looks
// at every stride-th window of a text alone: of each pattern it knows stride windows
// that follow each other, and one of them is met wherever the pattern stands.
type index struct {
	stride int

	// The filter says which windows may be ours: a Bloom filter whose bits for one
	// window are in one word, so that a window costs one read from memory that is small
	// enough for the cache however many values there are.
	filter []uint64
	shift  uint

	slots    []slot // a hash table, open addressing, at most half full
	used     int
	postings []posting
}

// A slot is a window and the first of the patterns that have it.
type slot struct {
	window uint64
	first  int32 // an index of postings plus 1; 0 is an empty slot
	count  int32 // of patterns
}

// A posting says that a pattern has a window at an offset.
type posting struct {
	pattern *pattern
	offset  int32
	next    int32 // as slot.first
}

// postingBytes is about how much memory a window takes, with what is kept free.
const postingBytes = 16 + 3*16 + 8

// strides are those of the indexes of a set: a pattern is in the first that it is long
// enough for.
var strides = [...]int{8, 4, 1}

// fits says whether a pattern of that many bytes has a window at every alignment.
func (x *index) fits(size int) bool { return size >= window+x.stride-1 }

// golden is 2^64 divided by the golden ratio: Fibonacci hashing takes the high bits of
// a product with it.
const golden = 0x9E3779B97F4A7C15

// mask is the bits of a window's word. The word itself is named by the highest bits of
// h, which are 32 at most.
func mask(h uint64) uint64 { return 1<<(h>>20&63) | 1<<(h>>26&63) }

const (
	// places is in how many places of a pattern its windows may be taken.
	places = 64
	// crowd is how many patterns may have a window before one more is better found
	// by a smaller stride, which asks for fewer windows of it.
	crowd = 16
)

// place returns from where on p is found best, and how many patterns have one of the
// windows there: whoever meets a window looks at each that has it. Users of a database
// share their beginnings, and where names are short their middles too; keys share
// their ends.
func (x *index) place(p *pattern) (from int, sharing int32) {
	last := len(p.text) - (window + x.stride - 1)
	from = last / 2
	sharing = x.sharing(p, from)
	for i := 0; i < places && sharing > 0; i++ {
		other := last * i / (places - 1)
		if n := x.sharing(p, other); n < sharing {
			from, sharing = other, n
		}
	}
	return from, sharing
}

// enter adds the windows of p at a place.
func (x *index) enter(p *pattern, from int) {
	for offset := from; offset < from+x.stride; offset++ {
		w := binary.LittleEndian.Uint64(p.text[offset:])
		x.add(w, p, offset)
		if p.base64 {
			if other := urlAlphabet(p.text[offset : offset+window]); other != w {
				x.add(other, p, offset)
			}
		}
	}
}

// sharing returns how many patterns have one of the windows that p would be found by.
func (x *index) sharing(p *pattern, from int) (most int32) {
	if len(x.slots) == 0 {
		return 0
	}
	for offset := from; offset < from+x.stride; offset++ {
		most = max(most, x.slot(binary.LittleEndian.Uint64(p.text[offset:])).count)
	}
	return most
}

func (x *index) add(w uint64, p *pattern, offset int) {
	if x.used*2 >= len(x.slots) {
		x.grow()
	}
	s := x.slot(w)
	if s.first == 0 {
		s.window = w
		x.used++
		h := w * golden
		x.filter[h>>(x.shift&63)] |= mask(h)
	}
	x.postings = append(x.postings, posting{p, int32(offset), s.first})
	s.first = int32(len(x.postings))
	s.count++
}

// slot returns the slot of w, or the empty one where it would be.
func (x *index) slot(w uint64) *slot {
	last := uint64(len(x.slots) - 1)
	for i := w * golden >> 32 & last; ; i = (i + 1) & last {
		if s := &x.slots[i]; s.first == 0 || s.window == w {
			return s
		}
	}
}

// grow makes the tables twice as large.
func (x *index) grow() {
	old := x.slots
	x.slots = make([]slot, max(1<<8, 2*len(old)))
	size := max(14, bits.Len(uint(len(x.slots)/2*bitsAWindow-1))) // log2 of the filter's bits
	x.filter, x.shift = make([]uint64, 1<<(size-6)), uint(64-(size-6))
	for _, s := range old {
		if s.first != 0 {
			*x.slot(s.window) = s
			h := s.window * golden
			x.filter[h>>(x.shift&63)] |= mask(h)
		}
	}
}

// find appends a span for every pattern of x that stands in text, overlapping ones
// included.
func (x *index) find(text []byte, spans []span) []span {
	filter, shift := x.filter, x.shift
	if len(filter) == 0 {
		return spans
	}
	stride := x.stride
	for i := 0; i+window <= len(text); i += stride {
		h := binary.LittleEndian.Uint64(text[i:i+window]) * golden
		if m := mask(h); filter[h>>(shift&63)]&m == m {
			spans = x.match(text, i, spans)
		}
	}
	return spans
}

// match appends the patterns that have the window at i, and the rest around it.
func (x *index) match(text []byte, i int, spans []span) []span {
	w := binary.LittleEndian.Uint64(text[i:])
	for next := x.slot(w).first; next != 0; {
		p := &x.postings[next-1]
		if start := i - int(p.offset); start >= 0 && p.pattern.stands(text[start:]) {
			spans = append(spans, p.pattern.at(text, start))
		}
		next = p.next
	}
	return spans
}

// findOne looks for one pattern that is too short for a window. It goes on at the next
// byte after a hit, since a value may overlap itself.
func (p *pattern) findOne(text []byte, spans []span) []span {
	for from := 0; ; from++ {
		i := bytes.Index(text[from:], p.text)
		if i < 0 {
			return spans
		}
		from += i
		spans = append(spans, p.at(text, from))
	}
}
