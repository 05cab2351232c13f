package safetool_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// What was answered for one feature is not taken for another, though the arguments are
// the same: neither another of its kind, nor one of another kind by the same name.
func TestAnAnswerForOneFeatureIsNeverTakenForAnother(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, nil)
	var taken atomic.Int32
	questions := mcp.InputRequestMap{"ok": &mcp.ElicitParams{Message: "Sure?"}}
	for _, name := range []string{"one", "two"} {
		safetool.AddTool(server, &mcp.Tool{Name: name}, open,
			func(_ context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
				if len(req.Params.InputResponses) > 0 {
					taken.Add(1)
					return &mcp.CallToolResult{}, nil, nil
				}
				return &mcp.CallToolResult{InputRequests: questions}, nil, nil
			})
		safetool.AddPrompt(server, &mcp.Prompt{Name: name}, open,
			func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				if len(req.Params.InputResponses) > 0 {
					taken.Add(1)
					return &mcp.GetPromptResult{}, nil
				}
				return &mcp.GetPromptResult{InputRequests: questions}, nil
			})
	}
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{SDK: &mcp.ClientOptions{
		MultiRoundTrip: &mcp.MultiRoundTripOptions{Disabled: true},
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return nil, errors.ErrUnsupported
		},
	}})
	tool := func(name, state string, yes mcp.InputResponseMap) (string, error) {
		res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: map[string]any{}, RequestState: state, InputResponses: yes})
		if err != nil {
			return "", err
		}
		return res.RequestState, nil
	}
	prompt := func(name, state string, yes mcp.InputResponseMap) (string, error) {
		res, err := client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: name, Arguments: map[string]string{}, RequestState: state, InputResponses: yes})
		if err != nil {
			return "", err
		}
		return res.RequestState, nil
	}
	type round func(name, state string, yes mcp.InputResponseMap) (string, error)
	yes := mcp.InputResponseMap{"ok": &mcp.ElicitResult{Action: "accept"}}
	for what, of := range map[string]struct {
		first, second round
		name          string
	}{
		"another tool":          {tool, tool, "two"},
		"another prompt":        {prompt, prompt, "two"},
		"a prompt for the tool": {prompt, tool, "one"},
		"a tool for the prompt": {tool, prompt, "one"},
	} {
		state, err := of.first("one", "", nil)
		if err != nil || state == "" {
			t.Fatalf("%s: the first round: %q, %v", what, state, err)
		}
		_, err = of.second(of.name, state, yes)
		var wire *jsonrpc.Error
		if !errors.As(err, &wire) || !strings.Contains(string(wire.Data), safetool.CodeStateInvalid) {
			t.Errorf("%s: %v", what, err)
		}
		if taken.Load() != 0 {
			t.Errorf("%s: a handler took it", what)
		}
		if _, err := of.first("one", state, yes); err != nil || taken.Swap(0) != 1 {
			t.Errorf("%s: the right one did not take it: %v", what, err)
		}
	}
}
