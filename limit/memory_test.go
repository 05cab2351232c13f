package limit

import (
	"fmt"
	"testing"
)

// Callers come and go under keys that they may choose: a key that is no longer in
// use is forgotten, and one that was refused is never noted.
func TestSlotsForgetWhatIsNotInUse(t *testing.T) {
	t.Parallel()
	var s Slots
	for i := range 1000 {
		key := fmt.Sprint("caller ", i)
		for n := range 3 {
			if s.Acquire(key, 2) != (n < 2) {
				t.Fatal("the bound of 2 does not hold")
			}
		}
		s.Acquire(fmt.Sprint("refused ", i), 0)
		s.InUse(fmt.Sprint("asked ", i))
	}
	if len(s.inUse) != 1000 {
		t.Errorf("%d keys are kept for 1000 in use", len(s.inUse))
	}
	for i := range 1000 {
		key := fmt.Sprint("caller ", i)
		s.Release(key)
		s.Release(key)
	}
	for i := range 20 * firstSweep {
		key := fmt.Sprint("passing by ", i)
		if !s.Acquire(key, 1) {
			t.Fatal("a key that is new is refused")
		}
		s.Release(key)
	}
	if len(s.inUse) > 4*firstSweep {
		t.Errorf("%d keys are kept for none in use", len(s.inUse))
	}
	before := len(s.inUse)
	s.Release("never taken")
	if len(s.inUse) != before {
		t.Error("a release too many is kept")
	}
}
