package safetool_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// A caller is answered when its time is over and not later, wherever the call is by then,
// and whatever it was doing when the clock was last looked at.
func TestACallIsAnsweredWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	cases := []struct {
		name     string
		timeout  time.Duration
		intents  []time.Duration // what the recorder takes for each
		handlers []time.Duration // what the handler takes each time; it is called again until that is over
		outcome  time.Duration
		code     string
		after    time.Duration
	}{
		{"in the handler", 20 * ms, nil, []time.Duration{time.Hour}, 0, safetool.CodeTimeout, 20 * ms},
		{
			"in a handler that began late, after an intent that was still being recorded when it might have been over",
			20 * ms,
			[]time.Duration{5 * ms, 3 * ms, 9 * ms},
			[]time.Duration{14 * ms, 10 * ms, time.Hour},
			0, safetool.CodeTimeout, 45 * ms,
		},
		{
			"in an intent that took what was left", 20 * ms,
			[]time.Duration{0, 9 * ms, 15 * ms},
			[]time.Duration{19 * ms, 9 * ms, time.Hour},
			0, safetool.CodeTimeout, 52 * ms,
		},
		{"in a recorder, at the intent", time.Minute, []time.Duration{time.Hour}, []time.Duration{0}, 0, safetool.CodeAuditUnavailable, 15 * time.Second},
		{"in a recorder, at the outcome", time.Minute, nil, []time.Duration{ms}, time.Hour, safetool.CodeOutcomeUnrecorded, 15*time.Second + ms},
		{
			"in a recorder, at the outcome of a call that took a while",
			time.Minute, nil,
			[]time.Duration{20 * time.Second},
			time.Hour, safetool.CodeOutcomeUnrecorded, 35 * time.Second,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				intents, ran := 0, 0
				var inside atomic.Bool // the handler
				trail := &slowLog{do: func(phase audit.Phase) {
					switch {
					case phase == audit.PhaseOutcome:
						time.Sleep(c.outcome)
					case phase == audit.PhaseIntent && intents < len(c.intents):
						intents++
						time.Sleep(c.intents[intents-1])
					}
				}}
				server, _ := newServer(t, func(o *safetool.Options) {
					o.Audit = trail
					o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
						return func(ctx context.Context, call *safetool.Call) (res *safetool.Result, err error) {
							for ran < len(c.handlers) {
								if res, err = next(ctx, call); errors.Is(err, safetool.ErrNoCall) {
									break
								}
							}
							return res, err
						}
					}}
				})
				policy := open
				policy.Limits = limit.Limits{Timeout: c.timeout}
				safetool.AddTool(server, &mcp.Tool{Name: "act"}, policy,
					func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
						ran++
						inside.Store(true)
						defer inside.Store(false)
						time.Sleep(c.handlers[ran-1])
						return nil, nil, nil
					})
				client := safetooltest.NewClient(t, server)
				begun := time.Now()
				text := dump(call(t, client, "act", nil))
				if took := time.Since(begun); took != c.after {
					t.Errorf("answered after %s, not %s", took, c.after)
				}
				if !strings.Contains(text, c.code) {
					t.Errorf("not %s: %s", c.code, text)
				}
				left := inside.Load()
				time.Sleep(2 * time.Hour) // what runs on ends in the bubble
				for _, e := range trail.Calls() {
					if e.Decision.Rule == "late_return" && strings.HasPrefix(e.Decision.Reason, "the handler returned") != left {
						t.Errorf("the handler was left behind: %v; recorded: %s", left, e.Decision.Reason)
					}
				}
			})
		})
	}
}
