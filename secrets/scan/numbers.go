package scan

import "encoding/binary"

// numeric are the characters of numbers in bases up to 16, and of what stands between
// them where bytes are printed one by one: "de:ad", `\xde\xad`, "0xde, 0xad", "[222 173]".
var numeric = func() (set [256]bool) {
	for c := range 256 {
		set[c] = hexDigits[c] >= 0
	}
	for _, c := range []byte(" \t\r\n,:;-_+\\xX") {
		set[c] = true
	}
	return set
}()

// numbers calls found with each run of numeric characters that may be the bytes of a
// value. A run of 16 or more covers eight bytes at a multiple of eight, so that nothing
// else is looked at; nearly every such piece of prose has a letter that is no digit.
func numbers(text []byte, found func(from, to int)) {
	for at := 0; at+8 <= len(text); at += 8 {
		w := binary.LittleEndian.Uint64(text[at : at+8])
		high := ((w &^ highs) + (0x80-'g')*lows) | w // of bytes from 'g' on
		if high &= highs; high != 0 {
			isX := w ^ 'x'*lows
			isX = ^(((isX &^ highs) + 0x7f*lows) | isX) & highs
			if high != isX {
				continue
			}
		}
		all := true
		for _, c := range text[at : at+8] {
			if !numeric[c] {
				all = false
				break
			}
		}
		if !all {
			continue
		}
		from, to := at, at+8
		for from > 0 && numeric[text[from-1]] {
			from--
		}
		for to < len(text) && numeric[text[to]] {
			to++
		}
		found(from, to)
		at = to &^ 7 // the piece that begins there has been looked at, up to its first byte that is none
	}
}

// A base is how the bytes of a value are written as numbers.
type base struct {
	digits int // of a byte at most
	radix  int8
	glue   glue
}

// A glue is where digits of something else may stand right before those of a value.
type glue int

const (
	unglued    glue = iota
	gluedFirst      // before the first of several numbers
	gluedLong       // and before a long one
	gluedEach       // before any number with an odd count of digits
)

var bases = []base{{2, 16, unglued}, {2, 16, gluedFirst}, {2, 16, gluedLong}, {2, 16, gluedEach}, {3, 10, unglued}, {3, 8, unglued}, {8, 2, unglued}}

// leads says whether the first digit of a number, where one begins, is none of the
// value's.
func (g glue) leads(run []byte, at int) bool {
	if g == unglued || at > 0 && hexDigits[run[at-1]] >= 0 {
		return false
	}
	size := 0
	for at+size < len(run) && hexDigits[run[at+size]] >= 0 {
		size++
		if g == gluedLong && size == 2*MinValue {
			return true
		}
	}
	if g == gluedEach || size%2 == 0 {
		return size%2 == 1
	}
	before := 0 // digits of the number before: two, if a list of bytes has begun there
	for at--; at >= 0 && hexDigits[run[at]] < 0; {
		at--
	}
	for ; at >= 0 && before <= 2 && hexDigits[run[at]] >= 0; at-- {
		before++
	}
	return before != 2
}

// A tally is what a run of numeric characters holds.
type tally struct {
	digits, groups int
	most           int8 // the largest digit
}

func count(run []byte) (t tally) {
	inside := false
	for _, c := range run {
		d := hexDigits[c]
		if d < 0 {
			inside = false
			continue
		}
		t.digits++
		t.most = max(t.most, d)
		if !inside {
			t.groups++
		}
		inside = true
	}
	return t
}

// written says whether a run may hold a value in that base: two digits a byte in base
// 16, in groups of whatever length, and in the others a number for each.
func (b base) written(t tally) bool {
	if b.radix == 16 {
		return t.digits >= 2*MinValue
	}
	return t.groups >= MinValue && t.most < b.radix
}

// read reads a run as the bytes that its numbers are.
func (b base) read(run []byte, at int) token {
	if hexDigits[run[at]] < 0 || prefix(run, at) {
		n := at + 1
		for n < len(run) && (hexDigits[run[n]] < 0 || prefix(run, n)) {
			n++
		}
		return token{size: n - at}
	}
	if b.glue.leads(run, at) {
		return token{size: 1}
	}
	n, value := 0, 0
	for at+n < len(run) && n < b.digits {
		d := hexDigits[run[at+n]]
		if d < 0 {
			break
		}
		value = value*int(b.radix) + int(d)
		n++
	}
	if n == 1 && b.glue == gluedLong && at > 0 && hexDigits[run[at-1]] >= 0 {
		return token{size: 1}
	}
	return readAs(n, byte(min(value, 0xff)))
}

// prefix says whether the 0 of 0x stands there.
func prefix(run []byte, at int) bool {
	return run[at] == '0' && at+1 < len(run) && run[at+1]|0x20 == 'x'
}
