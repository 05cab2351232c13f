// Package bridge is how serve and safetooltest reach what safetool keeps to
// itself: the SDK's server. It lives under internal so that nobody outside this
// module can go around the guards with it.
package bridge

import (
	"context"
	"io"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/secrets"
)

// A Caller is who makes a request and from where, as a front door established
// it. It travels to safetool in the SDK's auth.TokenInfo, whose UserID is what
// binds a session to its user.
type Caller struct {
	Principal access.Principal
	Address   string // the peer's address; empty on stdio
	Transport string // "stdio", "http" or "memory"
	Request   string // the JSON-RPC id of this request in its JSON form, where the front door knows it
}

// callerKey is the TokenInfo.Extra entry. Its value has a type of this package,
// so that no code outside the module can make one.
const callerKey = "safemcp/caller"

// Extra returns the request extra that carries c.
func (c *Caller) Extra() *mcp.RequestExtra {
	return &mcp.RequestExtra{TokenInfo: &auth.TokenInfo{
		UserID: c.Principal.ID,
		Scopes: slices.Clone(c.Principal.Scopes), // a handler holds them
		Extra:  map[string]any{callerKey: c},
	}}
}

// CallerFrom returns the caller in extra, or nil when no front door put one
// there.
func CallerFrom(extra *mcp.RequestExtra) *Caller {
	if extra == nil || extra.TokenInfo == nil {
		return nil
	}
	c, _ := extra.TokenInfo.Extra[callerKey].(*Caller)
	return c
}

// A Refusal is what a front door turned away before safetool could see it.
type Refusal struct {
	Caller  *Caller // nil when nobody was identified
	Method  string  // the MCP method if it is a known one, else ""
	Request string  // the JSON-RPC id in its JSON form, else ""
	Rule    string  // which rule refused: "envelope", "params", "size", …
	Reason  string  // plain words, without anything that was sent
	Code    string  // the problem's code
	Cause   string  // what the caller is not told
	Kind    string  // "tool", "resource" or "prompt", where the caller may know of it
	Name    string  // and its name
	Bytes   int     // size of what was refused
}

// A Gate is what a front door may do with a safetool.Server.
type Gate struct {
	// SDK is the server to connect transports to.
	SDK *mcp.Server
	// Start records that the server begins to serve on a transport; an error
	// means that nothing may be served.
	Start func(ctx context.Context, transport string) error
	// Stop records that it has ended, and why; it waits for handlers that
	// outlived their deadline no longer than ctx allows.
	Stop func(ctx context.Context, transport, reason string) error
	// Refused records a refusal at the door.
	Refused func(context.Context, Refusal)
	// Needs says what only HTTP can say of a request for a feature before the SDK
	// sees it: the scopes that its caller lacks, and the arguments that have headers.
	// Of what the caller may not know of it says nothing, as of what there is not.
	Needs func(who *access.Principal, method, name string) Needs
	// Scopes are those that a caller may come to need, in order.
	Scopes func() []string
	// Ready says what stands in the way of serving a call, nil if nothing does.
	Ready func(context.Context) error
	// Notice records an event that belongs to no call.
	Notice func(ctx context.Context, by, rule, reason string) error
}

// Needs is what a request for a feature needs beyond its envelope.
type Needs struct {
	// Missing is the first scope that the caller lacks, and Scopes are then all of the
	// feature; nil where it lacks none.
	Missing string
	Scopes  []string
	// Kind and Name are the feature's, "" where the caller may not know of it.
	Kind, Name string
	// Headers are the arguments of a tool that travel in headers as well (SEP-2243).
	Headers []ParamHeader
}

// A ParamHeader is an argument that has a header.
type ParamHeader struct {
	Path []string // the members that lead to it
	Name string   // of the header, behind Mcp-Param-
}

// Open returns the gate of a *safetool.Server. The package safetool sets it.
var Open func(server any) Gate

// A CallSpec is what a handler under a unit test finds in its Call.
type CallSpec struct {
	Tool        string
	Principal   access.Principal
	Arguments   any
	Credentials map[string]*secrets.Credential
}

// WithCall returns a context that a Call of this kind is in, and the function
// that ends the call as its answer does. The package safetool sets it.
var WithCall func(context.Context, CallSpec) (context.Context, func())

// Door puts the door of standard input and output in front of a server, on any pair of
// streams: the transport to connect the gate's server to, and what is to be called when
// it has ended. The package serve sets it.
var Door func(gate Gate, streams io.ReadWriter, caller Caller) (transport mcp.Transport, ended func())

// Strict says whether a message passes the strict parse of the front doors. The package
// serve sets it, for benchmarks.
var Strict func(message []byte) bool
