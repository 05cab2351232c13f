package safetool

import (
	"context"
	"sync"
	"time"
)

// A patience is a context that ends with its parent, or after a while, or when end is
// called. Its timer begins when somebody waits for it, which most handlers and a
// recorder that is not busy never do: a context.WithTimeout for each would be the
// largest part of what a guarded call costs.
type patience struct {
	context.Context           //nolint:containedctx // it is a context
	until           time.Time // zero: most after somebody first asks
	most            time.Duration

	mu     sync.Mutex
	ended  bool
	waited context.Context //nolint:containedctx // with a timer, once somebody waits
	cancel context.CancelFunc
}

// Deadline implements context.Context.
func (p *patience) Deadline() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := p.last()
	if own, ok := p.Context.Deadline(); ok && own.Before(until) {
		return own, true
	}
	return until, true
}

// Done implements context.Context.
func (p *patience) Done() <-chan struct{} { return p.waiting().Done() }

// Err implements context.Context.
func (p *patience) Err() error {
	p.mu.Lock()
	idle := p.waited == nil && !p.ended && time.Now().Before(p.last())
	p.mu.Unlock()
	if idle {
		return p.Context.Err() //nolint:wrapcheck // a context's
	}
	return p.waiting().Err() //nolint:wrapcheck // a context's
}

// AfterFunc is what package context calls for contexts that are made from this one,
// where it would otherwise begin a goroutine.
func (p *patience) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(p.waiting(), f) }

// last is when the context ends at the latest. The caller holds the lock.
func (p *patience) last() time.Time {
	if p.until.IsZero() {
		p.until = time.Now().Add(p.most)
	}
	return p.until
}

func (p *patience) waiting() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waited == nil {
		p.waited, p.cancel = context.WithDeadline(p.Context, p.last())
		if p.ended {
			p.cancel()
		}
	}
	return p.waited
}

// end ends the context, if it has not ended.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.cancel != nil {
		p.cancel()
	}
}
