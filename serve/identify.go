package serve

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/safetool"
)

// identify establishes who calls.
func (v *visit) identify() *turned {
	if v.o.InsecureAnonymous != "" {
		if !overLoopback(v.r) {
			return turn(http.StatusForbidden, "anonymous", "Without credentials only callers on this machine are let in.").ofPolicy(safetool.CodeUnidentified)
		}
		v.caller.Principal = access.NewPrincipal("anonymous", zeroAs(v.caller.Address, "local"))
		return nil
	}
	for _, a := range v.o.Authenticators {
		p, err := v.authenticate(a)
		if errors.Is(err, access.ErrNoCredentials) {
			continue
		}
		if err == nil && !p.Known() {
			err = errors.New("the authenticator named nobody")
		}
		if err == nil && !p.Expires.IsZero() && !p.Expires.After(time.Now()) {
			err = errors.New("what was presented has expired")
		}
		if err == nil {
			v.caller.Principal = p
			return nil
		}
		return v.unidentified(err)
	}
	return v.unidentified(nil)
}

// authenticate asks one authenticator. One that panics has not said who it is.
func (v *visit) authenticate(a access.Authenticator) (p access.Principal, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = access.Principal{}, fmt.Errorf("an authenticator panicked: %w", access.ErrUnavailable)
		}
	}()
	return a.Authenticate(v.r, v.spend)
}

// errSpent says that an address has used up what it may before anybody knows it.
type errSpent struct{ wait time.Duration }

func (*errSpent) Error() string { return "the address has made too many attempts" }

// spend counts against the address.
func (v *visit) spend() error {
	wait, err := v.o.Limiter.Take(v.r.Context(), "address|"+network(v.caller.Address), v.o.AddressRate)
	if err != nil {
		return fmt.Errorf("%w: the limiter: %w", access.ErrUnavailable, err)
	}
	if wait > 0 {
		return &errSpent{wait}
	}
	return nil
}

// unidentified says why nobody was let in: nobody said who it is (err is nil), or that
// was wrong, or cannot be told. None of it says what about it is wrong.
func (v *visit) unidentified(err error) *turned {
	spent, isSpent := errors.AsType[*errSpent](err)
	if !isSpent && !errors.Is(err, access.ErrUnavailable) { // a wrong guess costs
		if cost := v.spend(); cost != nil {
			err = cost
			spent, isSpent = errors.AsType[*errSpent](cost)
		}
	}
	switch {
	case isSpent:
		return turn(http.StatusTooManyRequests, "address_rate", "There were too many attempts from this address.").
			later(safetool.CodeRateLimited, safetool.CategoryPolicy, spent.wait)
	case errors.Is(err, access.ErrUnavailable):
		return turn(http.StatusServiceUnavailable, "identify", "The credentials cannot be checked at the moment.").
			later(safetool.CodeUnidentified, safetool.CategoryUpstream, 5*time.Second).because(err)
	}
	t := turn(http.StatusUnauthorized, "identify", "The request was refused because nobody knows who is asking.").
		ofPolicy(safetool.CodeUnidentified)
	t.hint, t.scopes = "Present credentials.", v.announced()
	if err != nil {
		t.challenge, t.hint = "invalid_token", "The credentials are not valid, or not any more: get new ones."
		t.cause = err.Error()
	}
	return t
}

// announced are the scopes that a challenge may name to anybody.
func (v *visit) announced() []string {
	if v.metadata == nil {
		return nil
	}
	return v.metadata.ScopesSupported
}
