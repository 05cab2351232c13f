package access

import (
	"errors"
	"net/http"
)

// An Authenticator establishes who makes an HTTP request, from what the request
// presents: a token, a key, a gateway's assertion, a client certificate.
// Implementations are safe for concurrent use.
//
// One that has a method OptOuts() map[string]string says with it which of its defences
// are off, and why: that is audited when a server starts.
type Authenticator interface {
	// Authenticate returns the principal that the request's credentials name.
	//
	// Where the request has no credentials of the kind that it reads, the error is
	// [ErrNoCredentials], and the next authenticator is asked. Where they cannot be
	// checked at the moment, the error wraps [ErrUnavailable]: the caller is told to
	// come back, not that the credentials are wrong. Any other error refuses the
	// request; its text goes to the audit log, never to the caller, and must not
	// hold the credentials.
	//
	// spend is called before work that a stranger could make it do again and again:
	// a signature, a network call. Where it returns an error, that is returned.
	Authenticate(r *http.Request, spend func() error) (Principal, error)
	// CredentialHeaders names the headers that it reads credentials from. They are
	// taken out of the request before a handler sees it.
	CredentialHeaders() []string
}

// Errors of an [Authenticator].
var (
	// ErrNoCredentials says that a request presents nothing of the authenticator's
	// kind.
	ErrNoCredentials = errors.New("access: the request presents no credentials of this kind")
	// ErrUnavailable says that credentials cannot be checked at the moment.
	ErrUnavailable = errors.New("access: the credentials cannot be checked at the moment")
)

// ResourceMetadata is what an OAuth 2.1 protected resource says of itself (RFC 9728
// section 2). An [Authenticator] that has a method ResourceMetadata returning it is
// discovered by clients: package serve publishes it and points challenges at it.
type ResourceMetadata struct {
	// Resource is the resource identifier, the URL of the MCP endpoint; tokens are
	// issued for it (RFC 8707).
	Resource string `json:"resource"`
	// AuthorizationServers are the issuers whose tokens are taken.
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	// ScopesSupported are the scopes that a client may ask for.
	ScopesSupported []string `json:"scopes_supported,omitempty"`
	// BearerMethodsSupported is ["header"]: tokens in a URL or body are not taken.
	BearerMethodsSupported []string `json:"bearer_methods_supported,omitempty"`
	// ResourceName is a name for people.
	ResourceName string `json:"resource_name,omitempty"`
}
