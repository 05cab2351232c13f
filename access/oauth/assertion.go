package oauth

import (
	"errors"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/safemcp/safemcp/access"
)

// AssertionOptions say which assertions are taken and what is read from them.
type AssertionOptions struct {
	// Header is where the gateway puts its assertion: "Cf-Access-Jwt-Assertion",
	// "X-Goog-IAP-JWT-Assertion". The header holds the JWT and nothing else.
	Header string
	// Issuer is the gateway as its assertions name it in iss, to the letter.
	Issuer string
	// Audience is what the gateway calls this server in aud, to the letter.
	Audience string
	// JWKSURL is the address of the gateway's key set. https, or http on loopback.
	JWKSURL string

	// The others are as in [Options]. Where the claims that the defaults name are
	// missing, the principal has no scopes and no client.

	Algorithms    []string      // nil is ES256, RS256, PS256, EdDSA and ES384
	ClockSkew     time.Duration // 0 is 30 seconds
	MaxTokenBytes int           // 0 is 8 KiB
	MaxStale      time.Duration // 0 is an hour
	RolesClaim    string        // empty gives no roles
	TenantClaim   string        // empty gives no tenant
	ScopesClaim   string        // empty is "scope", or else "scp"
	ClientClaim   string        // empty is "client_id", or else "azp"
	HTTPClient    *http.Client  // nil keeps to the environment's proxy

	now func() time.Time // for tests
}

// An Assertion takes the JWT by which a gateway in front of this server says who
// calls. Since it is signed for this server, what comes past the gateway has none. It
// is an [access.Authenticator], and its principals cannot gain a scope
// ([access.Principal].ScopesFixed).
type Assertion struct {
	header   string
	verifier *verifier
}

// NewAssertion returns an authenticator for the assertions of one gateway. The error
// says which option is wrong; the gateway is not asked anything yet.
func NewAssertion(options AssertionOptions) (*Assertion, error) {
	header := textproto.CanonicalMIMEHeaderKey(options.Header)
	switch {
	case header == "":
		return nil, errors.New("oauth: AssertionOptions.Header is empty: name the header that the gateway puts its assertion in")
	case strings.Trim(header, nameChars) != "":
		return nil, errors.New("oauth: AssertionOptions.Header is not the name of a header")
	case header == "Authorization" || header == "Cookie":
		return nil, errors.New("oauth: AssertionOptions.Header is one that clients set: NewResourceServer takes bearer tokens")
	case options.Issuer == "":
		return nil, errors.New("oauth: AssertionOptions.Issuer is empty: give what the gateway's assertions have in iss")
	case options.Audience == "":
		return nil, errors.New("oauth: AssertionOptions.Audience is empty: give what the gateway's assertions for this server have in aud; others of the gateway's customers have assertions too")
	case options.JWKSURL == "":
		return nil, errors.New("oauth: AssertionOptions.JWKSURL is empty: give the address of the gateway's key set")
	}
	s := settings{
		of:         "AssertionOptions",
		jwksURL:    options.JWKSURL,
		algorithms: options.Algorithms,
		maxBytes:   options.MaxTokenBytes,
		maxStale:   options.MaxStale,
		client:     options.HTTPClient,
		now:        options.now,
		rules: rulebook{
			issuer:   options.Issuer,
			audience: options.Audience,
			skew:     options.ClockSkew,
			mapping:  mapping{options.RolesClaim, options.TenantClaim, options.ScopesClaim, options.ClientClaim},
			fixed:    true,
		},
	}
	v, err := s.verifier()
	if err != nil {
		return nil, err
	}
	return &Assertion{header: header, verifier: v}, nil
}

// nameChars are what the name of a header is made of (RFC 9110 section 5.6.2).
const nameChars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Authenticate returns the principal that the request's assertion names; see
// [access.Authenticator].
func (a *Assertion) Authenticate(r *http.Request, spend func() error) (access.Principal, error) {
	values := r.Header[a.header]
	switch len(values) {
	case 0:
		return access.Principal{}, access.ErrNoCredentials
	case 1:
	default:
		return access.Principal{}, errTwice // the caller's own might be the first
	}
	if values[0] == "" {
		return access.Principal{}, errEmpty
	}
	return a.verifier.verify(r.Context(), values[0], spend)
}

// CredentialHeaders is the configured header.
func (a *Assertion) CredentialHeaders() []string { return []string{a.header} }
