package access

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// A Principal is the authenticated caller of a request. It is a value that
// nobody changes once an authenticator has made it; the slices are shared, so
// treat them as read-only.
type Principal struct {
	// ID names the caller uniquely across issuers, "issuer|subject" as
	// [NewPrincipal] builds it. Limits, sessions and sealed state are bound to
	// it. A Principal without an ID is nobody and is refused.
	ID string
	// Issuer is who vouches for the subject: a token issuer, or "os" on stdio.
	Issuer string
	// Subject is the caller's name with that issuer.
	Subject string
	// Tenant is the organisation the caller belongs to, empty where there is
	// only one.
	Tenant string
	// Client names the program that acts for the caller, as the authenticator
	// verified it (an OAuth client id); empty where nothing verifies it.
	Client string
	// Roles and Scopes are what the issuer granted.
	Roles, Scopes []string
	// ScopesFixed says that the caller cannot gain a scope, as one with a key
	// cannot. What needs a scope that it lacks is then hidden from it, like what
	// needs a role; from a caller who can go back for another token it is not.
	ScopesFixed bool
	// Delegation are those who act for the subject, the IDs of a token's act claims
	// (RFC 8693 section 4.1), the one who makes this request first. Only the
	// subject's own rights count.
	Delegation []string
	// Expires is until when what was presented is taken; zero is without an end.
	Expires time.Time
	// Claims are the issuer's statements, by name, as JSON. See [Principal.Claim].
	Claims map[string]json.RawMessage
}

// NewPrincipal returns a principal whose ID is made from issuer and subject, since a
// subject is unique only with its issuer (RFC 7519 sections 4.1.1 and 4.1.2). A bar in
// the issuer is escaped, so that no two pairs have one ID; without an issuer or a
// subject there is no ID, and the principal is nobody.
func NewPrincipal(issuer, subject string) Principal {
	p := Principal{Issuer: issuer, Subject: subject}
	if issuer != "" && subject != "" {
		p.ID = escaper.Replace(issuer) + "|" + subject
	}
	return p
}

var escaper = strings.NewReplacer("%", "%25", "|", "%7C")

// Known reports whether an authenticator has named the caller.
func (p Principal) Known() bool { return p.ID != "" }

// Claim reads the claim of that name into v, as [json.Unmarshal] does, and reports
// whether there is one that fits.
func (p Principal) Claim(name string, v any) bool {
	raw, ok := p.Claims[name]
	return ok && json.Unmarshal(raw, v) == nil
}

// HasAnyRole reports whether the principal has at least one of roles. It is
// true when roles is empty.
func (p Principal) HasAnyRole(roles []string) bool {
	if len(roles) == 0 {
		return true
	}
	for _, r := range roles {
		if slices.Contains(p.Roles, r) {
			return true
		}
	}
	return false
}

// MissingScope returns the first of scopes that the principal lacks, and whether it
// lacks one.
func (p Principal) MissingScope(scopes []string) (scope string, lacks bool) {
	for _, s := range scopes {
		if !slices.Contains(p.Scopes, s) {
			return s, true
		}
	}
	return "", false
}
