package limit_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/safemcp/safemcp/limit"
)

func TestSlotsHoldTheirBound(t *testing.T) {
	t.Parallel()
	var s limit.Slots
	for i := range 3 {
		if !s.Acquire("a", 3) {
			t.Fatalf("slot %d of 3 was refused", i+1)
		}
	}
	if s.Acquire("a", 3) || s.InUse("a") != 3 {
		t.Errorf("%d of 3 in use after a fourth", s.InUse("a"))
	}
	if !s.Acquire("b", 1) {
		t.Error("one key takes the slots of another")
	}
	s.Release("a")
	if !s.Acquire("a", 3) || s.Acquire("a", 3) {
		t.Error("a slot given back is one slot, no more and no less")
	}
	if s.Acquire("a", 2) {
		t.Error("a lower bound let in one more")
	}
}

func TestNoSlotsWhereNoneAreAllowed(t *testing.T) {
	t.Parallel()
	var s limit.Slots
	for _, most := range []int{0, -1} {
		if s.Acquire("a", most) || s.InUse("a") != 0 {
			t.Errorf("a slot of %d was given", most)
		}
	}
}

// A release too many must not make room for more than the bound.
func TestReleaseOfWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	var s limit.Slots
	s.Release("a")
	s.Release("a")
	if got := s.InUse("a"); got != 0 {
		t.Errorf("%d in use", got)
	}
	if !s.Acquire("a", 1) || s.Acquire("a", 1) {
		t.Error("the bound moved")
	}
}

func TestNeverMoreAtOnceThanAllowed(t *testing.T) {
	t.Parallel()
	const most, workers, rounds, keys = 4, 32, 400, 3
	var s limit.Slots
	var running [keys]atomic.Int64
	var given atomic.Int64
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range rounds {
				k := (w + i) % keys
				key := fmt.Sprint("caller ", k)
				if !s.Acquire(key, most) {
					runtime.Gosched()
					continue
				}
				given.Add(1)
				if n := running[k].Add(1); n > most {
					t.Errorf("%d run at once under %s", n, key)
				}
				if n := s.InUse(key); n < 1 || n > most {
					t.Errorf("%d in use under %s", n, key)
				}
				runtime.Gosched()
				running[k].Add(-1)
				s.Release(key)
			}
		})
	}
	all.Wait()
	if given.Load() == 0 {
		t.Error("nobody ever got a slot")
	}
	for k := range keys {
		if n := s.InUse(fmt.Sprint("caller ", k)); n != 0 {
			t.Errorf("%d left in use", n)
		}
	}
}

func TestAGaugeNeverHoldsMoreThanItsBound(t *testing.T) {
	t.Parallel()
	var g limit.Gauge
	const most = 3
	var running, peak atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 500 {
				if !g.Acquire(most) {
					continue
				}
				n := running.Add(1)
				for p := peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
				}
				running.Add(-1)
				g.Release()
			}
		})
	}
	group.Wait()
	if p := peak.Load(); p > most || p == 0 {
		t.Errorf("%d at once", p)
	}
	for range most {
		if !g.Acquire(most) {
			t.Error("a slot was lost")
		}
	}
	if g.Acquire(most) {
		t.Error("the bound does not hold")
	}
}
