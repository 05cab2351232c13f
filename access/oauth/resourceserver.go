package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/safemcp/safemcp/access"
)

// defaultTypes are the media type of an access token, short and long (RFC 9068 section
// 2.1).
var defaultTypes = []string{"at+jwt", "application/at+jwt"}

// Options say which access tokens are taken and what is read from them.
type Options struct {
	// Resource is the URL of the MCP endpoint as clients know it (RFC 8707, RFC 9728).
	// A token's audience has to name it, to the letter. https, or http on loopback.
	Resource string
	// Audience is what names this server in a token's audience where the provider
	// does not take resource indicators: an identifier that no other server shares.
	// Empty is Resource.
	Audience string
	// Issuer is the URL of the authorization server; a token's iss equals it to the
	// letter.
	Issuer string
	// JWKSURL is the address of the issuer's key set. Empty has it discovered from the
	// issuer's metadata (RFC 8414, then OpenID Connect Discovery 1.0).
	JWKSURL string
	// Algorithms are the signatures that are taken; nil is ES256, RS256, PS256, EdDSA
	// and ES384. Those of 512 bits, RS384 and PS384 can be named too; HS256, its like
	// and none cannot.
	Algorithms []string
	// Types are what a token may call itself, compared without case; nil is "at+jwt"
	// and "application/at+jwt" (RFC 9068 section 2.1).
	Types []string
	// InsecureAnyType gives the reason why a token may be of any type, for a provider
	// that calls them all "JWT": an ID token for the same audience then passes for an
	// access token. It is audited at start.
	InsecureAnyType string
	// ClockSkew is how far the issuer's clock may be from ours; 0 is 30 seconds, and 5
	// minutes the most.
	ClockSkew time.Duration
	// MaxTokenBytes bounds a token; 0 is 8 KiB, and 64 KiB the most.
	MaxTokenBytes int
	// MaxStale is how long keys stay in use while the issuer cannot be reached; 0 is
	// an hour, a minute the least and a day the most.
	MaxStale time.Duration

	// RolesClaim names the claim that holds the roles, a list of strings or one:
	// "roles", or by its path "realm_access.roles". Empty gives no roles.
	RolesClaim string
	// TenantClaim names the claim that holds the tenant, by name or path. Where it is
	// set, a token without it is refused.
	TenantClaim string
	// ScopesClaim names the claim that holds the scopes, a list of strings or one with
	// spaces between them. Empty is "scope", or else "scp".
	ScopesClaim string
	// ClientClaim names the claim that holds the client's ID. Empty is "client_id", or
	// else "azp".
	ClientClaim string

	// Scopes are those that a client may ask for, for the metadata.
	Scopes []string
	// Name is the server's name for people, for the metadata.
	Name string

	// HTTPClient fetches the keys, for a proxy or certificates of one's own; nil is a
	// client that keeps to the environment's proxy. Redirects are not followed either
	// way, answers end at 1 MiB, and a timeout that is not set, or longer than 5
	// seconds, is 3 seconds.
	HTTPClient *http.Client

	now func() time.Time // for tests
}

// A ResourceServer takes access tokens from the header Authorization (RFC 6750 section
// 2.1), nowhere else. It is an [access.Authenticator].
type ResourceServer struct {
	verifier *verifier
	metadata access.ResourceMetadata
	anyType  string
}

// NewResourceServer returns an authenticator for the tokens of one issuer. The error
// says which option is wrong; the issuer is not asked anything yet.
func NewResourceServer(options Options) (*ResourceServer, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	s := settings{
		of:         "Options",
		jwksURL:    options.JWKSURL,
		algorithms: options.Algorithms,
		types:      slices.Clone(options.Types),
		maxBytes:   options.MaxTokenBytes,
		maxStale:   options.MaxStale,
		client:     options.HTTPClient,
		now:        options.now,
		rules: rulebook{
			issuer:   options.Issuer,
			audience: options.Audience,
			skew:     options.ClockSkew,
			mapping:  mapping{options.RolesClaim, options.TenantClaim, options.ScopesClaim, options.ClientClaim},
		},
	}
	if s.rules.audience == "" {
		s.rules.audience = options.Resource
	}
	if len(s.types) == 0 && options.InsecureAnyType == "" {
		s.types = defaultTypes
	}
	v, err := s.verifier()
	if err != nil {
		return nil, err
	}
	return &ResourceServer{
		verifier: v,
		anyType:  options.InsecureAnyType,
		metadata: access.ResourceMetadata{
			Resource:               options.Resource,
			AuthorizationServers:   []string{options.Issuer},
			ScopesSupported:        slices.Clone(options.Scopes),
			BearerMethodsSupported: []string{"header"},
			ResourceName:           options.Name,
		},
	}, nil
}

func (o *Options) check() error {
	if o.Resource == "" {
		return errors.New("oauth: Options.Resource is empty: give the URL of the MCP endpoint, which tokens have to be issued for")
	}
	if err := checkURL(o.Resource); err != nil {
		return fmt.Errorf("oauth: Options.Resource %w", err)
	}
	if o.Issuer == "" {
		return errors.New("oauth: Options.Issuer is empty: give the URL of the authorization server whose tokens are taken")
	}
	if err := checkIssuer(o.Issuer); err != nil {
		return fmt.Errorf("oauth: Options.Issuer %w", err)
	}
	if len(o.Types) > 0 && o.InsecureAnyType != "" {
		return errors.New("oauth: Options has both Types and InsecureAnyType: choose one")
	}
	for _, t := range o.Types {
		if t == "" || strings.EqualFold(t, "JWT") || strings.EqualFold(t, "application/jwt") {
			return fmt.Errorf("oauth: Options.Types has %q, which says nothing of what a token is for: say why that will do in InsecureAnyType", t)
		}
	}
	return nil
}

// Authenticate returns the principal that the request's bearer token names; see
// [access.Authenticator].
func (s *ResourceServer) Authenticate(r *http.Request, spend func() error) (access.Principal, error) {
	text, err := bearer(r.Header["Authorization"])
	if err != nil {
		return access.Principal{}, err
	}
	return s.verifier.verify(r.Context(), text, spend)
}

// CredentialHeaders is Authorization.
func (s *ResourceServer) CredentialHeaders() []string { return []string{"Authorization"} }

// ResourceMetadata is what clients are told of where tokens come from.
func (s *ResourceServer) ResourceMetadata() access.ResourceMetadata {
	m := s.metadata
	m.AuthorizationServers = slices.Clone(m.AuthorizationServers)
	m.ScopesSupported = slices.Clone(m.ScopesSupported)
	m.BearerMethodsSupported = slices.Clone(m.BearerMethodsSupported)
	return m
}

// OptOuts returns which defences are off, and why: package serve records them.
func (s *ResourceServer) OptOuts() map[string]string {
	if s.anyType == "" {
		return nil
	}
	return map[string]string{"InsecureAnyType": s.anyType}
}

var (
	errTwice = errors.New("oauth: the request presents credentials more than once")
	errEmpty = errors.New("oauth: the request presents an empty token")
)

// bearer returns the token of an Authorization header. Of two headers, who stands in
// front might have checked the other.
func bearer(values []string) (string, error) {
	switch len(values) {
	case 0:
		return "", access.ErrNoCredentials
	case 1:
	default:
		return "", errTwice
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") { // a scheme has no case (RFC 9110 section 11.1)
		return "", access.ErrNoCredentials
	}
	if token = strings.Trim(token, " "); token == "" {
		return "", errEmpty
	}
	return token, nil
}
