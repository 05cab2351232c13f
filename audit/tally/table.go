package tally

import (
	"cmp"
	"slices"
	"time"
)

// A key names a row: a tool, a caller, or a guard and its rule.
type key struct{ name, detail string }

// A row is one name's.
type row struct {
	Counts

	times *Durations // nil before the first
}

// let is how many calls were let.
func (r *row) let() uint64 { return r.All() - r.Counts[Refused] }

func (r *row) took(d time.Duration) {
	if r.times == nil {
		r.times = new(Durations)
	}
	r.times.Add(d)
}

// A table counts by names that anybody may have made up. It holds twice as many as it
// keeps; when it is full, the half that matters least gives way and is counted as others.
// Names of which nothing but refusals is known go first: whoever makes up names is
// refused, and would otherwise push out those that are real.
type table struct {
	rows   map[key]*row
	others Counts
	forgot bool // some of a name that is kept may have been counted as others
}

func (t *table) add(k key, c Class) *row {
	r := t.rows[k]
	if r == nil {
		if t.rows == nil {
			t.rows = map[key]*row{}
		}
		if len(t.rows) == 2*maxNames {
			t.fold()
		}
		r = new(row)
		t.rows[k] = r
	}
	r.Counts[c]++
	return r
}

// fold lets the half go that matters least.
func (t *table) fold() {
	all := t.sorted(func(a, b named) int {
		return cmp.Compare(b.row.let(), a.row.let())
	})
	for _, n := range all[maxNames:] {
		t.others.Add(n.row.Counts)
		delete(t.rows, n.key)
	}
	t.forgot = true
}

// named is a row with its name.
type named struct {
	key

	row *row
}

// sorted returns the rows by what matters first, then by the number of calls, most
// first, then by name.
func (t *table) sorted(first func(a, b named) int) []named {
	all := make([]named, 0, len(t.rows))
	for k, r := range t.rows {
		all = append(all, named{k, r})
	}
	slices.SortFunc(all, func(a, b named) int {
		if c := cmp.Or(first(a, b), cmp.Compare(b.row.All(), a.row.All())); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.detail, b.detail))
	})
	return all
}

// most returns the rows that are kept, those with the most calls first, and how many
// calls are counted of all others.
func (t *table) most() (rows []named, others uint64) {
	rows, left := t.sorted(func(named, named) int { return 0 }), t.others
	if len(rows) > maxNames {
		for _, n := range rows[maxNames:] {
			left.Add(n.row.Counts)
		}
		rows = rows[:maxNames]
	}
	return rows, left.All()
}
