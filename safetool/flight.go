package safetool

import (
	"context"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
)

// A flight is one request on its way through the server. A request of an older
// client that asks its user something passes the handler twice on one flight; a
// newer client's comes back as a new one, which the sealed state joins to the
// first.
type flight struct {
	server *Server
	req    mcp.Request
	method string
	caller *bridge.Caller
	start  time.Time
	call   string
	mcp    audit.MCP
	trace  audit.Trace
	legacy bool // the client speaks a protocol older than 2026-07-28

	tool      *tool
	resource  *resource
	prompt    *prompt
	completed *feature // of which an argument is completed
	toolReq   *mcp.CallToolRequest
	name      string // what was asked for, as the caller named it

	passed bool // a pass has begun
	asked  bool // the last pass ended in a question to the user
}

type flightKey struct{}

func withFlight(ctx context.Context, f *flight) context.Context {
	return context.WithValue(ctx, flightKey{}, f)
}

func flightFrom(ctx context.Context) *flight {
	f, _ := ctx.Value(flightKey{}).(*flight)
	return f
}

const (
	methodCallTool              = "tools/call"
	methodReadResource          = "resources/read"
	methodGetPrompt             = "prompts/get"
	methodComplete              = "completion/complete"
	methodListTools             = "tools/list"
	methodListPrompts           = "prompts/list"
	methodListResources         = "resources/list"
	methodListResourceTemplates = "resources/templates/list"
	methodSubscribe             = "resources/subscribe"
	methodUnsubscribe           = "resources/unsubscribe"
	methodSubscriptionsListen   = "subscriptions/listen"
	methodPing                  = "ping"

	versionStateless = "2026-07-28" // the first version that multi-round-trip requests and cache scopes belong to
)

func (s *Server) newFlight(method string, req mcp.Request) *flight {
	f := &flight{server: s, req: req, method: method, start: time.Now(), call: newID(), caller: bridge.CallerFrom(req.GetExtra())}
	f.mcp.Method = method
	if f.caller != nil {
		f.mcp.Transport, f.mcp.Request = f.caller.Transport, f.caller.Request
	}
	if session, ok := req.GetSession().(*mcp.ServerSession); ok && session != nil {
		f.mcp.Session = session.ID()
	}
	if versioned, ok := req.(interface{ ProtocolVersion() string }); ok {
		f.mcp.Protocol = clipped(versioned.ProtocolVersion())
		f.legacy = f.mcp.Protocol < versionStateless
	}
	f.trace = traceOf(req)
	return f
}

// clipped keeps a client's word for a protocol version out of the log unless it
// looks like one.
func clipped(version string) string {
	if len(version) != len(versionStateless) {
		return ""
	}
	for _, c := range []byte(version) {
		if c != '-' && (c < '0' || c > '9') {
			return ""
		}
	}
	return version
}

// event returns an event of this flight, which belongs to a call. It may be given to recordOnce.
func (f *flight) event(phase audit.Phase, call string) *audit.Event {
	e, _ := events.Get().(*audit.Event)
	e.Phase, e.Call, e.MCP, e.Trace, e.Duration = phase, call, f.mcp, f.trace, time.Since(f.start)
	if f.caller != nil {
		e.Caller = auditCaller(f.caller)
	}
	return e
}

// turnAway records a refusal that no tool result can carry and returns it as the
// protocol's error.
func (f *flight) turnAway(ctx context.Context, r *refusal, args audit.Args) error {
	p := r.problem
	p.Reference = f.call
	e := f.event(audit.PhaseRefused, f.call)
	e.Args = args
	e.Decision = audit.Decision{Effect: r.effect, By: r.by, Rule: r.rule, Reason: p.Message}
	e.Outcome = audit.Outcome{Status: audit.StatusRefused, Code: p.Code, Reference: f.call}
	if r.cause != nil {
		e.Outcome.Cause = errorText(r.cause)
	}
	_ = f.server.recordDetached(ctx, e) // logged by record; the refusal stands either way
	return wireError(&p)
}

// wireError is a problem as the protocol's error.
func wireError(p *Problem) *jsonrpc.Error {
	code := int64(jsonrpc.CodeInternalError)
	if p.Category == CategoryCaller || p.Category == CategoryPolicy {
		code = jsonrpc.CodeInvalidParams
	}
	return &jsonrpc.Error{Code: code, Message: p.Message, Data: p.json()}
}

// feature is what is called, read or completed; nil before it is known.
func (f *flight) feature() *feature {
	switch {
	case f.tool != nil:
		return &f.tool.feature
	case f.resource != nil:
		return &f.resource.feature
	case f.prompt != nil:
		return &f.prompt.feature
	}
	return f.completed
}

// capabilities are what the client says it can do: for this request where its
// protocol says so with each, else since the session began.
func (f *flight) capabilities() *mcp.ClientCapabilities {
	if able, ok := f.req.(interface {
		ClientCapabilities() *mcp.ClientCapabilities
	}); ok {
		return able.ClientCapabilities()
	}
	return nil
}
