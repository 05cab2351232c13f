package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/safemcp/safemcp/access"
)

const (
	maxActors = 8
	endOfTime = 253_402_300_799 // the last second of the year 9999; later is no date
)

var (
	errClaims     = errors.New("oauth: the token's claims are not one JSON object that gives each name once")
	errIssuer     = errors.New("oauth: the token is another issuer's")
	errAudience   = errors.New("oauth: the token is for another audience")
	errSubject    = errors.New("oauth: the token does not say whom it is about")
	errExpiry     = errors.New("oauth: the token does not say when it expires")
	errExpired    = errors.New("oauth: the token has expired")
	errTime       = errors.New("oauth: a time in the token cannot be read")
	errNotYet     = errors.New("oauth: the token is not valid yet")
	errFuture     = errors.New("oauth: the token was issued in the future")
	errBound      = errors.New("oauth: the token is bound to a key of the client's (cnf), whose possession is not checked here")
	errActor      = errors.New("oauth: an act claim of the token names nobody")
	errDelegation = fmt.Errorf("oauth: the token was delegated more than %d times", maxActors)
)

// claims are what a token states, by name.
type claims map[string]json.RawMessage

// A rulebook is what the claims of a token are held to, and where those of the
// principal are found in them.
type rulebook struct {
	issuer, audience string
	skew             time.Duration
	mapping
	fixed bool // Principal.ScopesFixed
}

// A mapping names the claims that a principal is made of.
type mapping struct{ roles, tenant, scopes, client string }

// principal holds the claims to the rules and returns whom they name. The claims have
// been signed by the issuer.
func (r *rulebook) principal(c claims, now time.Time) (access.Principal, error) {
	var nobody access.Principal
	if issuer, ok := text(c["iss"]); !ok || issuer != r.issuer {
		return nobody, errIssuer
	}
	if audience, ok := list(c["aud"], false); !ok || !slices.Contains(audience, r.audience) {
		return nobody, errAudience
	}
	subject, ok := text(c["sub"])
	if !ok || subject == "" {
		return nobody, errSubject
	}
	expires, err := r.inForce(c, now)
	if err != nil {
		return nobody, err
	}
	// Taking it would turn a token that its thief cannot use into one that anybody can
	// (RFC 8705 section 3, RFC 9449 section 7).
	if _, bound := c["cnf"]; bound {
		return nobody, errBound
	}
	p := access.NewPrincipal(r.issuer, subject)
	p.Expires, p.Claims, p.ScopesFixed = expires, c, r.fixed
	if p.Delegation, err = r.actors(c["act"]); err != nil {
		return nobody, err
	}
	if err := r.fill(&p, c); err != nil {
		return nobody, err
	}
	return p, nil
}

// inForce checks the times (RFC 7519 sections 4.1.4 to 4.1.6) and returns the end.
func (r *rulebook) inForce(c claims, now time.Time) (time.Time, error) {
	if c["exp"] == nil {
		return time.Time{}, errExpiry
	}
	expires, ok := date(c["exp"])
	switch {
	case !ok:
		return time.Time{}, errTime
	case !now.Before(expires.Add(r.skew)):
		return time.Time{}, errExpired
	}
	for name, early := range map[string]error{"nbf": errNotYet, "iat": errFuture} {
		if c[name] == nil {
			continue
		}
		from, ok := date(c[name])
		switch {
		case !ok:
			return time.Time{}, errTime
		case now.Add(r.skew).Before(from):
			return time.Time{}, early
		}
	}
	return expires, nil
}

// actors returns those who act for the subject, the current one first (RFC 8693
// section 4.1).
func (r *rulebook) actors(act json.RawMessage) ([]string, error) {
	var out []string
	for act != nil {
		if len(out) == maxActors {
			return nil, errDelegation
		}
		var actor claims
		if json.Unmarshal(act, &actor) != nil {
			return nil, errActor
		}
		subject, ok := text(actor["sub"])
		if !ok || subject == "" {
			return nil, errActor
		}
		issuer := r.issuer
		if raw := actor["iss"]; raw != nil {
			if issuer, ok = text(raw); !ok || issuer == "" {
				return nil, errActor
			}
		}
		out = append(out, access.NewPrincipal(issuer, subject).ID)
		act = actor["act"]
	}
	return out, nil
}

// fill reads what the principal may do. A claim that is there and cannot be read
// refuses the token: a restriction could be lost with it.
func (r *rulebook) fill(p *access.Principal, c claims) error {
	var ok bool
	if r.roles != "" {
		if p.Roles, ok = list(c.at(r.roles), false); !ok {
			return unreadable(r.roles)
		}
	}
	scopes := or(r.scopes, c, "scope", "scp") // RFC 9068 section 2.2.3; scp is older
	if p.Scopes, ok = list(c.at(scopes), true); !ok {
		return unreadable(scopes)
	}
	client := or(r.client, c, "client_id", "azp") // RFC 9068 section 2.2; azp is OpenID Connect's
	if raw := c.at(client); raw != nil {
		if p.Client, ok = text(raw); !ok {
			return unreadable(client)
		}
	}
	if r.tenant == "" {
		return nil
	}
	if p.Tenant, ok = text(c.at(r.tenant)); !ok || p.Tenant == "" { // an empty tenant is that of a server with one
		return fmt.Errorf("oauth: the token does not name a tenant: it has no text in the claim %q", r.tenant)
	}
	return nil
}

func unreadable(claim string) error {
	return fmt.Errorf("oauth: the claim %q of the token is not of a kind that can be read", claim)
}

// or returns the configured name, or else the first of two if it is there.
func or(configured string, c claims, first, second string) string {
	switch {
	case configured != "":
		return configured
	case c.at(first) != nil:
		return first
	}
	return second
}

// at returns the claim of that name, or else of that path, "realm_access.roles"; nil
// where there is none, or null. A whole name comes first: some are URLs.
func (c claims) at(path string) json.RawMessage {
	for {
		raw, ok := c[path]
		if ok {
			return present(raw)
		}
		name, rest, deeper := strings.Cut(path, ".")
		var inner claims
		if !deeper || json.Unmarshal(c[name], &inner) != nil {
			return nil
		}
		c, path = inner, rest
	}
}

func present(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// list reads a claim that is one string or an array of them; one that is not there is
// empty. A string is split at spaces where that is what its claim means (RFC 6749
// section 3.3).
func list(raw json.RawMessage, split bool) ([]string, bool) {
	if raw == nil {
		return nil, true
	}
	var out []string
	if raw[0] == '[' {
		var elements []json.RawMessage
		if json.Unmarshal(raw, &elements) != nil {
			return nil, false
		}
		for _, e := range elements {
			s, ok := text(e)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
	} else {
		s, ok := text(raw)
		if !ok {
			return nil, false
		}
		if out = []string{s}; split {
			out = strings.Split(s, " ")
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" }), true
}

// date reads a NumericDate, seconds since 1970 that may have a fraction (RFC 7519
// section 2).
func date(raw json.RawMessage) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(seconds >= 0 && seconds <= endOfTime) {
		return time.Time{}, false
	}
	whole := int64(seconds)
	return time.Unix(whole, int64((seconds-float64(whole))*1e9)), true
}
