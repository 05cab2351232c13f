package oauth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"

	"github.com/safemcp/safemcp/access"
)

const (
	refreshAfter = 5 * time.Minute // keys are fetched anew, for one that was taken back
	refreshPause = 5 * time.Second // between two fetches, whoever asks for them
	fetchTimeout = 5 * time.Second
	mostSet      = 1 << 20 // bytes of a key set, or of metadata
	mostKeys     = 64
)

// A key is one of the issuer's.
type key struct {
	id, alg string // alg is "" where the set does not say
	public  any
}

// keys is a set as it was fetched. Nobody changes it.
type keys struct {
	all []key
	at  time.Time
}

// find returns the key that a token's header names; without a name, the only one that
// fits.
func (k *keys) find(id, alg string) *key {
	var found *key
	for i := range k.all {
		one := &k.all[i]
		if (id != "" && one.id != id) || (one.alg != "" && one.alg != alg) || !algorithms[alg].fits(one.public) {
			continue
		}
		if found != nil {
			return nil // two that would do are none
		}
		found = one
	}
	return found
}

// has says whether the set still has a key.
func (k *keys) has(one *key) bool {
	for i := range k.all {
		mine := &k.all[i]
		if equal, ok := mine.public.(interface{ Equal(x crypto.PublicKey) bool }); ok && mine.id == one.id && mine.alg == one.alg && equal.Equal(one.public) {
			return true
		}
	}
	return false
}

// A keySet fetches an issuer's keys when they are needed. One fetch runs at a time, on
// a context of its own, so that a caller who gives up fails nobody else.
type keySet struct {
	issuer, url string // url is "" until the metadata has said it
	client      *http.Client
	maxStale    time.Duration
	now         func() time.Time
	changed     func(*keys) // told of a new set before anybody can use it

	mu      sync.Mutex
	keys    *keys
	tried   time.Time // when the last fetch began
	err     error     // why it failed
	running chan struct{}
	count   int // fetches that ended well
}

// get returns the keys for a token that names id, fetching them where there are none,
// or id is not among them. It waits for a fetch only where nothing else can answer.
func (s *keySet) get(ctx context.Context, id, alg string) (*key, error) {
	for attempt := 0; ; attempt++ {
		s.mu.Lock()
		now := s.now()
		held := s.keys
		fresh := held != nil && now.Sub(held.at) <= s.maxStale
		var found *key
		if fresh {
			found = held.find(id, alg)
		}
		due := found == nil || now.Sub(held.at) > refreshAfter
		if due && s.running == nil && now.Sub(s.tried) >= refreshPause {
			s.begin(now)
		}
		running, err := s.running, s.err
		s.mu.Unlock()
		switch {
		case found != nil:
			return found, nil
		case running == nil && fresh && err == nil:
			return nil, errors.New("no key of the issuer's has the name that the token gives, or fits its algorithm")
		case running == nil:
			return nil, fmt.Errorf("%w: the issuer's keys: %w", access.ErrUnavailable, err)
		case attempt > 0 && fresh && err == nil:
			return nil, errors.New("no key of the issuer's has the name that the token gives")
		}
		select {
		case <-running:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", access.ErrUnavailable, context.Cause(ctx))
		}
	}
}

// begin begins a fetch. It is called with the lock held.
func (s *keySet) begin(now time.Time) {
	s.tried = now
	done := make(chan struct{})
	s.running = done
	at := s.url
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		fetched, from, err := s.fetch(ctx, at)
		s.mu.Lock()
		defer s.mu.Unlock()
		defer close(done)
		s.running = nil
		if s.err = err; err != nil {
			return
		}
		s.count++
		fetched.at = now
		s.url = from
		if s.changed != nil {
			s.changed(fetched)
		}
		s.keys = fetched
	}()
}

// fetch reads the keys, after the metadata where nobody has said where they are.
func (s *keySet) fetch(ctx context.Context, at string) (k *keys, from string, err error) {
	defer func() {
		if r := recover(); r != nil { // a parser of what others send
			k, err = nil, errors.New("the key set could not be read")
		}
	}()
	if at == "" {
		if at, err = s.discover(ctx); err != nil {
			return nil, "", err
		}
	}
	raw, err := s.read(ctx, at)
	if err != nil {
		return nil, "", err
	}
	k, err = parseKeys(raw)
	return k, at, err
}

// discover reads where the keys are from the issuer's metadata: RFC 8414 puts it
// between host and path, OpenID Connect Discovery behind.
func (s *keySet) discover(ctx context.Context) (string, error) {
	u, err := url.Parse(s.issuer)
	if err != nil {
		return "", errors.New("the issuer is no URL")
	}
	origin, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	var first error
	for _, at := range []string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + "/.well-known/openid-configuration" + path,
		origin + path + "/.well-known/openid-configuration",
	} {
		raw, err := s.read(ctx, at)
		if err != nil {
			first = errors.Join(first, err)
			continue
		}
		var says struct {
			Issuer string `json:"issuer"`
			JWKS   string `json:"jwks_uri"`
		}
		switch {
		case json.Unmarshal(raw, &says) != nil:
			err = errors.New("the metadata is no JSON object")
		case says.Issuer != s.issuer: // RFC 8414 section 3.3: another issuer's keys are not this one's
			err = errors.New("the metadata is another issuer's")
		default:
			if err = checkURL("the metadata's jwks_uri", says.JWKS); err == nil {
				return says.JWKS, nil
			}
		}
		first = errors.Join(first, err)
	}
	return "", first
}

func (s *keySet) read(ctx context.Context, at string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", at, err)
	}
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	res, err := s.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", at, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetching %s: status %d", at, res.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, mostSet+1))
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", at, err)
	}
	if len(raw) > mostSet {
		return nil, fmt.Errorf("fetching %s: more than %d bytes", at, mostSet)
	}
	return raw, nil
}

// parseKeys reads the public keys of a set (RFC 7517). Others' kinds, secrets and keys
// for something else than signatures are left out.
func parseKeys(raw []byte) (*keys, error) {
	var set struct {
		Keys []jwkset.JWKMarshal `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil || set.Keys == nil {
		return nil, errors.New("the key set is no JWK set")
	}
	out := &keys{}
	for _, m := range set.Keys {
		if (m.USE != "" && m.USE != jwkset.UseSig) || (m.KTY != "EC" && m.KTY != "RSA" && m.KTY != "OKP") {
			continue
		}
		m.X5U, m.X5C, m.X5T, m.X5TS256 = "", nil, "", "" // nothing is fetched, and no certificate vouches
		one, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipAll: true})
		if err != nil {
			continue
		}
		k := key{id: m.KID, alg: m.ALG.String(), public: one.Key()}
		for _, a := range algorithms {
			if a.fits(k.public) {
				out.all = append(out.all, k)
				break
			}
		}
		if len(out.all) == mostKeys {
			break
		}
	}
	if len(out.all) == 0 {
		return nil, errors.New("the key set has no key that a token could be signed with")
	}
	return out, nil
}
