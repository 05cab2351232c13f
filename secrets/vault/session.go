package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// A token is one that Vault gave, with its end.
type token struct {
	value    secrets.Secret
	accessor string
	begun    time.Time
	lifetime time.Duration // zero does not end
	renews   bool
	given    bool // by somebody else, who ends it
}

func (t *token) expires() time.Time {
	if t.lifetime == 0 {
		return time.Time{}
	}
	return t.begun.Add(t.lifetime)
}

// late says that two thirds of the lifetime are over.
func (t *token) late(now time.Time) bool {
	return t.lifetime > 0 && now.Sub(t.begun) >= t.lifetime*2/3
}

func (t *token) over(now time.Time) bool {
	return t.lifetime > 0 && !now.Before(t.expires())
}

// A session keeps a token: it logs in where there is none, once for all who wait,
// renews it when two thirds of its life are over, and logs in again when it has ended.
type session struct {
	client *client
	login  Login
	now    func() time.Time
	budget time.Duration

	mu      sync.Mutex
	current *token
	flight  *flight
}

// A flight is a login under way, which does not end with whoever began it.
type flight struct {
	done  chan struct{}
	token *token
	err   error
}

// get returns a token that has not ended, as far as is known.
func (s *session) get(ctx context.Context) (*token, error) {
	s.mu.Lock()
	if t := s.current; t != nil && !t.over(s.now()) {
		s.mu.Unlock()
		return t, nil
	}
	f := s.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		s.flight = f
		go s.fly(context.WithoutCancel(ctx), f)
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("vault: logging in: %w", context.Cause(ctx))
	}
}

func (s *session) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, s.budget)
	defer cancel()
	begun := s.now()
	a, err := s.login.login(ctx, s.client)
	if err == nil {
		_, given := s.login.(*givenToken)
		f.token = &token{
			value: secrets.NewSecret([]byte(a.Token)), accessor: a.Accessor, begun: begun,
			lifetime: time.Duration(a.Lifetime) * time.Second, renews: a.Renewable, given: given,
		}
	}
	f.err = err
	s.mu.Lock()
	s.flight = nil
	if err == nil {
		s.current = f.token
	}
	s.mu.Unlock()
	close(f.done)
}

// forget says that a token has ended before its time.
func (s *session) forget(t *token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == t {
		s.current = nil
	}
}

// held returns the token that there is, without logging in.
func (s *session) held() *token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// turn renews a token that is late; one that cannot be renewed is replaced.
func (s *session) turn() {
	t := s.held()
	if t == nil || !t.late(s.now()) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.budget)
	defer cancel()
	if t.renews && s.renew(ctx, t) {
		return
	}
	if t.given {
		return // there is no other: what is asked for after its end is refused
	}
	s.replace(ctx, t)
}

// renew extends the life of a token, and says whether nothing more is to be done now.
func (s *session) renew(ctx context.Context, t *token) bool {
	begun := s.now()
	a, err := s.client.do(ctx, http.MethodPost, "auth/token/renew-self", t.value, nil)
	if errors.Is(err, secrets.ErrUnavailable) {
		return true // it is tried again at the next turn, and the token is good until its end
	}
	if err != nil || a.Auth == nil {
		return false
	}
	next := *t
	next.begun, next.lifetime = begun, time.Duration(a.Auth.Lifetime)*time.Second
	if !next.expires().After(t.expires()) {
		return false // it has reached the longest life that it may have
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == t {
		s.current = &next
	}
	return true
}

// replace logs in anew and leaves the old token where that fails.
func (s *session) replace(ctx context.Context, t *token) {
	s.mu.Lock()
	if s.current != t || s.flight != nil {
		s.mu.Unlock()
		return
	}
	f := &flight{done: make(chan struct{})}
	s.flight = f
	s.mu.Unlock()
	s.fly(ctx, f)
}
