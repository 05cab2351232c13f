package report

import (
	"fmt"
	"time"

	"github.com/safemcp/safemcp/audit/tally"
)

// Columns is a chart of columns over time.
type columns struct {
	Label string // read out in place of the chart
	Width string // of a column
	Slots []column
	Lines []gridline
	Ticks []tick
}

type column struct {
	X     string
	Title string
	Parts []segment
}

// A segment of a column is calls that ended alike.
type segment struct {
	Class string
	Y, H  string
}

type gridline struct {
	Y    string
	Text string
}

// A tick is a text on an axis. Some are left out where there is no room: on a "phone",
// or a "narrow" one.
type tick struct {
	X      string
	Text   string
	Anchor string
	Out    string
}

const (
	plotHeight = 200 // of the columns, in pixels
	fewSlots   = 24  // columns are no wider than so many of them need
)

func columnsOf(t *timeline) columns {
	n := t.len()
	var top uint64
	for i := range n {
		_, c := t.at(i)
		top = max(top, c.All())
	}
	step := stepOf(top)
	scale := float64(plotHeight) / float64(((top+step-1)/step)*step)
	var g columns
	for v := uint64(0); v < top+step; v += step {
		g.Lines = append(g.Lines, gridline{Y: pixels(plotHeight - scale*float64(v)), Text: brief(v)})
	}
	slots := max(n, fewSlots)
	g.Width = length(0.82 / float64(slots))
	for i := range n {
		at, c := t.at(i)
		if c.All() == 0 {
			continue
		}
		g.Slots = append(g.Slots, columnAt(i, slots, scale, at, c, t.seconds()))
	}
	g.Ticks = ticksOf(t, n, slots)
	return g
}

func columnAt(i, slots int, scale float64, at time.Time, c tally.Counts, seconds int64) column {
	col := column{X: length((float64(i) + 0.09) / float64(slots)), Title: slotText(at, seconds) + ": " + ended(c)}
	y := float64(plotHeight)
	for k, count := range c {
		if count == 0 {
			continue
		}
		h := max(scale*float64(count), 1.5) // one refusal among thousands is seen
		y = max(y-h, 0)
		gap := 0.0
		if h > 4 && y > 0 {
			gap = 1 // between the parts, so that they are told apart without their colours
		}
		col.Parts = append(col.Parts, segment{Class: tally.Class(k).String(), Y: pixels(y + gap), H: pixels(h - gap)})
	}
	return col
}

// stepOf is the distance of gridlines: 1, 2 or 5 times a power of ten, three to six of
// them.
func stepOf(top uint64) uint64 {
	unit := uint64(1)
	for top/unit >= 30 {
		unit *= 10
	}
	for _, k := range []uint64{1, 2, 5} {
		if top/(unit*k) <= 5 {
			return unit * k
		}
	}
	return unit * 10
}

// ticksOf puts five times under the columns, or fewer where there are fewer columns.
func ticksOf(t *timeline, n, slots int) []tick {
	if n == 0 {
		return nil
	}
	if n < slots { // there is no room for more
		at, _ := t.at(0)
		return []tick{{X: "0%", Text: slotText(at, t.seconds()), Anchor: "start"}}
	}
	const parts = 4
	ticks := make([]tick, 0, parts+1)
	for k := range parts + 1 {
		i := k * n / parts // where a slot begins
		at, _ := t.at(i)
		anchor, out := "middle", "phone"
		switch k {
		case 0:
			anchor, out = "start", ""
		case parts / 2:
			out = "narrow"
		case parts:
			anchor, out = "end", ""
		}
		ticks = append(ticks, tick{X: length(float64(i) / float64(n)), Text: axisText(at, t.seconds(), int64(n)*t.seconds()), Anchor: anchor, Out: out})
	}
	return ticks
}

// axisText is a time as the axis of so long a span needs it.
func axisText(at time.Time, seconds, span int64) string {
	switch {
	case span > 20*52*week:
		return at.Format("2006")
	case span > 52*week:
		return at.Format("Jan 2006")
	case seconds >= day || span > 10*day:
		return at.Format("2 Jan")
	case seconds < minute:
		return at.Format("15:04:05")
	case span > day+hour:
		return at.Format("2 Jan, 15:04")
	}
	return at.Format("15:04")
}

// slotText is when a slot begins.
func slotText(at time.Time, seconds int64) string {
	switch {
	case seconds >= day:
		return at.Format("2 Jan 2006")
	case seconds >= minute:
		return at.Format("2 Jan 2006, 15:04")
	}
	return at.Format("2 Jan 2006, 15:04:05")
}

func pixels(v float64) string { return fmt.Sprintf("%.1f", v) }
