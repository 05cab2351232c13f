package safetool

import (
	"context"
	"errors"
	"fmt"

	"github.com/safemcp/safemcp/audit"
)

// An ending is what a pass came to: what is sent, or why it is not.
type ending[R any] struct {
	res  R
	v    *verdict
	asks bool // what is sent is a question to the user
}

// guarded runs work, which goes through the guards and ends in the handler, then
// cleans what it answered, and records the outcome before anybody learns it. The
// verdict is nil when res is to be sent.
//
// All of that happens on a goroutine of its own, and the one that has to answer waits
// for it: so it answers although the program's code takes too long, or ends its
// goroutine.
func guarded[A, R any](ctx context.Context, p *pass, work func(context.Context) (A, error), clean func(*cleaner, A) (R, error)) (R, *verdict) {
	p.server.running.Begin()
	defer p.server.running.End()
	p.begin()
	defer p.answered.Done()
	own := new(ending[R])
	go func() {
		makeRoom()
		conduct(ctx, p, work, clean, own)
	}()
	seen, unmade := p.ended()
	p.flight.call = seen.callID
	var made ending[R]
	if unmade == nil {
		made = *own
	} else { // what its own goroutine still makes goes to nobody
		made.v = p.speakFor(ctx, seen, unmade)
	}
	p.asked = made.asks
	if v := made.v; v != nil && v.problem != nil {
		v.problem.Reference = seen.callID
	}
	return made.res, made.v
}

// conduct is what the pass's own goroutine does. It writes to made only where it has
// decided.
func conduct[A, R any](ctx context.Context, p *pass, work func(context.Context) (A, error), clean func(*cleaner, A) (R, error), made *ending[R]) {
	settled, decided := false, false
	err := errGoexit
	defer func() { // by itself: whatever ends the goroutine
		if !decided {
			err = p.close(err)
		}
		p.finish(settled, err)
	}()
	defer func() {
		if r := recover(); r != nil { // a fault of ours: the program's code is shielded where it is called
			failure := recovered(r)
			err = failure
			p.server.log.Error("a guard failed", "call", p.call.id, "error", failure, "stack", string(failure.stack))
		}
	}()
	answer, failed := shielded(func() (A, error) { return work(ctx) })
	failed = p.close(failed)
	cleaner := p.server.newCleaner(p.feature.limits.ResultBytes)
	var e ending[R]
	if failed == nil {
		e.res, failed = shielded(func() (R, error) { return clean(cleaner, answer) })
	}
	if failed == nil && !p.asks {
		p.digest(cleaner, e.res)
	}
	if failed != nil {
		v := p.server.explain(ctx, failed)
		e.v = &v
	}
	e.v = p.withoutSecrets(e.v, cleaner, p.callID)
	err = failed
	var seen facts
	if seen, decided = p.own(); !decided {
		return
	}
	if unrecorded := p.settle(ctx, &seen, e.v, cleaner); unrecorded != nil {
		e.v = unrecorded
	}
	if e.v != nil {
		e = ending[R]{v: e.v}
	} else {
		e.asks = p.asks
	}
	*made, settled = e, true
}

// speakFor records and returns the outcome of a pass whose own goroutine cannot.
func (p *pass) speakFor(ctx context.Context, seen facts, unmade error) *verdict {
	explained := p.server.explain(ctx, unmade)
	if errors.Is(unmade, errUnsettled) { // the recorder still has an event of the call's, or has failed over it
		return &explained
	}
	cleaner := p.server.newCleaner(p.feature.limits.ResultBytes)
	v := p.withoutSecrets(&explained, cleaner, seen.callID)
	unrecorded, err := apartFor(recorderTimeout, func() (*verdict, error) { return p.settle(ctx, &seen, v, cleaner), nil })
	switch {
	case err != nil:
		return withheld()
	case unrecorded != nil:
		return unrecorded
	}
	return v
}

// settle records the outcome, on a context that the caller cannot cancel. Where it
// cannot be recorded the answer is withheld.
func (p *pass) settle(ctx context.Context, seen *facts, v *verdict, c *cleaner) *verdict {
	e := p.event(audit.PhaseOutcome, seen.callID)
	e.Args, e.Decision, e.Credentials = seen.args, seen.decision, seen.credentials
	e.Buffered = p.feature.policy.Buffered && seen.intended
	e.Outcome = audit.Outcome{Status: audit.StatusOK, Bytes: c.bytes, Digest: c.digest}
	e.Answer = c.answer
	switch {
	case v != nil:
		e.Answer = audit.Args{}
		e.Outcome = audit.Outcome{Status: v.status, Code: v.code, Reference: seen.callID, Cause: v.cause, Stack: v.stack}
		if v.refused != nil {
			e.Decision = audit.Decision{Effect: v.refused.effect, By: v.refused.by, Rule: v.refused.rule, Reason: v.problem.reason()}
			if !seen.intended {
				e.Phase = audit.PhaseRefused
			}
		}
	case p.asks:
		e.Outcome.Status = audit.StatusInputRequired
	case c.toolError:
		e.Outcome.Status = audit.StatusToolError
		e.Outcome.Cause = c.cause
	}
	if len(c.redacted) > 0 {
		e.Outcome.Cause = joinText(e.Outcome.Cause, fmt.Sprintf("issued secrets were redacted from the answer: %v", c.redacted))
	}
	e.Outcome.Cause = withoutArguments(e.Outcome.Cause, seen.raw, p.feature.rules)
	e.Server = p.server.identity
	p.call.leaks.add("the record", p.server.redactEvent(e)...)
	defer reuse(e)
	ctx = context.WithoutCancel(ctx)
	stands := v != nil && v.refused != nil && !seen.intended // a refusal does, whether or not it could be recorded
	err := p.recordLeaks(ctx, seen, v)
	if err != nil && !stands {
		e.Outcome.Status, e.Outcome.Code = audit.StatusWithheld, CodeOutcomeUnrecorded
	}
	if err = errors.Join(err, p.server.write(ctx, e)); err == nil || stands {
		return nil
	}
	return withheld()
}

func withheld() *verdict {
	return &verdict{status: audit.StatusWithheld, code: CodeOutcomeUnrecorded, problem: unrecordedProblem()}
}
