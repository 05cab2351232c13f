package safetool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// around is a server whose only middleware is m, with a tool that takes one call at a
// time and does what it is told to.
func around(t *testing.T, wrap func(next safetool.Handler) safetool.Handler, handler func(context.Context) error) (*mcp.ClientSession, *safetooltest.Recorder) {
	t.Helper()
	server, trail := newServer(t, func(o *safetool.Options) { o.Middleware = []safetool.Middleware{wrap} })
	safetool.AddTool(server, &mcp.Tool{Name: "act"}, short(),
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			return nil, nil, handler(ctx)
		})
	return safetooltest.NewClient(t, server), trail
}

// A handler that was left behind, and then a result that does not encode either.
func TestAResultThatDoesNotEncodeHoldsNoCallerWhenAHandlerWasLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		client, trail := around(t, func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				go func() { _, _ = next(ctx, c) }()
				synctest.Wait()
				return &safetool.Result{Content: &mcp.CallToolResult{StructuredContent: waiting{release}}}, nil
			}
		}, func(context.Context) error { <-release; return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		res, err := client.CallTool(ctx, &mcp.CallToolParams{Name: "act"})
		if err != nil || !strings.Contains(dump(res), safetool.CodeTimeout) {
			t.Errorf("answered %s, %v", dump(res), err)
		}
		close(release)
		synctest.Wait()
		if got := phases(trail.Calls()); got != "intent: outcome:timeout notice:ok" {
			t.Errorf("recorded %s", got)
		}
	})
}

// Middleware that calls the handler again and again gets no more time by it.
func TestMiddlewareThatTriesForEverHoldsNoCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		client, _ := around(t, func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				for {
					if res, err := next(ctx, c); err == nil || errors.Is(err, safetool.ErrNoCall) {
						return res, err
					}
				}
			}
		}, func(context.Context) error { time.Sleep(time.Millisecond); return errors.New("not yet") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := client.CallTool(ctx, &mcp.CallToolParams{Name: "act"})
		if err != nil || !strings.Contains(dump(res), safetool.CodeTimeout) {
			t.Errorf("answered %s, %v", dump(res), err)
		}
		if took := time.Since(start); took > 60*time.Millisecond {
			t.Errorf("answered after %s", took)
		}
	})
}

// A context of the middleware's that is none, or that panics.
func TestAContextThatPanicsNeverKeepsASlot(t *testing.T) {
	t.Parallel()
	client, _ := around(t, func(next safetool.Handler) safetool.Handler {
		return func(_ context.Context, c *safetool.Call) (*safetool.Result, error) { return next(nil, c) }
	}, func(context.Context) error { return nil })
	for range 2 {
		if text := dump(call(t, client, "act", nil)); !strings.Contains(text, safetool.CodeInternal) {
			t.Errorf("answered %s", text)
		}
	}
}

// What has been given back may be revoked at any moment: middleware has it until the
// call is answered, between two of its tries as well, and nobody afterwards.
func TestNobodyGetsACredentialThatHasBeenGivenBack(t *testing.T) {
	t.Parallel()
	var kept *safetool.Call
	server, _, policy := withSecret(t, func(o *safetool.Options) {
		o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (res *safetool.Result, err error) {
				kept = c
				for range 2 {
					res, err = next(ctx, c)
					if _, err := c.Credential("key"); err != nil {
						t.Errorf("after the handler: %v", err)
					}
				}
				return res, err
			}
		}}
	})
	ran := 0
	safetool.AddTool(server, &mcp.Tool{Name: "act"}, policy,
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			ran++
			if lent(ctx, t) != issued {
				t.Error("the handler has no credential")
			}
			return nil, nil, nil
		})
	if res := call(t, safetooltest.NewClient(t, server), "act", nil); res.IsError || ran != 2 {
		t.Errorf("ran %d times, answered %s", ran, dump(res))
	}
	if _, err := kept.Credential("key"); !errors.Is(err, safetool.ErrNoCall) {
		t.Errorf("after the answer: %v", err)
	}
}
