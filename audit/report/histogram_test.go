package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestPercentilesAreExactToThreePercent(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 3, 10, 101, 20_000} {
		var h histogram
		var given []time.Duration
		for range n {
			d := time.Duration(math.Exp(random.NormFloat64()*4) * float64(20*time.Millisecond))
			h.add(d)
			given = append(given, d)
		}
		slices.Sort(given)
		for _, q := range []float64{0.5, 0.9, 0.99, 1} {
			want := given[max(int(math.Ceil(q*float64(n)))-1, 0)]
			got := h.at(q)
			if off := math.Abs(float64(got - want)); off > 0.033*float64(want) && off > float64(time.Microsecond) {
				t.Errorf("of %d, %v: %v, and it is %v", n, q, got, want)
			}
		}
		if h.at(1) > given[n-1] || h.most != given[n-1] || h.least != given[0] {
			t.Errorf("of %d, %v to %v", n, h.least, h.most)
		}
	}
}

func TestEveryDurationHasItsBand(t *testing.T) {
	t.Parallel()
	last := 0
	for _, us := range []int64{0, 1, 15, 16, 17, 31, 32, 33, 1000, 1 << 20, 1<<20 + 1<<17, 1 << 40, math.MaxInt64 / 1000} {
		d := time.Duration(us) * time.Microsecond
		b := band(d)
		if b < last {
			t.Errorf("%v is in band %d, after %d", d, b, last)
		}
		last = b
		if m := middle(b); band(m) != b {
			t.Errorf("the middle of the band of %v is %v, of another", d, m)
		}
		var h histogram
		h.add(d)
		if h.at(0.5) != d || h.at(0.99) != d {
			t.Errorf("one of %v: %v", d, h.at(0.5))
		}
	}
	var h histogram
	h.add(-time.Second)
	h.add(math.MaxInt64)
	if h.at(0.5) != 0 || h.at(1) <= 0 {
		t.Errorf("%v, %v", h.at(0.5), h.at(1))
	}
}
