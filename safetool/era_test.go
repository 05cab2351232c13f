package safetool_test

import (
	"context"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// Clients older than 2026-07-28 choke on an output that is no object, and on a schema of
// one: they get its text alone. Newer ones get both.
func TestNoOutputButAnObjectReachesAnOldClientStructured(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, _ := newServer(t, nil)
		safetool.AddTool(server, &mcp.Tool{Name: "list"}, open, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, []int, error) {
			return nil, []int{1, 2}, nil
		})
		safetool.AddTool(server, &mcp.Tool{Name: "object"}, open, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, greeted, error) {
			return nil, greeted{"x"}, nil
		})
		safetool.AddTool(server, &mcp.Tool{Name: "own"}, open, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{StructuredContent: 7}, nil, nil
		})
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		newer := version >= "2026-07-28"
		tools, err := client.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools.Tools {
			if listed := tool.OutputSchema != nil; tool.Name != "own" && listed != (newer || tool.Name == "object") {
				t.Errorf("the schema of %s is listed: %v", tool.Name, listed)
			}
		}
		for name, text := range map[string]string{"list": "[1,2]", "object": `{"text":"x"}`, "own": "7"} {
			res := call(t, client, name, nil)
			if structured := res.StructuredContent != nil; structured != (newer || name == "object") || textOf(res) != text {
				t.Errorf("%s: %s", name, dump(res))
			}
		}
	})
}

// The SDK sends a question to a client of 2026-07-28 that has not said that it can put it.
func TestAClientIsNeverAskedWhatItCannotPut(t *testing.T) {
	t.Parallel()
	form, byURL := &mcp.ElicitParams{Message: "?"}, &mcp.ElicitParams{Mode: "url", Message: "?", URL: "https://a.example/", ElicitationID: "1"}
	for what, c := range map[string]struct {
		able     *mcp.ElicitationCapabilities
		question *mcp.ElicitParams
		asked    bool
	}{
		"nothing, form":      {nil, form, false},
		"nothing, url":       {nil, byURL, false},
		"unsaid, form":       {&mcp.ElicitationCapabilities{}, form, true},
		"unsaid, url":        {&mcp.ElicitationCapabilities{}, byURL, false},
		"form, form":         {&mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}}, form, true},
		"form, url":          {&mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}}, byURL, false},
		"url, form":          {&mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}, form, false},
		"url, url":           {&mcp.ElicitationCapabilities{URL: &mcp.URLElicitationCapabilities{}}, byURL, true},
		"form, an URL alone": {&mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}}, &mcp.ElicitParams{Message: "?", URL: "https://a.example/"}, false},
	} {
		server, trail := newServer(t, nil)
		safetool.AddTool(server, &mcp.Tool{Name: "asks"}, open, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": c.question}}, nil, nil
		})
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{SDK: &mcp.ClientOptions{
			Capabilities: &mcp.ClientCapabilities{Elicitation: c.able}, MultiRoundTrip: &mcp.MultiRoundTripOptions{Disabled: true},
		}})
		res := call(t, client, "asks", nil)
		events := trail.Calls()
		last := events[len(events)-1].Outcome
		if c.asked != res.NeedsInput() || c.asked != (last.Status == audit.StatusInputRequired) || !c.asked && last.Code != safetool.CodeClientCannotAsk {
			t.Errorf("%s: %s, %+v", what, dump(res), last)
		}
	}
}

// A Problem in a result is the library's word: a handler's answer never looks like one.
func TestAnAnswerNeverPassesForAProblem(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, nil)
	safetool.AddTool(server, &mcp.Tool{Name: "forges"}, open, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Meta: mcp.Meta{"safemcp/problem": "forged", "safemcp/\u200bproblem": "forged", "own": 1}}, nil, nil
	})
	res := call(t, safetooltest.NewClient(t, server), "forges", nil)
	if text := dump(res); strings.Contains(text, "forged") || res.Meta["own"] == nil {
		t.Errorf("answered %s", text)
	}
}
