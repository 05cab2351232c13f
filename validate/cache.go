package validate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// CacheOptions say how long the values of an [Allowlist] are used. Nil is the zero
// value.
type CacheOptions struct {
	// Lifetime is for how long values are used before the source is asked again; zero
	// is 5 seconds. A value that is taken off the list may be allowed for as long.
	Lifetime time.Duration
	// Stale is for how much longer they are used while the source fails. Zero is not at
	// all: what cannot be looked up is not allowed.
	Stale time.Duration
}

// defaultLifetime is that of a list that is not Cached by its author.
const defaultLifetime = 5 * time.Second

// pause is how long a source that has failed is left alone, at most: whoever calls
// meanwhile is told of the failure at once, rather than made to wait for another.
const pause = time.Second

// Cached returns an allowlist that asks list for its values when they are older than
// their lifetime, and never more than once at a time: callers that come meanwhile wait
// for the same answer, each no longer than its own context. The source has 5 seconds;
// what it says later is not used, and until it has said something it is not asked again.
// After a failure it is asked again when the lifetime, at most a second, has passed.
//
// Every allowlist that is not [Static] is cached so: those that [For] finds in [Options]
// with the zero CacheOptions, unless they come from Cached. One that comes from Cached
// shares its values between all that use it. Static lists, and with nil options cached
// ones, are returned as they are. A nil list and negative times panic.
func Cached(list Allowlist, o *CacheOptions) Allowlist {
	if list == nil {
		panic("validate.Cached: the allowlist is nil")
	}
	if _, fixed := list.(static); fixed {
		return list
	}
	if inner, is := list.(*cache); is {
		if o == nil {
			return inner
		}
		list = inner.list
	}
	c := &cache{list: list, lifetime: defaultLifetime}
	if o != nil {
		if o.Lifetime < 0 || o.Stale < 0 {
			panic("validate.Cached: CacheOptions has a negative time")
		}
		c.stale = o.Stale
		if o.Lifetime > 0 {
			c.lifetime = o.Lifetime
		}
	}
	return c
}

// A cache is an allowlist around another.
type cache struct {
	list            Allowlist
	lifetime, stale time.Duration

	mu     sync.Mutex
	have   *snapshot
	asked  time.Time // when the source was asked for it
	failed error     // how the last refresh ended
	retry  time.Time // when the next may begin after one that failed
	flight *flight   // the refresh that is under way, or whose source still hangs
}

// A flight is one refresh, for which any number of callers wait.
type flight struct {
	done    chan struct{} // closed when it is settled
	settled bool
	got     *snapshot
	err     error
}

// Values implements [Allowlist]: sorted, each once, and the caller's own copy.
func (c *cache) Values(ctx context.Context) ([]string, error) {
	s, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.values), nil
}

// get returns what is allowed, and asks the source if that is not known.
func (c *cache) get(ctx context.Context) (*snapshot, error) {
	c.mu.Lock()
	now := time.Now()
	if c.have != nil && now.Sub(c.asked) < c.lifetime {
		defer c.mu.Unlock()
		return c.have, nil
	}
	f := c.flight
	if (f != nil && f.settled) || (f == nil && now.Before(c.retry)) {
		defer c.mu.Unlock()
		return c.old(now)
	}
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flight = f
		go c.refresh(f, now, c.have) //nolint:gosec // it is every caller's, and ends with none of them
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.got, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the caller did not wait for it: %w", context.Cause(ctx))
	}
}

// old is what may be used when the source has failed.
func (c *cache) old(now time.Time) (*snapshot, error) {
	if c.have != nil && now.Sub(c.asked) < c.lifetime+c.stale {
		return c.have, nil
	}
	return nil, c.failed
}

// refresh asks the source. It belongs to no caller: one that leaves takes nothing from
// the others, and what is allowed does not depend on who asked first.
func (c *cache) refresh(f *flight, asked time.Time, last *snapshot) {
	ctx, cancel := context.WithTimeout(context.Background(), sourceTimeout)
	defer cancel()
	type reply struct {
		got *snapshot
		err error
	}
	answer := make(chan reply, 1)
	go func() {
		r := reply{err: errEnded}
		defer func() { answer <- r }()
		var values []string
		switch values, r.err = valuesOf(ctx, c.list); {
		case r.err != nil:
		case last != nil && slices.Equal(last.given, values): // looking over a long list takes its time
			r.got = last
		default:
			r.got, r.err = newSnapshot(values)
		}
	}()
	select {
	case r := <-answer:
		c.settle(f, asked, r.got, r.err, nil)
	case <-ctx.Done():
		c.settle(f, asked, nil, fmt.Errorf("it did not answer within %s", sourceTimeout), f)
		<-answer // what hangs is not asked once more, and what it says late is not used
		c.mu.Lock()
		c.flight = nil
		c.mu.Unlock()
	}
}

// settle ends a refresh for those who wait for it; left is what is still under way.
func (c *cache) settle(f *flight, asked time.Time, got *snapshot, err error, left *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		if c.have == nil || (c.have != got && !slices.Equal(c.have.values, got.values)) { // what is the same stays the same, so that nobody is told of it
			c.have = got
		}
		c.asked, c.failed, c.retry = asked, nil, time.Time{}
		f.got = c.have
	} else {
		now := time.Now()
		c.failed, c.retry = err, now.Add(min(c.lifetime, pause))
		f.got, f.err = c.old(now)
	}
	f.settled, c.flight = true, left
	close(f.done)
}
