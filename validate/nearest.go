package validate

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
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

// A quest looks for the values that are nearest to one that was sent.
type quest struct {
	folded []rune // what was sent
	letterSet
	most int // edits
	work *int
	best []found
}

type found struct {
	value string
	edits int
}

// begun folds what was sent, and says whether it can be looked for.
func begun(to []rune, s string, work *int) (*quest, bool) {
	a, fits := folded(to, s)
	if !fits || *work <= 0 {
		return nil, false
	}
	return &quest{folded: a, letterSet: lettersOf(s), most: slack(len(a)), work: work}, true
}

// look compares with one value, and says whether there is work left for others.
func (q *quest) look(v string, order func(a, b found) int) bool {
	if *q.work -= nearBefore; *q.work < 0 {
		return false
	}
	if len(v) > nearRunes*utf8.UTFMax {
		return true
	}
	*q.work -= len(v)
	if n := utf8.RuneCountInString(v); n > len(q.folded)+q.most || n < len(q.folded)-q.most {
		return true
	}
	var to [nearRunes]rune
	b, fits := folded(to[:0], v)
	if !fits {
		return true
	}
	f := found{v, distance(q.folded, b, q.most, q.work)}
	if f.edits > q.most {
		return true
	}
	at := 0
	for at < len(q.best) && order(q.best[at], f) <= 0 { // behind its equals
		at++
	}
	if at < nearest {
		q.best = slices.Insert(q.best, at, f)
		q.best = q.best[:min(len(q.best), nearest)]
	}
	return true
}

func (q *quest) values() (out []string) {
	for _, f := range q.best {
		out = append(out, f.value)
	}
	return out
}

func byEdits(a, b found) int { return cmp.Compare(a.edits, b.edits) }

// near returns the values that are nearest to s, at most 3, and takes what that costs
// from work. It looks no further when there is none left.
func near(values []string, s string, work *int) []string {
	var from [nearRunes]rune
	q, can := begun(from[:0], s, work)
	if !can {
		return nil
	}
	for _, v := range values {
		if !q.look(v, byEdits) {
			break
		}
	}
	return q.values()
}

// near is that of a list which is sorted and may be long: it begins where what was sent would
// stand, among what begins alike, and passes over what has too many other letters.
func (s *snapshot) near(sent string, work *int) []string {
	var from [nearRunes]rune
	q, can := begun(from[:0], sent, work)
	if !can {
		return nil
	}
	order := func(a, b found) int { return cmp.Or(byEdits(a, b), cmp.Compare(a.value, b.value)) }
	look := func(i int) bool {
		if *work--; *work < 0 {
			return false
		}
		return q.differs(s.letterSet[i]) > 2*q.most || q.look(s.values[i], order)
	}
	up := s.place(sent)
	for down := up - 1; down >= 0 || up < len(s.values); down, up = down-1, up+1 {
		if (down >= 0 && !look(down)) || (up < len(s.values) && !look(up)) {
			break
		}
	}
	return q.values()
}

// place is where a value would stand, in the case in which most of it is like what stands there.
func (s *snapshot) place(sent string) (place int) {
	most := -1
	for _, as := range []string{sent, strings.ToLower(sent), strings.ToUpper(sent)} {
		at, _ := slices.BinarySearch(s.values, as)
		for _, i := range []int{at - 1, at} {
			if i < 0 || i >= len(s.values) {
				continue
			}
			alike := 0
			for alike < min(len(as), len(s.values[i])) && as[alike] == s.values[i][alike] {
				alike++
			}
			if alike > most {
				most, place = alike, at
			}
		}
	}
	return place
}

// A letterSet is the letters that a value has, in lower case, some as one: an edit changes two of
// them at most.
type letterSet uint64

func lettersOf(s string) (l letterSet) {
	for _, r := range s {
		switch r = unicode.ToLower(r); {
		case r >= 'a' && r <= 'z':
			l |= 1 << (r - 'a')
		case r >= '0' && r <= '9':
			l |= 1 << (26 + r - '0')
		default:
			l |= 1 << (36 + r%28)
		}
	}
	return l
}

func (l letterSet) differs(other letterSet) int { return bits.OnesCount64(uint64(l ^ other)) }

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
