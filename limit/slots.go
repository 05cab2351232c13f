package limit

import (
	"sync"
	"sync/atomic"
)

// Slots counts what is running under each key. The zero value is ready; it is
// safe for concurrent use. Keys that nothing runs under are forgotten before there
// are many: the key of a caller that comes back is not made anew for each call.
type Slots struct {
	mu    sync.Mutex
	inUse map[string]*int
	next  int // how many keys there are when idle ones are forgotten
}

// Acquire takes a slot under key unless max are taken, and reports whether it
// did. It never waits: a caller over its share is told so at once, while that
// is still cheap.
func (s *Slots) Acquire(key string, max int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.inUse[key]; n != nil {
		if *n >= max {
			return false
		}
		*n++
		return true
	}
	if max < 1 {
		return false
	}
	if s.inUse == nil {
		s.inUse = make(map[string]*int)
	}
	if len(s.inUse) >= s.next {
		s.forget()
	}
	one := 1
	s.inUse[key] = &one
	return true
}

func (s *Slots) forget() {
	for key, n := range s.inUse {
		if *n == 0 {
			delete(s.inUse, key)
		}
	}
	s.next = firstSweep + 2*len(s.inUse)
}

// Release gives a slot back. Each successful Acquire is released exactly once.
func (s *Slots) Release(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.inUse[key]; n != nil && *n > 0 {
		*n--
	}
}

// InUse returns how many slots are taken under key.
func (s *Slots) InUse(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.inUse[key]; n != nil {
		return *n
	}
	return 0
}

// A Gauge counts what is running of one thing. The zero value is ready; it is safe for
// concurrent use and must not be copied.
type Gauge struct{ inUse atomic.Int64 }

// Acquire takes a slot unless max are taken, and reports whether it did.
func (g *Gauge) Acquire(max int) bool {
	if g.inUse.Add(1) <= int64(max) {
		return true
	}
	g.inUse.Add(-1)
	return false
}

// Release gives a slot back. Each successful Acquire is released exactly once.
func (g *Gauge) Release() { g.inUse.Add(-1) }
