package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// leakNotices are those in a trail that tell of a leak in a place.
func leakNotices(trail *safetooltest.Recorder, place string) int {
	n := 0
	for _, e := range trail.Events() {
		if e.Phase == audit.PhaseNotice && e.Decision.Rule == "leak" && strings.Contains(e.Decision.Reason, place) && len(e.Credentials) == 1 && e.Credentials[0].Binding == "kv:app/key#value" {
			n++
		}
	}
	return n
}

// What a handler of the program's says beside any tool is told of, too.
func TestALeakInAnErrorBesideToolsIsNeverSilent(t *testing.T) {
	t.Parallel()
	server, trail, policy := withSecret(t, func(o *safetool.Options) {
		o.SDK = &mcp.ServerOptions{
			SubscribeHandler: func(context.Context, *mcp.SubscribeRequest) error {
				return &jsonrpc.Error{Code: -32000, Message: "no " + issued, Data: json.RawMessage(`"` + issued + `"`)}
			},
			UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		}
	})
	safetool.AddTool(server, &mcp.Tool{Name: "take"}, policy, func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
		lent(ctx, t)
		return &mcp.CallToolResult{}, nil, nil
	})
	safetool.AddResource(server, &mcp.Resource{URI: "a:b", Name: "b"}, open, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{}}, nil
	})
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: "2025-06-18"})
	call(t, client, "take", nil) // it is issued now
	err := client.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "a:b"})
	if err == nil {
		t.Fatal("subscribed")
	}
	unleaked(t, nil, err)
	if n := leakNotices(trail, "resources/subscribe"); n != 1 {
		t.Errorf("%d notices: %s", n, dump(trail.Events()))
	}
}

// What is logged by whoever kept the logger of a call that is over, and by nobody's
// call, is told of, once.
func TestALeakInTheLogOutsideOfCallsIsNeverSilent(t *testing.T) {
	t.Parallel()
	var out noted
	server, trail, policy := withSecret(t, func(o *safetool.Options) { o.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
	kept := make(chan *slog.Logger, 1)
	value := ""
	safetool.AddTool(server, &mcp.Tool{Name: "take"}, policy, func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
		value = lent(ctx, t)
		kept <- safetool.CallFrom(ctx).Logger()
		return &mcp.CallToolResult{}, nil, nil
	})
	call(t, safetooltest.NewClient(t, server), "take", nil)
	if n := leakNotices(trail, ""); n != 0 {
		t.Fatalf("%d notices of nothing", n)
	}
	log := <-kept
	for range 3 {
		log.Info("afterwards", "value", value)
	}
	unleaked(t, out.String(), nil)
	if n := leakNotices(trail, "the log"); n != 1 {
		t.Errorf("%d notices: %s", n, dump(trail.Events()))
	}
	if slices.ContainsFunc(trail.Events(), func(e audit.Event) bool { return strings.Contains(dump(e), value) }) {
		t.Error("the notice holds the value")
	}
}

// What is no tool has a policy too: nothing of an answer that holds a secret is sent.
func TestNoResourcePromptOrCompletionGetsAroundARefusalOfLeaks(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		const rest = "the rest of it"
		server, trail, policy := withSecret(t, func(o *safetool.Options) {
			o.SDK = &mcp.ServerOptions{CompletionHandler: func(ctx context.Context, _ *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
				return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{rest, lent(ctx, t)}}}, nil
			}}
		})
		policy.Leaks = safetool.RefuseLeaks
		read := func(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{Text: rest}, {Blob: []byte("x" + lent(ctx, t))}}}, nil
		}
		safetool.AddResource(server, &mcp.Resource{URI: "a:b", Name: "b"}, policy, read)
		safetool.AddResourceTemplate(server, &mcp.ResourceTemplate{URITemplate: "shelf:{id}", Name: "shelf"}, policy, read)
		safetool.AddPrompt(server, &mcp.Prompt{Name: "p", Arguments: []*mcp.PromptArgument{{Name: "a"}}}, policy, func(ctx context.Context, _ *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Description: rest, Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: rest, Meta: mcp.Meta{"k": lent(ctx, t)}}}}}, nil
		})
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		ctx, asked := t.Context(), 0
		withheld := func(res any, err error) {
			t.Helper()
			asked++
			unleaked(t, res, err)
			var wire *jsonrpc.Error
			if !errors.As(err, &wire) || !strings.Contains(string(wire.Data), safetool.CodeSecretWithheld) || strings.Contains(dump(res)+dump(wire), rest) {
				t.Errorf("answered %s, %v", dump(res), err)
			}
			if n := leakNotices(trail, "the answer was withheld"); n != asked {
				t.Errorf("%d notices of %d: %s", n, asked, dump(trail.Events()))
			}
		}
		for _, uri := range []string{"a:b", "shelf:1"} {
			res, err := client.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
			withheld(res, err)
		}
		prompt, err := client.GetPrompt(ctx, &mcp.GetPromptParams{Name: "p"})
		withheld(prompt, err)
		done, err := client.Complete(ctx, &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "p"}, Argument: mcp.CompleteParamsArgument{Name: "a"}})
		withheld(done, err)
	})
}
