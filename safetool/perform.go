package safetool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// perform is the handler's part of a pass: the approval, the intent on record,
// the credentials, the handler within its time.
func perform[A any](ctx context.Context, p *pass, handler func(context.Context) (A, error)) (answer A, err error) {
	p.inside.Lock()
	defer p.inside.Unlock()
	if p.over {
		return answer, fmt.Errorf("%w: it was answered before its handler was called", ErrNoCall)
	}
	if p.abandoned { // by middleware that tries again: the handler still runs, on the slots of the call
		return answer, fmt.Errorf("%w, and still runs", errTimedOut)
	}
	if err := p.approve(); err != nil {
		return answer, err
	}
	if err := p.intend(ctx); err != nil {
		return answer, err
	}
	if CallFrom(ctx) != p.call { // middleware may have gone on with a context of its own
		ctx = withCall(ctx, p.call)
	}
	bounded := newPatience(ctx, p.feature.limits.Timeout)
	defer bounded.end()
	if err := p.prepare(bounded); err != nil {
		return answer, err
	}
	return timed(bounded, p, handler)
}

var errGoexit = errors.New("the program's code ended its goroutine without returning (runtime.Goexit)")

// timers and signals are for waiting for handlers. A timer that was stopped never
// fires (Go 1.23).
var (
	timers  = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}
	signals = sync.Pool{New: func() any { return make(chan struct{}, 1) }}
)

// How the wait for a handler ended: whoever sets it first.
const (
	handlerRunning int32 = iota
	handlerReturned
	handlerAbandoned
)

// timed runs the handler on a goroutine of its own, so that a caller is answered
// when its time is over, whatever it does. A caller who cancels does not cut the
// wait short: the handler learns it from its context, and what it then returns is
// the truth of what happened.
func timed[A any](ctx context.Context, p *pass, handler func(context.Context) (A, error)) (A, error) {
	type handoff struct {
		ended  atomic.Int32
		answer A
		err    error
	}
	h := &handoff{err: errGoexit}
	done, _ := signals.Get().(chan struct{})
	go func() {
		defer func() { // by itself: whatever ends the goroutine, the caller is told
			if h.ended.CompareAndSwap(handlerRunning, handlerReturned) {
				done <- struct{}{}
				return
			}
			p.late(h.err)
		}()
		defer func() {
			if v := recover(); v != nil {
				h.err = recovered(v)
			}
		}()
		h.answer, h.err = handler(ctx)
	}()
	timer, _ := timers.Get().(*time.Timer)
	timer.Reset(p.feature.limits.Timeout)
	abandoned := false
	select {
	case <-done:
	case <-timer.C:
		p.server.running.Begin() // for the goroutine, until it returns
		p.abandoned = true
		if abandoned = h.ended.CompareAndSwap(handlerRunning, handlerAbandoned); !abandoned {
			p.abandoned = false // it returned just now
			p.server.running.End()
			<-done
		}
	}
	timer.Stop()
	timers.Put(timer)
	signals.Put(done) // empty: who abandoned it is never signalled
	if abandoned {
		var none A
		return none, errTimedOut
	}
	return h.answer, p.orTimeout(ctx, h.err)
}

// orTimeout calls an error what it is when the handler gave up because its time
// was over.
func (p *pass) orTimeout(ctx context.Context, err error) error {
	if err != nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", errTimedOut, err)
	}
	return err
}

// late is called by a handler that returns after its caller was answered. Nobody
// gets what it returns; the log learns that it ended, and its slots are free.
func (p *pass) late(err error) {
	defer p.server.running.End()
	p.giveBack()
	p.releaseSlots()
	e := p.lateEvent()
	e.Outcome.Status = audit.StatusOK
	if err != nil {
		v := p.server.explain(context.Background(), err)
		e.Outcome = audit.Outcome{Status: v.status, Code: v.code, Cause: withoutArguments(v.cause, p.raw, p.feature.rules), Stack: v.stack}
	}
	_ = p.server.recordDetached(context.Background(), e) // logged by record; there is nobody left to tell
}

func (p *pass) lateEvent() *audit.Event {
	e := &audit.Event{
		Phase: audit.PhaseNotice, Call: p.call.id, MCP: p.mcp, Trace: p.trace, Caller: auditCaller(p.caller),
		Duration: time.Since(p.flight.start),
		Decision: audit.Decision{By: "timeout", Rule: "late_return", Reason: "the handler returned after its caller had been answered; what it returned went to nobody"},
	}
	return e
}
