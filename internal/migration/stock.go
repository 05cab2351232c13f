package migration

import "github.com/modelcontextprotocol/go-sdk/mcp"

// stock is the server as it was.
func stock() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "shop", Version: "v1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "add"}, add)
	mcp.AddTool(server, &mcp.Tool{Name: "greet", InputSchema: greetSchema}, greet)
	server.AddTool(&mcp.Tool{Name: "echo", InputSchema: echoSchema}, echo)
	mcp.AddTool(server, &mcp.Tool{Name: "anything"}, anything)
	mcp.AddTool(server, described(), ownResult)
	mcp.AddTool(server, &mcp.Tool{Name: "tool_error"}, toolError)
	mcp.AddTool(server, &mcp.Tool{Name: "plain_error"}, plainError)
	mcp.AddTool(server, &mcp.Tool{Name: "protocol_error"}, protocolError)
	mcp.AddTool(server, &mcp.Tool{Name: "confirm"}, confirm)
	mcp.AddTool(server, &mcp.Tool{Name: "progress"}, progress)
	mcp.AddTool(server, &mcp.Tool{Name: "numbers"}, numbers)
	mcp.AddTool(server, &mcp.Tool{Name: "count"}, count)
	mcp.AddTool(server, &mcp.Tool{Name: "wait"}, wait)
	mcp.AddTool(server, &mcp.Tool{Name: "sign_in"}, signIn)
	return server
}
