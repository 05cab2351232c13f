package report

import (
	"math"
	"time"
)

// Spans is a chart of durations: for each tool from the median to the 99th percentile,
// on a logarithmic scale.
type spans struct {
	Label  string // read out in place of the chart
	Height int
	Axis   int // the height of the rows above the axis
	Rows   []span
	Ticks  []tick
}

type span struct {
	Name   label
	Value  string
	Title  string
	Y      int
	X1, X2 string // of the median and of the 99th percentile
	Last   string // of the longest
}

const (
	spanHeight = 42
	axisHeight = 28
)

func spansOf(lines []*line) spans {
	low, high := 0, -100
	for i, l := range lines {
		from := decade(l.took.Percentile(50), math.Floor)
		if i == 0 || from < low {
			low = from
		}
		high = max(high, decade(l.took.Max(), math.Ceil))
	}
	high = max(high, low+1)
	s := spans{Axis: len(lines) * spanHeight}
	s.Height = s.Axis + axisHeight
	at := func(d time.Duration) string {
		x := (math.Log10(max(d.Seconds(), 1e-6)) - float64(low)) / float64(high-low)
		return length(min(max(x, 0), 1))
	}
	for i, l := range lines {
		median, most := l.took.Percentile(50), l.took.Percentile(99)
		s.Rows = append(s.Rows, span{
			Name: labelOf(l.name, nameless), Value: rangeText(median, most), Y: i * spanHeight,
			Title: labelOf(l.name, nameless).Text + ": half of " + counted(l.took.Count(), "call", "calls") + " took no longer than " + took(median) +
				", 99 % no longer than " + took(most) + ", the longest " + took(l.took.Max()),
			X1: at(median), X2: at(most), Last: at(l.took.Max()),
		})
	}
	every := (high - low + 4) / 5 // so many fit on a phone
	for d := low; d <= high; d += every {
		x := float64(d-low) / float64(high-low)
		anchor, out := "middle", ""
		if (d-low)/every%2 == 1 {
			out = "narrow"
		}
		switch d {
		case low:
			anchor = "start"
		case high:
			anchor = "end"
		}
		s.Ticks = append(s.Ticks, tick{X: length(x), Text: powerText(d), Anchor: anchor, Out: out})
	}
	return s
}

// rangeText writes two durations, or the one that both are.
func rangeText(from, to time.Duration) string {
	if a, b := took(from), took(to); a != b {
		return a + " – " + b
	}
	return took(to)
}

// decade is the power of ten, in seconds, below or above a duration.
func decade(d time.Duration, round func(float64) float64) int {
	return int(round(math.Log10(max(d.Seconds(), 1e-6))))
}

// powerText writes a power of ten of a second.
func powerText(d int) string {
	for _, unit := range []struct {
		from int
		name string
	}{{0, "s"}, {-3, "ms"}, {-6, "µs"}} {
		if d >= unit.from {
			return brief(uint64(math.Pow10(d-unit.from))) + " " + unit.name
		}
	}
	return ""
}
