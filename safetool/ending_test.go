package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// What runs on goroutines that nobody waits for, or that are the SDK's: a panic there
// ends the process, with all of its calls.

func TestALateHandlersErrorNeverEndsTheProcess(t *testing.T) {
	t.Parallel()
	for _, bomb := range []func(){func() { panic("the secret plan") }, runtime.Goexit} {
		lateError(t, bomb, false)
		lateError(t, bomb, true)
	}
}

// lateError lets a handler return an error that does something when it is looked at, and
// waits for the log to learn of it; aside, on a goroutine that middleware left behind.
func lateError(t *testing.T, bomb func(), aside bool) {
	t.Helper()
	is := bomb
	if aside { // nothing asks it what it is before it is late
		is = func() {}
	}
	server, trail := newServer(t, func(o *safetool.Options) {
		o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				if !aside {
					return next(ctx, c)
				}
				begun := make(chan struct{})
				go func() { _, _ = next(context.WithValue(ctx, begunKey{}, begun), c) }()
				<-begun
				return nil, nil
			}
		}}
	})
	policy := open
	policy.Limits = limit.Limits{Timeout: 200 * time.Millisecond, Concurrency: 1}
	release := make(chan struct{})
	safetool.AddTool(server, &mcp.Tool{Name: "stuck"}, policy,
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			if begun, ok := ctx.Value(begunKey{}).(chan struct{}); ok {
				close(begun)
			}
			<-release
			return nil, nil, &hostileError{bomb, is}
		})
	client := safetooltest.NewClient(t, server)
	call(t, client, "stuck", nil)
	close(release)
	eventually(t, func() bool {
		events := trail.Calls()
		last := events[len(events)-1]
		return last.Decision.Rule == "late_return" && last.Outcome.Status != audit.StatusOK
	}, func() string { return phases(trail.Calls()) })
	if text := dump(call(t, client, "stuck", nil)); strings.Contains(text, safetool.CodeBusy) {
		t.Errorf("the slot was not given back: %s", text)
	}
}

// Printing a value that leads back to itself exhausts the stack, which nothing recovers.
func TestAPanicsValueNeverEndsTheProcess(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	loop := map[string]any{}
	loop["loop"] = loop
	list := []any{nil}
	list[0] = list
	for name, value := range map[string]any{"map": loop, "slice": list, "struct": struct{ V any }{loop}, "pointer": &struct{ V any }{loop}, "text": "boom", "number": 7} {
		safetool.AddTool(server, &mcp.Tool{Name: name}, open,
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) { panic(value) })
	}
	client := safetooltest.NewClient(t, server)
	for _, card := range server.Describe() {
		if res := call(t, client, card.Name, nil); !res.IsError {
			t.Errorf("%s: answered %s", card.Name, textOf(res))
		}
		events := trail.Calls()
		last := events[len(events)-1].Outcome
		if want := map[string]string{"text": "boom", "number": "7"}[card.Name]; last.Status != audit.StatusPanic || last.Cause == "" || (want != "" && last.Cause != want) {
			t.Errorf("%s is recorded as %+v", card.Name, last)
		}
	}
}

// A brokenLog is a handler of a program's logger that panics.
type brokenLog struct{}

func (brokenLog) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenLog) Handle(context.Context, slog.Record) error { panic("no log") }
func (b brokenLog) WithAttrs([]slog.Attr) slog.Handler      { return b }
func (b brokenLog) WithGroup(string) slog.Handler           { return b }

func TestALoggerThatPanicsNeverEndsTheProcess(t *testing.T) {
	t.Parallel()
	var failing atomic.Bool
	server, _ := newServer(t, func(o *safetool.Options) {
		o.Logger = slog.New(brokenLog{})
		o.SDK = &mcp.ServerOptions{Logger: o.Logger}
		o.Audit = &safetooltest.Recorder{Fail: func(audit.Event) error {
			if failing.Load() {
				return errors.New("the disk is full")
			}
			return nil
		}}
	})
	addHello(server)
	client := safetooltest.NewClient(t, server)
	failing.Store(true)
	if text := dump(call(t, client, "hello", map[string]any{"name": "Ada"})); !strings.Contains(text, safetool.CodeAuditUnavailable) {
		t.Errorf("answered %s", text)
	}
	failing.Store(false)
	if res := call(t, client, "hello", map[string]any{"name": "Ada"}); res.IsError {
		t.Error("the server did not live on")
	}
}

// The SDK asks clients older than 2026-07-28 on goroutines of its own, and follows what
// the question points to.
func TestAQuestionWithANilMessageNeverEndsTheProcess(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, _ := newServer(t, nil)
		for name, question := range map[string]mcp.InputRequest{
			"nil":      &mcp.CreateMessageParams{Messages: []*mcp.SamplingMessage{nil}},
			"nil_tool": &mcp.CreateMessageWithToolsParams{Messages: []*mcp.SamplingMessageV2{nil}},
			"empty":    &mcp.CreateMessageParams{Messages: []*mcp.SamplingMessage{{}}},
		} {
			safetool.AddTool(server, &mcp.Tool{Name: name}, open,
				func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
					return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": question}}, nil, nil
				})
		}
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version, SDK: &mcp.ClientOptions{
			CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
				return &mcp.CreateMessageResult{Content: &mcp.TextContent{}}, nil
			},
		}})
		for _, card := range server.Describe() {
			if res := call(t, client, card.Name, nil); !res.IsError || !strings.Contains(textOf(res), "Reference: ") {
				t.Errorf("%s: %s", card.Name, dump(res))
			}
		}
	})
}

// What is listed is encoded by the SDK after all middleware: a panic there ends the
// process, and a NaN is never answered.
func TestADefinitionThatDoesNotEncodeIsNeverListed(t *testing.T) {
	t.Parallel()
	for what, value := range map[string]any{"panics": bomb{true}, "NaN": math.NaN(), "channel": make(chan int)} {
		meta := mcp.Meta{"x": value}
		nan := &mcp.Annotations{Priority: math.Inf(1)}
		for kind, add := range map[string]func(*safetool.Server){
			"tool": func(s *safetool.Server) {
				safetool.AddRawTool(s, &mcp.Tool{Name: "x", Meta: meta, InputSchema: json.RawMessage(`{"type":"object"}`)}, open,
					func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) { return nil, nil })
			},
			"prompt": func(s *safetool.Server) {
				safetool.AddPrompt(s, &mcp.Prompt{Name: "x", Meta: meta}, open,
					func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) { return nil, nil })
			},
			"resource": func(s *safetool.Server) {
				safetool.AddResource(s, &mcp.Resource{URI: "x:y", Name: "x", Meta: meta}, open, nowhere)
			},
			"resource's annotations": func(s *safetool.Server) {
				safetool.AddResource(s, &mcp.Resource{URI: "x:y", Name: "x", Annotations: nan}, open, nowhere)
			},
			"template": func(s *safetool.Server) {
				safetool.AddResourceTemplate(s, &mcp.ResourceTemplate{URITemplate: "x:{y}", Name: "x", Meta: meta}, open, nowhere)
			},
		} {
			server, _ := newServer(t, nil)
			func() {
				defer func() {
					if err, _ := recover().(error); err == nil || !strings.Contains(err.Error(), "cannot be listed") {
						t.Errorf("%s %s: %v", kind, what, err)
					}
				}()
				add(server)
			}()
			if cards := server.Describe(); len(cards) > 0 {
				t.Errorf("%s %s: it is there all the same: %+v", kind, what, cards)
			}
		}
		_, err := safetool.NewServer(&mcp.Implementation{Name: "x"}, &safetool.Options{
			Audit: &safetooltest.Recorder{}, SDK: &mcp.ServerOptions{Capabilities: &mcp.ServerCapabilities{Experimental: map[string]any{"x": value}}},
		})
		if err == nil {
			t.Errorf("capabilities: %s: NewServer took them", what)
		}
	}
}

func nowhere(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return nil, nil
}

// A panic outside of any handler is answered and on record, and where it cannot be
// recorded its answer says so.
func TestAPanicOfAHookIsNeverUnrecorded(t *testing.T) {
	t.Parallel()
	var failing atomic.Bool
	trail := &safetooltest.Recorder{Fail: func(e audit.Event) error {
		if failing.Load() && e.Outcome.Status == audit.StatusPanic {
			return errors.New("the disk is full")
		}
		return nil
	}}
	server, _ := newServer(t, func(o *safetool.Options) {
		o.Audit = trail
		o.SDK = &mcp.ServerOptions{SetCacheable: func(context.Context, mcp.Request, *mcp.Cacheable) { panic("the secret plan") }}
	})
	addHello(server)
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: "2025-11-25"})
	for _, code := range []string{safetool.CodeInternal, safetool.CodeOutcomeUnrecorded} {
		_, err := client.ListTools(t.Context(), nil)
		var wire *jsonrpc.Error
		if !errors.As(err, &wire) || !strings.Contains(string(wire.Data), code) || strings.Contains(wire.Message+string(wire.Data), "plan") {
			t.Errorf("not %s: %v", code, err)
		}
		failing.Store(true)
	}
	events := trail.Events()
	last := events[len(events)-1]
	if last.MCP.Method != "tools/list" || last.Outcome.Status != audit.StatusPanic || last.Outcome.Cause != "the secret plan" || last.Outcome.Stack == "" {
		t.Errorf("recorded as %+v", last)
	}
}
