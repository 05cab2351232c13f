package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options say whose tokens a resource server takes, and how it reads them.
type Options struct {
	// Resource is the URL of the MCP endpoint: the audience that tokens must be for
	// (RFC 8707), and what the metadata of the resource says (RFC 9728).
	Resource string
	// Issuer is the authorization server, as the iss of its tokens has it.
	Issuer string
	// Keys say how tokens are checked.
	Keys
	// Types are the typ headers of access tokens; empty is at+jwt (RFC 9068), without
	// which an ID token passes for one. See InsecureAnyType.
	Types []string
	// InsecureAnyType gives the reason why typ is not looked at: for providers whose
	// access tokens say JWT, or nothing. It is audited at start.
	InsecureAnyType string
	// Scopes are those that a client may ask for, told by the metadata. Empty are those
	// that the policies of the server name.
	Scopes []string
	// Name is the resource's, for people.
	Name string
}

// AssertionOptions say which gateway's assertions are taken.
type AssertionOptions struct {
	// Header is where the gateway puts its assertion, "Cf-Access-Jwt-Assertion" or
	// "X-Goog-IAP-JWT-Assertion" for instance.
	Header string
	// Issuer and Audience are what the assertion's iss and aud have to be.
	Issuer, Audience string
	// Keys say how assertions are checked; JWKSURL must be set.
	Keys
}

// Keys say how a JWT is checked and what of it is read.
type Keys struct {
	// JWKSURL is where the issuer's keys are. Empty: the issuer's metadata says it
	// (RFC 8414, or OpenID Connect Discovery). https, unless it is on loopback.
	JWKSURL string
	// Algorithms that are taken; empty is ES256, ES384, RS256, PS256 and EdDSA. Those
	// with a shared secret, and none, cannot be.
	Algorithms []string
	// ClockSkew is how far the issuer's clock may be from this one's; zero is 30
	// seconds, at most 5 minutes.
	ClockSkew time.Duration
	// MaxStale is how long keys are used that cannot be fetched anew; zero is an hour.
	MaxStale time.Duration
	// RolesClaim, TenantClaim, ScopesClaim and ClientClaim name the claims that roles,
	// tenant, scopes and client are read from; a dot leads into an object, as
	// "realm_access.roles". Roles and tenant are not read where these are empty; scopes
	// are then those of "scope" or "scp", the client that of "client_id" or "azp".
	RolesClaim, TenantClaim, ScopesClaim, ClientClaim string
	// HTTPClient fetches keys and metadata; nil is one that waits 3 seconds and follows
	// no redirects.
	HTTPClient *http.Client
}

const (
	mostToken = 8 << 10
	mostSkew  = 5 * time.Minute
)

// complete checks the keys and fills in the defaults.
func (k Keys) complete() (Keys, error) {
	if len(k.Algorithms) == 0 {
		k.Algorithms = []string{"ES256", "ES384", "RS256", "PS256", "EdDSA"}
	}
	for _, alg := range k.Algorithms {
		if algorithms[alg].method == nil {
			return k, fmt.Errorf("oauth: Algorithms has %q: take some of ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512 and EdDSA; a secret that is shared cannot tell who signed", alg)
		}
	}
	if k.ClockSkew < 0 || k.ClockSkew > mostSkew || k.MaxStale < 0 {
		return k, errors.New("oauth: ClockSkew is from 0 to 5 minutes, and MaxStale is not negative")
	}
	if k.ClockSkew == 0 {
		k.ClockSkew = 30 * time.Second
	}
	if k.MaxStale == 0 {
		k.MaxStale = time.Hour
	}
	if k.JWKSURL != "" {
		if err := checkURL("JWKSURL", k.JWKSURL); err != nil {
			return k, err
		}
	}
	if k.HTTPClient == nil {
		k.HTTPClient = &http.Client{
			Timeout:       3 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	k.Algorithms = slices.Clone(k.Algorithms)
	return k, nil
}

// checkURL says what is wrong with a URL that keys depend on.
func checkURL(name, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("oauth: %s has to be a URL with a host, without a user or fragment", name)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	loopback := strings.EqualFold(u.Hostname(), "localhost") || (err == nil && ip.IsLoopback())
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return fmt.Errorf("oauth: %s has to be https: whoever can change what it says can sign as anybody", name)
	}
	return nil
}
