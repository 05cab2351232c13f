package safetool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// What breaks the listed output schema stays inside: a handler's output, what middleware
// put in its place, and what a raw tool's own result holds.
func TestNoOutputThatBreaksItsSchemaLeaves(t *testing.T) {
	t.Parallel()
	type out struct {
		Kind string `json:"kind" validate:"oneof=a b"`
	}
	server, trail := newServer(t, func(o *safetool.Options) {
		o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				res, err := next(ctx, c)
				if c.Tool() == "replaced" {
					return &safetool.Result{Output: map[string]any{"kind": "canary"}}, err
				}
				return res, err
			}
		}}
	})
	schema := json.RawMessage(`{"type":"object","properties":{"kind":{"enum":["a","b"]}},"required":["kind"]}`)
	typed := func(kind string) mcp.ToolHandlerFor[nothing, out] {
		return func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, out, error) {
			return nil, out{kind}, nil
		}
	}
	safetool.AddTool(server, &mcp.Tool{Name: "typed"}, open, typed("canary"))
	safetool.AddTool(server, &mcp.Tool{Name: "replaced"}, open, typed("a"))
	safetool.AddTool(server, &mcp.Tool{Name: "right"}, open, typed("b"))
	safetool.AddTool(server, &mcp.Tool{Name: "own", OutputSchema: schema}, open,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			return nil, map[string]any{"kind": "canary"}, nil
		})
	safetool.AddRawTool(server, &mcp.Tool{Name: "raw", InputSchema: json.RawMessage(`{"type":"object"}`), OutputSchema: schema}, open,
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{StructuredContent: map[string]any{"kind": "canary"}}, nil
		})
	client := safetooltest.NewClient(t, server)
	for _, card := range server.Describe() {
		res := call(t, client, card.Name, nil)
		if right := card.Name == "right"; res.IsError == right || strings.Contains(dump(res), "canary") {
			t.Errorf("%s: %s", card.Name, dump(res))
		}
	}
	for _, e := range trail.Calls() {
		if strings.Contains(e.Outcome.Cause, "canary") {
			t.Errorf("the log says %q", e.Outcome.Cause)
		}
	}
}

// A schema that the author wrote is enforced, for a tool that reads its own bytes and
// beside a type.
func TestNoArgumentsThatBreakTheAuthorsSchemaReachAHandler(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, nil)
	schema := json.RawMessage(`{"type":"object","properties":{"kind":{"enum":["a","b"]}},"required":["kind"],"additionalProperties":false}`)
	ran := 0
	safetool.AddRawTool(server, &mcp.Tool{Name: "raw", InputSchema: schema}, open,
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			ran++
			return &mcp.CallToolResult{}, nil
		})
	safetool.AddTool(server, &mcp.Tool{Name: "typed", InputSchema: schema}, open,
		func(context.Context, *mcp.CallToolRequest, map[string]any) (*mcp.CallToolResult, any, error) {
			ran++
			return &mcp.CallToolResult{}, nil, nil
		})
	client := safetooltest.NewClient(t, server)
	for _, name := range []string{"raw", "typed"} {
		for _, args := range []string{`{}`, `{"kind":"canary"}`, `{"kind":"a","more":1}`, `{"kind":"a","kind":"b"}`, `{"kind":null}`} {
			if text := dump(call(t, client, name, json.RawMessage(args))); !strings.Contains(text, safetool.CodeInvalidArguments) || strings.Contains(text, "canary") {
				t.Errorf("%s %s: %s", name, args, text)
			}
		}
		if res := call(t, client, name, json.RawMessage(`{"kind":"a"}`)); res.IsError {
			t.Errorf("%s: %s", name, textOf(res))
		}
	}
	if ran != 2 {
		t.Errorf("%d handlers ran, not 2", ran)
	}
}

// Registering what is not bounded warns once, with the field and the tag that bounds it.
func TestWhatIsNotBoundedIsWarnedAboutOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	server, _ := newServer(t, func(o *safetool.Options) { o.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
	safetool.AddTool(server, &mcp.Tool{Name: "loose"}, open,
		func(context.Context, *mcp.CallToolRequest, struct {
			Query string   `json:"query"`
			Tags  []string `json:"tags" validate:"dive,max=9"`
		},
		) (*mcp.CallToolResult, any, error) {
			return nil, nil, nil
		})
	if text := out.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "loose") || !strings.Contains(text, "query") || !strings.Contains(text, "tags") || !strings.Contains(text, "max=") {
		t.Errorf("it says: %s", text)
	}
	out.Reset()
	addHello(server)
	if out.Len() > 0 {
		t.Errorf("a tool that is bounded is warned about: %s", out.String())
	}
}

// Nothing that is larger than its limit leaves, by whatever way.
func TestNoAnswerIsLargerThanItsLimit(t *testing.T) {
	t.Parallel()
	const most = 1 << 10
	long := strings.Repeat("x", most+1)
	small := open
	small.Limits = limit.Limits{ResultBytes: most}
	server, trail := newServer(t, nil)
	for name, of := range map[string]struct {
		own *mcp.CallToolResult
		out any
	}{
		"text":   {&mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: long}}}, nil},
		"parts":  {&mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: long[:600]}, &mcp.ImageContent{Data: []byte(long[:600])}}}, nil},
		"meta":   {&mcp.CallToolResult{Meta: mcp.Meta{"x": long}}, nil},
		"output": {nil, long},
	} {
		safetool.AddTool(server, &mcp.Tool{Name: name}, small, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			return of.own, of.out, nil
		})
	}
	safetool.AddResource(server, &mcp.Resource{URI: "x:y", Name: "x"}, small, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{Text: long}}}, nil
	})
	client := safetooltest.NewClient(t, server)
	for _, card := range server.Describe() {
		var text string
		if card.Kind == "tool" {
			text = dump(call(t, client, card.Name, nil))
		} else {
			_, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "x:y"})
			text = dump(err)
		}
		events := trail.Calls()
		last := events[len(events)-1]
		if len(text) > 2*most || last.Phase != audit.PhaseOutcome || last.Outcome.Code != safetool.CodeResultTooLarge {
			t.Errorf("%s: %d bytes, %+v", card.Name, len(text), last.Outcome)
		}
	}
}

// A policy that its author changes afterwards is the one that was registered, and who
// comes without a name is nobody.
func TestAPolicyNeverChangesAfterRegistration(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	policy := safetool.Policy{Risk: safetool.ReadOnly, Scopes: []string{"admin"}}
	ran := func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
		t.Error("it ran")
		return nil, nil, nil
	}
	safetool.AddTool(server, &mcp.Tool{Name: "x"}, policy, ran)
	policy.Scopes[0] = "other"
	who := safetooltest.Tester()
	who.Scopes = []string{"other"}
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{Principal: who})
	if text := dump(call(t, client, "x", nil)); !strings.Contains(text, safetool.CodeMissingScope) {
		t.Errorf("answered %s", text)
	}
	near, far := mcp.NewInMemoryTransports()
	if _, err := bridge.Open(server).SDK.Connect(t.Context(), bridge.Identified(near, bridge.Caller{Transport: "memory"}), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := mcp.NewClient(&mcp.Implementation{Name: "c"}, nil).Connect(t.Context(), far, nil); err == nil {
		t.Error("nobody was let in")
	}
	events := trail.Events()
	if last := events[len(events)-1]; last.Outcome.Code != safetool.CodeUnidentified {
		t.Errorf("recorded as %+v", last)
	}
}
