package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// The recorder fails, panics or hangs at each event of a call in turn. No handler
// runs without an intent on record, and no answer leaves without an outcome.
func TestAHandlerNeverRunsWithoutARecordedIntent(t *testing.T) {
	t.Parallel()
	failures := map[string]func(audit.Event) error{
		"error": func(audit.Event) error { return errors.New("disk full") },
		"panic": func(audit.Event) error { panic("recorder") },
		"exit":  func(audit.Event) error { runtime.Goexit(); return nil },
	}
	for what, failure := range failures {
		for _, phase := range []audit.Phase{audit.PhaseIntent, audit.PhaseOutcome} {
			t.Run(fmt.Sprintf("%s at %s", what, phase), func(t *testing.T) {
				t.Parallel()
				var armed atomic.Bool
				trail := &safetooltest.Recorder{Fail: func(e audit.Event) error {
					if armed.Load() && e.Phase == phase && e.MCP.Method == "tools/call" {
						return failure(e)
					}
					return nil
				}}
				server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard()})
				if err != nil {
					t.Fatal(err)
				}
				var ran atomic.Int32
				safetool.AddTool(server, &mcp.Tool{Name: "act"}, open,
					func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, greeted, error) {
						ran.Add(1)
						return nil, greeted{"the answer"}, nil
					})
				client := safetooltest.NewClient(t, server)
				armed.Store(true)
				res := call(t, client, "act", nil)
				if !res.IsError || strings.Contains(dump(res), "the answer") || strings.Contains(dump(res), "disk full") {
					t.Errorf("answered: %s", dump(res))
				}
				want, code := int32(0), safetool.CodeAuditUnavailable
				if what == "exit" {
					code = safetool.CodeInternal
				}
				if phase == audit.PhaseOutcome {
					want, code = 1, safetool.CodeOutcomeUnrecorded
				}
				if ran.Load() != want || !strings.Contains(dump(res), code) {
					t.Errorf("ran %d times, answered %s", ran.Load(), dump(res))
				}
				armed.Store(false) // and service resumes
				if res := call(t, client, "act", nil); res.IsError {
					t.Errorf("after the fault: %s", dump(res))
				}
			})
		}
	}
}

func TestAListIsNeverAnsweredUnrecorded(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	trail := &safetooltest.Recorder{Fail: func(audit.Event) error {
		if armed.Load() {
			return errors.New("disk full")
		}
		return nil
	}}
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	addHello(server)
	client := safetooltest.NewClient(t, server)
	armed.Store(true)
	if res, err := client.ListTools(t.Context(), nil); err == nil {
		t.Errorf("listed %s", dump(res))
	}
	armed.Store(false)
}

func TestTheTextOfAnInternalErrorNeverReachesTheCaller(t *testing.T) {
	t.Parallel()
	const canary = "canary-5c1d: /etc/app.conf"
	inner := errors.New(canary)
	eachEra(t, func(t *testing.T, version string) {
		server, trail := newServer(t, func(o *safetool.Options) {
			o.SDK = &mcp.ServerOptions{
				CompletionHandler:  func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) { return nil, inner },
				SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return inner },
				UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return inner },
			}
		})
		safetool.AddTool(server, &mcp.Tool{Name: "typed"}, open,
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				return nil, nil, inner
			})
		safetool.AddTool(server, &mcp.Tool{Name: "wrapped"}, open,
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				return nil, nil, fmt.Errorf("%s: %w", canary, &jsonrpc.Error{Code: 7, Message: canary})
			})
		safetool.AddRawTool(server, &mcp.Tool{Name: "raw", InputSchema: map[string]any{"type": "object"}}, open,
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) { return nil, inner })
		safetool.AddResource(server, &mcp.Resource{URI: "a:b", Name: "b"}, open,
			func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) { return nil, inner })
		safetool.AddPrompt(server, &mcp.Prompt{Name: "p"}, open,
			func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) { return nil, inner })
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		var answers []string
		for _, name := range []string{"typed", "wrapped", "raw"} {
			res := call(t, client, name, nil)
			if !res.IsError || !strings.Contains(textOf(res), "Reference: ") {
				t.Errorf("%s: %s", name, dump(res))
			}
			answers = append(answers, dump(res))
			events := trail.Calls()
			if last := events[len(events)-1]; !strings.Contains(last.Outcome.Cause, canary) || !strings.Contains(textOf(res), last.Call) {
				t.Errorf("%s: the reference does not find the cause: %+v", name, last.Outcome)
			}
		}
		said := func(err error) {
			t.Helper()
			if err == nil {
				t.Error("no error")
				return
			}
			if wire, ok := errors.AsType[*jsonrpc.Error](err); ok {
				answers = append(answers, string(wire.Data))
			}
			answers = append(answers, err.Error())
		}
		_, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "a:b"})
		said(err)
		_, err = client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "p"})
		said(err)
		_, err = client.Complete(t.Context(), &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "p"}, Argument: mcp.CompleteParamsArgument{Name: "x", Value: "y"}})
		said(err)
		if version != "2026-07-28" {
			said(client.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "a:b"}))
		}
		for _, text := range answers {
			if strings.Contains(text, "canary") {
				t.Errorf("told: %s", text)
			}
		}
	})
}

func TestWhatIsSaidReachesTheCaller(t *testing.T) {
	t.Parallel()
	errUpstream := errors.New("upstream: 503")
	server, trail := newServer(t, func(o *safetool.Options) {
		o.Explain = func(err error) *safetool.Problem {
			if errors.Is(err, errUpstream) {
				return &safetool.Problem{Code: "weather_down", Category: safetool.CategoryUpstream, Message: "The weather service is down.", Retry: true}
			}
			if err.Error() == "boom" {
				panic(err)
			}
			return nil
		}
	})
	fails := func(name string, err error) {
		safetool.AddTool(server, &mcp.Tool{Name: name}, open,
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				return nil, nil, err
			})
	}
	fails("say", fmt.Errorf("inside: %w", safetool.Say("There is no city of that name.")))
	fails("explained", fmt.Errorf("inside: %w", errUpstream))
	fails("boom", errors.New("boom"))
	fails("problem", &safetool.Problem{Code: "own", Message: "Own words.\u200b\x1b[0m"})
	fails("protocol", &jsonrpc.Error{Code: -32099, Message: "the protocol's own"})
	client := safetooltest.NewClient(t, server)
	for name, want := range map[string]string{
		"say": "There is no city of that name.", "explained": "The weather service is down.", "boom": "could not be completed", "problem": "Own words.\nReference",
	} {
		if text := textOf(call(t, client, name, nil)); !strings.Contains(text, want) || strings.Contains(text, "inside") {
			t.Errorf("%s: %s", name, text)
		}
	}
	var wire *jsonrpc.Error
	if _, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "protocol"}); !errors.As(err, &wire) || wire.Code != -32099 {
		t.Errorf("a bare protocol error: %v", err)
	}
	events := trail.Calls()
	if last := events[len(events)-1]; last.Outcome.Code != "jsonrpc_-32099" {
		t.Errorf("recorded as %+v", last.Outcome)
	}
}

// The words of an error are bounded as an answer is.
func TestAnErrorIsNeverLongerThanAnAnswer(t *testing.T) {
	t.Parallel()
	const most = 8 << 10
	long := strings.Repeat("ä", most)
	server, _ := newServer(t, func(o *safetool.Options) { o.Limits = limit.Limits{ResultBytes: most} })
	for name, err := range map[string]error{
		"say":     safetool.Say("Too much: %s", long),
		"problem": &safetool.Problem{Code: long, Message: long, Hint: long, Fields: []safetool.FieldProblem{{Path: long, Allowed: []string{long, long}}, {Message: long}}},
		"wire":    &jsonrpc.Error{Code: -32000, Message: long, Data: json.RawMessage(`"` + long + `"`)},
		"data":    &jsonrpc.Error{Code: -32000, Message: "Too much.", Data: json.RawMessage(`"` + long + `"`)},
	} {
		safetool.AddTool(server, &mcp.Tool{Name: name}, open,
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				return nil, nil, err
			})
	}
	client := safetooltest.NewClient(t, server)
	for _, card := range server.Describe() {
		res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: card.Name})
		var text string
		var wire *jsonrpc.Error
		switch {
		case errors.As(err, &wire):
			text = wire.Message + string(wire.Data)
		case err != nil:
			t.Fatal(err)
		default:
			text = dump(res)
		}
		if n := len(text); n == 0 || n > 3*most || !utf8.ValidString(text) { // once to be read, once in _meta
			t.Errorf("%s: %d bytes left the server", card.Name, n)
		}
	}
}

func TestACancelledCallerLosesNoOutcome(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, trail := newServer(t, nil)
		begun := make(chan struct{})
		safetool.AddTool(server, &mcp.Tool{Name: "slow"}, open,
			func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
				close(begun)
				<-ctx.Done()
				return nil, nil, ctx.Err()
			})
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-begun; cancel() }()
		if _, err := client.CallTool(ctx, &mcp.CallToolParams{Name: "slow"}); err == nil {
			t.Fatal("answered")
		}
		eventually(t, func() bool { return phases(trail.Calls()) == "intent: outcome:cancelled" }, func() string { return phases(trail.Calls()) })
	})
}

func TestAHandlerPastItsDeadlineKeepsItsSlot(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	release := make(chan struct{})
	policy := open
	policy.Limits = limit.Limits{Timeout: 20 * time.Millisecond, Concurrency: 1}
	safetool.AddTool(server, &mcp.Tool{Name: "stuck"}, policy,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			<-release // deaf to its context
			panic("late")
		})
	client := safetooltest.NewClient(t, server)
	if text := dump(call(t, client, "stuck", nil)); !strings.Contains(text, safetool.CodeTimeout) {
		t.Errorf("answered %s", text)
	}
	if text := dump(call(t, client, "stuck", nil)); !strings.Contains(text, safetool.CodeBusy) {
		t.Errorf("the slot was free: %s", text)
	}
	close(release)
	eventually(t, func() bool {
		events := trail.Calls()
		last := events[len(events)-1]
		return last.Phase == audit.PhaseNotice && last.Outcome.Status == audit.StatusPanic
	}, func() string { return phases(trail.Calls()) })
	if text := dump(call(t, client, "stuck", nil)); strings.Contains(text, safetool.CodeBusy) {
		t.Errorf("the slot was not given back: %s", text)
	}
}

// Middleware that tries again after a timeout: the handler that was given up still runs,
// and holds the slots of the call.
func TestAHandlerThatWasGivenUpIsNeverJoinedByAnother(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, func(o *safetool.Options) {
		o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				if res, err := next(ctx, c); err == nil {
					return res, nil
				}
				return next(ctx, c)
			}
		}}
	})
	policy := open
	policy.Limits = limit.Limits{Timeout: 300 * time.Millisecond, Concurrency: 1}
	var running atomic.Int32
	release := make(chan struct{}, 100)
	safetool.AddTool(server, &mcp.Tool{Name: "stuck"}, policy,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			if running.Add(1) > 1 {
				t.Error("two handlers run on one slot")
			}
			<-release
			running.Add(-1)
			return nil, nil, nil
		})
	client := safetooltest.NewClient(t, server)
	for n := range 2 { // the second finds one slot free, and no more
		for _, code := range []string{safetool.CodeTimeout, safetool.CodeBusy, safetool.CodeBusy} {
			if text := dump(call(t, client, "stuck", nil)); !strings.Contains(text, code) {
				t.Errorf("not %s: %s", code, text)
			}
		}
		release <- struct{}{}
		late := func() (n int) {
			for _, e := range trail.Calls() {
				if e.Decision.Rule == "late_return" {
					n++
				}
			}
			return n
		}
		eventually(t, func() bool { return late() > n }, func() string { return phases(trail.Calls()) })
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, done func() bool, state func() string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatalf("it never happened: %s", state())
		}
		time.Sleep(time.Millisecond)
	}
}
