package tally

import (
	"math/bits"
	"time"
)

// Durations are counted in buckets, 32 for each power of two of microseconds: a percentile
// is off by less than a thirty-second, whatever the durations are.
const (
	bucketBits = 5
	perPower   = 1 << bucketBits
	maxPower   = 40 // 2^40 microseconds are twelve days
	buckets    = (maxPower - bucketBits + 1) * perPower
)

// Durations count how long calls took, in 9 KiB that do not grow. The zero value is empty.
// It is for one goroutine at a time.
type Durations struct {
	n      uint64
	counts [buckets]uint64
	most   time.Duration
}

// Add counts one. A negative one counts as zero.
func (d *Durations) Add(took time.Duration) {
	d.n++
	d.most = max(d.most, took)
	d.counts[bucketOf(uint64(max(took.Microseconds(), 0)))]++
}

// Count returns how many were added.
func (d *Durations) Count() uint64 { return d.n }

// Max returns the longest, exactly; zero where there is none.
func (d *Durations) Max() time.Duration { return d.most }

// Percentile returns the duration that so many of a hundred, from 1 to 100, did not exceed,
// by the nearest rank. It is never below the true one, less than a thirty-second or a
// microsecond above it up to twelve days, and never above the longest.
func (d *Durations) Percentile(of100 uint64) time.Duration {
	rank := (d.n*of100 + 99) / 100
	for bucket, seen := 0, uint64(0); bucket < buckets-1; bucket++ {
		if seen += d.counts[bucket]; seen >= rank {
			return min(time.Duration(upper(bucket)-1)*time.Microsecond+time.Microsecond-1, d.most)
		}
	}
	return d.most
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
