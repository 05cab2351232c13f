package report

import "github.com/safemcp/safemcp/audit/tally"

// A table holds in numbers what a chart shows.
type table struct {
	Caption string
	Columns []heading
	Rows    [][]cell
	More    string // what is not in it, in a sentence
}

type heading struct {
	Text   string
	Number bool
}

type cell struct {
	Text  string
	Class string // how it is set, in the style sheet
}

// Classes of cells.
const (
	number = "number"
	none   = "none"  // Text is the page's word for nothing
	whole  = "whole" // not broken into lines
	long   = "long"  // sentences
)

// Bounds of a table: longer ones are nobody's reading, and the log has it all.
const (
	mostRows = 100
	mostCell = 170 // characters
)

func texts(names ...string) []heading {
	h := make([]heading, len(names))
	for i, n := range names {
		h[i] = heading{Text: n}
	}
	return h
}

func numbers(names ...string) []heading {
	h := texts(names...)
	for i := range h {
		h[i].Number = true
	}
	return h
}

func textCell(s, empty string) cell {
	if s == "" {
		return cell{Text: empty, Class: none}
	}
	return cell{Text: visible(s, mostCell)}
}

// reasonCell is what the events of a line say, or one of them.
func reasonCell(l *line, empty string) cell {
	c := textCell(l.reason, empty)
	if c.Class == "" {
		c.Class = long
	}
	if l.varies {
		c.Text = "for one: " + c.Text
	}
	return c
}

// others is the cell of the names that were not kept.
func others() cell { return cell{Text: "others", Class: none} }

func numberCell(s string) cell { return cell{Text: s, Class: number} }

func countCells(c tally.Counts) []cell {
	cells := make([]cell, 0, tally.Classes)
	for _, n := range c {
		cells = append(cells, numberCell(grouped(n)))
	}
	return cells
}

// rest says what a table or a chart of so many lines leaves out.
func rest(all, shown int, t *ranking) string {
	s := ""
	if all > shown {
		s = counted(uint64(all-shown), "more is not shown here", "more are not shown here") + "."
	}
	if n := t.others.All(); n > 0 {
		if s != "" {
			s += " "
		}
		s += "There were more names than are kept: " + counted(n, "event", "events") + " of the rarest are counted as others, and numbers with ≥ may be too low by as much."
	}
	return s
}
