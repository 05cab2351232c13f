package tally

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/safemcp/safemcp/internal/visible"
)

// shownRows is how many rows of a table are printed.
const shownRows = 20

// Fprint writes the summary for people, the twenty first rows of each table. Names are
// shown without their control and invisible characters.
func (s *Summary) Fprint(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "events\t%s\t%s\n", visible.Number(s.Events), parts(s.Phases))
	if s.Events > 0 {
		fmt.Fprintf(t, "from\t%s\nto\t%s\n", s.First.UTC().Format(time.RFC3339), s.Last.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(t, "calls\t%s\t%s\n", visible.Number(s.Calls), parts(s.Statuses))
	if len(s.Decisions) > 0 {
		fmt.Fprintf(t, "decided\t\t%s\n", parts(s.Decisions))
	}
	if len(s.Tools) > 0 {
		fmt.Fprintln(t, "\nTOOL\tCALLS\tREFUSED\tFAILED\tP50 MS\tP99 MS\tMAX MS")
		for _, r := range s.Tools[:min(len(s.Tools), shownRows)] {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.1f\t%.1f\t%.1f\n", visible.Text(r.Name, 40), visible.Number(r.Calls), visible.Number(r.Refused), visible.Number(r.Failed), r.P50, r.P99, r.Max)
		}
		rest(t, len(s.Tools), s.Others.Tools, "tools")
	}
	if len(s.Callers) > 0 {
		fmt.Fprintln(t, "\nCALLER\tCALLS\tREFUSED\tFAILED")
		for _, r := range s.Callers[:min(len(s.Callers), shownRows)] {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", visible.Text(r.ID, 60), visible.Number(r.Calls), visible.Number(r.Refused), visible.Number(r.Failed))
		}
		rest(t, len(s.Callers), s.Others.Callers, "callers")
	}
	if len(s.Refusals) > 0 {
		fmt.Fprintln(t, "\nREFUSED BY\tRULE\tCALLS")
		for _, r := range s.Refusals[:min(len(s.Refusals), shownRows)] {
			fmt.Fprintf(t, "%s\t%s\t%s\n", visible.Text(r.By, 24), visible.Text(r.Rule, 40), visible.Number(r.Calls))
		}
		rest(t, len(s.Refusals), s.Others.Refusals, "rules")
	}
	if s.Others.Forgot {
		fmt.Fprintln(t, "\nThere are more names than are kept: what stands beside one is the least that it can be.")
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("audit: writing the summary: %w", err)
	}
	return nil
}

// rest says what a table does not show.
func rest(w io.Writer, rows int, others uint64, what string) {
	switch {
	case others > 0:
		fmt.Fprintf(w, "and %d %s more, and %s calls of others\n", max(rows-shownRows, 0), what, visible.Number(others))
	case rows > shownRows:
		fmt.Fprintf(w, "and %d %s more\n", rows-shownRows, what)
	}
}

// parts names what was counted, most first.
func parts[K ~string](m map[K]uint64) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b K) int { return cmp.Or(-cmp.Compare(m[a], m[b]), cmp.Compare(a, b)) })
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = visible.Number(m[name]) + " " + strings.ReplaceAll(string(name), "_", " ")
	}
	return strings.Join(all, ", ")
}
