package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
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
	p, err := v.who()
	if err != nil {
		return v.unidentified(err)
	}
	v.caller.Principal = p
	return nil
}

// who asks the authenticators in order. The error is access.ErrNoCredentials where the
// request has none of any kind.
func (v *visit) who() (access.Principal, error) {
	for _, a := range v.o.Authenticators {
		p, err := v.authenticate(a)
		switch {
		case errors.Is(err, access.ErrNoCredentials):
			continue
		case err != nil:
			return access.Principal{}, err
		case !p.Known():
			return access.Principal{}, errors.New("the authenticator named nobody")
		case !p.Expires.IsZero() && !p.Expires.After(time.Now()):
			return access.Principal{}, errors.New("what was presented has expired")
		}
		return p, nil
	}
	return access.Principal{}, access.ErrNoCredentials
}

// stream returns the context of a stream that stays open until a time at the latest. It
// ends with what its caller presented: when that expires, and when it is taken no
// longer, which is asked now and then. Where that cannot be told the stream goes on.
func (v *visit) stream(until time.Time) (context.Context, context.CancelFunc) {
	own := &v.caller.Principal
	if !own.Expires.IsZero() && own.Expires.Before(until) {
		until = own.Expires
	}
	ctx, cancel := context.WithDeadline(v.r.Context(), until)
	if v.o.InsecureAnonymous != "" {
		return ctx, cancel
	}
	go func() {
		tick := time.NewTicker(v.askAgain)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			p, err := v.who()
			_, spent := errors.AsType[*errSpent](err)
			if p.ID != own.ID && !spent && !errors.Is(err, access.ErrUnavailable) {
				cancel()
				return
			}
		}
	}()
	return ctx, cancel
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

// unidentified says why nobody was let in: nobody said who it is, or that was wrong, or
// cannot be told. None of it says what about it is wrong.
func (v *visit) unidentified(err error) *turned {
	nobody := errors.Is(err, access.ErrNoCredentials)
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
	if !nobody {
		t.challenge, t.hint = "invalid_token", "The credentials are not valid, or not any more: get new ones."
		t.cause = v.without(err.Error())
	}
	return t
}

// without takes what was presented out of an authenticator's text, though none should
// put it there.
func (v *visit) without(text string) string {
	for _, name := range v.shed {
		for _, value := range v.r.Header[name] {
			for _, part := range append(strings.Fields(value), value) {
				if len(part) >= 8 {
					text = strings.ReplaceAll(text, part, "[credentials]")
				}
			}
		}
	}
	return text
}

// announced are the scopes that a challenge may name to anybody.
func (v *visit) announced() []string {
	if v.metadata == nil {
		return nil
	}
	return v.metadata.ScopesSupported
}
