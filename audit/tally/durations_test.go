package tally

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
		var d Durations
		var given []time.Duration
		for range n {
			took := time.Duration(math.Exp(random.NormFloat64()*4) * float64(20*time.Millisecond))
			d.Add(took)
			given = append(given, took)
		}
		slices.Sort(given)
		for _, q := range []uint64{50, 90, 99, 100} {
			want := given[max(int(math.Ceil(float64(q)/100*float64(n)))-1, 0)]
			got := d.Percentile(q)
			if off := got - want; off < 0 || off > want/32+time.Microsecond {
				t.Errorf("of %d, %v: %v, and it is %v", n, q, got, want)
			}
		}
		if d.Percentile(100) > given[n-1] || d.Max() != given[n-1] || d.Count() != uint64(n) {
			t.Errorf("of %d, up to %v", d.Count(), d.Max())
		}
	}
}

func TestEveryDurationHasItsBucket(t *testing.T) {
	t.Parallel()
	last := 0
	for _, us := range []int64{0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000, 1 << 20, 1<<20 + 1<<17, 1 << 40, math.MaxInt64 / 1000} {
		took := time.Duration(us) * time.Microsecond
		b := bucketOf(uint64(us))
		if b < last || b >= buckets {
			t.Errorf("%v is in bucket %d of %d, after %d", took, b, buckets, last)
		}
		last = b
		if end := upper(b); b < buckets-1 && (uint64(us) >= end || bucketOf(end-1) != b || bucketOf(end) != b+1) {
			t.Errorf("the bucket of %v ends before %d µs", took, end)
		}
		var d Durations
		d.Add(took)
		if d.Percentile(50) != took || d.Percentile(99) != took {
			t.Errorf("one of %v: %v", took, d.Percentile(50))
		}
	}
	var d Durations
	d.Add(-time.Second)
	d.Add(math.MaxInt64)
	if d.Percentile(50) >= time.Microsecond || d.Percentile(100) != math.MaxInt64 {
		t.Errorf("%v, %v", d.Percentile(50), d.Percentile(100))
	}
}
