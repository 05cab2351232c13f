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

// A holding counts how often a provider has issued a credential: it may give the same
// one several times, and then one that is given up must not end the others.
type holding struct {
	credential *Credential
	times      int
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
	h.credential = c
	h.times++
	return nil
}

// extend says that c is what its credential has become by renewing it.
func (l *leases) extend(c *Credential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[leaseOf(c)]; h != nil {
		h.credential = c
	}
}

// onlyOne gives up c, which was held or not, and reports whether nobody else has it.
func (l *leases) onlyOne(c *Credential, held bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[leaseOf(c)]
	if h == nil {
		return true
	}
	if held {
		h.times--
	}
	return h.times == 0
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
		if expired(h.credential, now) {
			delete(l.held, key)
			continue
		}
		todo = append(todo, h.credential)
	}
	return todo
}
