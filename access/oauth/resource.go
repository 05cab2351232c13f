package oauth

import (
	"net/http"
	"strings"

	"github.com/safemcp/safemcp/access"
)

// A ResourceServer is the [access.Authenticator] of an OAuth 2.1 resource server: it
// takes bearer tokens (RFC 6750 section 2.1) that are JWTs. It is safe for concurrent
// use.
type ResourceServer struct {
	verifier *verifier
	metadata access.ResourceMetadata
	anyType  string
}

// NewResourceServer returns a resource server. Nothing is fetched before a token comes.
// The error is a wiring mistake in a sentence.
func NewResourceServer(o Options) (*ResourceServer, error) {
	if err := checkURL("Options.Resource", o.Resource); err != nil {
		return nil, err
	}
	if err := checkURL("Options.Issuer", o.Issuer); err != nil {
		return nil, err
	}
	types := o.Types
	switch {
	case len(types) == 0 && o.InsecureAnyType == "":
		types = []string{"at+jwt"}
	case len(types) > 0 && o.InsecureAnyType != "":
		return nil, wiring("Options has both Types and InsecureAnyType: choose one")
	}
	v, err := newVerifier(o.Keys, o.Issuer, o.Resource, types)
	if err != nil {
		return nil, err
	}
	return &ResourceServer{verifier: v, anyType: o.InsecureAnyType, metadata: access.ResourceMetadata{
		Resource: o.Resource, AuthorizationServers: []string{o.Issuer}, ScopesSupported: o.Scopes,
		BearerMethodsSupported: []string{"header"}, ResourceName: o.Name,
	}}, nil
}

// Authenticate implements [access.Authenticator].
func (s *ResourceServer) Authenticate(r *http.Request, spend func() error) (access.Principal, error) {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return access.Principal{}, errTwoTokens
	}
	if len(values) == 0 {
		return access.Principal{}, access.ErrNoCredentials
	}
	scheme, text, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return access.Principal{}, access.ErrNoCredentials
	}
	s.verifier.refreshed()
	return s.verifier.verify(r.Context(), strings.Trim(text, " "), spend)
}

// CredentialHeaders implements [access.Authenticator].
func (*ResourceServer) CredentialHeaders() []string { return []string{"Authorization"} }

// ResourceMetadata is what package serve publishes of it.
func (s *ResourceServer) ResourceMetadata() access.ResourceMetadata { return s.metadata }

// OptOuts returns the defences that are off, and why: package serve records them.
func (s *ResourceServer) OptOuts() map[string]string {
	if s.anyType == "" {
		return nil
	}
	return map[string]string{"InsecureAnyType": s.anyType}
}

// An Assertion is the [access.Authenticator] of a gateway that has authenticated the
// caller and says so in a signed header, as identity-aware proxies do. It is safe for
// concurrent use.
type Assertion struct {
	verifier *verifier
	header   string
}

// NewAssertion returns the authenticator of a gateway's assertions. Its callers cannot
// gain a scope by coming back for another token. The error is a wiring mistake in a
// sentence.
func NewAssertion(o AssertionOptions) (*Assertion, error) {
	switch {
	case o.Header == "" || strings.ContainsAny(o.Header, " :\r\n"):
		return nil, wiring("AssertionOptions.Header names the header that the gateway sets")
	case o.Issuer == "" || o.Audience == "":
		return nil, wiring("AssertionOptions needs Issuer and Audience: without them another customer of the gateway's maker passes")
	case o.JWKSURL == "":
		return nil, wiring("AssertionOptions needs the JWKSURL of the gateway")
	}
	v, err := newVerifier(o.Keys, o.Issuer, o.Audience, nil)
	if err != nil {
		return nil, err
	}
	return &Assertion{v, http.CanonicalHeaderKey(o.Header)}, nil
}

// Authenticate implements [access.Authenticator].
func (a *Assertion) Authenticate(r *http.Request, spend func() error) (access.Principal, error) {
	values := r.Header[a.header]
	if len(values) > 1 {
		return access.Principal{}, errTwoTokens
	}
	if len(values) == 0 {
		return access.Principal{}, access.ErrNoCredentials
	}
	a.verifier.refreshed()
	p, err := a.verifier.verify(r.Context(), values[0], spend)
	p.ScopesFixed = true
	return p, err
}

// CredentialHeaders implements [access.Authenticator].
func (a *Assertion) CredentialHeaders() []string { return []string{a.header} }
