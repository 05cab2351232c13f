package safetool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// perform is the handler's part of a pass: the approval, the intent on record,
// the credentials, the handler within its time.
func perform[A any](ctx context.Context, p *pass, handler func(context.Context) (A, error)) (answer A, err error) {
	p.inside.Lock()
	defer p.inside.Unlock()
	if err := p.join(); err != nil {
		return answer, err
	}
	returned := false
	defer func() { p.part(returned, err) }() // by itself: whatever ends the goroutine
	answer, err = shielded(func() (none A, _ error) {
		ctx := ctx
		if CallFrom(ctx) != p.call { // middleware may have gone on with a context of its own
			ctx = withCall(ctx, p.call)
		}
		if err := p.approve(); err != nil {
			return none, err
		}
		until, err := p.intend(ctx)
		if err != nil {
			return none, err
		}
		bounded := &patience{Context: ctx, until: until}
		defer bounded.end()
		if err := p.prepare(bounded); err != nil {
			return none, err
		}
		if err := p.wanted(); err != nil {
			return none, err
		}
		answer, err := handler(bounded)
		return answer, p.orTimeout(bounded, err)
	})
	returned = true
	return answer, err
}

// intend puts the intent on record. Without it nothing runs. It returns until when the
// handler may take.
func (p *pass) intend(ctx context.Context) (until time.Time, err error) {
	if err := p.mayIntend(); err != nil {
		return until, err
	}
	intended := false
	defer func() {
		var late error
		if until, late = p.recorded(intended); err == nil {
			err = late
		}
	}()
	e := p.event(audit.PhaseIntent, p.callID)
	e.Args, e.Decision, e.Buffered = p.args, p.decision, p.feature.policy.Buffered
	if err := p.server.recordOnce(ctx, e); err != nil {
		if ctx.Err() != nil {
			return until, fmt.Errorf("%w: %w", errCancelled, context.Cause(ctx))
		}
		return until, unrecordable(err)
	}
	intended = true
	return until, nil
}

// unrecordable is how a call is refused whose intent cannot be recorded.
func unrecordable(cause error) *refusal {
	return &refusal{by: "audit", rule: "intent", effect: audit.EffectDeny, problem: auditProblem(), cause: cause}
}

// orTimeout calls an error what it is when the handler gave up because its time
// was over.
func (p *pass) orTimeout(ctx context.Context, err error) error {
	if err != nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", errTimedOut, err)
	}
	return err
}

// recordLate records that what outlived the answer has ended. Where that is the recorder,
// with the intent, nothing has been recorded yet of how the call ended.
func (p *pass) recordLate(ctx context.Context, err error) {
	e := &audit.Event{
		Phase: audit.PhaseNotice, Call: p.call.id, MCP: p.mcp, Trace: p.trace, Caller: auditCaller(p.caller),
		Duration: time.Since(p.begun),
		Decision: audit.Decision{By: "timeout", Rule: "late_return", Reason: p.left.late()},
		Outcome:  audit.Outcome{Status: audit.StatusOK},
	}
	leaked := *e
	leaked.Outcome = audit.Outcome{}
	if p.left == stageIntent {
		err = p.ending
		e.Phase, e.Args, e.Decision = audit.PhaseRefused, p.args, audit.Decision{Effect: audit.EffectDeny, By: "audit", Rule: "intent"}
		if p.intended {
			e.Phase = audit.PhaseOutcome
		}
	}
	if err != nil {
		v := p.server.explainApart(ctx, err)
		e.Outcome = audit.Outcome{Status: v.status, Code: v.code, Cause: withoutArguments(v.cause, p.raw, p.feature.rules), Stack: v.stack}
	}
	_ = p.server.recordDetached(ctx, e) // logged by record; there is nobody left to tell
	if p.call.leaks.close(false) {
		_ = p.server.recordDetached(ctx, p.call.leaks.notice(&leaked, "were redacted"))
	}
}
