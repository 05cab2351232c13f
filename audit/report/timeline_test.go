package report

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit/tally"
)

// Whatever order times come in, a timeline holds what one of its final width would have
// held from the beginning.
func TestATimelineWidensWithoutLosingAnything(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for _, reach := range []time.Duration{time.Millisecond, time.Minute, time.Hour, 24 * time.Hour, 9 * 24 * time.Hour, 400 * 24 * time.Hour, 200 * 365 * 24 * time.Hour} {
		var line timeline
		var given []time.Time
		for i := range 3000 {
			at := monday2.Add(time.Duration((random.Float64() - 0.5) * float64(reach)))
			if i < 2000 { // most logs are in order
				at = monday2.Add(time.Duration(float64(i) / 4000 * float64(reach)))
			}
			given = append(given, at)
			line.add(at, tally.Refused)
		}
		if line.len() > maxSlots || line.len() < 1 {
			t.Errorf("%v: %d slots", reach, line.len())
		}
		want := map[int64]uint64{}
		for _, at := range given {
			want[slot(at, line.seconds())]++
		}
		var sum uint64
		for i := range line.len() {
			at, c := line.at(i)
			sum += c[tally.Refused]
			if c[tally.Refused] != want[slot(at, line.seconds())] {
				t.Errorf("%v: at %v there are %d, and were %d", reach, at, c[tally.Refused], want[slot(at, line.seconds())])
			}
		}
		if sum != 3000 {
			t.Errorf("%v: %d of 3000 are left", reach, sum)
		}
	}
}

func TestSlotsBeginWhereAPersonExpects(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 15, 37, 12, 5, time.UTC)
	for _, c := range []struct {
		width int64
		want  string
	}{
		{1, "2026-03-04 15:37:12"},
		{15 * minute, "2026-03-04 15:30:00"},
		{6 * hour, "2026-03-04 12:00:00"},
		{day, "2026-03-04 00:00:00"},
		{week, "2026-03-02 00:00:00"}, // a Monday
	} {
		if got := starts(slot(at, c.width), c.width).Format(time.DateTime); got != c.want {
			t.Errorf("%s: %s, want %s", spelled(c.width), got, c.want)
		}
	}
	for i := 1; i < len(widths); i++ {
		if widths[i]%widths[i-1] != 0 {
			t.Errorf("%d is no multiple of %d", widths[i], widths[i-1])
		}
	}
	before := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	var line timeline
	line.add(before, tally.Failed)
	line.add(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), tally.Failed)
	if from, _ := line.at(0); from.After(before) || line.len() > maxSlots {
		t.Errorf("all years begin in %v, in %d slots", from, line.len())
	}
}

func TestGridlinesAreRoundNumbers(t *testing.T) {
	t.Parallel()
	for top, want := range map[uint64]uint64{1: 1, 4: 1, 5: 1, 6: 2, 11: 2, 12: 5, 29: 5, 30: 10, 116: 20, 999: 200, 1_234_567: 500_000} {
		if got := stepOf(top); got != want {
			t.Errorf("up to %d by %d, want %d", top, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 950: "950", 1500: "1.5k", 20_000: "20k", 3_000_000: "3M"} {
		if got := brief(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}
