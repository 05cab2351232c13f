package report

import (
	"strconv"

	"github.com/safemcp/safemcp/audit/tally"
)

// Bars is a chart of horizontal bars, each under its label. Lengths across are parts
// of the width of the page, and heights are pixels, so that text has the same size on
// a screen and on a phone.
type bars struct {
	Label  string // read out in place of the chart
	Height int
	Rows   []bar
}

type bar struct {
	Name  label
	Value string
	Title string // shown when pointed at
	Y     int    // of the row
	Parts []part
}

// A part of a bar is calls that ended alike.
type part struct {
	Class string
	X, W  string
}

// A label is a name as a chart shows it.
type label struct {
	Text string
	Of   string
	None bool // Text is the page's word for no name
}

// Longest names in charts, in characters: what does not fit is clipped besides.
const (
	mostText = 40
	mostOf   = 28
)

func labelOf(n name, none string) label {
	l := label{Text: visible(n.text, mostText), Of: visible(n.of, mostOf)}
	if n.text == "" {
		l.Text, l.None = none, true
	}
	return l
}

// rowHeight is the height of a bar and its label.
const rowHeight = 40

// barsOf makes bars of lines, on a scale on which most is the whole width.
func barsOf(lines []*line, most uint64, none string) bars {
	b := bars{Height: len(lines) * rowHeight}
	for i, l := range lines {
		row := bar{
			Name: labelOf(l.name, none), Value: atLeast(l), Y: i * rowHeight,
			Title: labelOf(l.name, none).Text + ": " + ended(l.counts),
		}
		var before uint64
		for c, n := range l.counts {
			if n == 0 {
				continue
			}
			row.Parts = append(row.Parts, part{tally.Class(c).String(), percent(before, most), percent(n, most)})
			before += n
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

// atLeast is the number of a line, which may be too low where the line came late.
func atLeast(l *line) string {
	if l.late {
		return "≥ " + grouped(l.counts.All())
	}
	return grouped(l.counts.All())
}

// ended says in words how calls ended: "12 answered, 1 refused".
func ended(c tally.Counts) string {
	s := ""
	for k, n := range c {
		if n > 0 {
			s = joined(s, grouped(n)+" "+tally.Class(k).String())
		}
	}
	if s == "" {
		return "none"
	}
	return s
}

// percent is a part of a whole as a length; a few are never too short to see.
func percent(n, of uint64) string {
	if of == 0 || n == 0 {
		return "0%"
	}
	return length(max(float64(n)/float64(of), 0.003))
}

// length is a part of the width, from 0 to 1.
func length(part float64) string { return strconv.FormatFloat(100*part, 'f', 3, 64) + "%" }
