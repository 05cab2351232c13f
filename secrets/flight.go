package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An outcome is what a flight has come to.
type outcome struct {
	credential *Credential // what is used from now on; nil: see err
	issued     bool        // it was issued now, and not there before
	err        error
	gone       error // why the one before may not be used any more, where that is so
}

// fly asks the store for the credential of e and tells everybody who waits.
func (b *broker) fly(e *entry, f *flight) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), b.options.IssueTimeout, &tooSlow{b.options.IssueTimeout})
	defer cancel()
	begun := b.clock()
	out := b.fresh(ctx, e)
	b.settle(e, f, begun, out)
	b.tell()
}

// tooSlow is what a provider that does not answer in time has failed with.
type tooSlow struct{ after time.Duration }

func (t *tooSlow) Error() string { return fmt.Sprintf("the provider took longer than %s", t.after) }
func (t *tooSlow) Is(target error) bool {
	return target == ErrUnavailable || target == context.DeadlineExceeded
}

// fresh confirms, renews or replaces what e has, or gets what it has not.
func (b *broker) fresh(ctx context.Context, e *entry) outcome {
	e.mu.Lock()
	var held *Credential
	if l := e.lent.Load(); l != nil && l.credential.generation != e.suspect {
		held = l.credential
	}
	lifetime := e.lifetime
	e.mu.Unlock()
	if held == nil || held.stored() || expired(held, time.Now()) {
		c, err := b.obtain(ctx, e.key.request())
		return outcome{credential: c, issued: true, err: err}
	}
	var gone error
	if held.id != "" {
		confirmed, err := b.confirm(ctx, held)
		switch {
		case err == nil:
			held = confirmed
		case errors.Is(err, ErrNotRenewable), errors.Is(err, ErrUnsupported):
		case errors.Is(err, ErrUnavailable):
			return outcome{err: err}
		default:
			gone = err
		}
	}
	if gone == nil && (held.expires.IsZero() || time.Until(held.expires) > lifetime/3) {
		return outcome{credential: held}
	}
	c, err := b.obtain(ctx, e.key.request())
	if err != nil && gone == nil && !denied(err) && !expired(held, time.Now()) {
		return outcome{credential: held, err: err} // good until its end
	}
	return outcome{credential: c, issued: true, err: err, gone: gone}
}

// denied says that err is the store's word: that another could not be had for any other
// reason, such as one that was refused here, says nothing of the one that is there.
func denied(err error) bool { return errors.Is(err, ErrDenied) || errors.Is(err, ErrNotFound) }

// settle puts the outcome in its place, and posts what there is to tell.
func (b *broker) settle(e *entry, f *flight, begun time.Duration, out outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer close(f.done)
	e.flight = nil
	now := b.clock()
	before := e.lent.Load()
	if e.dead || b.leases.isClosed() {
		out = outcome{err: ErrClosed} // what was obtained is in leases, and revoked
	}
	e.failure, e.failedAt = out.err, now
	if out.err != nil {
		e.failures++
	} else {
		e.failures = 0
	}
	b.trouble(e.key, out.err)
	switch {
	case out.credential != nil:
		f.credential = b.lend(e, before, out, begun)
		b.replaced(e, before, f.credential, out.gone)
	case before == nil || errors.Is(out.err, ErrClosed): // Close ends what there is
		f.err = out.err
	case out.gone == nil && (errors.Is(out.err, ErrUnavailable) || expired(before.credential, time.Now())):
		f.err = out.err
		if before.credential.stored() { // stored values alone outlive their confirmation
			e.lent.Store(&lent{before.credential, later(e.confirmed, max(b.options.Stale, 0))})
		}
	default:
		f.err = out.err
		e.lent.Store(nil)
		why := out.gone
		if why == nil {
			why = out.err
		}
		b.gone(e, before.credential, why, out.gone != nil)
	}
	e.suspect = nil
	b.keeper.schedule(e, later(now, b.next(e, now)))
}

// lend makes the credential of out what calls are handed from now on.
func (b *broker) lend(e *entry, before *lent, out outcome, begun time.Duration) *Credential {
	c := out.credential
	own := *c
	own.issued = c.root()
	switch {
	case before != nil && (c.generation == before.credential.generation || sameValues(before.credential, c)):
		own.generation = before.credential.generation
		if out.issued { // again, and who had it has it once
			b.leases.same(before.credential, &own)
		}
	default:
		own.generation = &generation{broker: b, entry: e}
		e.lifetime = 0
		if !c.expires.IsZero() {
			e.lifetime = time.Until(c.expires)
		}
	}
	e.confirmed = begun
	until := later(begun, later(b.options.Confirm, b.options.Confirm))
	if !c.expires.IsZero() {
		left := time.Until(c.expires)
		// A provider that has nothing newer so near the end is not asked by each call.
		until = later(b.clock(), left-min(margin(e.lifetime), left/10))
	}
	e.lent.Store(&lent{&own, until})
	return &own
}

// replaced retires the generation before, if there is a new one.
func (b *broker) replaced(e *entry, before *lent, c *Credential, gone error) {
	if before == nil || before.credential.generation == c.generation {
		return
	}
	if gone != nil {
		b.gone(e, before.credential, gone, true)
		return
	}
	old := before.credential
	old.generation.retire()
	if revocable(old) {
		b.keeper.drain(old, false)
		return // what ends in time is followed by another all day
	}
	b.post(Notice{
		Kind: NoticeRotated, Binding: e.key.binding, Tool: e.key.tool,
		Reason: fmt.Sprintf("%s was replaced by version %s", old, c.version),
	})
}

// gone ends a credential that its store does not stand by any more. itself says that why
// was said of the credential and not of its binding: a role that is deleted takes no
// lease along.
func (b *broker) gone(e *entry, c *Credential, why error, itself bool) {
	c.generation.end()
	c.generation.retire()
	if itself && errors.Is(why, ErrNotFound) {
		b.leases.forget(c)
	} else if revocable(c) {
		b.keeper.drain(c, false)
	}
	b.post(Notice{
		Kind: NoticeEnded, Binding: e.key.binding, Tool: e.key.tool,
		Reason: fmt.Sprintf("%s has ended before its time: %v", c, why),
	})
}

// next returns how long after now the keeper looks at e again.
func (b *broker) next(e *entry, now time.Duration) time.Duration {
	l := e.lent.Load()
	switch {
	case l == nil:
		return failFor
	case e.failure != nil:
		return min(pause(e.failures), max(l.until-now, failFor))
	case l.credential.expires.IsZero():
		return jitter(b.options.Confirm)
	}
	left := time.Until(l.credential.expires)
	if left > e.lifetime/3 {
		left -= e.lifetime / 3
	} else {
		left /= 3 // the provider has nothing newer yet
	}
	return jitter(max(min(b.options.Confirm, left), shortestTurn))
}

// shortestTurn is how often a credential of the shortest lifetime is looked after.
const shortestTurn = 50 * time.Millisecond
