package tally

import (
	"math/bits"
	"time"
)

// Durations are counted in buckets, 16 for each power of two of microseconds: a percentile
// is off by less than a sixteenth, whatever the durations are.
const (
	bucketBits = 4
	perPower   = 1 << bucketBits
	maxPower   = 40 // 2^40 microseconds are twelve days
	buckets    = (maxPower - bucketBits + 1) * perPower
)

// A histogram counts durations in memory that does not grow.
type histogram struct {
	n      uint64
	counts [buckets]uint64
	max    time.Duration
}

func (h *histogram) add(d time.Duration) {
	h.n++
	h.max = max(h.max, d)
	h.counts[bucketOf(uint64(max(d.Microseconds(), 0)))]++
}

func bucketOf(us uint64) int {
	power := bits.Len64(us) - 1 - bucketBits
	if power < 0 {
		return int(us)
	}
	return min((power+1)*perPower+int(us>>power)&(perPower-1), buckets-1)
}

// upper is the first number of microseconds beyond a bucket.
func upper(bucket int) uint64 {
	bucket++
	if bucket < 2*perPower {
		return uint64(bucket)
	}
	power := bucket/perPower - 1
	return uint64(perPower+bucket%perPower) << power
}

// percentile returns the duration that so many of a hundred, from 1 to 100, do not exceed:
// the end of its bucket, and never more than the longest.
func (h *histogram) percentile(of100 uint64) time.Duration {
	rank := (h.n*of100 + 99) / 100
	for bucket, seen := 0, uint64(0); bucket < buckets-1; bucket++ {
		if seen += h.counts[bucket]; seen >= rank {
			return min(time.Duration(upper(bucket)-1)*time.Microsecond, h.max)
		}
	}
	return h.max
}
