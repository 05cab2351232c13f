package safetool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// However many features there are, a caller's share of a server is one, and another's is
// its own. A refusal by a feature's own limit takes nothing of it.
func TestACallerNeverRunsMoreCallsThanItsShare(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, func(o *safetool.Options) { o.Limits = limit.Limits{CallerConcurrency: 2} })
	begun, release := make(chan struct{}), make(chan struct{})
	wait := func(ctx context.Context) {
		select {
		case begun <- struct{}{}:
			<-release
		case <-ctx.Done(): // it should not run
		}
	}
	one := open
	one.Limits.Concurrency = 1
	for _, name := range []string{"a", "b", "c"} {
		safetool.AddTool(server, &mcp.Tool{Name: name}, one,
			func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
				wait(ctx)
				return nil, nil, nil
			})
	}
	safetool.AddResource(server, &mcp.Resource{URI: "x:y", Name: "x"}, open,
		func(ctx context.Context, _ *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			wait(ctx)
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{}}, nil
		})
	client := safetooltest.NewClient(t, server)
	other := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{Principal: somebodyElse()})
	ended := make(chan error, 4)
	start := func(c *mcp.ClientSession, name string) {
		go func() {
			_, err := c.CallTool(context.Background(), &mcp.CallToolParams{Name: name})
			ended <- err
		}()
		<-begun
	}
	busy := func(c *mcp.ClientSession, name string) bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		res, err := c.CallTool(ctx, &mcp.CallToolParams{Name: name})
		return err == nil && strings.Contains(dump(res), safetool.CodeBusy)
	}
	for range 2 { // the second time everything was given back
		start(client, "a")
		for range 3 {
			if !busy(client, "a") {
				t.Error("a tool ran beyond its limit")
			}
		}
		start(client, "b")
		if !busy(client, "c") {
			t.Error("a third call of one caller ran")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := client.ReadResource(ctx, &mcp.ReadResourceParams{URI: "x:y"}); err == nil || !strings.Contains(err.Error(), "too many calls") {
			t.Error("a third call of one caller ran, of a resource")
		}
		cancel()
		start(other, "c")
		for range 3 {
			release <- struct{}{}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
}

// What an authorizer refuses is refused on a server that only observes its rules, too.
func TestObservingNeverOverrulesAnAuthorizer(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, func(o *safetool.Options) {
		o.InsecureObserve = "migration"
		o.Authorizer = access.AuthorizerFunc(func(context.Context, access.Request) (access.Decision, error) {
			return access.Deny("closed", "It is closed."), nil
		})
	})
	safetool.AddTool(server, &mcp.Tool{Name: "x"}, safetool.Policy{Risk: safetool.ReadOnly, Scopes: []string{"not held"}},
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			t.Error("it ran")
			return nil, nil, nil
		})
	res := call(t, safetooltest.NewClient(t, server), "x", nil)
	if events := trail.Calls(); !res.IsError || len(events) != 1 || events[0].Phase != audit.PhaseRefused || events[0].Decision.Effect != audit.EffectDeny {
		t.Errorf("%s: %+v", textOf(res), trail.Calls())
	}
}

// Middleware that goes on with a context of its own, without the call or with another's:
// the handler has its own call in it, and what it keeps is dead afterwards.
func TestAContextOfMiddlewareNeverPartsAHandlerFromItsCall(t *testing.T) {
	t.Parallel()
	foreign := safetooltest.Context(t, &safetooltest.CallOptions{Tool: "foreign"})
	for what, ctx := range map[string]context.Context{"none": context.Background(), "another's": foreign} {
		server, _, policy := withSecret(t, func(o *safetool.Options) {
			o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
				return func(_ context.Context, c *safetool.Call) (*safetool.Result, error) { return next(ctx, c) }
			}}
		})
		keep := make(chan context.Context, 1)
		safetool.AddTool(server, &mcp.Tool{Name: "x"}, policy,
			func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
				keep <- ctx
				if c := safetool.CallFrom(ctx); c.Tool() != "x" || lent(ctx, t) != issued {
					t.Errorf("%s: the handler is in the call of %q", what, c.Tool())
				}
				return nil, nil, nil
			})
		if res := call(t, safetooltest.NewClient(t, server), "x", nil); res.IsError {
			t.Errorf("%s: %s", what, textOf(res))
		}
		if _, err := safetool.CallFrom(<-keep).Credential("key"); !errors.Is(err, safetool.ErrNoCall) {
			t.Errorf("%s: the credential after the answer: %v", what, err)
		}
	}
}
