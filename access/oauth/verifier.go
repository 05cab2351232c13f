package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/safemcp/safemcp/access"
)

// A verifier checks the JWTs of one issuer for one audience.
type verifier struct {
	keys     Keys
	issuer   string
	audience string
	types    []string // lower case; nil is any
	set      *keySet
	verified verified
	now      func() time.Time
}

func newVerifier(k Keys, issuer, audience string, types []string) (*verifier, error) {
	k, err := k.complete()
	if err != nil {
		return nil, err
	}
	v := &verifier{keys: k, issuer: issuer, audience: audience, now: time.Now}
	for _, t := range types {
		v.types = append(v.types, bareType(t))
	}
	v.set = &keySet{issuer: issuer, url: k.JWKSURL, client: k.HTTPClient, maxStale: k.MaxStale, now: func() time.Time { return v.now() }}
	v.set.changed = v.verified.keep
	return v, nil
}

// bareType is a typ without the application/ that it may leave out (RFC 7515 section
// 4.1.9).
func bareType(t string) string { return strings.TrimPrefix(strings.ToLower(t), "application/") }

// verify returns the principal of a token. spend is called before a signature is
// checked.
func (v *verifier) verify(ctx context.Context, text string, spend func() error) (access.Principal, error) {
	hash := sha256.Sum256([]byte(text))
	now := v.now()
	if p, ok := v.verified.get(hash, now); ok {
		return p, nil
	}
	t, err := read(text)
	if err != nil {
		return access.Principal{}, err
	}
	// What is cheap and needs no key comes first: it says nothing that the sender of
	// the token did not write.
	if !slices.Contains(v.keys.Algorithms, t.header.Alg) {
		return access.Principal{}, errors.New("the token is signed with an algorithm that is not taken")
	}
	if v.types != nil && !slices.Contains(v.types, bareType(t.header.Typ)) {
		return access.Principal{}, errors.New("the token is not an access token: its typ is another")
	}
	if t.text("iss") != v.issuer {
		return access.Principal{}, errors.New("the token is another issuer's")
	}
	if !t.isFor(v.audience) {
		return access.Principal{}, errors.New("the token is for another audience")
	}
	expires, err := t.checkTimes(now, v.keys.ClockSkew)
	if err != nil {
		return access.Principal{}, err
	}
	if err := spend(); err != nil {
		return access.Principal{}, err
	}
	k, err := v.set.get(ctx, t.header.Kid, t.header.Alg)
	if err != nil {
		return access.Principal{}, err
	}
	if algorithms[t.header.Alg].method.Verify(t.signed, t.signature, k.public) != nil {
		return access.Principal{}, errors.New("the token's signature is wrong")
	}
	p, err := v.principal(t)
	if err != nil {
		return access.Principal{}, err
	}
	p.Expires = expires.Add(v.keys.ClockSkew)
	v.verified.put(hash, p, k, now)
	return p, nil
}

// principal reads the claims of a verified token.
func (v *verifier) principal(t *token) (access.Principal, error) {
	p := access.NewPrincipal(v.issuer, t.text("sub"))
	if !p.Known() {
		return p, errors.New("the token does not say whose it is: it has no sub")
	}
	var err error
	if p.Delegation, err = t.actors(v.issuer); err != nil {
		return p, err
	}
	k := &v.keys
	p.Claims = t.claims
	p.Scopes = either(t.texts, k.ScopesClaim, "scope", "scp")
	for _, name := range []string{"client_id", "azp"} {
		if p.Client = t.text(name); p.Client != "" {
			break
		}
	}
	if k.ClientClaim != "" {
		p.Client = t.text(k.ClientClaim)
	}
	if k.RolesClaim != "" {
		p.Roles = t.texts(k.RolesClaim)
	}
	if k.TenantClaim != "" {
		p.Tenant = t.text(k.TenantClaim)
	}
	return p, nil
}

func either(read func(string) []string, name string, names ...string) []string {
	if name != "" {
		return read(name)
	}
	for _, n := range names {
		if found := read(n); found != nil {
			return found
		}
	}
	return nil
}

// verified are the tokens that have been, by their hash, until they expire or the set
// no longer has their key. It is bounded: the one that makes room is any.
type verified struct {
	mu  sync.RWMutex
	by  map[[sha256.Size]byte]entry
	set *keys // the newest; nil until there was one
}

type entry struct {
	principal access.Principal
	key       *key
}

const mostVerified = 10_000

func (c *verified) get(hash [sha256.Size]byte, now time.Time) (access.Principal, bool) {
	c.mu.RLock()
	e, ok := c.by[hash]
	c.mu.RUnlock()
	if !ok || !now.Before(e.principal.Expires) {
		return access.Principal{}, false
	}
	return e.principal, true
}

func (c *verified) put(hash [sha256.Size]byte, p access.Principal, k *key, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set != nil && !c.set.has(k) {
		return // it was taken back meanwhile
	}
	if c.by == nil {
		c.by = map[[sha256.Size]byte]entry{}
	}
	if len(c.by) >= mostVerified {
		for h, e := range c.by {
			if !now.Before(e.principal.Expires) {
				delete(c.by, h)
			}
		}
		for h := range c.by {
			if len(c.by) < mostVerified {
				break
			}
			delete(c.by, h)
		}
	}
	c.by[hash] = entry{p, k}
}

// keep forgets the tokens whose key is not in a new set.
func (c *verified) keep(set *keys) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set = set
	for h, e := range c.by {
		if !set.has(e.key) {
			delete(c.by, h)
		}
	}
}

// refreshed keeps the keys of those who only come with remembered tokens young.
func (v *verifier) refreshed() {
	v.set.mu.Lock()
	defer v.set.mu.Unlock()
	if now := v.set.now(); v.set.keys != nil && v.set.running == nil && now.Sub(v.set.keys.at) > refreshAfter && now.Sub(v.set.tried) >= refreshPause {
		v.set.begin(now)
	}
}

var errTwoTokens = errors.New("the request has credentials twice")

func wiring(what string) error { return errors.New("oauth: " + what) }
