package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/safemcp/safemcp/secrets/scan"
)

const (
	issueTimeout = 3 * time.Second
	confirmEvery = 30 * time.Second
	staleAtMost  = 5 * time.Minute
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
	// Confirm is how often a credential that is used is confirmed with its provider:
	// how long it takes until a new version, a revoked lease or a deleted role is
	// noticed. Zero is 30 seconds. What is not used for that long is let go of, and its
	// lease revoked. A broker begins at most 100 requests a second for this, so that
	// with more than 3,000 credentials in use it takes longer.
	Confirm time.Duration
	// Stale is how long after it was last confirmed a stored value is used while its
	// store is not available: zero is 5 minutes, and below zero it is not used. A
	// store that answers, and denies the value or has none any more, ends it at once.
	Stale time.Duration
	// InsecureShortValues gives the reason why values of fewer than 8 bytes may be
	// issued. From 4 bytes on they are looked for as they are, but not in base64;
	// below that they are not redacted at all. The reason is one of [Broker.OptOuts].
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
	begun    time.Time
	closing  chan struct{} // one Close at a time
	leases   *leases
	cache    *cache
	keeper   *keeper
	notices  notices
}

// clock tells the time since the broker was made, which is cheaper than the time.
func (b *broker) clock() time.Duration { return time.Since(b.begun) }

// NewBroker returns a broker for the credentials of provider. It panics where
// provider is nil, or IssueTimeout or Confirm negative, which are mistakes of wiring. It
// starts nothing: what looks after credentials begins with the first, and ends when
// there are none or with Close.
func NewBroker(provider Provider, o *Options) *Broker {
	if provider == nil {
		panic("secrets: NewBroker needs a Provider: agefile.Open gives one that needs nothing else")
	}
	b := &broker{
		provider: provider, watch: scan.New(o.scan()), begun: time.Now(),
		slots: make(chan struct{}, outstanding), closing: make(chan struct{}, 1),
		leases: &leases{held: map[lease]*holding{}, most: maxLeases}, cache: newCache(),
		notices: notices{troubled: map[key]map[key]time.Duration{}},
	}
	b.keeper = newKeeper(b)
	if o != nil {
		b.options = *o
	}
	if b.options.IssueTimeout < 0 || b.options.Confirm < 0 {
		panic("secrets: Options.IssueTimeout or Options.Confirm is negative: leave them zero for 3 and 30 seconds")
	}
	b.options.IssueTimeout = cmp.Or(b.options.IssueTimeout, issueTimeout)
	b.options.Confirm = cmp.Or(b.options.Confirm, confirmEvery)
	b.options.Stale = cmp.Or(b.options.Stale, staleAtMost)
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

// Redact returns text without the values that were issued, and the names of those
// that it held, in the form of their bindings. Each is replaced by
// "[redacted:NAME]", which fits into a JSON string. Package scan says in which forms a
// value is found. What Options.Patterns find goes by "pattern:" and the ID of its rule.
// Where values overlap the whole goes under the name of the longest. JSON stays JSON: in
// the place of a number the marker is a string.
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

// Patterns reports whether secrets that were not issued are looked for as well: what
// is found then may depend on where a text begins and ends.
func (b *Broker) Patterns() bool {
	in := b.inner()
	return in != nil && in.options.Patterns != nil
}

// OptOuts returns which defences of the broker and of its provider are off, by the names
// of their options, and why: package safetool records them. A provider that has a method
// OptOuts() map[string]string says so of its own.
func (b *Broker) OptOuts() map[string]string {
	off := map[string]string{}
	in := b.inner()
	if in == nil {
		return off
	}
	if says, ok := in.provider.(interface{ OptOuts() map[string]string }); ok {
		maps.Copy(off, says.OptOuts())
	}
	if in.options.InsecureShortValues != "" {
		off["InsecureShortValues"] = in.options.InsecureShortValues
	}
	return off
}

// Close ends every credential and revokes every credential that has an ID or an expiry and
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
	in.keeper.end()
	todo := in.leases.close(time.Now()) // nothing is issued any more
	for _, e := range in.cache.all() {
		in.close(e)
	}
	err := in.revokeAll(ctx, todo)
	// Who holds every slot has waited for every request.
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
	return in.revokeAll(ctx, in.leases.close(time.Now()))
}

// close ends what e has, for those who come and those who have it.
func (b *broker) close(e *entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.dead = true
	b.cache.remove(e)
	if l := e.lent.Swap(nil); l != nil {
		l.credential.generation.end()
		l.credential.generation.retire()
	}
}
