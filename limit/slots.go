package limit

import (
	"sync"
	"sync/atomic"
)

// Slots counts what is running under each key. The zero value is ready; it is
// safe for concurrent use. A key that nothing runs under takes no memory.
type Slots struct {
	mu    sync.Mutex
	inUse map[string]int
}

// Acquire takes a slot under key unless max are taken, and reports whether it
// did. It never waits: a caller over its share is told so at once, while that
// is still cheap.
func (s *Slots) Acquire(key string, max int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.inUse[key]
	if n >= max {
		return false
	}
	if s.inUse == nil {
		s.inUse = make(map[string]int)
	}
	s.inUse[key] = n + 1
	return true
}

// Release gives a slot back. Each successful Acquire is released exactly once.
func (s *Slots) Release(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.inUse[key]; n > 1 {
		s.inUse[key] = n - 1
	} else {
		delete(s.inUse, key)
	}
}

// InUse returns how many slots are taken under key.
func (s *Slots) InUse(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse[key]
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
