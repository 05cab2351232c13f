package safetool

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A Handler is a tool as middleware sees it: the types erased, the arguments
// decoded and validated ([Call.Arguments]).
type Handler func(context.Context, *Call) (*Result, error)

// Middleware wraps the handler of every tool. The first of Options.Middleware
// is outermost. It runs after the call has been authorized and before a person
// is asked, the intent is recorded and credentials are issued, so what it
// refuses costs none of these; a result that it makes itself is cleaned and
// recorded like any other. Calling next after returning is refused. A handler that
// does not return in time is answered for: what next returns afterwards, and what the
// middleware makes of it, goes to nobody. Middleware itself has as long before the
// handler, and after it, as the handler has; it may call next again within that time.
//
//	func timed(next safetool.Handler) safetool.Handler {
//		return func(ctx context.Context, call *safetool.Call) (*safetool.Result, error) {
//			start := time.Now()
//			defer func() { call.Logger().Info("took", "duration", time.Since(start)) }()
//			return next(ctx, call)
//		}
//	}
type Middleware func(next Handler) Handler

// A Result is what a tool's handler answered.
type Result struct {
	// Output is the typed output, of the handler's Out type; nil for a raw tool.
	// Middleware may put another value in its place: it is checked against the
	// tool's output schema like the original.
	Output any
	// Content is the handler's own result, nil when it returned none. Treat it
	// as read-only: handlers may share one result between calls. Put a changed
	// copy in its place.
	Content *mcp.CallToolResult
}
