package secrets

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// openTimeout bounds how long a resource may take to be opened.
const openTimeout = 10 * time.Second

// A Pool keeps what is made with credentials: a pool of connections to a database, a
// client with a key in it. One is opened for each generation of a credential, when it is
// first needed, and lent to every call that has it; when the credential was replaced,
// revoked or let go of, the resource is closed once no call uses it.
//
//	pools := secrets.NewPool(openDatabase, (*pgxpool.Pool).Close)
//	…
//	credential, err := call.Credential("database")
//	if err != nil {
//		return err
//	}
//	err = pools.Do(ctx, credential, func(ctx context.Context, db *pgxpool.Pool) error {
//		_, err := db.Exec(ctx, "…")
//		return refused(err) // wraps ErrRejected around what says that the user is unknown
//	})
//
// It is safe for concurrent use.
type Pool[T any] struct {
	open  func(context.Context, *Credential) (T, error)
	close func(T)

	mu        sync.Mutex
	resources map[any]*resource[T]
	closed    bool
	closing   sync.WaitGroup
}

// A resource is what was opened for one generation.
type resource[T any] struct {
	ready chan struct{} // closed when it was opened, or was not
	value T
	err   error

	users int  // under the pool's lock
	over  bool // nobody gets it any more
	shut  bool // somebody closes it, or there is nothing to close
}

// NewPool returns a pool of what open makes. open is called once for a generation,
// however many calls wait for it, with a context of its own that ends after 10 seconds;
// shut, which may be nil where nothing is to be closed, once for each that was opened,
// when nobody uses it, and it may wait. It panics where open is nil, which is a mistake
// of wiring.
func NewPool[T any](open func(context.Context, *Credential) (T, error), shut func(T)) *Pool[T] {
	if open == nil {
		panic("secrets: NewPool needs a function that opens a resource with a credential")
	}
	if shut == nil {
		shut = func(T) {}
	}
	return &Pool[T]{open: open, close: shut, resources: map[any]*resource[T]{}}
}

// Do calls f with the resource of the credential, which is not to be used after f has
// returned, and returns what f returns.
//
// Where f or the function that opens returns an error that wraps [ErrRejected], and the
// credential is one that a [Broker] issued, the broker is asked for a newer one, and f is
// called once more with what is opened with that: a credential may have been rotated or
// revoked a moment ago. f is to return ErrRejected only where nothing was done yet. A
// broker asks its store for this once a second at most.
func (p *Pool[T]) Do(ctx context.Context, c *Credential, f func(context.Context, T) error) error {
	if c == nil {
		return errors.New("secrets: Pool.Do was called without a credential")
	}
	refused, err := p.do(ctx, c, f)
	if !refused || c.generation == nil || ctx.Err() != nil {
		return err
	}
	next, newer := c.generation.broker.again(ctx, c)
	if newer != nil {
		return fmt.Errorf("%w (and there is no newer credential: %w)", err, newer)
	}
	defer release(next)
	_, err = p.do(ctx, next, f)
	return err
}

// do reports whether the credential was refused, as far as that can be told.
func (p *Pool[T]) do(ctx context.Context, c *Credential, f func(context.Context, T) error) (refused bool, err error) {
	r, err := p.borrow(c)
	if err != nil {
		return false, err
	}
	defer p.giveBack(r)
	select {
	case <-r.ready:
	case <-ctx.Done():
		return false, fmt.Errorf("secrets: waiting for what is opened with %s: %w", c, context.Cause(ctx))
	}
	if r.err != nil {
		return errors.Is(r.err, ErrRejected) || (c.generation != nil && c.generation.isOver()), r.err
	}
	err = f(ctx, r.value)
	return errors.Is(err, ErrRejected), err
}

// borrow counts a user in, and opens the resource where there is none.
func (p *Pool[T]) borrow(c *Credential) (*resource[T], error) {
	key := any(c)
	if c.generation != nil {
		key = c.generation
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("secrets: the pool of what is opened with %s is closed", c.binding)
	}
	r := p.resources[key]
	if r == nil {
		r = &resource[T]{ready: make(chan struct{})}
		p.resources[key] = r
		p.closing.Add(1) // until it is closed
		go p.opened(key, r, c)
	}
	r.users++
	return r, nil
}

// opened opens the resource of r, and has it closed when the credential's time is over.
func (p *Pool[T]) opened(key any, r *resource[T], c *Credential) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	r.err = errors.New("secrets: the function that opens a resource did not return")
	defer func() {
		if v := recover(); v != nil {
			r.err = fmt.Errorf("secrets: the function that opens a resource with %s panicked with a %T", c, v)
		}
		close(r.ready)
		if r.err != nil {
			p.retire(key, r) // the next call tries again
		} else if c.generation != nil {
			c.generation.whenOver(func() { p.retire(key, r) })
		}
	}()
	r.value, r.err = p.open(ctx, c)
}

// retire says that nobody gets r any more.
func (p *Pool[T]) retire(key any, r *resource[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.over = true
	if p.resources[key] == r {
		delete(p.resources, key)
	}
	p.shutIdle(r)
}

func (p *Pool[T]) giveBack(r *resource[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.users--
	p.shutIdle(r)
}

// shutIdle closes r where its time is over and nobody uses it.
func (p *Pool[T]) shutIdle(r *resource[T]) {
	if !r.over || r.users > 0 || r.shut {
		return
	}
	r.shut = true
	if r.err != nil {
		p.closing.Done()
		return
	}
	go func() {
		defer p.closing.Done()
		defer func() { _ = recover() }() // a panic of close must not end the process
		p.close(r.value)
	}()
}

// Close has every resource closed once nobody uses it, and waits for that within ctx.
// Do fails afterwards.
func (p *Pool[T]) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	all := p.resources
	p.resources = map[any]*resource[T]{}
	p.mu.Unlock()
	for key, r := range all {
		select {
		case <-r.ready:
			p.retire(key, r)
		default:
			go func() { <-r.ready; p.retire(key, r) }()
		}
	}
	done := make(chan struct{})
	go func() { p.closing.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("secrets: closing a pool that is still used: %w", context.Cause(ctx))
	}
}
