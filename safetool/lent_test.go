package safetool_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
)

// leasing issues leases, and tells which tools' were revoked.
type leasing struct {
	tracing
	revoked chan string
}

func (leasing) Issue(_ context.Context, r secrets.Request) (*secrets.Credential, error) {
	return secrets.NewCredential(secrets.CredentialData{Binding: r.Binding, Version: r.Tool, Value: secrets.NewSecret([]byte(issued)), Expires: time.Now().Add(time.Hour)})
}

func (l leasing) Revoke(_ context.Context, c *secrets.Credential) error {
	l.revoked <- c.Version()
	return nil
}

// Middleware that works with a credential after the handler, which a call has until it
// is answered, works with one that is not revoked.
func TestACredentialIsTheCallsUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	revoked := make(chan string, 10)
	next := func() string {
		select {
		case tool := <-revoked:
			return tool
		case <-time.After(20 * time.Second):
			return "nothing"
		}
	}
	broker := secrets.NewBroker(leasing{revoked: revoked}, &secrets.Options{Confirm: 5 * time.Millisecond})
	server, _ := newServer(t, func(o *safetool.Options) {
		o.Secrets = broker
		o.Middleware = []safetool.Middleware{func(handler safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				for range 2 { // it also calls twice
					if _, err := handler(ctx, c); err != nil {
						t.Error(err)
					}
				}
				if _, err := c.Credential("key"); err != nil {
					t.Error(err)
				}
				for range 3 { // as long as it takes to let go of others, one by one
					other, err := broker.Acquire(ctx, secrets.Request{Tool: "other", Binding: secrets.KV("app/key", "value")})
					if err != nil {
						t.Error(err)
					}
					broker.Release(other)
					if tool := next(); tool != "other" {
						t.Errorf("of %s was revoked under the call", tool)
					}
				}
				return &safetool.Result{}, nil
			}
		}}
	})
	safetool.AddTool(server, &mcp.Tool{Name: "use", Description: "Uses a credential."}, safetool.Policy{
		Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"key": secrets.KV("app/key", "value")},
	}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
	_ = call(t, safetooltest.NewClient(t, server), "use", nil)
	if tool := next(); tool != "use" {
		t.Errorf("after the call that of %s was revoked", tool)
	}
	if err := broker.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What ends the goroutine that encodes an answer gives a slot back once, or the next
// calls would have one too many.
func TestASlotIsGivenBackOnce(t *testing.T) {
	t.Parallel()
	one := open
	one.Limits.Concurrency = 1
	server, trail := newServer(t, nil)
	var hold atomic.Bool
	release := make(chan struct{})
	safetool.AddTool(server, &mcp.Tool{Name: "exits"}, one,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			if hold.Load() {
				<-release
				return nil, nil, nil
			}
			return &mcp.CallToolResult{StructuredContent: exiting{}}, nil, nil
		})
	near, far := mcp.NewInMemoryTransports()
	caller := bridge.Caller{Principal: access.NewPrincipal("test", "ada"), Transport: "memory"}
	if _, err := bridge.Open(server).SDK.Connect(context.Background(), bridge.Identified(near, caller), nil); err != nil {
		t.Fatal(err)
	}
	client, err := mcp.NewClient(&mcp.Implementation{Name: "c", Version: "1"}, nil).Connect(context.Background(), far, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, _ = client.CallTool(ctx, &mcp.CallToolParams{Name: "exits"}) }()
	seen := func(n int, phase audit.Phase) {
		eventually(t, func() bool {
			got := 0
			for _, e := range trail.Calls() {
				if e.Phase == phase {
					got++
				}
			}
			return got >= n
		}, func() string { return phases(trail.Calls()) })
	}
	seen(1, audit.PhaseOutcome)
	hold.Store(true)
	go func() { _, _ = client.CallTool(ctx, &mcp.CallToolParams{Name: "exits"}) }()
	seen(2, audit.PhaseIntent)
	go func() { _, _ = client.CallTool(ctx, &mcp.CallToolParams{Name: "exits"}) }()
	eventually(t, func() bool { // refused, or let in
		calls := trail.Calls()
		last := calls[len(calls)-1]
		return last.Phase == audit.PhaseRefused || strings.Count(phases(calls), string(audit.PhaseIntent)) > 2
	}, func() string { return phases(trail.Calls()) })
	if n := strings.Count(phases(trail.Calls()), string(audit.PhaseIntent)); n != 2 {
		t.Errorf("two handlers run on one slot: %s", phases(trail.Calls()))
	}
	close(release)
}
