package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/safemcp/safemcp/access"
)

var errSignature = errors.New("oauth: the token's signature is wrong")

// A verifier says whom a token names. It is safe for concurrent use.
type verifier struct {
	algorithms []string
	types      []string // nil takes any
	maxBytes   int
	rules      rulebook
	keys       *keySet
	cache      *cache
	now        func() time.Time
}

// verify returns the principal that a token names. Spend is asked before anything that
// costs more than reading the token's header.
func (v *verifier) verify(ctx context.Context, text string, spend func() error) (access.Principal, error) {
	if len(text) > v.maxBytes {
		return access.Principal{}, errLong
	}
	hash := digest(sha256.Sum256([]byte(text)))
	if p, ok := v.remembered(hash); ok {
		return p, nil
	}
	t, err := cut(text)
	if err != nil {
		return access.Principal{}, err
	}
	alg, kid, err := t.check(v.algorithms, v.types)
	if err != nil {
		return access.Principal{}, err
	}
	if spend != nil {
		if err := spend(); err != nil {
			return access.Principal{}, err
		}
	}
	k, err := v.keys.key(ctx, kid, alg)
	if err != nil {
		return access.Principal{}, err
	}
	if algorithms[alg].method.Verify(t.signed, t.signature, k.public) != nil {
		return access.Principal{}, errSignature
	}
	c := claims(object(t.payload))
	if c == nil {
		return access.Principal{}, errClaims
	}
	now := v.now()
	p, err := v.rules.principal(c, now)
	if err != nil {
		return access.Principal{}, err
	}
	p.Expires = p.Expires.Add(v.rules.skew) // it is taken until then
	v.cache.put(hash, &cached{principal: p, key: k.print, until: p.Expires, size: len(text)}, now)
	return p, nil
}

// remembered returns the principal of a token that was verified before, while the
// token is in force and its key in use.
func (v *verifier) remembered(hash digest) (access.Principal, bool) {
	e := v.cache.get(hash)
	if e == nil {
		return access.Principal{}, false
	}
	held := v.keys.current()
	if held == nil {
		return access.Principal{}, false // may be in use again, once the issuer answers
	}
	if !held.has(e.key) || !v.now().Before(e.until) {
		v.cache.drop(hash, e)
		return access.Principal{}, false
	}
	return e.principal, true
}
