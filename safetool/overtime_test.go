package safetool_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// short gives a policy too little time for what does not return.
func short() safetool.Policy {
	p := open
	p.Limits = limit.Limits{Timeout: 20 * time.Millisecond, Concurrency: 1}
	return p
}

func lateReturns(trail *safetooltest.Recorder) (n int) {
	for _, e := range trail.Calls() {
		if e.Decision.Rule == "late_return" {
			n++
		}
	}
	return n
}

// waiting waits while it is encoded.
type waiting struct{ release chan struct{} }

func (w waiting) MarshalJSON() ([]byte, error) { <-w.release; return []byte("{}"), nil }

// Code of the program's that does not return, wherever it stands: its caller is
// answered, once; the outcome is on record, once; its slot stays taken until it returns;
// and after its caller has been answered no handler begins.
func TestNoCodeOfTheProgramHoldsACallerForEver(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"authorizer", "middleware", "behind", "result"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			var ran atomic.Int32
			server, trail := newServer(t, func(o *safetool.Options) {
				o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
					return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
						if where == "middleware" {
							<-release
						}
						res, err := next(ctx, c)
						if where == "behind" {
							<-release
						}
						return res, err
					}
				}}
				o.Authorizer = access.AuthorizerFunc(func(context.Context, access.Request) (access.Decision, error) {
					if where == "authorizer" {
						<-release
					}
					return access.Permit("all"), nil
				})
			})
			safetool.AddTool(server, &mcp.Tool{Name: "stuck"}, short(),
				func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
					ran.Add(1)
					if where == "result" {
						return &mcp.CallToolResult{StructuredContent: waiting{release}}, nil, nil
					}
					return nil, nil, nil
				})
			client := safetooltest.NewClient(t, server)
			for _, code := range []string{safetool.CodeTimeout, safetool.CodeBusy} {
				if text := dump(call(t, client, "stuck", nil)); !strings.Contains(text, code) {
					t.Errorf("not %s: %s", code, text)
				}
			}
			want, wantRan := "intent: outcome:timeout refused:refused", int32(1)
			if where == "authorizer" || where == "middleware" {
				want, wantRan = "outcome:timeout refused:refused", 0
			}
			if got := phases(trail.Calls()); got != want {
				t.Errorf("recorded %s", got)
			}
			close(release)
			eventually(t, func() bool { return lateReturns(trail) == 1 }, func() string { return phases(trail.Calls()) })
			if ran.Load() != wantRan {
				t.Errorf("the handler ran %d times", ran.Load())
			}
			if text := dump(call(t, client, "stuck", nil)); strings.Contains(text, safetool.CodeBusy) {
				t.Errorf("the slot was not given back: %s", text)
			}
			if got := lateReturns(trail); got != 1 {
				t.Errorf("%d late returns", got)
			}
			ends := map[string]int{}
			for _, e := range trail.Calls() {
				if e.Phase == audit.PhaseOutcome || e.Phase == audit.PhaseRefused {
					ends[e.Call]++
				}
			}
			for id, n := range ends {
				if n != 1 {
					t.Errorf("%s ended %d times: %s", id, n, phases(trail.Calls()))
				}
			}
		})
	}
}

// A log that is slow to take the intent costs the handler none of its time, and no
// outcome comes before the intent.
func TestNoOutcomeIsRecordedBeforeTheIntent(t *testing.T) {
	t.Parallel()
	trail := &safetooltest.Recorder{Fail: func(e audit.Event) error {
		if e.Phase == audit.PhaseIntent {
			time.Sleep(100 * time.Millisecond) // five times what the call may take
		}
		return nil
	}}
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	policy := short()
	safetool.AddTool(server, &mcp.Tool{Name: "act"}, policy,
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			<-ctx.Done() // it has all of its time
			return nil, nil, ctx.Err()
		})
	client := safetooltest.NewClient(t, server)
	call(t, client, "act", nil)
	if got := phases(trail.Calls()); !strings.HasPrefix(got, "intent: outcome:timeout") {
		t.Errorf("recorded %s", got)
	}
}

// Middleware that answers while a handler that it began still runs: the answer waits for
// the handler as long as its time lasts, the slot until it returns, and the log learns
// of that once.
func TestAHandlerThatMiddlewareLeftBehindKeepsItsSlot(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server, trail := newServer(t, func(o *safetool.Options) {
		o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				begun := make(chan struct{})
				go func() { _, _ = next(context.WithValue(ctx, begunKey{}, begun), c) }()
				<-begun
				return &safetool.Result{Output: map[string]any{"from": "middleware"}}, nil
			}
		}}
	})
	safetool.AddTool(server, &mcp.Tool{Name: "stuck"}, short(),
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			close(ctx.Value(begunKey{}).(chan struct{}))
			<-release
			return nil, nil, nil
		})
	client := safetooltest.NewClient(t, server)
	for n, want := range []string{`"from":"middleware"`, safetool.CodeBusy} {
		if text := dump(call(t, client, "stuck", nil)); !strings.Contains(text, want) {
			t.Errorf("%d: not %s: %s", n, want, text)
		}
	}
	close(release)
	eventually(t, func() bool { return lateReturns(trail) == 1 }, func() string { return phases(trail.Calls()) })
	if text := dump(call(t, client, "stuck", nil)); strings.Contains(text, safetool.CodeBusy) {
		t.Errorf("the slot was not given back: %s", text)
	}
	if got := phases(trail.Calls()); !strings.HasPrefix(got, "intent: outcome:ok refused:refused notice:ok intent: ") || lateReturns(trail) > 2 {
		t.Errorf("recorded %s", got)
	}
}

type begunKey struct{}

// A handler that logs a secret when its caller has been answered: the log of the program
// is clean, and the audit log learns of it all the same.
func TestALateLeakIsNeverUnnoticed(t *testing.T) {
	t.Parallel()
	server, trail, policy := withSecret(t, func(o *safetool.Options) { o.Logger = slog.New(slog.NewTextHandler(&noted{}, nil)) })
	policy.Limits = short().Limits
	begun, release := make(chan struct{}, 1), make(chan struct{})
	safetool.AddTool(server, &mcp.Tool{Name: "late"}, policy,
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			begun <- struct{}{}
			<-release
			safetool.CallFrom(ctx).Logger().Info(issued)
			return nil, nil, nil
		})
	client := safetooltest.NewClient(t, server)
	for len(begun) == 0 { // its time may be over before the handler begins
		call(t, client, "late", nil)
	}
	close(release)
	noticed := func() bool {
		events := trail.Calls()
		last, before := events[len(events)-1], events[len(events)-2]
		return last.Decision.Rule == "leak" && len(last.Credentials) == 1 && strings.Contains(last.Decision.Reason, "the log") &&
			before.Decision.Rule == "late_return" && before.Call == last.Call
	}
	eventually(t, noticed, func() string { return phases(trail.Calls()) })
}
