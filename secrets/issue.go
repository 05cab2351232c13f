package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	revokeTimeout = 10 * time.Second // of one credential that nobody gets
	revokers      = 8                // credentials that Close revokes at a time
)

// issued is what the provider's answer has become.
type issued struct {
	credential *Credential
	err        error
}

// issue asks the provider and hands over the answer, or revokes what nobody waits
// for or may have.
func (b *broker) issue(ctx context.Context, request Request, answer chan<- issued) {
	if b.leases.isClosed() {
		b.deliver(ctx, answer, issued{nil, ErrClosed})
		return
	}
	var c *Credential
	err := b.guard(request.Binding, func() error {
		var err error
		c, err = b.provider.Issue(ctx, request)
		if c == nil {
			return err
		}
		// Also of a credential that is refused, whose values an error may quote.
		return cmp.Or(err, b.register(c))
	})
	if err == nil {
		err = b.accept(request.Binding, c)
	}
	if err != nil {
		b.deliver(ctx, answer, issued{nil, err})
		b.discard(c, false)
		return
	}
	if b.deliver(ctx, answer, issued{c, nil}) {
		b.leases.deliver(c)
		return
	}
	b.discard(c, true)
}

// deliver reports whether somebody still waited.
func (*broker) deliver(ctx context.Context, answer chan<- issued, a issued) bool {
	select {
	case answer <- a:
		return true
	case <-ctx.Done():
		return false
	}
}

// register makes the values of c ones that are redacted, as far as that is
// possible, and says where it was not.
func (b *broker) register(c *Credential) error {
	label := c.binding.label()
	var first error
	for _, value := range c.values() {
		err := b.watch.Add(value, label, c.expires)
		if first == nil {
			first = err
		}
	}
	return first
}

// accept says whether c may be handed out, and keeps it for Close.
func (b *broker) accept(binding Binding, c *Credential) error {
	switch {
	case c == nil:
		return fmt.Errorf("secrets: the provider gave neither a credential for %s nor an error", binding)
	case c.binding != binding:
		return fmt.Errorf("secrets: the provider gave a credential for %s where %s was asked for", c.binding, binding)
	case c.empty():
		return fmt.Errorf("secrets: the provider gave a credential for %s without a value", binding)
	case expired(c, b.now()):
		return fmt.Errorf("secrets: the provider gave a credential for %s that has expired", binding)
	}
	return b.leases.hold(c, b.now())
}

// discard revokes what nobody got; held says whether it was held.
func (b *broker) discard(c *Credential, held bool) {
	if c == nil || !b.leases.giveUp(c, held) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
	defer cancel()
	if b.revoke(ctx, c) == nil {
		b.leases.forget(c)
	}
}

// revoke does not outlive ctx, whatever the provider does. That there is nothing
// to revoke is no error.
func (b *broker) revoke(ctx context.Context, c *Credential) error {
	done := make(chan error, 1)
	go func() {
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

// revokeAll closes the broker and revokes what it has issued, several at a time.
func (b *broker) revokeAll(ctx context.Context) error {
	todo := b.leases.close(b.now())
	work := make(chan *Credential)
	failed := make([][]error, revokers)
	var wait sync.WaitGroup
	for i := range min(revokers, len(todo)) {
		wait.Go(func() {
			for c := range work {
				if err := b.revoke(ctx, c); err != nil {
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

// guard calls f, which is the provider's code, and makes of a panic and of an
// error an error that shows no value.
func (b *broker) guard(binding Binding, f func() error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		switch p := recover().(type) {
		case nil: // runtime.Goexit: whoever waits for the goroutine notices
		case runtime.Error:
			err = fmt.Errorf("secrets: %s: the provider panicked: %s", binding, b.clean(p.Error()))
		default:
			// The value may be anything, such as a request with all that it holds.
			err = fmt.Errorf("secrets: %s: the provider panicked with a %T", binding, p)
		}
	}()
	err = f()
	if err != nil {
		err = b.hide(err)
	}
	returned = true
	return err
}

// A failure is a provider's error without the values that its text may hold. The
// error itself is not reachable, or whoever unwraps it could print it; what it is
// can be asked for.
type failure struct {
	text string
	is   func(error) bool
}

func (f *failure) Error() string        { return f.text }
func (f *failure) Is(target error) bool { return f.is(target) }

func (b *broker) hide(err error) error {
	text := b.clean(err.Error())
	if !strings.HasPrefix(text, "secrets: ") {
		text = "secrets: " + text
	}
	return &failure{text, func(target error) bool { return errors.Is(err, target) }}
}

func (b *broker) clean(text string) string {
	out, _ := b.watch.RedactString(text)
	return out
}
