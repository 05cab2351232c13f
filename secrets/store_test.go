package secrets_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// A store is one with stored values and leases, whose troubles a test can make.
type store struct {
	life    time.Duration // of a lease, from when it was issued or renewed
	longest time.Duration // of a lease in all

	mu       sync.Mutex
	version  int
	fail     error
	slow     time.Duration
	leases   map[string]*storeLease
	issued   int
	renewed  int
	revoked  int
	requests []secrets.Request
	busy     map[secrets.Request]int // under way
	twice    bool                    // two were under way for one request
}

type storeLease struct{ begun, expires time.Time }

func newStore(life, longest time.Duration) *store {
	return &store{life: life, longest: longest, version: 1, leases: map[string]*storeLease{}, busy: map[secrets.Request]int{}}
}

func (s *store) enter(r secrets.Request) (leave func(), fail error) {
	s.mu.Lock()
	s.busy[r]++
	s.twice = s.twice || s.busy[r] > 1
	slow := s.slow
	fail = s.fail
	s.mu.Unlock()
	time.Sleep(slow)
	return func() { s.mu.Lock(); s.busy[r]--; s.mu.Unlock() }, fail
}

func (s *store) Issue(_ context.Context, r secrets.Request) (*secrets.Credential, error) {
	leave, fail := s.enter(r)
	defer leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued++
	s.requests = append(s.requests, r)
	if fail != nil {
		return nil, fail
	}
	d := secrets.CredentialData{Binding: r.Binding, Version: fmt.Sprint("v", s.version), Value: secrets.NewSecret(fmt.Appendf(nil, "%s-%04d", canary, s.version))}
	if r.Binding.Kind() == secrets.KindDatabase {
		d.ID = fmt.Sprint("lease-", s.issued)
		d.Version, d.Value = d.ID, secrets.NewSecret(fmt.Appendf(nil, "%s-%s", canary, d.ID))
		now := time.Now()
		s.leases[d.ID] = &storeLease{now, now.Add(s.life)}
		d.Expires = now.Add(s.life)
	}
	return secrets.NewCredential(d)
}

func (s *store) Renew(_ context.Context, c *secrets.Credential) (*secrets.Credential, error) {
	leave, fail := s.enter(secrets.Request{Binding: c.Binding(), Tool: c.ID()})
	defer leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewed++
	l := s.leases[c.ID()]
	switch {
	case fail != nil:
		return nil, fail
	case l == nil || !l.expires.After(time.Now()):
		return nil, fmt.Errorf("lease %s: %w", c.ID(), secrets.ErrNotFound)
	}
	if to := time.Now().Add(s.life); to.Before(l.begun.Add(s.longest)) {
		l.expires = to
	} else {
		l.expires = l.begun.Add(s.longest)
	}
	return secrets.NewCredential(secrets.CredentialData{Binding: c.Binding(), ID: c.ID(), Version: c.Version(), Value: c.Secret(), Expires: l.expires})
}

func (s *store) Revoke(_ context.Context, c *secrets.Credential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked++
	if s.fail != nil {
		return s.fail
	}
	delete(s.leases, c.ID())
	return nil
}

// live are the leases that the store knows, and that have not expired.
func (s *store) live() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.leases {
		if l.expires.After(time.Now()) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *store) knows(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[id]
	return l != nil && l.expires.After(time.Now())
}

func (s *store) set(f func(*store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *store) counts() (issued, renewed, revoked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued, s.renewed, s.revoked
}

// A scripted provider is a store of which a test has replaced what it needs.
type scripted struct {
	*store
	issue  func(context.Context, secrets.Request) (*secrets.Credential, error)
	renew  func(context.Context, *secrets.Credential) (*secrets.Credential, error)
	revoke func(context.Context, *secrets.Credential) error
}

func (s scripted) Issue(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
	if s.issue != nil {
		return s.issue(ctx, r)
	}
	return s.store.Issue(ctx, r)
}

func (s scripted) Renew(ctx context.Context, c *secrets.Credential) (*secrets.Credential, error) {
	if s.renew != nil {
		return s.renew(ctx, c)
	}
	return s.store.Renew(ctx, c)
}

func (s scripted) Revoke(ctx context.Context, c *secrets.Credential) error {
	if s.revoke != nil {
		return s.revoke(ctx, c)
	}
	return s.store.Revoke(ctx, c)
}

// told gathers what a broker tells.
type told struct {
	mu    sync.Mutex
	kinds []secrets.NoticeKind
	all   []secrets.Notice
}

func (n *told) note(notice secrets.Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kinds, n.all = append(n.kinds, notice.Kind), append(n.all, notice)
}

func (n *told) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprint(n.kinds)
}

func brokerOf(t *testing.T, s *store, o *secrets.Options) (*secrets.Broker, *told) {
	t.Helper()
	b, n := secrets.NewBroker(s, o), &told{}
	b.Watch(n.note)
	return b, n
}

// use acquires and releases once.
func use(t *testing.T, b *secrets.Broker, r secrets.Request) *secrets.Credential {
	t.Helper()
	c, err := b.Acquire(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	b.Release(c)
	return c
}
