package safetool_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/validate"
)

// A hanging argument is one whose checks do not return until the channel of its name is
// closed, whatever their context says.
type hanging struct {
	Method string `json:"method,omitempty" validate:"omitempty,max=40"`
	Rule   string `json:"rule,omitempty"   validate:"omitempty,max=40,rule=hangs"`
	Index  int    `json:"index,omitempty"  validate:"omitempty,max=1"`
}

var hangs sync.Map // channels by name

func hang(name string) {
	if c, is := hangs.Load(name); is {
		<-c.(chan struct{})
	}
}

func (h hanging) Validate(context.Context) error {
	hang(h.Method)
	return validate.Reject("index", "must not be %d", []int{7, 8}[h.Index])
}

// A check of the program's that does not return holds no caller up, and takes no more than
// the slots of its tool: its caller is answered, no handler begins later, and the slot is
// given back when it returns.
func TestAnArgumentsCheckThatDoesNotReturnHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"method", "rule"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			release, name := make(chan struct{}), t.Name()[len("TestAnArgumentsCheck"):]
			hangs.Store(name, release)
			var ran atomic.Int32
			server, trail := newServer(t, func(o *safetool.Options) {
				o.Rules = map[string]validate.Rule{"hangs": {Message: "must not hang", Check: validate.RuleFor(func(_ context.Context, s string) (bool, error) {
					hang(s)
					return true, nil
				})}}
			})
			policy := short()
			policy.Limits.Timeout = 500 * time.Millisecond // so that it comes to the check on a slow machine, too
			safetool.AddTool(server, &mcp.Tool{Name: "stuck"}, policy, func(context.Context, *mcp.CallToolRequest, hanging) (*mcp.CallToolResult, any, error) {
				ran.Add(1)
				return nil, nil, nil
			})
			client := safetooltest.NewClient(t, server)
			for _, code := range []string{safetool.CodeTimeout, safetool.CodeBusy} {
				if text := dump(call(t, client, "stuck", map[string]any{where: name})); !strings.Contains(text, code) {
					t.Errorf("not %s: %s", code, text)
				}
			}
			close(release)
			eventually(t, func() bool { return lateReturns(trail) == 1 }, func() string { return phases(trail.Calls()) })
			if text := dump(call(t, client, "stuck", map[string]any{where: name})); !strings.Contains(text, "index must not be 7") || ran.Load() != 0 {
				t.Errorf("%s, and the handler ran %d times", text, ran.Load())
			}
		})
	}
}

// What only observes rules lets no call through whose check panicked, also where a rule is
// broken on which it relied.
func TestNoCallIsObservedPastACheckThatCouldNotBeMade(t *testing.T) {
	t.Parallel()
	ran := 0
	server, _ := newServer(t, func(o *safetool.Options) {
		o.InsecureObserve = "a test"
		o.Rules = map[string]validate.Rule{"hangs": {Message: "must not hang", Check: validate.RuleFor(func(context.Context, string) (bool, error) { return true, nil })}}
	})
	safetool.AddTool(server, &mcp.Tool{Name: "pick"}, open, func(context.Context, *mcp.CallToolRequest, hanging) (*mcp.CallToolResult, any, error) {
		ran++
		return &mcp.CallToolResult{}, nil, nil
	})
	client := safetooltest.NewClient(t, server)
	if res := call(t, client, "pick", map[string]any{"index": 1}); res.IsError || ran != 1 { // the method says no, and that is observed
		t.Errorf("%d: %s", ran, dump(res))
	}
	res := call(t, client, "pick", map[string]any{"index": 2})
	if !res.IsError || ran != 1 || !strings.Contains(textOf(res), "index must be at most 1.") || strings.Contains(dump(res), "panic") {
		t.Errorf("%d: %s", ran, dump(res))
	}
}
