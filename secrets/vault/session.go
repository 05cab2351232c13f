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

// errClosed is the answer after Close.
var errClosed = errors.New("vault: the provider is closed")

// errShortLived is the answer while no login is tried because the last two tokens ended
// one after the other.
var errShortLived = fmt.Errorf("vault: the tokens that Vault gives end at once: %w", secrets.ErrUnavailable)

// A session keeps a token: it logs in where there is none, once for all who wait,
// renews it when two thirds of its life are over, and logs in again when it has ended.
type session struct {
	client *client
	login  Login
	now    func() time.Time
	budget time.Duration
	// receive is called with a token that Vault gave, before it is used.
	receive func(context.Context, *token) error

	mu      sync.Mutex
	current *token
	older   []*token // that have been replaced and live until their end, with their leases
	flight  *flight
	closed  bool
	left    bool      // closed without waiting for the flight
	doubted time.Time // when a token was given up that may have been good
	// forgotten is when one was that had ended before its time.
	forgotten time.Time
	refused   error     // what the last login was refused with, or why there is none
	rest      time.Time // until when that is the answer
	pause     time.Duration
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
	now := s.now()
	switch t := s.current; {
	case s.closed:
		s.mu.Unlock()
		return nil, errClosed
	case t != nil && !t.over(now):
		s.mu.Unlock()
		return t, nil
	case s.flight == nil && now.Before(s.rest):
		defer s.mu.Unlock()
		return nil, s.refused
	}
	f := s.flight
	if f == nil {
		f = s.takeOff(context.WithoutCancel(ctx))
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("vault: logging in: %w", context.Cause(ctx))
	}
}

// takeOff begins a login. The caller holds the lock.
func (s *session) takeOff(ctx context.Context) *flight {
	f := &flight{done: make(chan struct{})}
	s.flight = f
	go s.fly(ctx, f)
	return f
}

func (s *session) fly(ctx context.Context, f *flight) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(ctx, s.budget)
	defer cancel()
	t, err := s.enter(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = nil
	switch f.err = err; {
	case err != nil:
		s.cool(err)
		return
	case s.left && t.ours(): // nobody else revokes it
		_, _ = s.client.send(ctx, http.MethodPost, "auth/token/revoke-self", t.value, nil)
		fallthrough
	case s.closed:
		f.err = errClosed
	default:
		f.token = t
	}
	s.refused, s.rest, s.pause = nil, time.Time{}, 0
	s.shelve(s.current)
	s.current = t
}

// enter logs in, and has the token received.
func (s *session) enter(ctx context.Context) (*token, error) {
	begun := s.now()
	a, err := s.login.login(ctx, s.client)
	if err != nil {
		return nil, err
	}
	_, given := s.login.(*givenToken)
	t := &token{
		value: secrets.NewSecret([]byte(a.Token)), accessor: a.Accessor, role: within(a.role()), given: given, renews: a.Renewable, parent: a.parent,
		begun: begun, lifetime: seconds(a.Lifetime),
	}
	if err := s.receive(ctx, t); err != nil {
		if t.ours() {
			_, _ = s.client.send(ctx, http.MethodPost, "auth/token/revoke-self", t.value, nil)
		}
		return nil, err
	}
	return t, nil
}

// cool bounds how often a login is tried again that is refused, or that cannot be written
// down: every time it is asked for would be a storm, Vault locks a login out that fails too
// often, and a SecretID may have few uses. The caller holds the lock.
func (s *session) cool(err error) {
	if _, full := errors.AsType[*errJournal](err); errors.Is(err, secrets.ErrUnavailable) && !full {
		return // the breaker does it
	}
	s.pause = min(max(2*s.pause, shortestRest), longestRest)
	s.refused, s.rest = err, s.now().Add(s.pause)
}

// shelve keeps a token that another replaces: it lives until its end. The caller holds
// the lock.
func (s *session) shelve(t *token) {
	now := s.now()
	living := s.older[:0]
	for _, old := range s.older {
		if !old.over(now) {
			living = append(living, old)
		}
	}
	clear(s.older[len(living):])
	s.older = living
	if t != nil && !t.over(now) {
		t.retire()
		s.older = append(s.older, t)
	}
}

// forgetEvery is how often a token is replaced that has ended before its time: where each
// does as soon as it is made, every use of a key would be a login.
const forgetEvery = time.Second

// forget says that a token has ended before its time.
func (s *session) forget(t *token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != t {
		return
	}
	s.current = nil
	now := s.now()
	if !s.forgotten.IsZero() && now.Sub(s.forgotten) < forgetEvery {
		s.refused, s.rest = errShortLived, now.Add(forgetEvery)
	}
	s.forgotten = now
}

// doubtEvery is how often a token is replaced that Vault does not say has ended.
const doubtEvery = time.Minute

// doubt says that a token may have ended before its time: it may not even look at itself,
// which is also so where its policies do not let it. Then it is as well in a minute.
func (s *session) doubt(t *token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.current != t {
		return true
	}
	if !s.doubted.IsZero() && now.Sub(s.doubted) < doubtEvery {
		return false
	}
	s.doubted = now
	s.shelve(t) // and is revoked at the end, if it is there
	s.current = nil
	return true
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
	s.replace(t)
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
	// False where it has reached the longest life that it may have.
	return t.extend(begun, seconds(a.Auth.Lifetime))
}

// replace logs in anew and leaves the old token where that fails.
func (s *session) replace(t *token) {
	s.mu.Lock()
	if s.current != t || s.flight != nil || s.closed || s.now().Before(s.rest) {
		s.mu.Unlock()
		return
	}
	f := s.takeOff(context.Background())
	s.mu.Unlock()
	<-f.done
}

// close ends it, and returns every token that may be alive, once no login is under way
// any more or ctx has ended.
func (s *session) close(ctx context.Context) []*token {
	s.mu.Lock()
	s.closed = true
	f := s.flight
	s.mu.Unlock()
	if f != nil {
		select {
		case <-f.done:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = s.flight != nil
	now := s.now()
	var all []*token
	for _, t := range append([]*token{s.current}, s.older...) {
		if t != nil && !t.over(now) {
			all = append(all, t)
		}
	}
	return all
}

// isLeft says that close did not wait for a login under way, whose token may be written
// down already.
func (s *session) isLeft() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}
