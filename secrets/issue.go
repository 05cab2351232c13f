package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// An answered is what the provider's answer has become.
type answered struct {
	credential *Credential
	err        error
}

// obtain has a credential issued. What comes too late is revoked.
func (b *broker) obtain(ctx context.Context, request Request) (*Credential, error) {
	return b.ask(ctx, request.Binding, func(ctx context.Context, deliver func(answered) bool) {
		if b.leases.isClosed() {
			deliver(answered{nil, ErrClosed})
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
			deliver(answered{nil, err})
			b.discard(c, false)
			return
		}
		if !deliver(answered{c, nil}) {
			b.discard(c, true)
		}
	})
}

// confirm has a credential renewed, as far as it can be.
func (b *broker) confirm(ctx context.Context, held *Credential) (*Credential, error) {
	return b.ask(ctx, held.binding, func(ctx context.Context, deliver func(answered) bool) {
		var c *Credential
		b.leases.renewing(held, time.Now())
		err := b.guard(held.binding, func() error {
			var err error
			c, err = b.provider.Renew(ctx, held)
			if c == nil {
				return err
			}
			return cmp.Or(err, b.register(c))
		})
		switch {
		case err != nil:
		case c == nil:
			err = fmt.Errorf("secrets: the provider gave neither a renewed credential for %s nor an error", held.binding)
		case c.binding != held.binding || !sameValues(c, held) || expired(c, time.Now()):
			err = fmt.Errorf("secrets: the provider renewed %s into something else", held.binding)
		}
		if err != nil {
			if errors.Is(err, ErrNotRenewable) || errors.Is(err, ErrUnsupported) {
				b.leases.unrenewable(held)
			}
			deliver(answered{nil, err})
			if c != nil && leaseOf(c) != leaseOf(held) {
				b.discard(c, false)
			}
			return
		}
		if b.leases.extend(c, time.Now()) {
			deliver(answered{c, nil})
			return
		}
		// It was forgotten meanwhile, for it seemed to have expired, and lives again.
		if err := b.leases.hold(c, time.Now()); err != nil {
			deliver(answered{nil, err})
			b.discard(c, false)
			return
		}
		if !deliver(answered{c, nil}) {
			b.discard(c, true)
		}
	})
}

// ask runs work, which calls the provider, and returns what it delivers. It ends when
// ctx does, whatever the provider does; how many have not returned is bounded.
func (b *broker) ask(ctx context.Context, binding Binding, work func(ctx context.Context, deliver func(answered) bool)) (*Credential, error) {
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("secrets: issuing %s, with %d requests to the provider under way: %w", binding, outstanding, context.Cause(ctx))
	}
	answer := make(chan answered)
	go func() {
		defer func() { <-b.slots }()
		defer close(answer)
		work(ctx, func(a answered) bool { // reports whether somebody still waited
			select {
			case answer <- a:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	select {
	case a, ok := <-answer:
		if !ok {
			return nil, fmt.Errorf("secrets: issuing %s: the provider ended its goroutine", binding)
		}
		return a.credential, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("secrets: issuing %s: %w", binding, context.Cause(ctx))
	}
}

// watchStored is for how long a value that has no end is looked for after it was last
// confirmed: somebody may have kept it against advice.
const watchStored = 24 * time.Hour

// register makes the values of c ones that are redacted, as far as that is
// possible, and says where it was not.
func (b *broker) register(c *Credential) error {
	label := c.binding.label()
	until := c.expires
	if until.IsZero() {
		until = time.Now().Add(watchStored)
	}
	var first error
	for _, value := range c.values() {
		err := b.watch.Add(value, label, until)
		if first == nil {
			first = err
		}
	}
	return first
}

// accept says whether c may be handed out, and keeps it until it is revoked.
func (b *broker) accept(binding Binding, c *Credential) error {
	switch {
	case c == nil:
		return fmt.Errorf("secrets: the provider gave neither a credential for %s nor an error", binding)
	case c.binding != binding:
		return fmt.Errorf("secrets: the provider gave a credential for %s where %s was asked for", c.binding, binding)
	case c.empty():
		return fmt.Errorf("secrets: the provider gave a credential for %s without a value", binding)
	case expired(c, time.Now()):
		return fmt.Errorf("secrets: the provider gave a credential for %s that has expired", binding)
	}
	return b.leases.hold(c, time.Now())
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

func (f *failure) Error() string { return f.text }

// Is asks the provider's error, whose methods may do anything.
func (f *failure) Is(target error) (is bool) {
	defer func() {
		if recover() != nil {
			is = false
		}
	}()
	return f.is(target)
}

func (b *broker) hide(err error) error {
	text := b.clean(err.Error())
	if !strings.HasPrefix(text, "secrets: ") {
		text = "secrets: " + text
	}
	return &failure{text, func(target error) bool {
		if errors.Is(err, target) {
			return true
		}
		// Who had no time to answer has not answered, whoever's time it was.
		return errors.Is(ErrUnavailable, target) && errors.Is(err, context.DeadlineExceeded)
	}}
}

func (b *broker) clean(text string) string {
	out, _ := b.watch.RedactString(text)
	return out
}
