package safetool_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/validate"
)

// exiting ends the goroutine that encodes it.
type exiting struct{}

func (exiting) MarshalJSON() ([]byte, error) { runtime.Goexit(); return nil, nil }

type listed struct {
	City string `json:"city" validate:"rule=leaves"`
}

// exits is a server on which each kind of code that is the program's ends its
// goroutine where the tool is called what it is.
func exits(t *testing.T) (*safetool.Server, *safetooltest.Recorder, []string) {
	server, trail := newServer(t, func(o *safetool.Options) {
		o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				if c.Tool() == "middleware" {
					runtime.Goexit()
				}
				res, err := next(ctx, c)
				if c.Tool() == "behind" {
					runtime.Goexit()
				}
				return res, err
			}
		}, func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (res *safetool.Result, err error) {
				if c.Tool() != "aside" {
					return next(ctx, c)
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					res, err = next(ctx, c)
				}()
				<-done
				return res, err // nothing and no error: it would be a success
			}
		}}
		o.Authorizer = access.AuthorizerFunc(func(_ context.Context, r access.Request) (access.Decision, error) {
			if r.Tool == "authorizer" {
				runtime.Goexit()
			}
			return access.Permit("all"), nil
		})
		o.Rules = map[string]validate.Rule{"leaves": {Message: "must stay", Check: validate.RuleFor(func(context.Context, string) (bool, error) {
			runtime.Goexit()
			return true, nil
		})}}
		o.Explain = func(error) *safetool.Problem { runtime.Goexit(); return nil }
	})
	one := open
	one.Limits.Concurrency = 1
	fine, end := func() {}, runtime.Goexit
	returns := map[string]func() (*mcp.CallToolResult, any, error){
		"handler": func() (*mcp.CallToolResult, any, error) { runtime.Goexit(); return nil, nil, nil },
		"aside":   func() (*mcp.CallToolResult, any, error) { runtime.Goexit(); return nil, nil, nil },
		"explain": func() (*mcp.CallToolResult, any, error) { return nil, nil, context.DeadlineExceeded },
		"text":    func() (*mcp.CallToolResult, any, error) { return nil, nil, &hostileError{end, fine} },
		"is":      func() (*mcp.CallToolResult, any, error) { return nil, nil, &hostileError{fine, end} },
		"panic":   func() (*mcp.CallToolResult, any, error) { panic(&hostileError{end, fine}) },
		"output":  func() (*mcp.CallToolResult, any, error) { return nil, exiting{}, nil },
		"result": func() (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{StructuredContent: exiting{}}, nil, nil
		},
		"meta": func() (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Meta: mcp.Meta{"x": exiting{}}}, nil, nil
		},
		"middleware": nil, "behind": nil, "authorizer": nil,
	}
	names := []string{"rule"}
	for name, f := range returns {
		names = append(names, name)
		safetool.AddTool(server, &mcp.Tool{Name: name}, one,
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				if f == nil {
					return nil, nil, nil
				}
				return f()
			})
	}
	safetool.AddTool(server, &mcp.Tool{Name: "rule"}, one,
		func(context.Context, *mcp.CallToolRequest, listed) (*mcp.CallToolResult, any, error) {
			return nil, nil, nil
		})
	return server, trail, names
}

// Whatever code of the program's ends its goroutine: the client is answered with a
// reference, the outcome is on record once, and what the call held is free.
func TestAGoroutineThatIsEndedAnywhereIsAnsweredAndOnRecord(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, trail, names := exits(t)
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		for _, name := range names {
			for range 2 { // the second finds the slot free
				before := len(trail.Calls())
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				args := map[string]any{}
				if name == "rule" {
					args["city"] = "Paris"
				}
				res, err := client.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: args})
				cancel()
				if err != nil || !res.IsError {
					t.Fatalf("%s: %v, %s", name, err, dump(res))
				}
				outcomes := 0
				var last audit.Event
				for _, e := range trail.Calls()[before:] {
					if e.Phase != audit.PhaseIntent {
						last = e
						outcomes++
					}
				}
				var problem safetool.Problem
				if err := json.Unmarshal([]byte(dump(res.Meta["safemcp/problem"])), &problem); err != nil || problem.Code != safetool.CodeInternal || problem.Reference != last.Call {
					t.Errorf("%s: answered %s, %v", name, dump(res), err)
				}
				if outcomes != 1 || last.Phase != audit.PhaseOutcome || last.Outcome.Status != audit.StatusPanic || last.MCP.Tool != name {
					t.Errorf("%s: %d outcomes, the last is %+v", name, outcomes, last)
				}
			}
		}
	})
}

// The same for resources, prompts, completions, and for handlers in the SDK's options.
func TestAGoroutineThatIsEndedBesideToolsIsAnsweredAndOnRecord(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, func(o *safetool.Options) {
		o.SDK = &mcp.ServerOptions{
			CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
				runtime.Goexit()
				return nil, nil
			},
			SubscribeHandler:            func(context.Context, *mcp.SubscribeRequest) error { runtime.Goexit(); return nil },
			UnsubscribeHandler:          func(context.Context, *mcp.UnsubscribeRequest) error { panic("the secret plan") },
			ProgressNotificationHandler: func(context.Context, *mcp.ProgressNotificationServerRequest) { runtime.Goexit() },
		}
	})
	safetool.AddResource(server, &mcp.Resource{URI: "test://r", Name: "r"}, open,
		func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			runtime.Goexit()
			return nil, nil
		})
	safetool.AddPrompt(server, &mcp.Prompt{Name: "p"}, open,
		func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Meta: mcp.Meta{"x": exiting{}}}, nil
		})
	addHello(server)
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: "2025-11-25"})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := client.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: "x"}); err != nil { // which nobody answers
		t.Fatal(err)
	}
	requests := map[string]func() error{
		"resources/read": func() error {
			_, err := client.ReadResource(ctx, &mcp.ReadResourceParams{URI: "test://r"})
			return err
		},
		"prompts/get": func() error { _, err := client.GetPrompt(ctx, &mcp.GetPromptParams{Name: "p"}); return err },
		"completion/complete": func() error {
			_, err := client.Complete(ctx, &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "p"}, Argument: mcp.CompleteParamsArgument{Name: "a"}})
			return err
		},
		"resources/subscribe":   func() error { return client.Subscribe(ctx, &mcp.SubscribeParams{URI: "test://r"}) },
		"resources/unsubscribe": func() error { return client.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: "test://r"}) },
	}
	for method, request := range requests {
		err := request()
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "could not be completed") || strings.Contains(err.Error(), "plan") {
			t.Errorf("%s: %v", method, err)
		}
		events := trail.Events()
		last := events[len(events)-1]
		if last.MCP.Method != method || last.Outcome.Status != audit.StatusPanic {
			t.Errorf("%s: the last event is %+v", method, last)
		}
	}
	if res := call(t, client, "hello", map[string]any{"name": "Ada"}); res.IsError {
		t.Error("the server did not live on")
	}
}
