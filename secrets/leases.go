package secrets

import (
	"fmt"
	"sync"
	"time"
)

// sweep is how often expired credentials are dropped.
const sweep = time.Minute

// maxLeases bounds how many credentials may wait to be revoked at the same time.
const maxLeases = 1 << 16

// leases are the credentials that can be revoked and have not been, or expired.
type leases struct {
	mu     sync.Mutex
	closed bool
	held   map[lease]*holding
	swept  time.Time
	most   int // maxLeases, or less in tests
}

// A lease is the name of an issued credential: the ID its provider gave, or where
// there is none the credential itself.
type lease struct {
	binding    Binding
	id         string
	credential *Credential
}

// A holding counts who has a credential: a provider may give the same one several times,
// and then one that is given up must not end the others.
type holding struct {
	credential *Credential
	times      int
	life       time.Duration // the longest that it was given
	perhaps    time.Time     // that its store may have renewed it until, without our being told
}

// become says that the credential is c now.
func (h *holding) become(c *Credential, now time.Time) {
	h.credential = c // and not less than perhaps: a renewal may be under way
	if !c.expires.IsZero() {
		h.life = max(h.life, c.expires.Sub(now))
	}
}

func (h *holding) expired(now time.Time) bool {
	return expired(h.credential, now) && !h.perhaps.After(now)
}

func revocable(c *Credential) bool { return c.id != "" || !c.expires.IsZero() }

// stored says that there is nothing to renew or to revoke.
func (c *Credential) stored() bool { return !revocable(c) }

func leaseOf(c *Credential) lease {
	if c.id != "" {
		return lease{binding: c.binding, id: c.id}
	}
	return lease{binding: c.binding, credential: c.root()}
}

func (l *leases) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// hold keeps c until it is forgotten.
func (l *leases) hold(c *Credential, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if !revocable(c) {
		return nil
	}
	l.drop(now)
	h := l.held[leaseOf(c)]
	if h == nil {
		if len(l.held) >= l.most {
			return fmt.Errorf("secrets: %d credentials are waiting to be revoked: share them between calls, or issue them for a shorter time", l.most)
		}
		h = &holding{}
		l.held[leaseOf(c)] = h
	}
	h.become(c, now)
	h.times++
	return nil
}

// keep holds c, which nobody has, until it is forgotten, also for a Close that has begun.
// It reports whether there is room.
func (l *leases) keep(c *Credential) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[leaseOf(c)] == nil {
		if len(l.held) >= l.most {
			return false
		}
		l.held[leaseOf(c)] = &holding{credential: c}
	}
	return true
}

// extend says that c is what its credential has become by renewing it, and reports
// whether that is held.
func (l *leases) extend(c *Credential, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[leaseOf(c)]
	if h != nil {
		h.become(c, now)
	}
	return h != nil
}

// renewing says that a renewal of c is begun, whose answer may be lost: for as long as its
// store ever gave it, and what a request may take, it may live.
func (l *leases) renewing(c *Credential, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[leaseOf(c)]
	if h == nil {
		return
	}
	if until := now.Add(h.life + revokeTimeout); until.After(h.perhaps) {
		h.perhaps = until
	}
}

// unrenewable says that c cannot be renewed, and has not been.
func (l *leases) unrenewable(c *Credential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[leaseOf(c)]; h != nil {
		h.perhaps = time.Time{}
	}
}

// giveUp says that one of those who have c does not need it any more. It is held until
// it is forgotten.
func (l *leases) giveUp(c *Credential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[leaseOf(c)]; h != nil && h.times > 0 {
		h.times--
	}
}

// same says that c was issued again as what old is, and is had once.
func (l *leases) same(old, c *Credential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if was := leaseOf(old); was != leaseOf(c) {
		delete(l.held, was)
	} else if h := l.held[was]; h != nil && h.times > 1 {
		h.times--
	}
}

// needed reports whether somebody has c.
func (l *leases) needed(c *Credential) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[leaseOf(c)]
	return h != nil && h.times > 0
}

// over reports whether c has expired, also as what renewing it has or may have made of
// it, and forgets it then.
func (l *leases) over(c *Credential, now time.Time) bool {
	if !expired(c, now) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[leaseOf(c)]
	if h != nil && !h.expired(now) {
		return false
	}
	delete(l.held, leaseOf(c))
	return true
}

// forget says that there is nothing of c left to revoke.
func (l *leases) forget(c *Credential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, leaseOf(c))
}

// drop forgets what has expired, now and then.
func (l *leases) drop(now time.Time) {
	if now.Sub(l.swept) < sweep && len(l.held) < l.most {
		return
	}
	l.swept = now
	for key, h := range l.held {
		if h.expired(now) {
			delete(l.held, key)
		}
	}
}

func expired(c *Credential, now time.Time) bool {
	return !c.expires.IsZero() && !c.expires.After(now)
}

// close makes every later hold fail, and returns what is to be revoked.
func (l *leases) close(now time.Time) []*Credential {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	var todo []*Credential
	for key, h := range l.held {
		if h.expired(now) {
			delete(l.held, key)
			continue
		}
		todo = append(todo, h.credential)
	}
	return todo
}
