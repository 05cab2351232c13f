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
// then says why. Whoever takes the stage past stageAfter has decided, once.
type course struct {
	inside sync.Mutex // held while the handler's part runs: one at a time

	mu       sync.Mutex
	changed  sync.Cond // a part has ended, or was left behind
	stage    stage
	deadline time.Time // of the stage
	last     time.Time // of all stages before the outcome, once a handler's part has come to its intent
	timer    *time.Timer
	wakes    time.Time      // when the timer calls tick, if it is set, and then never after the deadline
	done     sync.WaitGroup // what the one that answers waits for
	answered sync.WaitGroup // what a late end waits for
	ending   error

	held    bool  // slots are taken
	working bool  // the pass's own goroutine runs code of the program's
	parts   int   // handler's parts that run, on whatever goroutine
	over    bool  // none may begin any more
	exited  bool  // one of them ended its goroutine
	left    stage // what ran on when nobody waited for it any more, if anything
	told    bool  // somebody is telling the log that it has ended
	failure error // of the last part
}

var (
	errGoexit    = errors.New("the program's code ended its goroutine without returning (runtime.Goexit)")
	errUnsettled = errors.New("the recorder did not return")
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
	first := min(p.feature.limits.Timeout, recorderTimeout) // so that most calls never set it again
	p.wakes, p.timer = p.begun.Add(first), time.AfterFunc(first, p.tick)
	p.begins(stageBefore, p.begun.Add(p.feature.limits.Timeout))
}

// tick is called by the timer: it gives up what has had its time, and sets the timer for
// what has not.
func (p *pass) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wakes = time.Time{}
	p.expire(time.Now())
	if p.stage != stageOver {
		p.begins(p.stage, p.deadline)
	}
}

// expire gives up what has had its time: the parts that the pass waits for at its end, or
// the pass.
func (p *pass) expire(now time.Time) {
	switch {
	case p.stage == stageOver || now.Before(p.deadline):
	case p.over && p.parts > 0 && p.left == 0 && p.stage != stageIntent: // close waits for them
		p.leave()
		p.last = time.Time{} // they end here, and no other begins
		p.reach(stageAfter, now)
	default:
		p.leave()
		p.decide(stageOver, p.givenUp())
		p.done.Done()
	}
}

// givenUp is why a pass has no end of its own. Its caller has the lock, as those of the
// next six, and of expire.
func (p *pass) givenUp() error {
	switch {
	case p.stage == stageIntent && !p.intended:
		return unrecordable(errUnsettled)
	case p.stage == stageIntent || p.stage == stageOutcome:
		return errUnsettled
	case p.exited:
		return errGoexit
	}
	return p.stage.timedOut()
}

// reach begins a stage now, with its time.
func (p *pass) reach(s stage, now time.Time) {
	deadline := now.Add(p.feature.limits.Timeout)
	if !p.last.IsZero() && p.last.Before(deadline) {
		deadline = p.last
	}
	p.begins(s, deadline)
}

// begins is reach for a stage that has until the deadline given.
func (p *pass) begins(s stage, deadline time.Time) {
	p.stage, p.deadline = s, deadline
	if p.wakes.IsZero() || deadline.Before(p.wakes) {
		p.wakes = deadline
		p.timer.Reset(time.Until(deadline))
	}
}

// leave counts what runs on as something that a shutdown waits for.
func (p *pass) leave() {
	if p.left == 0 {
		p.server.running.Begin()
	}
	p.left = p.stage
	p.changed.Broadcast()
}

// decide ends the pass: nothing of it may begin, and who kept its context gets nothing
// by it any more. A nil ending is its own.
func (p *pass) decide(s stage, ending error) {
	p.stage, p.over, p.ending = s, true, ending
	p.call.end()
}

// free gives slots and credentials back once nothing of the program's runs for the pass,
// and says whether that is so.
func (p *pass) free() bool {
	if p.working || p.parts > 0 {
		return false
	}
	p.giveBack()
	if p.held {
		p.held = false
		p.server.callerSlots.Release(p.caller.Principal.ID)
		p.feature.running.Release()
	}
	return true
}

// gone is free for what ends, and says whether the log is to learn of that from it.
func (p *pass) gone() (late bool) {
	if !p.free() || p.left == 0 || p.told {
		return false
	}
	p.told = true
	return true
}

// runsOn says whether something of the pass outlives its answer, and has an end of its own
// on record.
func (p *pass) runsOn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left != 0 && !p.told
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
		p.reach(stageAfter, time.Now())
	}
	p.changed.Broadcast()
	late := p.gone()
	p.mu.Unlock()
	if late {
		p.late(err)
	}
}

// mayIntend says whether the intent may be recorded, which takes none of the handler's
// time.
func (p *pass) mayIntend() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.expire(now); p.spokenFor() {
		return errTooLate
	}
	p.begins(stageIntent, now.Add(recorderTimeout))
	return nil
}

// recorded says whether the intent is on record, and returns until when the handler may
// take. Where middleware calls it again, all of its parts share the time of one.
func (p *pass) recorded(intended bool) (until time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := stageBefore
	if p.intended {
		next = stageAfter // of the time before
	}
	p.intended = p.intended || intended
	if p.stage != stageIntent {
		return until, errTooLate
	}
	now := time.Now()
	if p.last.IsZero() {
		p.last = now.Add(2 * p.feature.limits.Timeout)
	}
	if intended && now.Before(p.last) { // the recorder may have taken what was left
		next = stageHandler
	}
	p.reach(next, now)
	if p.expire(now); p.spokenFor() {
		return until, errTooLate
	}
	return p.deadline, nil
}

// wanted says whether to go on: not where somebody else has spoken for the pass.
func (p *pass) wanted() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spokenFor() {
		return errTooLate
	}
	return nil
}

// spokenFor says whether somebody else has spoken for the pass.
func (p *pass) spokenFor() bool { return p.stage >= stageOutcome || p.left != 0 }

// close ends the handler's part of the pass for everybody: what middleware left
// running is waited for, as long as its time lasts, and none begins later.
func (p *pass) close(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	for p.parts > 0 && p.left == 0 {
		p.changed.Wait()
	}
	if p.stage < stageAfter {
		p.reach(stageAfter, time.Now())
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
	if p.stage >= stageOutcome {
		return p.facts, false
	}
	p.decide(stageOutcome, nil)
	p.begins(stageOutcome, time.Now().Add(recorderTimeout))
	p.working = false
	p.free()
	return p.facts, true
}

// finish is the last that the pass's own goroutine does, however it ends: where it
// decided and what it decided is settled, where it was to decide and cannot any more,
// or where it was given up.
func (p *pass) finish(settled bool, err error) {
	p.mu.Lock()
	p.timer.Stop()
	waited := p.stage != stageOver
	switch {
	case !waited:
	case p.stage != stageOutcome:
		p.decide(stageOver, err)
	case !settled:
		p.ending = p.givenUp()
	}
	p.stage, p.working = stageOver, false
	late := p.gone()
	if waited {
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
