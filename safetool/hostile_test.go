package safetool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// A hostileError does what an error should not when it is looked at.
type hostileError struct{ text, is func() }

func (e *hostileError) Error() string { e.text(); return "the text of a hostile error" }
func (e *hostileError) Is(error) bool { e.is(); return false }
func (e *hostileError) Timeout() bool { e.is(); return false }
func (e *hostileError) As(any) bool   { e.is(); return false }

// Code of the program's own that panics, or ends its goroutine, wherever it is called:
// the caller is answered, the outcome is on record, and the server lives on.
func TestNoCodeOfTheProgramTakesACallWithIt(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		fine, bomb := func() {}, func() { panic("the secret plan") }
		var nobody *hostileError
		var noProblem *safetool.Problem
		returns := map[string]func() (*mcp.CallToolResult, any, error){
			"exits":               func() (*mcp.CallToolResult, any, error) { runtime.Goexit(); return nil, nil, nil },
			"error text panics":   func() (*mcp.CallToolResult, any, error) { return nil, nil, &hostileError{bomb, fine} },
			"error is panics":     func() (*mcp.CallToolResult, any, error) { return nil, nil, &hostileError{fine, bomb} },
			"error is nil inside": func() (*mcp.CallToolResult, any, error) { return nil, nil, nobody },
			"problem is nil":      func() (*mcp.CallToolResult, any, error) { return nil, nil, noProblem },
			"panics with error":   func() (*mcp.CallToolResult, any, error) { panic(&hostileError{bomb, bomb}) },
			"panics with exit":    func() (*mcp.CallToolResult, any, error) { panic(&hostileError{runtime.Goexit, fine}) },
			"panics with nil":     func() (*mcp.CallToolResult, any, error) { panic(nil) },
			"joined": func() (*mcp.CallToolResult, any, error) {
				return nil, nil, errors.Join(errors.New("a"), &hostileError{bomb, bomb})
			},
			"middleware panics": nil, "authorizer panics": nil,
		}
		server, trail := newServer(t, func(o *safetool.Options) {
			o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
				return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
					if c.Tool() == "middleware_panics" {
						panic(&hostileError{bomb, bomb})
					}
					return next(ctx, c)
				}
			}}
			o.Authorizer = access.AuthorizerFunc(func(_ context.Context, r access.Request) (access.Decision, error) {
				if r.Tool == "authorizer_panics" {
					panic(&hostileError{bomb, bomb})
				}
				return access.Permit("all"), nil
			})
		})
		for name, f := range returns {
			safetool.AddTool(server, &mcp.Tool{Name: strings.ReplaceAll(name, " ", "_")}, open,
				func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) { return f() })
		}
		addHello(server)
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		for name := range returns {
			tool := strings.ReplaceAll(name, " ", "_")
			ctx, cancel := context.WithTimeout(t.Context(), 1*time.Second)
			res, err := client.CallTool(ctx, &mcp.CallToolParams{Name: tool})
			cancel()
			var text string
			if err == nil {
				text = textOf(res)
			} else {
				text = err.Error()
			}
			if (err == nil && !res.IsError) || strings.Contains(text, "plan") || strings.Contains(text, "hostile") || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %s", name, text)
			}
			calls := trail.Calls()
			if last := calls[len(calls)-1]; last.MCP.Tool != tool || last.Phase == audit.PhaseIntent {
				t.Errorf("%s: the last event is %+v", name, last)
			}
		}
		if res := call(t, client, "hello", map[string]any{"name": "Ada"}); res.IsError {
			t.Error("the server did not live on")
		}
	})
}
