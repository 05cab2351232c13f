package secrets

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// pace is the time between two things that the keeper begins: it sends at most a
	// hundred requests in a second, whatever there is to do.
	pace = 10 * time.Millisecond
	// revokeAgain is how long after one that failed a revocation is tried again, at
	// first; it is doubled each time, up to a minute.
	revokeAgain      = 5 * time.Second
	revokeAtLeastOft = time.Minute
	// mostRevoking bounds the revocations under way, so that a store which is slow to
	// revoke, or hangs, leaves room to issue.
	mostRevoking = outstanding / 4
	// longestWait is how long the keeper sleeps while there is something left to do.
	longestWait = time.Hour
)

// A keeper looks after the credentials that are out: it confirms those that are used,
// lets go of those that are not, and revokes those whose time is over.
type keeper struct {
	broker *broker

	mu       sync.Mutex
	due      dueHeap
	draining map[*Credential]*drain // what is to be revoked
	wake     chan struct{}
	stop     chan struct{}
	stopped  bool
	running  bool
	revoking int  // that the provider has not returned from
	turnNext bool // the last thing begun was a revocation
}

// A drain is a revocation that is due.
type drain struct {
	notBefore time.Duration
	failures  int
	givenUp   bool
}

func newKeeper(b *broker) *keeper {
	return &keeper{broker: b, draining: map[*Credential]*drain{}, wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// schedule has e looked at when its time has come.
func (k *keeper) schedule(e *entry, at time.Duration) {
	k.mu.Lock()
	e.due = at
	if e.at < 0 {
		heap.Push(&k.due, e)
	} else {
		heap.Fix(&k.due, e.at)
	}
	k.start()
	k.mu.Unlock()
	k.nudge()
}

// drain has c revoked once no call has it. givenUp says that leases know already.
func (k *keeper) drain(c *Credential, givenUp bool) {
	k.mu.Lock()
	k.draining[c] = &drain{givenUp: givenUp}
	k.start()
	k.mu.Unlock()
	k.nudge()
}

// start begins to look after things. It ends by itself when there is nothing left.
func (k *keeper) start() {
	if !k.running && !k.stopped {
		k.running = true
		go k.run()
	}
}

// nudge has the keeper look again at what there is.
func (k *keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// end stops the keeper for good.
func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.stopped {
		k.stopped = true
		close(k.stop)
	}
}

func (k *keeper) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		work, wait := k.next()
		switch {
		case work != nil:
			wait = 0
			if work() {
				wait = pace
			}
		case wait < 0:
			return
		}
		timer.Reset(wait)
		if work != nil {
			select {
			case <-timer.C:
			case <-k.stop:
				return
			}
			continue
		}
		select {
		case <-timer.C:
		case <-k.wake:
		case <-k.stop:
			return
		}
	}
}

// next returns what is to be done now, which reports whether it sends a request, or how
// long there is nothing; less than nothing says that the keeper is not needed any more.
// Revocations and looks at entries take turns: neither holds up the other.
func (k *keeper) next() (work func() bool, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.broker.clock()
	if k.turnNext {
		if work := k.look(now); work != nil {
			return work, 0
		}
	}
	wait = -1
	for c, d := range k.draining {
		switch {
		case k.broker.leases.over(c, time.Now()):
			delete(k.draining, c)
		case d.notBefore > now:
			wait = sooner(wait, d.notBefore-now)
		case k.revoking >= mostRevoking: // one that returns wakes us
			wait = sooner(wait, longestWait)
		case c.generation.users.Load() < 0 || c.generation.endIdle():
			if !d.givenUp { // not before: until now calls had it
				d.givenUp = true
				k.broker.leases.giveUp(c)
			}
			if k.broker.leases.needed(c) { // by others, who were given the same
				delete(k.draining, c)
				continue
			}
			d.notBefore = now + revokeTimeout + revokeAgain
			k.revoking++
			k.turnNext = true
			return func() bool { go k.revoke(c); return true }, 0
		default: // a call has it: Release wakes us, and what ends in time needs nothing
			end := longestWait
			if left := time.Until(c.expires); !c.expires.IsZero() && left > 0 {
				end = left
			}
			wait = sooner(wait, end)
		}
	}
	if work := k.look(now); work != nil {
		return work, 0
	}
	if len(k.due) > 0 {
		wait = sooner(wait, k.due[0].due-now)
	}
	if wait < 0 {
		k.running = false
	}
	return nil, wait
}

// look returns the look at the entry that is due, if one is. The caller holds the lock.
func (k *keeper) look(now time.Duration) func() bool {
	if len(k.due) == 0 || k.due[0].due > now {
		return nil
	}
	e := k.due[0]
	heap.Pop(&k.due)
	k.turnNext = false
	return func() bool { return k.broker.turn(e) }
}

// sooner returns the shorter of two waits, of which one below zero is none.
func sooner(a, b time.Duration) time.Duration {
	b = max(b, time.Millisecond)
	if a < 0 {
		return b
	}
	return min(a, b)
}

// revoke takes back what no call has any more. What fails is tried again until it has
// expired.
func (k *keeper) revoke(c *Credential) {
	b := k.broker
	ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
	defer cancel()
	var err error
	select {
	case b.slots <- struct{}{}:
		if b.leases.isClosed() { // Close revokes all that is left
			<-b.slots
			k.returned()
			return
		}
		err = b.revoke(ctx, c, func() { <-b.slots; k.returned() })
	case <-ctx.Done():
		k.returned()
		err = fmt.Errorf("secrets: %d requests to the provider are under way: %w", outstanding, context.Cause(ctx))
	}
	k.mu.Lock()
	d := k.draining[c]
	switch {
	case err == nil:
		delete(k.draining, c)
		b.leases.forget(c)
	case d != nil:
		d.notBefore = b.clock() + min(revokeAgain<<min(d.failures, 6), revokeAtLeastOft)
		d.failures++
	}
	first := d != nil && d.failures == 1
	k.mu.Unlock()
	if err != nil && first && !expired(c, time.Now()) { // or it has ended, as far as is known
		b.post(Notice{Kind: NoticeUnrevoked, Binding: c.binding, Reason: fmt.Sprintf("%s could not be revoked, and is tried again: %v", c, err)})
		b.tell()
	}
	k.nudge()
}

// returned says that the provider has returned from a revocation.
func (k *keeper) returned() {
	k.mu.Lock()
	k.revoking--
	k.mu.Unlock()
	k.nudge()
}

// turn is the keeper's look at e: an entry that is used is confirmed, one that was not
// for long enough is let go. It reports whether it sends a request.
func (b *broker) turn(e *entry) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead || e.flight != nil { // the flight's end schedules it again
		return false
	}
	l, now := e.lent.Load(), b.clock()
	if e.used.Swap(false) {
		e.usedAt = now
	}
	idle := now-e.usedAt >= b.options.Confirm
	if l == nil || (idle && l.credential.generation.endIdle()) { // a long call may have it
		b.letGo(e, l)
		return false
	}
	e.flight = &flight{done: make(chan struct{})}
	go b.fly(e, e.flight)
	return true
}

// letGo takes e out, and has what it had revoked.
func (b *broker) letGo(e *entry, l *lent) {
	e.dead = true
	e.lent.Store(nil)
	b.cache.remove(e)
	if l == nil {
		return
	}
	l.credential.generation.end()
	l.credential.generation.retire()
	if revocable(l.credential) {
		b.keeper.drain(l.credential, false)
	}
}

// dueHeap orders entries by when they are due.
type dueHeap []*entry

func (h *dueHeap) Len() int           { return len(*h) }
func (h *dueHeap) Less(i, j int) bool { return (*h)[i].due < (*h)[j].due }
func (h *dueHeap) Swap(i, j int) {
	(*h)[i], (*h)[j] = (*h)[j], (*h)[i]
	(*h)[i].at, (*h)[j].at = i, j
}

// Push implements [heap.Interface].
func (h *dueHeap) Push(x any) {
	e, _ := x.(*entry)
	e.at = len(*h)
	*h = append(*h, e)
}

// Pop implements [heap.Interface].
func (h *dueHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	e.at = -1
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
