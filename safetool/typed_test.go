package safetool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

type typedIn struct {
	Short string `json:"short" validate:"max=100"`
	Long  string `json:"long"  validate:"max=100"`
}

// Nor is what a client answered a question with, or says of it in an error.
func TestAnAnswerThatDoesNotFitIsNeverInACause(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	safetool.AddTool(server, &mcp.Tool{Name: "asks"}, open,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			schema := json.RawMessage(`{"type":"object","properties":{"pin":{"type":"integer"}}}`)
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: "?", RequestedSchema: schema}}}, nil, nil
		})
	// A client that checks nothing: the SDK's own would.
	near, far := mcp.NewInMemoryTransports()
	caller := bridge.Caller{Principal: safetooltest.Tester(), Transport: "memory"}
	if _, err := bridge.Open(server).SDK.Connect(context.Background(), bridge.Identified(near, caller), nil); err != nil {
		t.Fatal(err)
	}
	conn, err := far.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids float64
	ask := func(method, params string, answers func(id jsonrpc.ID) *jsonrpc.Response) {
		t.Helper()
		ids++
		id, _ := jsonrpc.MakeID(ids)
		var msg jsonrpc.Message = &jsonrpc.Request{ID: id, Method: method, Params: json.RawMessage(params)}
		for {
			if err := conn.Write(t.Context(), msg); err != nil {
				t.Fatal(err)
			}
			came, err := conn.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			question, is := came.(*jsonrpc.Request)
			if !is {
				return
			}
			msg = answers(question.ID)
		}
	}
	ask("initialize", `{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}`, nil)
	_ = conn.Write(t.Context(), &jsonrpc.Request{Method: "notifications/initialized", Params: json.RawMessage(`{}`)})
	for _, of := range []struct {
		answer jsonrpc.Response
		says   string
	}{
		{jsonrpc.Response{Result: json.RawMessage(`{"action":"accept","content":{"pin":"hunter2000"}}`)}, "does not match"},
		{jsonrpc.Response{Error: &jsonrpc.Error{Code: -32000, Message: "they typed hunter2000"}}, "-32000"},
	} {
		ask("tools/call", `{"name":"asks","arguments":{}}`, func(id jsonrpc.ID) *jsonrpc.Response {
			of.answer.ID = id
			return &of.answer
		})
		events := trail.Calls()
		if cause := events[len(events)-1].Outcome.Cause; strings.Contains(cause, "hunter") || !strings.Contains(cause, of.says) {
			t.Errorf("the log says %q", cause)
		}
	}
}

// Whatever form an error's text has it in, what a caller typed is not in the log.
func TestWhatWasTypedIsNeverInACause(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	in := typedIn{Short: "hunt", Long: "hunter-2000 \"ä\" </b>\nq=1&r"}
	causes := map[string]func(in typedIn) string{
		"plain":  func(in typedIn) string { return in.Short + " and " + in.Long },
		"quoted": func(in typedIn) string { return fmt.Sprintf("%q is bad", in.Long) },
		"dumped": func(in typedIn) string { return dump(in) },
		"queried": func(in typedIn) string {
			return "https://a.example/?q=" + url.QueryEscape(in.Long)
		},
		"pathed": func(in typedIn) string { return "https://a.example/" + url.PathEscape(in.Long) },
	}
	policy := open
	policy.Limits = limit.Limits{Timeout: 20 * time.Millisecond}
	release := make(chan struct{})
	safetool.AddTool(server, &mcp.Tool{Name: "late"}, policy,
		func(_ context.Context, _ *mcp.CallToolRequest, in typedIn) (*mcp.CallToolResult, any, error) {
			<-release
			return nil, nil, fmt.Errorf("no %s", in.Long)
		})
	for name, cause := range causes {
		safetool.AddTool(server, &mcp.Tool{Name: name}, open,
			func(_ context.Context, _ *mcp.CallToolRequest, in typedIn) (*mcp.CallToolResult, any, error) {
				return nil, nil, fmt.Errorf("no: %s", cause(in))
			})
	}
	client := safetooltest.NewClient(t, server)
	for name := range causes {
		call(t, client, name, in)
	}
	call(t, client, "late", in)
	close(release)
	eventually(t, func() bool {
		events := trail.Calls()
		return events[len(events)-1].Decision.Rule == "late_return"
	}, func() string { return phases(trail.Calls()) })
	found := 0
	for _, e := range trail.Calls() {
		if strings.Contains(e.Outcome.Cause, "[long]") {
			found++
		}
		for _, part := range []string{"hunt", "2000", "q=1", "q%3D1"} {
			if strings.Contains(e.Outcome.Cause, part) {
				t.Errorf("%s: the log says %q", e.MCP.Tool, e.Outcome.Cause)
			}
		}
	}
	if found != len(causes)+1 {
		t.Errorf("%d causes name the argument", found)
	}
}
