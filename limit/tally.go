package limit

import (
	"context"
	"sync"
)

// A Tally counts what runs, so that a shutdown can wait for it. The zero value is ready;
// it is safe for concurrent use and must not be copied.
type Tally struct {
	mu    sync.Mutex
	n     int
	empty chan struct{} // closed when n falls to zero, if somebody waits
}

// Begin counts one that begins.
func (t *Tally) Begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

// End counts one that has ended. Each Begin is ended exactly once.
func (t *Tally) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
}

// Wait returns how many still run once none do or ctx is done.
func (t *Tally) Wait(ctx context.Context) int {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return 0
	}
	if t.empty == nil {
		t.empty = make(chan struct{})
	}
	empty := t.empty
	t.mu.Unlock()
	select {
	case <-empty:
		return 0
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.n
	}
}
