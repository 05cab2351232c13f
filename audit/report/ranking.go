package report

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/safemcp/safemcp/audit/tally"
)

// A name is what events are counted by: a text, and what tells it apart from the same
// text elsewhere.
type name struct {
	text string
	of   string // shown beside it: what it is, or who says so
	id   string // shown in tables alone
}

// maxName bounds what is kept of each part of a name, in bytes. Names are longer only
// where somebody means harm.
const maxName = 160

// kept is a name as it is kept: its parts are cut, and longer ones stay apart.
func (n name) kept() name {
	return name{keptText(n.text), keptText(n.of), keptText(n.id)}
}

func keptText(s string) string { return tally.Name(s, maxName) }

// A ranking counts by name, for so many names and no more, whatever is thrown at it.
//
// When it is full, a new name takes the place of the one that is seen least, whose
// counts go to the others, and starts with that one's rank (Metwally, Agrawal and El
// Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005):
// a name with more than one in most of all counts is in it at the end, so that a flood
// of names drives out no caller that matters. The counts of a name and of the others
// always add up to all; those of a name that came late may be too low.
//
// The tables of package tally, from which stats are printed, count by name as well, and are
// kept apart on purpose. There a name that was ever let outlasts any number of names that
// were refused, however seldom it was called; here whoever is refused most, which is what a
// page about refusals has to show, cannot be driven out by names that were counted before.
// Neither way does what the other does.
type ranking struct {
	most   int
	byName map[name]*line
	ranks  ranks
	others tally.Counts
	gone   bool // names have been driven out
}

// A line is what a ranking holds of a name. What a ranking does not use is nil.
type line struct {
	name   name
	counts tally.Counts
	late   bool // its counts may be too low
	rank   uint64
	at     int // in ranks

	took   *tally.Durations // how long it took
	what   *ranking         // what was called
	reason string           // the first that was given
	varies bool             // others were given later
	last   time.Time
}

func newRanking(most int) *ranking { return &ranking{most: most, byName: map[name]*line{}} }

// add counts one and returns its line.
func (t *ranking) add(n name, c tally.Class) *line {
	n = n.kept()
	l := t.byName[n]
	switch {
	case l != nil:
	case len(t.ranks) < t.most:
		l = &line{name: n, late: t.gone}
		t.byName[n] = l
		heap.Push(&t.ranks, l)
	default:
		least := t.ranks[0]
		delete(t.byName, least.name)
		t.others.Add(least.counts)
		t.gone = true
		l = &line{name: n, late: true, rank: least.rank}
		t.byName[n] = l
		t.ranks[0] = l
	}
	l.counts[c]++
	l.rank++
	heap.Fix(&t.ranks, l.at)
	return l
}

// by returns the lines of which weight says more than nothing, the greatest first.
func (t *ranking) by(weight func(*line) uint64) []*line {
	lines := make([]*line, 0, len(t.ranks))
	for _, l := range t.ranks {
		if weight(l) > 0 {
			lines = append(lines, l)
		}
	}
	slices.SortFunc(lines, func(a, b *line) int {
		return cmp.Or(
			cmp.Compare(weight(b), weight(a)), cmp.Compare(a.name.text, b.name.text),
			cmp.Compare(a.name.of, b.name.of), cmp.Compare(a.name.id, b.name.id),
		)
	})
	return lines
}

// all is what the lines of a ranking are listed by where nothing else is asked.
func all(l *line) uint64 { return l.counts.All() }

// ranks is a heap of lines with the lowest rank on top.
type ranks []*line

func (r *ranks) Len() int           { return len(*r) }
func (r *ranks) Less(i, j int) bool { return (*r)[i].rank < (*r)[j].rank }
func (r *ranks) Swap(i, j int) {
	lines := *r
	lines[i], lines[j] = lines[j], lines[i]
	lines[i].at, lines[j].at = i, j
}

// Push and Pop are the heap's.
func (r *ranks) Push(x any) {
	l, _ := x.(*line)
	l.at = len(*r)
	*r = append(*r, l)
}

func (r *ranks) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
