package secrets

import (
	"math"
	"sync"
	"sync/atomic"
)

// ended is added to the users of a generation that nobody gets any more.
const ended = math.MinInt64 / 2

// A generation is what a credential and its renewals have in common: the same values.
// It counts the calls that have it, since nothing is revoked under a call that works
// with it.
type generation struct {
	broker *broker
	entry  *entry
	users  atomic.Int64

	mu   sync.Mutex
	over bool     // another is used in its place, or none
	then []func() // called when it is
}

// acquire counts a call in, unless the generation has ended.
func (g *generation) acquire() bool {
	if g.users.Add(1) > 0 {
		return true
	}
	g.users.Add(-1)
	return false
}

// release counts a call out, and reports whether it was the last of a generation whose
// time is over.
func (g *generation) release() (last bool) {
	switch n := g.users.Add(-1); {
	case n < 0 && n > ended/2: // given back twice: the others count on the number
		g.users.Add(1)
		return false
	case n != 0:
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over
}

// endIdle ends the generation if no call has it, and reports whether it did.
func (g *generation) endIdle() bool { return g.users.CompareAndSwap(0, ended) }

// end ends the generation for those to come.
func (g *generation) end() {
	for {
		n := g.users.Load()
		if n < 0 || g.users.CompareAndSwap(n, n+ended) {
			return
		}
	}
}

// retire says that its time is over, to those who asked.
func (g *generation) retire() {
	g.mu.Lock()
	then := g.then
	g.over, g.then = true, nil
	g.mu.Unlock()
	for _, f := range then {
		f()
	}
}

// whenOver calls f, which does not wait for anything, once the generation's time is
// over: at once where it is.
func (g *generation) whenOver(f func()) {
	g.mu.Lock()
	if !g.over {
		g.then = append(g.then, f)
		g.mu.Unlock()
		return
	}
	g.mu.Unlock()
	f()
}

func (g *generation) isOver() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over
}
