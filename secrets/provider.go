package secrets

import (
	"context"
	"errors"
)

// A Request asks for one credential, and says for whom.
type Request struct {
	Server string // the name of the server
	Tool   string // the tool that is called
	Caller string // the ID of the principal who calls it
	Tenant string // the tenant of that principal, where there is one
	// Binding is what the tool's policy names.
	Binding Binding
}

// A Provider makes or fetches credentials. Its methods are called from many
// goroutines at once and should end when their context does.
//
// The errors are wrapped around [ErrNotFound] where the binding has no value and
// [ErrUnsupported] where the provider cannot serve it, and [ErrUnavailable] where that
// may be over in a while; any other error means that the provider did not do what it
// should.
//
// A provider may have a further method, Supports(Binding) error, with which
// [Broker.Supports] finds mistakes when a server is put together.
type Provider interface {
	// Issue returns a credential for exactly the binding of the request.
	Issue(ctx context.Context, request Request) (*Credential, error)
	// Renew returns a credential with the same values that is valid for longer, or
	// ErrNotRenewable where there is nothing to renew.
	Renew(ctx context.Context, credential *Credential) (*Credential, error)
	// Revoke ends a credential before its time. Where there is nothing to take
	// back it returns nil.
	Revoke(ctx context.Context, credential *Credential) error
}

// What a provider's errors can be asked for with [errors.Is].
var (
	ErrNotFound     = errors.New("there is no such credential")
	ErrNotRenewable = errors.New("the credential cannot be renewed")
	ErrUnsupported  = errors.New("this kind of credential is not supported")
	// ErrUnavailable: the provider cannot do its work at the moment, and may later.
	ErrUnavailable = errors.New("the store of credentials is not available")
)

// What a broker itself says, beside its provider's errors.
var (
	// ErrNoBroker is the answer of a nil *Broker.
	ErrNoBroker = errors.New("this server has no secrets broker: set Options.Secrets")
	// ErrClosed is the answer after Close.
	ErrClosed = errors.New("the secrets broker is closed")
)
