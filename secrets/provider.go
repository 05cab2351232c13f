package secrets

import (
	"context"
	"errors"
)

// A Request asks for one credential, and says for whom.
type Request struct {
	Server string // the name of the server
	Tool   string // the tool that is called
	Tenant string // the tenant of the principal who calls it, where there is one
	// Caller is the ID of that principal. A provider gets it for a binding that
	// is [Binding.PerCaller] alone: what others share is not made for one.
	Caller string
	// Binding is what the tool's policy names.
	Binding Binding
}

// A Provider makes or fetches credentials. Its methods are called from many
// goroutines at once and should end when their context does.
//
// The errors are wrapped around [ErrNotFound] where there is no such credential, or none
// any more, [ErrDenied] where it is not for us, [ErrUnsupported] where the provider cannot
// serve the binding, and [ErrUnavailable] where the store cannot be reached or cannot do
// its work, which may be over in a while, as [context.DeadlineExceeded] says, too; any
// other error means that the provider did not do what it should. What it does after its
// context has ended is revoked or heeded all the same.
//
// A provider may have a further method, Supports(Binding) error, with which
// [Broker.Supports] finds mistakes when a server is put together.
type Provider interface {
	// Issue returns a credential for exactly the binding of the request.
	Issue(ctx context.Context, request Request) (*Credential, error)
	// Renew confirms a credential that has an ID: it returns one with the same values,
	// valid for longer where that is possible and else as long as it was.
	// ErrNotRenewable says that there is nothing to confirm, ErrNotFound or ErrDenied
	// that it has ended, and nobody may use it any more.
	Renew(ctx context.Context, credential *Credential) (*Credential, error)
	// Revoke ends a credential before its time. Where there is nothing to take
	// back it returns nil. What fails is tried again, up to once a minute, until the
	// credential has expired; 64 are under way at most, beside those of a Close.
	Revoke(ctx context.Context, credential *Credential) error
}

// What a provider's errors can be asked for with [errors.Is].
var (
	ErrNotFound     = errors.New("there is no such credential")
	ErrDenied       = errors.New("the store of credentials denies it")
	ErrNotRenewable = errors.New("the credential cannot be renewed")
	ErrUnsupported  = errors.New("this kind of credential is not supported")
	// ErrRejected: the far end does not take the credential. What a [Pool] lends its
	// resources to wraps its error in this where it was told so, and nothing was done.
	ErrRejected = errors.New("the credential was refused where it was used")
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
