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

// leases are the credentials that can be revoked and have not expired.
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

// A holding counts who has a credential: a provider may give the same one to
// several calls, and then one that is given up must not end the others'.
type holding struct {
	credential *Credential
	pending    int // issued, and not yet handed over or given up
	delivered  bool
}

func revocable(c *Credential) bool { return c.id != "" || !c.expires.IsZero() }

func leaseOf(c *Credential) lease {
	if c.id != "" {
		return lease{binding: c.binding, id: c.id}
	}
	return lease{binding: c.binding, credential: c}
}

func (l *leases) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// hold keeps c until it is delivered or given up.
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
	h.credential = c
	h.pending++
	return nil
}

// deliver says that a call has c now.
func (l *leases) deliver(c *Credential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[leaseOf(c)]; h != nil {
		h.pending--
		h.delivered = true
	}
}

// giveUp reports whether c is to be revoked because nobody has it or will.
func (l *leases) giveUp(c *Credential, held bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[leaseOf(c)]
	if h == nil {
		return revocable(c)
	}
	if held {
		h.pending--
	}
	return h.pending == 0 && !h.delivered
}

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
		if expired(h.credential, now) {
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
		switch {
		case expired(h.credential, now):
			delete(l.held, key)
		case h.delivered:
			todo = append(todo, h.credential)
		}
	}
	return todo
}
