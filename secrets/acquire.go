package secrets

import (
	"context"
	"fmt"
)

// Acquire returns the credential of the request, from the cache where it is there, and
// else from the provider, which is asked once for all who wait: a caller who leaves
// does not end the request for the others. Give it back with Release when the call is
// over: until then it is not revoked, and it is kept fresh.
//
// Calls of one server, tool, tenant and binding share a credential, and those of one
// caller where the binding is [Binding.PerCaller]. Its values are ones that Redact finds
// before Acquire returns.
//
// It refuses a credential that is not of the binding asked for, has expired, or has a
// value of fewer than 8 bytes, unless the options allow that, or more than 64 KiB; what
// it refuses is revoked. It ends when ctx or the timeout does, whether or not the
// provider heeds either. No error contains a value. An error is told to others who ask
// for the same within a second, without asking the provider again.
func (b *Broker) Acquire(ctx context.Context, request Request) (*Credential, error) {
	in := b.inner()
	if in == nil {
		return nil, ErrNoBroker
	}
	k := keyOf(&request)
	if e := in.cache.find(k); e != nil {
		if c := e.take(in.clock()); c != nil {
			return c, nil
		}
	}
	return in.wait(ctx, k)
}

// Release gives back what Acquire returned, once. The credential is not to be used
// afterwards; nil, and one that is no broker's, is nothing to give back.
func (*Broker) Release(c *Credential) { release(c) }

func release(c *Credential) {
	if c == nil || c.generation == nil {
		return
	}
	if c.generation.release() {
		c.generation.broker.keeper.nudge() // it may be revoked now
	}
}

// wait is Acquire for what is not there.
func (b *broker) wait(ctx context.Context, k key) (*Credential, error) {
	if err := k.binding.Check(); err != nil {
		return nil, err
	}
	if k.binding.caller && k.caller == "" {
		return nil, fmt.Errorf("secrets: %s is made for each caller, and the request names none: all who have no name would share it", k.binding)
	}
	for range 8 {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("secrets: issuing %s: %w", k.binding, context.Cause(ctx))
		}
		e, err := b.cache.enter(k)
		if err != nil {
			return nil, err
		}
		f, c, err := b.board(e)
		switch {
		case c != nil || err != nil:
			return c, err
		case f == nil:
			continue // it was taken out just now
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("secrets: issuing %s: %w", k.binding, context.Cause(ctx))
		}
		if f.err != nil {
			return nil, f.err
		}
		if f.credential.generation.acquire() {
			e.used.Store(true)
			return f.credential, nil
		}
	}
	return nil, fmt.Errorf("secrets: what was issued for %s ended again at once, eight times: %w", k.binding, ErrUnavailable)
}

// board returns the flight that brings the credential of e: the one that is under way,
// or a new one; or the credential, if it has come meanwhile, or why it could not be had
// a moment ago. All nil: e is dead.
func (b *broker) board(e *entry) (*flight, *Credential, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b.leases.isClosed() {
		e.dead = true
		b.cache.remove(e)
		return nil, nil, ErrClosed
	}
	if e.dead {
		return nil, nil, nil
	}
	now := b.clock()
	if c := e.take(now); c != nil {
		return nil, c, nil
	}
	if e.failure != nil && now-e.failedAt < failFor {
		return nil, nil, e.failure
	}
	if e.flight == nil {
		e.flight = &flight{done: make(chan struct{})}
		go b.fly(e, e.flight)
	}
	return e.flight, nil, nil
}

// again returns a credential that is not of the generation of c, which its far end has
// refused: a newer one that is there already, or one that the provider is asked for,
// once a second at most. It has to be given back.
func (b *broker) again(ctx context.Context, c *Credential) (*Credential, error) {
	for range 3 {
		f, next, err := b.doubt(c)
		if next != nil || err != nil {
			return next, err
		}
		if f == nil {
			return b.wait(ctx, c.generation.entry.key)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("secrets: replacing %s: %w", c.binding, context.Cause(ctx))
		}
		if f.err != nil {
			return nil, f.err
		}
	}
	return nil, fmt.Errorf("secrets: the store has nothing newer than %s, which was refused: %w", c, ErrRejected)
}

// doubt returns what there is in the place of c, or the flight that may bring it. All
// nil: the entry is dead.
func (b *broker) doubt(c *Credential) (*flight, *Credential, error) {
	e := c.generation.entry
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead {
		return nil, nil, nil
	}
	now := b.clock()
	if l := e.lent.Load(); l != nil && l.credential.generation != c.generation && now < l.until && l.credential.generation.acquire() {
		e.used.Store(true)
		return nil, l.credential, nil
	}
	if e.flight == nil {
		if e.doubted != 0 && now-e.doubted < failFor {
			return nil, nil, fmt.Errorf("secrets: %s was refused, and has been asked for anew a moment ago: %w", c, ErrRejected)
		}
		e.doubted, e.suspect = now, c.generation
		e.flight = &flight{done: make(chan struct{})}
		go b.fly(e, e.flight)
	}
	return e.flight, nil, nil
}
