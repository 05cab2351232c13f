package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/safemcp/safemcp/validate"
)

// another is the tool on the other widely used library, by its typed handler and with
// its input validation, under the same schema. A message comes in whole, since that library
// has no door to its handlers behind the validation: what reading its envelope takes is
// in the figure.
func another(ctx context.Context) (*side, error) {
	args, err := validate.For[searchArgs](nil)
	if err != nil {
		return nil, err
	}
	s := server.NewMCPServer(impl.Name, impl.Version, server.WithInputSchemaValidation())
	s.AddTool(mcp.NewToolWithRawSchema("search", "", args.Schema()), mcp.NewStructuredToolHandler(
		func(_ context.Context, _ mcp.CallToolRequest, in searchArgs) (searchHits, error) {
			return find(&in), nil
		}))
	call := func(arguments string) mcp.JSONRPCMessage {
		return s.HandleMessage(ctx, json.RawMessage(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":`+arguments+`}}`))
	}
	answered := func(m mcp.JSONRPCMessage) bool {
		r, ok := m.(mcp.JSONRPCResponse)
		if !ok {
			return false
		}
		result, ok := r.Result.(*mcp.CallToolResult)
		if !ok {
			other, is := r.Result.(mcp.CallToolResult)
			result, ok = &other, is
		}
		return ok && !result.IsError && result.StructuredContent != nil
	}
	if answered(call(wrongArguments)) {
		return nil, errors.New("mcp-go does not validate")
	}
	return &side{do: func(n int) error {
		for range n {
			if !answered(call(arguments)) {
				return errors.New("mcp-go's tool did not answer as it should")
			}
		}
		return nil
	}, close: nothing}, nil
}
