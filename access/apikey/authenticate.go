package apikey

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/safemcp/safemcp/access"
)

var _ access.Authenticator = (*Store)(nil)

const (
	issuer       = "apikey"
	headerBearer = "Authorization"
	headerKey    = "X-Api-Key" // as net/http spells it
)

// CredentialHeaders implements access.Authenticator.
func (*Store) CredentialHeaders() []string { return []string{headerBearer, headerKey} }

// Authenticate implements access.Authenticator: it takes "Authorization: Bearer msk_…"
// (RFC 6750 section 2.1) or "X-API-Key: msk_…". The principal is "apikey|" and the
// name of the key, with what was granted to it, and the key's id as its Client; its
// slices are shared.
//
// A bearer token of another form is access.ErrNoCredentials. Everything else that is
// no valid key is refused with an error that wraps ErrMalformed, ErrAmbiguous,
// ErrUnknown, ErrWrong, ErrExpired or ErrRevoked and never holds a secret; it may hold
// the id. The error wraps access.ErrUnavailable where the file cannot be read.
//
// It never calls spend: a checksum, a lookup and one hash of 60 bytes cost less than
// counting them would.
func (s *Store) Authenticate(r *http.Request, _ func() error) (access.Principal, error) {
	key, err := presented(r.Header)
	if err != nil {
		return access.Principal{}, err
	}
	in, err := s.inner()
	if err != nil {
		return access.Principal{}, fmt.Errorf("%w: %w", access.ErrUnavailable, err)
	}
	return in.check(key)
}

// presented returns what a request presents as a key. Of two credentials nobody could
// tell which one the proxies in front have looked at, whatever kinds they are of.
func presented(h http.Header) (string, error) {
	bearer, own := h[headerBearer], h[headerKey]
	switch {
	case len(bearer)+len(own) > 1:
		return "", refused(nil, ErrAmbiguous)
	case len(own) == 1:
		return own[0], nil
	case len(bearer) == 0:
		return "", access.ErrNoCredentials
	}
	scheme, token, _ := strings.Cut(bearer[0], " ")
	token = strings.TrimLeft(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, prefix) {
		return "", access.ErrNoCredentials
	}
	return token, nil
}

// nobody is what the key with an unknown id is compared with, so that how long the
// answer takes does not tell which ids there are.
var nobody [sha256.Size]byte

func (s *store) check(key string) (access.Principal, error) {
	if len(key) > longest { // before it is copied
		return access.Principal{}, refused(nil, ErrMalformed)
	}
	text := []byte(key)
	id, ok := parse(text)
	if !ok {
		return access.Principal{}, refused(nil, ErrMalformed)
	}
	at, now := s.current()
	if at.err != nil {
		return access.Principal{}, fmt.Errorf("%w: %w", access.ErrUnavailable, at.err)
	}
	r, known := at.keys[string(id)]
	want := &nobody
	if known {
		want = &r.hash
	}
	hash := sha256.Sum256(text)
	same := subtle.ConstantTimeCompare(want[:], hash[:]) == 1
	switch {
	case !known:
		return access.Principal{}, refused(id, ErrUnknown)
	case !same:
		return access.Principal{}, refused(id, ErrWrong)
	}
	if err := r.entry.Check(now); err != nil {
		return access.Principal{}, refused(id, err)
	}
	return r.principal, nil
}

// refused is the one text of all refusals. An id that has been parsed is safe to show.
func refused(id []byte, why error) error {
	if id == nil {
		return fmt.Errorf("apikey: the key is refused: %w", why)
	}
	return fmt.Errorf("apikey: the key is refused: %w (id %s)", why, id)
}

// principal is made once for each state of the file.
func (e Entry) principal() access.Principal {
	p := access.NewPrincipal(issuer, e.Name)
	p.Tenant, p.Client, p.Expires = e.Tenant, e.ID, e.Expires
	p.Roles, p.Scopes, p.ScopesFixed = e.Roles, e.Scopes, true
	return p
}

// lookEvery is for how long the file is taken to be as it was last seen.
const lookEvery = time.Second

// current returns the state of the file, which is at most lookEvery old, and the time.
func (s *store) current() (*snapshot, time.Time) {
	at := s.last.Load() // before the time is taken, which is therefore not before at.seen
	now := s.now()
	if !at.stale(now) {
		return at, now
	}
	s.mu.Lock() // whoever comes while the file is read waits: an old state is no answer
	defer s.mu.Unlock()
	at, now = s.last.Load(), s.now()
	if at.stale(now) {
		at = s.readLocked()
	}
	return at, now
}

func (a *snapshot) stale(now time.Time) bool {
	age := now.Sub(a.seen)
	return age < 0 || age >= lookEvery
}
