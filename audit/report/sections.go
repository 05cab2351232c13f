package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/safemcp/safemcp/audit/tally"
)

// nameless is the page's word for a name that is empty.
const nameless = "no name"

// Bounds of the charts.
const (
	mostReasons = 8
	mostTools   = 8
	mostCallers = 9
	mostWhat    = 5 // of each caller
)

// over makes the section of the calls over time.
func (p *page) over(f *figures) {
	t := &f.time
	p.Over = columnsOf(t)
	p.Over.Label = "Calls over time, in slots of " + spelled(t.seconds()) + ": " + ended(f.ends) + "."
	p.Slot = spelled(t.seconds())
	if n := t.len(); n > 0 {
		from, _ := t.at(0)
		to, _ := t.at(n - 1)
		p.From, p.To = slotText(from, t.seconds()), slotText(to.Add(time.Duration(t.seconds())*time.Second), t.seconds())
	}
	p.OverTable = table{Caption: "Calls over time", Columns: append(texts("From (UTC)"), numbers("Answered", "Failed", "Refused")...)}
	for i := range t.len() {
		if at, c := t.at(i); c.All() > 0 {
			p.OverTable.Rows = append(p.OverTable.Rows, append([]cell{{Text: slotText(at, t.seconds()), Class: whole}}, countCells(c)...))
		}
	}
}

// refusals makes the sections of what was refused, and of what would have been.
func (p *page) refusals(f *figures) {
	lines := f.reasons.by(all)
	p.Reasons = barsOf(lines[:shown(lines, mostReasons)], greatest(lines), nameless)
	p.Reasons.Label = "Refusals by the guard and the rule that refused."
	p.ReasonsMore = more(len(lines), shown(lines, mostReasons))
	p.ReasonsTable = reasonTable("Refusals by reason", "Refused", lines, f.reasons, f.ends[tally.Refused])
	p.Floods = f.floods
	if lines := f.observed.by(all); len(lines) > 0 {
		var n uint64
		for _, l := range lines {
			n += l.counts.All()
		}
		n += f.observed.others.All()
		p.Observed = counted(n, "call was let through that would have been refused", "calls were let through that would have been refused")
		p.ObservedTable = reasonTable("Let through although a guard would have refused", "Let through", lines, f.observed, n)
	}
}

func greatest(lines []*line) uint64 {
	if len(lines) == 0 {
		return 0
	}
	return lines[0].counts.All()
}

// shown is how many lines a chart of so many shows: where only one would be left out, all.
func shown(lines []*line, most int) int {
	if len(lines) <= most+1 {
		return len(lines)
	}
	return most
}

// more points from a chart to the table behind it.
func more(n, shown int) string {
	if n <= shown {
		return ""
	}
	return counted(uint64(n-shown), "more is in the table.", "more are in the table.")
}

func reasonTable(caption, column string, lines []*line, t *ranking, of uint64) table {
	tab := table{Caption: caption, More: rest(len(lines), mostRows, t)}
	tab.Columns = append(append(texts("Guard", "Rule"), numbers(column, "Share")...), texts("Reason", "Last")...)
	for _, l := range lines[:min(len(lines), mostRows)] {
		tab.Rows = append(tab.Rows, []cell{
			textCell(l.name.text, nameless), textCell(l.name.of, nameless), numberCell(atLeast(l)),
			numberCell(share(l.counts.All(), of)),
			reasonCell(l, "none given"),
			{Text: moment(l.last), Class: whole},
		})
	}
	if n := t.others.All(); n > 0 {
		tab.Rows = append(tab.Rows, []cell{others(), {}, numberCell(grouped(n)), numberCell(share(n, of)), {}, {}})
	}
	return tab
}

// slowest makes the section of the tools.
func (p *page) slowest(f *figures) {
	lines := f.tools.by(all)
	slices.SortStableFunc(lines, func(a, b *line) int { return cmp.Compare(slowness(b), slowness(a)) })
	timed := slices.DeleteFunc(slices.Clone(lines), func(l *line) bool { return l.took == nil })
	if len(timed) > 0 {
		p.Tools = spansOf(timed[:shown(timed, mostTools)])
		p.Tools.Label = "How long calls took, from the median to the 99th percentile, on a logarithmic scale; the slowest is " + labelOf(timed[0].name, nameless).Text + "."
	}
	p.ToolsMore = more(len(lines), shown(timed, mostTools))
	tab := table{Caption: "Tools, resources and prompts", More: rest(len(lines), mostRows, f.tools)}
	tab.Columns = append(texts("Name", "Kind"), numbers("Answered", "Failed", "Refused", "Median", "90 % within", "99 % within", "Longest")...)
	for _, l := range lines[:min(len(lines), mostRows)] {
		row := append([]cell{textCell(l.name.text, nameless), textCell(cmp.Or(l.name.of, "tool"), "")}, countCells(l.counts)...)
		if l.took == nil {
			row = append(row, cell{}, cell{}, cell{}, cell{})
		} else {
			row = append(row, numberCell(took(l.took.Percentile(50))), numberCell(took(l.took.Percentile(90))), numberCell(took(l.took.Percentile(99))), numberCell(took(l.took.Max())))
		}
		tab.Rows = append(tab.Rows, row)
	}
	if f.tools.others.All() > 0 {
		tab.Rows = append(tab.Rows, append(append([]cell{others(), {}}, countCells(f.tools.others)...), cell{}, cell{}, cell{}, cell{}))
	}
	p.ToolsTable = tab
}

// slowness is what tools are put in order by.
func slowness(l *line) time.Duration {
	if l.took == nil {
		return -1
	}
	return l.took.Percentile(99)
}

// A callerCard is a caller, and what they called.
type callerCard struct {
	Name  label
	Calls string
	Ended string
	What  bars
	More  string
}

// callerLabel is the name of a caller where there is a line for each part of it.
func callerLabel(n name) label {
	l := labelOf(n, "nobody known")
	l.Of = visible(n.of, 2*mostText)
	return l
}

// who makes the section of who called what. All bars have one scale.
func (p *page) who(f *figures) {
	callers := f.callers.by(all)
	named := callers[:shown(callers, mostCallers)]
	var most uint64
	for _, c := range named {
		most = max(most, greatest(c.what.by(all)))
	}
	for _, c := range named {
		what := c.what.by(all)
		card := callerCard{Name: callerLabel(c.name), Calls: atLeast(c), Ended: ended(c.counts), More: more(len(what), shown(what, mostWhat))}
		card.What = barsOf(what[:shown(what, mostWhat)], most, "nothing known")
		card.What.Label = "What " + card.Name.Text + " called."
		p.Callers = append(p.Callers, card)
	}
	p.CallersMore = more(len(callers), len(named))
	tab := table{Caption: "Who called what", More: rest(len(callers), mostCallers*4, f.callers)}
	tab.Columns = append(texts("Caller", "Known from", "ID", "What", "Kind"), numbers("Answered", "Failed", "Refused")...)
	for _, c := range callers[:min(len(callers), mostCallers*4)] {
		head := []cell{textCell(c.name.text, "nobody known"), textCell(c.name.of, ""), textCell(c.name.id, "")}
		what := c.what.by(all)
		for i, w := range what {
			if i == mostWhat*2 {
				break
			}
			tab.Rows = append(tab.Rows, slices.Concat(head, []cell{textCell(w.name.text, "nothing known"), textCell(cmp.Or(w.name.of, "tool"), "")}, countCells(w.counts)))
		}
		left := c.what.others
		for _, w := range what[min(len(what), mostWhat*2):] {
			left.Add(w.counts)
		}
		if left.All() > 0 {
			tab.Rows = append(tab.Rows, slices.Concat(head, []cell{others(), {}}, countCells(left)))
		}
	}
	if f.callers.others.All() > 0 {
		tab.Rows = append(tab.Rows, slices.Concat([]cell{others(), {}, {}, {}, {}}, countCells(f.callers.others)))
	}
	p.CallersTable = tab
}
