package report

import (
	"time"

	"github.com/safemcp/safemcp/audit/tally"
)

// A timeline counts calls by when they ended, in slots that grow wider as it grows
// longer, so that it has so many slots and no more.
type timeline struct {
	width int // of widths
	slots map[int64]*tally.Counts
	first int64
	last  int64
}

// maxSlots is enough for a day in quarters of an hour.
const maxSlots = 100

// widths are those of slots, in seconds; each is a multiple of the one before, so that
// slots can be joined.
var widths = []int64{
	1, 5, 15, minute, 5 * minute, 15 * minute, hour, 3 * hour, 6 * hour, 12 * hour,
	day, week, 4 * week, 52 * week, 520 * week, 5200 * week, 10400 * week, // the last is enough for all years that a log can hold
}

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
	week   = 7 * day
)

// monday is one, in seconds after 1970, so that weeks begin on Mondays.
const monday = 4 * day

// slot is the number of the slot that a time is in.
func slot(at time.Time, width int64) int64 {
	s := at.Unix() - monday
	n := s / width
	if s%width < 0 {
		n--
	}
	return n
}

// starts is when a slot begins.
func starts(slot, width int64) time.Time { return time.Unix(slot*width+monday, 0).UTC() }

func (t *timeline) add(at time.Time, c tally.Class) {
	n := slot(at, t.seconds())
	if len(t.slots) == 0 {
		t.slots = map[int64]*tally.Counts{}
		t.first, t.last = n, n
	}
	for max(t.last, n)-min(t.first, n) >= maxSlots && t.width < len(widths)-1 {
		t.widen()
		n = slot(at, t.seconds())
	}
	t.first, t.last = min(t.first, n), max(t.last, n)
	if t.slots[n] == nil {
		t.slots[n] = new(tally.Counts)
	}
	t.slots[n][c]++
}

func (t *timeline) seconds() int64 { return widths[t.width] }

func (t *timeline) widen() {
	old := t.seconds()
	t.width++
	joined := make(map[int64]*tally.Counts, len(t.slots))
	for n, c := range t.slots {
		to := slot(starts(n, old), t.seconds())
		if joined[to] == nil {
			joined[to] = new(tally.Counts)
		}
		joined[to].Add(*c)
	}
	t.first, t.last = slot(starts(t.first, old), t.seconds()), slot(starts(t.last, old), t.seconds())
	t.slots = joined
}

// len is how many slots lie between the first and the last, both among them.
func (t *timeline) len() int {
	if len(t.slots) == 0 {
		return 0
	}
	return int(t.last-t.first) + 1
}

// at is what the slot of an index holds, and when it begins.
func (t *timeline) at(i int) (time.Time, tally.Counts) {
	n := t.first + int64(i)
	at := starts(n, t.seconds())
	if c := t.slots[n]; c != nil {
		return at, *c
	}
	return at, tally.Counts{}
}
