package safetool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/secrets"
)

// A Call is what a handler may know of the call that it serves, and the only
// way to the credentials of its policy. It is in the handler's context and dies
// with the handler's answer: a goroutine that outlives it gets no credential, and
// can send no message in its context.
//
//	call := safetool.CallFrom(ctx)
//	key, err := call.Credential("share_key")
//
// All methods are safe for concurrent use, and on a nil Call: outside of a call
// they return zero values and, where there is an error to return, say so.
type Call struct {
	id        string
	tool      string
	principal *access.Principal // of the request, which nobody changes
	arguments any
	flagged   string
	logger    *slog.Logger
	leaks     leaks

	mu          sync.Mutex
	over        bool
	credentials map[string]*secrets.Credential
}

type callKey struct{}

// CallFrom returns the Call that ctx belongs to, or nil outside of a call.
func CallFrom(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

func withCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// ID joins everything that belongs to this call in the audit log, over all
// rounds of a call that asks its user something. It is the reference that a
// caller is given when something fails.
func (c *Call) ID() string {
	if c == nil {
		return ""
	}
	return c.id
}

// Tool is the name of the tool that is called; empty while a resource or prompt
// is read.
func (c *Call) Tool() string {
	if c == nil {
		return ""
	}
	return c.tool
}

// Principal is who calls.
func (c *Call) Principal() access.Principal {
	if c == nil {
		return access.Principal{}
	}
	return copyOf(c.principal)
}

// Arguments are the decoded and validated arguments: a value of the tool's In
// type, json.RawMessage for a raw tool, nil elsewhere. Read-only.
func (c *Call) Arguments() any {
	if c == nil {
		return nil
	}
	return c.arguments
}

// ErrNoCall is returned outside of a call: by methods of a nil [Call], and by
// those of one that has been answered.
var ErrNoCall = errors.New("safetool: no call is being served in this context")

// Flagged says which texts among the arguments hold what a reader cannot see, and what, of
// fields with the tag text:"flag"; it is empty where none does. The audit log has it too.
func (c *Call) Flagged() string {
	if c == nil {
		return ""
	}
	return c.flagged
}

// Credential returns the credential that the policy of the tool names. It is
// there from before the handler runs until the call is answered; afterwards, and
// on a nil Call, the error is [ErrNoCall].
func (c *Call) Credential(name string) (*secrets.Credential, error) {
	if c == nil {
		return nil, fmt.Errorf("credential %q: %w", name, ErrNoCall)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, fmt.Errorf("credential %q: %w: it has been answered", name, ErrNoCall)
	}
	cred, ok := c.credentials[name]
	if !ok {
		return nil, fmt.Errorf("credential %q: the policy of %s names no such secret; add it to Policy.Secrets", name, c.tool)
	}
	return cred, nil
}

// Logger returns the server's logger with the call's ID and tool. What is logged
// through it passes the redaction of issued secrets. On a nil Call it is a logger
// that discards.
func (c *Call) Logger() *slog.Logger {
	if c == nil || c.logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	logger := c.logger
	if h, ok := logger.Handler().(*redactingHandler); ok {
		logger = slog.New(h.of(c))
	}
	return logger.With("call", c.id, "tool", c.tool)
}

// end makes the call dead to those who kept its context.
func (c *Call) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.credentials = nil
}

func (c *Call) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

func (c *Call) lend(credentials map[string]*secrets.Credential) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.credentials = credentials
	}
}
