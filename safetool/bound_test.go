package safetool_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// A slowLog does at the events of calls what no recorder should, and does not keep to its
// context.
type slowLog struct {
	safetooltest.Recorder
	do func(audit.Phase)
}

func (l *slowLog) Record(ctx context.Context, e *audit.Event) error {
	if e.MCP.Method == "tools/call" {
		l.do(e.Phase)
	}
	return l.Recorder.Record(context.WithoutCancel(ctx), e)
}

// A recorder that does not come back, whatever it was given to record: its caller is
// answered without it, no handler runs without its intent, and what the recorder makes of
// it later is one end on record.
func TestARecorderThatDoesNotReturnHoldsNoCaller(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		at   audit.Phase
		tool string
		code string
		ran  int32
		late string
	}{
		{"intent", audit.PhaseIntent, "act", safetool.CodeAuditUnavailable, 0, "intent: outcome:refused"},
		{"outcome", audit.PhaseOutcome, "act", safetool.CodeOutcomeUnrecorded, 1, "intent: outcome:ok notice:ok"},
		{"timeout", audit.PhaseOutcome, "slow", safetool.CodeOutcomeUnrecorded, 1, "intent: outcome:timeout notice:ok"},
		{"refusal", audit.PhaseRefused, "refused", safetool.CodeOutcomeUnrecorded, 0, "refused:refused notice:refused"},
		{"unknown", audit.PhaseRefused, "unknown", "There is no tool of that name", 0, "refused:refused"},
	}
	for _, c := range cases {
		for _, exits := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, exits), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					trail := &slowLog{do: func(phase audit.Phase) {
						switch {
						case phase != c.at:
						case exits:
							runtime.Goexit()
						default:
							<-release
						}
					}}
					server, _ := newServer(t, func(o *safetool.Options) { o.Audit = trail })
					var ran atomic.Int32
					stop := make(chan struct{})
					handler := func(_ context.Context, r *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
						ran.Add(1)
						if r.Params.Name == "slow" {
							<-stop
						}
						return nil, nil, nil
					}
					safetool.AddTool(server, &mcp.Tool{Name: "act"}, short(), handler)
					safetool.AddTool(server, &mcp.Tool{Name: "slow"}, short(), handler)
					high := short()
					high.Risk = safetool.HighRisk
					safetool.AddTool(server, &mcp.Tool{Name: "refused"}, high, handler)
					client := safetooltest.NewClient(t, server)
					res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: c.tool})
					text := dump(res)
					if err != nil {
						text = err.Error()
					}
					code := c.code
					if exits && c.at == audit.PhaseIntent {
						code = safetool.CodeInternal
					}
					if !strings.Contains(text, code) {
						t.Errorf("not %s: %s", code, text)
					}
					if ran.Load() != c.ran {
						t.Errorf("the handler ran %d times", ran.Load())
					}
					close(release)
					synctest.Wait()
					close(stop)
					synctest.Wait()
					if got := phases(trail.Calls()); !exits && c.late != "" && got != c.late {
						t.Errorf("recorded %s", got)
					}
					if ran.Load() != c.ran {
						t.Errorf("the handler ran %d times", ran.Load())
					}
				})
			})
		}
	}
}
