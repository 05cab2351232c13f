package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
)

const watched = "test://watched-resource"

// watch says that the watched resource has changed, again and again.
func watch(ctx context.Context, s *safetool.Server) {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: watched}) // whoever is gone need not know
		}
	}
}

// addMessages adds the tools that say something before they answer.
func addMessages(s *safetool.Server) {
	tool(s, "test_tool_with_logging", "Logs three messages.", func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for _, what := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			if err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: what}); err != nil {
				return nil, err
			}
			pause(ctx, 50*time.Millisecond)
		}
		return text("Logged."), nil
	})
	tool(s, "test_logging_tool", "Logs a message, which is sent to those alone who asked for it.", func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: "logged"}); err != nil {
			return nil, err
		}
		return text("Logged."), nil
	})
	tool(s, "test_tool_with_progress", "Reports progress.", func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		token := req.Params.GetProgressToken()
		for _, done := range []float64{0, 50, 100} {
			err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: token, Progress: done, Total: 100, Message: fmt.Sprintf("Completed step %.0f of 100", done),
			})
			if err != nil {
				return nil, err
			}
			pause(ctx, 50*time.Millisecond)
		}
		return text("%v", token), nil
	})
	tool(s, "test_reconnection", "Closes its stream before it answers (SEP-1699).", func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if req.Extra != nil && req.Extra.CloseSSEStream != nil {
			req.Extra.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: 10 * time.Millisecond})
		}
		pause(ctx, 100*time.Millisecond)
		return text("The client has come back."), nil
	})
	var added atomic.Int64
	tool(s, "test_trigger_tool_change", "Adds a tool, of which listeners learn.", func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		tool(s, fmt.Sprintf("transient_%d", added.Add(1)), "Does nothing.", func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return text("Nothing."), nil
		})
		return text("Added."), nil
	})
	tool(s, "test_trigger_prompt_change", "Adds a prompt, of which listeners learn.", func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		safetool.AddPrompt(s, &mcp.Prompt{Name: fmt.Sprintf("transient_%d", added.Add(1)), Description: "Says nothing."}, anyone,
			func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{}}, nil
			})
		return text("Added."), nil
	})
}

// pause waits, unless the caller is gone.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
