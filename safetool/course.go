package safetool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A course is how far a pass has come, and who speaks for it: its own goroutine, if
// that reaches the end in time, or else the one that waits for it, to which ending
// then says why. Whoever sets the stage to decided has decided, once.
type course struct {
	inside sync.Mutex // held while the handler's part runs: one at a time

	mu       sync.Mutex
	changed  sync.Cond // a part has ended, or was left behind
	stage    stage
	deadline time.Time // of the stage
	timer    *time.Timer
	done     sync.WaitGroup // what the one that answers waits for
	answered sync.WaitGroup // what a late end waits for
	ending   error

	held    bool  // slots are taken
	working bool  // the pass's own goroutine runs code of the program's
	parts   int   // handler's parts that run, on whatever goroutine
	closing bool  // its own goroutine waits for them
	over    bool  // none may begin any more
	exited  bool  // one of them ended its goroutine
	left    bool  // something of it runs on although its caller is being answered
	lefts   stage // and that is what it was at
	owed    bool  // the log is to learn that it has ended
	told    bool  // and somebody is telling it
	failure error // of the last part
}

// The stages of a pass. Each of those with a deadline may take the timeout of the
// policy.
type stage int32

const (
	stageBefore  stage = iota // the guards, and middleware
	stageIntent               // the intent is being recorded: the log has a bound of its own
	stageHandler              // credentials and the handler
	stageAfter                // middleware again, and what makes the answer
	stageDecided              // how it ended can no longer change
)

// timedOut is what to say of a pass that is given up at this stage.
func (s stage) timedOut() error {
	switch s {
	case stageBefore:
		return fmt.Errorf("%w: what comes before the handler", errTimedOut)
	case stageAfter:
		return fmt.Errorf("%w: what comes after the handler", errTimedOut)
	}
	return fmt.Errorf("%w: the handler", errTimedOut)
}

// late is what to say of a pass that was given up at this stage and has ended.
func (s stage) late() string {
	switch s {
	case stageBefore:
		return "what comes before the handler returned after its caller had been answered; the handler was not called"
	case stageAfter:
		return "what comes after the handler returned after its caller had been answered; what it made went to nobody"
	}
	return "the handler returned after its caller had been answered; what it returned went to nobody"
}

var (
	errGoexit    = errors.New("the program's code ended its goroutine without returning (runtime.Goexit)")
	errUnsettled = errors.New("the recorder ended its goroutine")
	errTooLate   = fmt.Errorf("%w: it was answered before its handler was called", ErrNoCall)
)

// begin starts the clock.
func (p *pass) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed.L = &p.mu
	p.working = true
	p.done.Add(1)
	p.answered.Add(1)
	p.deadline = p.begun.Add(p.feature.limits.Timeout)
	p.timer = time.AfterFunc(p.feature.limits.Timeout, p.tick)
}

// tick gives a pass up whose time is over, or what it waits for at its end.
func (p *pass) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := time.Until(p.deadline)
	switch {
	case p.stage == stageDecided:
	case p.stage == stageIntent:
		p.timer.Reset(p.feature.limits.Timeout)
	case left > 0:
		p.timer.Reset(left)
	case p.closing:
		p.leave()
		p.closing = false
		p.changed.Broadcast()
	default:
		p.leave()
		if p.exited {
			p.decide(errGoexit)
		} else {
			p.decide(p.stage.timedOut())
		}
		p.done.Done()
	}
}

// leave counts what runs on as something that a shutdown waits for. Its caller has the
// lock, as those of the next two.
func (p *pass) leave() {
	p.server.running.Begin()
	p.left, p.lefts = true, p.stage
}

// decide ends the pass: nothing of it may begin, and who kept its context gets nothing
// by it any more. A nil ending is its own.
func (p *pass) decide(ending error) {
	p.stage, p.over, p.ending = stageDecided, true, ending
	p.timer.Stop()
	p.call.end()
}

// gone frees the slots and gives the credentials back once nothing of the program's runs
// for the pass, and says whether that outlived the answer.
func (p *pass) gone() (late bool) {
	if p.working || p.parts > 0 {
		return false
	}
	p.giveBack()
	if p.held {
		p.held = false
		p.server.callerSlots.Release(p.caller.Principal.ID)
		p.feature.running.Release()
	}
	late = p.left && !p.told
	p.told = p.left
	return late
}

// join begins a handler's part.
func (p *pass) join() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return errTooLate
	}
	p.parts++
	return nil
}

// part ends a handler's part.
func (p *pass) part(returned bool, err error) {
	p.mu.Lock()
	p.parts--
	if !returned {
		p.exited, err = true, errGoexit
	}
	p.failure = err
	if p.stage < stageAfter {
		p.reach(stageAfter)
	}
	p.changed.Broadcast()
	late := p.gone()
	p.mu.Unlock()
	if late {
		p.late(err)
	}
}

// reach begins a stage, with its time. Its caller has the lock.
func (p *pass) reach(s stage) {
	p.stage, p.deadline = s, time.Now().Add(p.feature.limits.Timeout)
}

// mayIntend says whether the intent may be recorded, and stops the clock for it.
func (p *pass) mayIntend() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == stageDecided || p.left {
		return errTooLate
	}
	p.stage = stageIntent
	return nil
}

// recorded says whether the intent is on record, and returns until when the handler may
// take.
func (p *pass) recorded(intended bool) (until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if intended {
		p.intended = true
		p.reach(stageHandler)
	} else {
		p.reach(stageBefore)
	}
	return p.deadline
}

// wanted says whether to go on: not where somebody else has spoken for the pass.
func (p *pass) wanted() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == stageDecided || p.left {
		return errTooLate
	}
	return nil
}

// close ends the handler's part of the pass for everybody: what middleware left
// running is waited for, as long as its time lasts, and none begins later.
func (p *pass) close(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	for p.parts > 0 && !p.left {
		p.closing = true
		p.changed.Wait()
	}
	p.closing = false
	if p.stage < stageAfter {
		p.reach(stageAfter)
	}
	p.call.end()
	if p.exited { // whatever middleware made of it
		return errGoexit
	}
	return err
}

// own says whether the pass's own goroutine decides, and what is to be recorded.
func (p *pass) own() (seen facts, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == stageDecided {
		return p.facts, false
	}
	p.decide(nil)
	p.working = false
	p.owed = p.gone()
	return p.facts, true
}

// finish is the last that the pass's own goroutine does, however it ends: where it
// decided and what it decided is settled, where it was to decide and cannot any more,
// or where somebody else has decided.
func (p *pass) finish(settled bool, err error) {
	p.mu.Lock()
	givenUp := p.stage == stageDecided && p.working
	switch {
	case givenUp:
	case p.stage != stageDecided:
		p.decide(err)
	case !settled:
		p.ending = errUnsettled
	}
	p.working = false
	late := p.gone() || p.owed
	if !givenUp {
		err = p.failure // what is late is a part
		p.done.Done()
	}
	p.mu.Unlock()
	if late {
		p.late(err)
	}
}

// ended waits for the end of the pass.
func (p *pass) ended() (facts, error) {
	p.done.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.facts, p.ending
}

// late is called by the last that runs for a pass whose caller has been answered.
// Nobody gets what it returned; the log learns that it ended.
func (p *pass) late(err error) {
	defer p.server.running.End()
	p.answered.Wait() // its outcome comes first
	p.recordLate(context.Background(), err)
}
