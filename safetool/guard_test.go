package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

var open = safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}

type nothing struct{}

type greeting struct {
	Name string `json:"name" validate:"required,min=1,max=40"`
}

type greeted struct {
	Text string `json:"text"`
}

// newServer returns a guarded server on a recorder, with options changed by edit.
func newServer(t *testing.T, edit func(*safetool.Options)) (*safetool.Server, *safetooltest.Recorder) {
	t.Helper()
	trail := &safetooltest.Recorder{}
	o := &safetool.Options{Audit: trail, Logger: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(o)
	}
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test", Version: "v1"}, o)
	if err != nil {
		t.Fatal(err)
	}
	return server, trail
}

func addHello(s *safetool.Server) {
	safetool.AddTool(s, &mcp.Tool{Name: "hello", Description: "Greets."}, open,
		func(_ context.Context, _ *mcp.CallToolRequest, in greeting) (*mcp.CallToolResult, greeted, error) {
			return nil, greeted{"Hello, " + in.Name}, nil
		})
}

func call(t *testing.T, c *mcp.ClientSession, name string, args any) *mcp.CallToolResult {
	t.Helper()
	res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return res
}

func textOf(res *mcp.CallToolResult) string {
	var b strings.Builder
	for _, c := range res.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			b.WriteString(text.Text)
		}
	}
	return b.String()
}

func phases(events []audit.Event) string {
	var parts []string
	for _, e := range events {
		parts = append(parts, string(e.Phase)+":"+string(e.Outcome.Status))
	}
	return strings.Join(parts, " ")
}

// eachEra runs f on both eras of the protocol.
func eachEra(t *testing.T, f func(t *testing.T, version string)) {
	t.Helper()
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		t.Run(version, func(t *testing.T) { t.Parallel(); f(t, version) })
	}
}

func TestACallIsAnsweredAndRecordedBeforeAndAfter(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, trail := newServer(t, nil)
		addHello(server)
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		res := call(t, client, "hello", map[string]any{"name": "Ada"})
		if res.IsError || textOf(res) != `{"text":"Hello, Ada"}` {
			t.Fatalf("got %+v %s", res, textOf(res))
		}
		events := trail.Calls()
		if got := phases(events); got != "intent: outcome:ok" {
			t.Fatalf("events: %s", got)
		}
		if events[0].Call == "" || events[0].Call != events[1].Call {
			t.Errorf("the events of one call are joined by %q and %q", events[0].Call, events[1].Call)
		}
		if events[0].MCP.Tool != "hello" || events[0].Caller.ID != "test|tester" || events[0].MCP.Protocol != version {
			t.Errorf("intent: %+v", events[0])
		}
	})
}

func TestAPanicNeverEndsTheProcess(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, trail := newServer(t, func(o *safetool.Options) {
			o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
				return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
					if c.Tool() == "middle" {
						panic(errors.New("in the middle"))
					}
					return next(ctx, c)
				}
			}}
		})
		crash := func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			panic("the secret plan")
		}
		safetool.AddTool(server, &mcp.Tool{Name: "crash"}, open, crash)
		safetool.AddTool(server, &mcp.Tool{Name: "middle"}, open, crash)
		addHello(server)
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		for _, name := range []string{"crash", "middle"} {
			res := call(t, client, name, nil)
			if text := textOf(res); !res.IsError || strings.Contains(text, "plan") || strings.Contains(text, "middle\n") || !strings.Contains(text, "Reference: ") {
				t.Errorf("%s: %s", name, text)
			}
			last := trail.Calls()[len(trail.Calls())-1]
			if last.Outcome.Status != audit.StatusPanic || !strings.Contains(last.Outcome.Stack, "goroutine") || last.Outcome.Cause == "" {
				t.Errorf("%s is recorded as %+v", name, last.Outcome)
			}
		}
		if res := call(t, client, "hello", map[string]any{"name": "Ada"}); res.IsError {
			t.Error("the server did not live on")
		}
	})
}

func TestAnUnknownToolIsRefusedAndRecorded(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, trail := newServer(t, nil)
		addHello(server)
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		_, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "rm-canary"})
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Fatalf("got %v", err)
		}
		if got := phases(trail.Calls()); got != "refused:refused" {
			t.Fatalf("events: %s", got)
		}
	})
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func dump(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func somebodyElse() access.Principal { return access.NewPrincipal("test", "somebody-else") }
