package limit

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// A clock that a test turns.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func buckets() (*Buckets, *clock) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	return &Buckets{now: c.now}, c
}

func take(t *testing.T, b *Buckets, key string, rate Rate) time.Duration {
	t.Helper()
	wait, err := b.Take(t.Context(), key, rate)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

func TestABucketGivesItsCountAtOnceAndThenItsRate(t *testing.T) {
	t.Parallel()
	b, c := buckets()
	rate := Rate{Count: 5, Per: 10 * time.Second}
	for i := range 5 {
		if wait := take(t, b, "k", rate); wait != 0 {
			t.Fatalf("%d: wait %v", i, wait)
		}
	}
	if wait := take(t, b, "k", rate); wait != 2*time.Second {
		t.Errorf("the sixth waits %v", wait)
	}
	if wait := take(t, b, "other", rate); wait != 0 {
		t.Errorf("another key waits %v", wait)
	}
	c.at = c.at.Add(2 * time.Second)
	if wait := take(t, b, "k", rate); wait != 0 {
		t.Errorf("after the wait it said: %v", wait)
	}
	if wait := take(t, b, "k", rate); wait == 0 {
		t.Error("a refusal was paid for, or the bucket overflows")
	}
}

// In any window of Per, twice Count at most: what was saved, and what accrues.
func TestNoSequenceOfTakesExceedsTheRate(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		b, c := buckets()
		rate := Rate{Count: 1 + r.IntN(20), Per: time.Duration(1+r.IntN(1000)) * time.Millisecond}
		var taken []time.Time
		for range 400 {
			c.at = c.at.Add(time.Duration(r.Int64N(int64(rate.Per)/int64(rate.Count) + 1)))
			if take(t, b, "k", rate) == 0 {
				taken = append(taken, c.at)
			}
		}
		for i := range taken {
			n := 0
			for _, at := range taken[i:] {
				if at.Sub(taken[i]) < rate.Per {
					n++
				}
			}
			if n > 2*rate.Count+1 {
				t.Fatalf("seed %d: %d events within %v at a rate of %d", seed, n, rate.Per, rate.Count)
			}
		}
	}
}

func TestIdleKeysTakeNoMemory(t *testing.T) {
	t.Parallel()
	b, c := buckets()
	rate := Rate{Count: 10, Per: time.Second}
	for i := range 50 * firstSweep {
		take(t, b, strconv.Itoa(i), rate)
		c.at = c.at.Add(time.Millisecond)
	}
	if n := len(b.paid); n > 3*firstSweep {
		t.Errorf("%d keys are kept, though all but 100 owe nothing", n)
	}
}

// Whoever makes up keys gets one bucket for all of them, and those who were there
// keep theirs.
func TestMadeUpKeysShareABucketWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	b, c := buckets()
	rate := Rate{Count: 3, Per: time.Hour}
	take(t, b, "early", rate)
	passed := 0
	for i := range mostKeys + 1000 {
		if take(t, b, fmt.Sprint("made up ", i), rate) == 0 {
			passed++
		}
	}
	if len(b.paid) > mostKeys+1 {
		t.Errorf("%d keys are kept", len(b.paid))
	}
	if passed > mostKeys+rate.Count {
		t.Errorf("%d of the made up keys passed", passed)
	}
	if wait := take(t, b, "early", rate); wait != 0 {
		t.Error("who was there before lost its bucket")
	}
	c.at = c.at.Add(2 * time.Hour)
	if wait := take(t, b, "late", rate); wait != 0 {
		t.Error("nobody comes in when the flood is over")
	}
}

func TestARateThatSaysNothingBoundsNothing(t *testing.T) {
	t.Parallel()
	var b Buckets
	for range 10_000 {
		if take(t, &b, "k", Rate{}) != 0 {
			t.Fatal("the zero rate refuses")
		}
	}
	if len(b.paid) != 0 {
		t.Error("it keeps keys")
	}
}
