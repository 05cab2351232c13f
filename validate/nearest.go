package validate

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// The bounds of looking for what was meant. A caller can send any number of wrong values
// in one call, and all of them together take no more work than nearWork.
const (
	nearest    = 3       // values that an error names
	nearRunes  = 64      // of a value that is looked for
	nearWork   = 1 << 20 // bytes looked at and cells filled, a call
	nearBefore = 32      // work that a value costs before it is looked at
)

// near returns the values that are nearest to s, at most 3, and takes what that costs
// from work. It looks no further when there is none left.
func near(values []string, s string, work *int) []string {
	var from [nearRunes]rune
	a, fits := folded(from[:0], s)
	if !fits || *work <= 0 {
		return nil
	}
	type found struct {
		value string
		edits int
	}
	most := slack(len(a))
	var best []found
	for _, v := range values {
		if *work -= nearBefore; *work < 0 {
			break
		}
		if len(v) > nearRunes*utf8.UTFMax {
			continue
		}
		*work -= len(v)
		if n := utf8.RuneCountInString(v); n > len(a)+most || n < len(a)-most {
			continue
		}
		var to [nearRunes]rune
		b, fits := folded(to[:0], v)
		if !fits {
			continue
		}
		edits := distance(a, b, most, work)
		if edits > most {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, edits+1, func(f found, edits int) int { return f.edits - edits }) // behind its equals
		if at < nearest {
			best = slices.Insert(best, at, found{v, edits})
			best = best[:min(len(best), nearest)]
		}
	}
	var out []string
	for _, f := range best {
		out = append(out, f.value)
	}
	return out
}

// slack is how many edits away a value may be, to look like another of a length.
func slack(runes int) int {
	switch {
	case runes < 3:
		return 0 // of so few, any other is as near
	case runes < 6:
		return 1
	case runes < 10:
		return 2
	}
	return 3
}

// folded appends the characters of s in lower case, if they fit.
func folded(to []rune, s string) ([]rune, bool) {
	if len(s) > nearRunes*utf8.UTFMax {
		return nil, false
	}
	for _, r := range s {
		if len(to) == cap(to) {
			return nil, false
		}
		to = append(to, unicode.ToLower(r))
	}
	return to, true
}

// distance counts the insertions, deletions, substitutions and swaps of neighbours that
// make b of a (optimal string alignment), or returns most+1 where it takes more. It
// fills a band of cells, each of which takes one from work.
func distance(a, b []rune, most int, work *int) int {
	var rows [3][nearRunes + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range b {
		last[j+1] = j + 1
	}
	for i := 1; i <= len(a); i++ {
		low, high := max(1, i-most), min(len(b), i+most)
		*work -= max(0, high-low) + 1
		row[low-1] = most + 1
		if low == 1 {
			row[0] = i
		}
		least := row[low-1]
		for j := low; j <= high; j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cell := min(last[j-1]+cost, row[j-1]+1)
			if j < i+most { // what is outside of the band is further than most
				cell = min(cell, last[j]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cell = min(cell, before[j-2]+1)
			}
			row[j] = cell
			least = min(least, cell)
		}
		if least > most {
			return most + 1
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], most+1)
}
