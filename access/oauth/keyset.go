package oauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safemcp/safemcp/access"
)

const (
	refreshEvery = 5 * time.Minute // how long a key that the issuer withdrew may still count
	fetchPause   = 5 * time.Second // between two fetches, whatever they brought: at most 12 a minute
	fetchFor     = 5 * time.Second // a fetch, discovery included
)

var (
	errUnknownKey   = errors.New("oauth: the issuer's key set has no key for the token")
	errAmbiguousKey = errors.New("oauth: the token names no key, and more than one of the issuer's would do")
	errWrongKey     = errors.New("oauth: the key that the token names is not for its algorithm")
)

// keys are a key set as it was fetched. Nobody changes them.
type keys struct {
	list   []*key
	prints map[fingerprint]struct{}
	asOf   time.Time
}

func newKeys(list []*key, asOf time.Time) *keys {
	k := &keys{list: list, prints: make(map[fingerprint]struct{}, len(list)), asOf: asOf}
	for _, one := range list {
		k.prints[one.print] = struct{}{}
	}
	return k
}

func (k *keys) has(p fingerprint) bool {
	_, ok := k.prints[p]
	return ok
}

// find returns the key that a token names. One that names none is taken only where
// there is nothing to guess. The error is errUnknownKey where a newer key set may know
// better.
func (k *keys) find(kid, alg string) (*key, error) {
	var found *key
	named := false
	for _, one := range k.list {
		switch {
		case kid == "" && one.fits(alg) && found != nil:
			return nil, errAmbiguousKey
		case kid == "" && one.fits(alg):
			found = one
		case kid != "" && one.kid == kid && one.fits(alg):
			return one, nil
		case kid != "" && one.kid == kid:
			named = true
		}
	}
	switch {
	case found != nil:
		return found, nil
	case named:
		return nil, errWrongKey
	}
	return nil, errUnknownKey
}

// A keySet holds the issuer's keys and keeps them fresh. There is at most one fetch at
// a time, on a context of its own: whoever waits for it may go without stopping it for
// the others.
type keySet struct {
	fetch    func(context.Context) ([]*key, error)
	now      func() time.Time
	maxStale time.Duration
	held     atomic.Pointer[keys]

	mu      sync.Mutex
	running *flight
	resume  time.Time // no fetch begins before
	failure error     // of the last fetch
}

// A flight is a fetch that runs.
type flight struct {
	done chan struct{}
	err  error // once done is closed
}

// key returns the key for a token, fetching the key set where it may have changed.
func (s *keySet) key(ctx context.Context, kid, alg string) (*key, error) {
	k, err := s.find(kid, alg)
	if !errors.Is(err, errUnknownKey) {
		return k, err
	}
	if err := s.refresh(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", access.ErrUnavailable, err)
	}
	return s.find(kid, alg)
}

func (s *keySet) find(kid, alg string) (*key, error) {
	if held := s.current(); held != nil {
		return held.find(kid, alg)
	}
	return nil, errUnknownKey
}

// current returns the keys that are in use without waiting; nil where there are none,
// or they are too old. A fetch that is due is begun.
func (s *keySet) current() *keys {
	held := s.held.Load()
	if held == nil {
		return nil
	}
	age := s.now().Sub(held.asOf)
	if age >= min(refreshEvery, s.maxStale/2) {
		_, _ = s.begin() // for those who come later
	}
	if age >= s.maxStale {
		return nil
	}
	return held
}

// refresh waits for a fetch. In the pause after one it returns at once with what that
// one brought, so that unknown keys neither reach the issuer nor delay anybody.
func (s *keySet) refresh(ctx context.Context) error {
	f, failure := s.begin()
	if f == nil {
		return failure
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("oauth: the request ended before the key set came: %w", context.Cause(ctx))
	}
}

// begin returns the fetch that runs, a new one if there is none, and in the pause
// neither, but how the last one failed.
func (s *keySet) begin() (*flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running, nil
	}
	if s.now().Before(s.resume) {
		return nil, s.failure
	}
	f := &flight{done: make(chan struct{})}
	s.running = f
	go s.run(f)
	return f, nil
}

func (s *keySet) run(f *flight) {
	asOf := s.now() // a key withdrawn while the fetch runs may be in it
	list, err := s.attempt()
	if err == nil {
		s.held.Store(newKeys(list, asOf))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.failure, s.resume = nil, err, s.now().Add(fetchPause)
	f.err = err
	close(f.done)
}

// attempt turns the panic of somebody's transport into an error: no request would
// recover it here.
func (s *keySet) attempt() (list []*key, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchFor)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			list, err = nil, fmt.Errorf("oauth: fetching the key set panicked: %v", v)
		}
	}()
	return s.fetch(ctx)
}
