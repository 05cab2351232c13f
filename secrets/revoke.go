package secrets

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	revokeTimeout = 10 * time.Second // of one credential that nobody gets
	revokers      = 8                // credentials that Close revokes at a time
)

// discard revokes what nobody got; held says whether it was held. What fails is left to
// the keeper, and to Close.
func (b *broker) discard(c *Credential, held bool) {
	if c == nil || !revocable(c) {
		return
	}
	if held {
		b.leases.giveUp(c)
	}
	if b.leases.needed(c) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
	defer cancel()
	returned := make(chan struct{})
	defer func() { <-returned }() // until then it takes the place of a request
	if b.revoke(ctx, c, func() { close(returned) }) == nil {
		b.leases.forget(c)
		return
	}
	if !b.leases.keep(c) {
		return // there is no room: it was tried
	}
	own := *c
	own.issued, own.generation = c.root(), &generation{broker: b}
	own.generation.end()
	b.keeper.drain(&own, true)
}

// revoke does not outlive ctx, whatever the provider does; returned is called when the
// provider has returned. That there is nothing to revoke is no error.
func (b *broker) revoke(ctx context.Context, c *Credential, returned func()) error {
	if ctx.Err() != nil { // or what is left when time is up would be begun all at once
		returned()
		return fmt.Errorf("secrets: revoking a credential for %s: %w", c.binding, context.Cause(ctx))
	}
	done := make(chan error, 1)
	go func() {
		defer returned()
		defer close(done)
		done <- b.guard(c.binding, func() error { return b.provider.Revoke(ctx, c) })
	}()
	select {
	case err, ok := <-done:
		switch {
		case !ok:
			return fmt.Errorf("secrets: revoking a credential for %s: the provider ended its goroutine", c.binding)
		case errors.Is(err, ErrUnsupported), errors.Is(err, ErrNotFound):
			return nil
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("secrets: revoking a credential for %s: %w", c.binding, context.Cause(ctx))
	}
}

// revokeAll revokes what is left of what was issued, several at a time.
func (b *broker) revokeAll(ctx context.Context, todo []*Credential) error {
	work := make(chan *Credential)
	failed := make([][]error, revokers)
	var wait sync.WaitGroup
	for i := range min(revokers, len(todo)) {
		wait.Go(func() {
			for c := range work {
				if err := b.revoke(ctx, c, func() {}); err != nil {
					failed[i] = append(failed[i], err)
					continue
				}
				b.leases.forget(c)
			}
		})
	}
	for _, c := range todo {
		work <- c
	}
	close(work)
	wait.Wait()
	var all []error
	for _, f := range failed {
		all = append(all, f...)
	}
	return errors.Join(all...)
}
