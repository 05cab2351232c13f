package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/safemcp/safemcp/secrets/scan"
)

const (
	issueTimeout = 3 * time.Second
	// outstanding bounds the calls that a provider has not returned from: one that
	// hangs and does not heed its context would gather goroutines without end.
	outstanding = 256
)

// Options change what a [Broker] does. The zero value is the strictest.
type Options struct {
	// IssueTimeout bounds how long one credential may take; zero is 3 seconds. A
	// provider that takes longer is not waited for, and what it issues in the end
	// is revoked.
	IssueTimeout time.Duration
	// InsecureShortValues gives the reason why values of fewer than 8 bytes may be
	// issued. From 4 bytes on they are looked for as they are, but not in base64;
	// below that they are not redacted at all. [Broker.InsecureShortValues] returns
	// the reason.
	InsecureShortValues string
	// Patterns find secrets that this broker did not issue by what they look like, see
	// [scan.NewRules] and [scan.DefaultRules]. Nil looks for none.
	Patterns *scan.Rules
}

func (o *Options) scan() *scan.Options {
	if o == nil {
		return nil
	}
	return &scan.Options{ShortValues: o.InsecureShortValues != "", Rules: o.Patterns}
}

// A Broker issues the credentials of one provider and knows what it has issued. A
// server has one. It is safe for concurrent use; a nil *Broker issues nothing and
// redacts nothing.
type Broker struct {
	state func() *broker // a closure, so that nothing prints what is in it
}

type broker struct {
	provider Provider
	options  Options
	watch    *scan.Set
	slots    chan struct{}
	now      func() time.Time
	closing  chan struct{} // one Close at a time
	leases   *leases
}

// NewBroker returns a broker for the credentials of provider. It panics where
// provider is nil or the timeout negative, which are mistakes of wiring.
func NewBroker(provider Provider, o *Options) *Broker {
	if provider == nil {
		panic("secrets: NewBroker needs a Provider: agefile.Open gives one that needs nothing else")
	}
	b := &broker{
		provider: provider, watch: scan.New(o.scan()), now: time.Now,
		slots: make(chan struct{}, outstanding), closing: make(chan struct{}, 1),
		leases: &leases{held: map[lease]*holding{}, most: maxLeases},
	}
	if o != nil {
		b.options = *o
	}
	switch {
	case b.options.IssueTimeout < 0:
		panic("secrets: Options.IssueTimeout is negative: leave it zero for 3 seconds")
	case b.options.IssueTimeout == 0:
		b.options.IssueTimeout = issueTimeout
	}
	return &Broker{state: func() *broker { return b }}
}

func (b *Broker) inner() *broker {
	if b == nil || b.state == nil {
		return nil
	}
	return b.state()
}

// Supports returns why the binding could not be issued, as far as can be said
// without issuing it: for checks when a server is put together. A provider that
// has no such method is taken to support every binding that [Binding.Check] does
// not refuse.
func (b *Broker) Supports(binding Binding) error {
	in := b.inner()
	if in == nil {
		return ErrNoBroker
	}
	if err := binding.Check(); err != nil {
		return err
	}
	checker, ok := in.provider.(interface{ Supports(binding Binding) error })
	if !ok {
		return nil
	}
	return in.guard(binding, func() error { return checker.Supports(binding) })
}

// Issue asks the provider for a credential. Its values are ones that Redact finds
// before Issue returns.
//
// It refuses a credential that is not of the binding asked for, has expired, or
// has a value of fewer than 8 bytes, unless the options allow that, or more than
// 64 KiB; what it refuses is revoked. It ends when ctx or the timeout does, whether
// or not the provider heeds either. No error contains a value.
func (b *Broker) Issue(ctx context.Context, request Request) (*Credential, error) {
	in := b.inner()
	if in == nil {
		return nil, ErrNoBroker
	}
	if err := request.Binding.Check(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("secrets: issuing %s: %w", request.Binding, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, in.options.IssueTimeout,
		fmt.Errorf("the provider took longer than %s: %w", in.options.IssueTimeout, context.DeadlineExceeded))
	defer cancel()
	select {
	case in.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("secrets: issuing %s, with %d requests to the provider under way: %w", request.Binding, outstanding, context.Cause(ctx))
	}
	answer := make(chan issued)
	go func() {
		defer func() { <-in.slots }()
		defer close(answer)
		in.issue(ctx, request, answer)
	}()
	select {
	case a, ok := <-answer:
		if !ok {
			return nil, fmt.Errorf("secrets: issuing %s: the provider ended its goroutine", request.Binding)
		}
		return a.credential, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("secrets: issuing %s: %w", request.Binding, context.Cause(ctx))
	}
}

// Redact returns text without the values that were issued, and the names of those
// that it held, in the form of their bindings. Each is replaced by
// "[redacted:NAME]", which fits into a JSON string. Package scan says in which forms a
// value is found. What Options.Patterns find goes by "pattern:" and the ID of its rule.
// Where values overlap the
// whole goes under the name of the longest. JSON stays JSON: in the place of a
// number the marker is a string.
//
// Without a find it returns text itself and nil, and allocates nothing.
func (b *Broker) Redact(text []byte) (clean []byte, found []string) {
	in := b.inner()
	if in == nil {
		return text, nil
	}
	return in.watch.Redact(text)
}

// RedactString is Redact for a string.
func (b *Broker) RedactString(text string) (clean string, found []string) {
	in := b.inner()
	if in == nil {
		return text, nil
	}
	return in.watch.RedactString(text)
}

// InsecureShortValues returns the reason given in the options, and "" where short
// values are refused: for a server that records which of its defences are off.
func (b *Broker) InsecureShortValues() string {
	if in := b.inner(); in != nil {
		return in.options.InsecureShortValues
	}
	return ""
}

// Close ends issuing and revokes every credential that has an ID or an expiry and
// has not expired, within ctx; it also waits, within ctx, for requests under way,
// whose credentials are revoked when they come, and then tries once more what
// failed. It returns what could not be revoked. Redact goes on working, and a second
// Close tries again.
func (b *Broker) Close(ctx context.Context) error {
	in := b.inner()
	if in == nil {
		return nil
	}
	select { // a Close whose time is up already still ends issuing
	case in.closing <- struct{}{}:
	default:
		select {
		case in.closing <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("secrets: waiting for another Close: %w", context.Cause(ctx))
		}
	}
	defer func() { <-in.closing }()
	err := in.revokeAll(ctx)
	// Who holds every slot has waited for every request. One whose credential was on
	// its way to the caller when the first round began is revoked in the second.
	taken := 0
	defer func() {
		for range taken {
			<-in.slots
		}
	}()
	for taken < outstanding {
		select { // a slot that is free counts also when ctx has ended
		case in.slots <- struct{}{}:
			taken++
			continue
		default:
		}
		select {
		case in.slots <- struct{}{}:
			taken++
		case <-ctx.Done():
			return errors.Join(err, fmt.Errorf("secrets: closing while the provider is still issuing: %w", context.Cause(ctx)))
		}
	}
	return in.revokeAll(ctx)
}
