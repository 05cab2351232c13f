package migration

import (
	"log/slog"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
)

// guarded is the server as it is now: NewServer and AddTool are another package's, and
// each tool says what it may do.
func guarded(trail audit.Recorder) (*safetool.Server, error) {
	server, err := safetool.NewServer(&mcp.Implementation{Name: "shop", Version: "v1"}, &safetool.Options{Audit: trail, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	open := safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}
	safetool.AddTool(server, &mcp.Tool{Name: "add"}, open, add)
	safetool.AddTool(server, &mcp.Tool{Name: "greet", InputSchema: greetSchema}, open, greet)
	safetool.AddRawTool(server, &mcp.Tool{Name: "echo", InputSchema: echoSchema}, open, echo)
	safetool.AddTool(server, &mcp.Tool{Name: "anything"}, open, anything)
	safetool.AddTool(server, described(), open, ownResult)
	safetool.AddTool(server, &mcp.Tool{Name: "tool_error"}, open, toolError)
	safetool.AddTool(server, &mcp.Tool{Name: "plain_error"}, open, plainError)
	safetool.AddTool(server, &mcp.Tool{Name: "protocol_error"}, open, protocolError)
	safetool.AddTool(server, &mcp.Tool{Name: "confirm"}, open, confirm)
	safetool.AddTool(server, &mcp.Tool{Name: "progress"}, open, progress)
	safetool.AddTool(server, &mcp.Tool{Name: "numbers"}, open, numbers)
	safetool.AddTool(server, &mcp.Tool{Name: "count"}, open, count)
	safetool.AddTool(server, &mcp.Tool{Name: "wait"}, open, wait)
	safetool.AddTool(server, &mcp.Tool{Name: "sign_in"}, open, signIn)
	return server, nil
}
