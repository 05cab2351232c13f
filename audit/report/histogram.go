package report

import (
	"math"
	"math/bits"
	"time"
)

// A histogram counts durations in bands, sixteen to each power of two, from one
// microsecond on: the middle of a band is within 3.2 % of whatever is in it, or half a
// microsecond.
type histogram struct {
	bands [(64-bandBits)<<bandBits + 1<<bandBits]uint32
	n     uint64
	most  time.Duration
	least time.Duration
}

// bandBits is how many bits follow the highest one in the number of a band.
const bandBits = 4

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.bands[band(d)]++
	if h.n == 0 || d < h.least {
		h.least = d
	}
	h.most = max(h.most, d)
	h.n++
}

func band(d time.Duration) int {
	us := uint64(d.Microseconds())
	if us < 1<<bandBits {
		return int(us)
	}
	exponent := bits.Len64(us) - 1 - bandBits
	return exponent<<bandBits + int(us>>exponent)
}

// middle is the duration in the middle of a band.
func middle(band int) time.Duration {
	exponent := max(band>>bandBits-1, 0)
	low := uint64(band - exponent<<bandBits)
	us := low<<exponent + (1<<exponent)/2
	return time.Duration(min(us, math.MaxInt64/1000)) * time.Microsecond
}

// at is the duration that the part q of all did not exceed, by the nearest rank.
func (h *histogram) at(q float64) time.Duration {
	rank := uint64(q * float64(h.n))
	if float64(rank) < q*float64(h.n) || rank == 0 {
		rank++
	}
	var seen uint64
	for i, n := range h.bands {
		if seen += uint64(n); seen >= rank {
			return min(max(middle(i), h.least), h.most)
		}
	}
	return h.most
}
