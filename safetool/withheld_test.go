package safetool_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// A refusal stays one where its words are withheld: the log says who refused, and nobody
// is told that the call was carried out.
func TestARefusalThatLeaksIsNeverACallThatWasCarriedOut(t *testing.T) {
	t.Parallel()
	refuses := false
	server, trail, policy := withSecret(t, func(o *safetool.Options) {
		o.Authorizer = access.AuthorizerFunc(func(context.Context, access.Request) (access.Decision, error) {
			if refuses {
				return access.Deny("house", "because of "+issued), nil
			}
			return access.Permit("all"), nil
		})
	})
	policy.Leaks = safetool.RefuseLeaks
	safetool.AddTool(server, &mcp.Tool{Name: "act"}, policy,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			return nil, nil, nil
		})
	client := safetooltest.NewClient(t, server)
	call(t, client, "act", nil) // which issues it
	refuses = true
	res := call(t, client, "act", nil)
	unleaked(t, res, nil)
	if text := dump(res); !strings.Contains(text, safetool.CodeSecretWithheld) || strings.Contains(text, "carried out") {
		t.Errorf("answered %s", text)
	}
	var last audit.Event
	for _, e := range trail.Calls() {
		unleaked(t, e, nil)
		if e.Phase != audit.PhaseNotice {
			last = e
		}
	}
	if last.Phase != audit.PhaseRefused || last.Outcome.Status != audit.StatusRefused || last.Decision.Effect != audit.EffectDeny || last.Decision.Rule != "house" {
		t.Errorf("recorded %+v", last)
	}
}

// Where the notice of a leak cannot be recorded the answer is withheld, and its outcome on
// record says so.
func TestAnAnswerWhoseLeakIsUnrecordedIsNeverOnRecordAsSent(t *testing.T) {
	t.Parallel()
	trail := &safetooltest.Recorder{Fail: func(e audit.Event) error {
		if e.Decision.Rule == "leak" {
			return errors.New("the disk is full")
		}
		return nil
	}}
	server, _, policy := withSecret(t, func(o *safetool.Options) { o.Audit = trail })
	safetool.AddTool(server, &mcp.Tool{Name: "leaky"}, policy,
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			return nil, map[string]any{"key": lent(ctx, t)}, nil
		})
	res := call(t, safetooltest.NewClient(t, server), "leaky", nil)
	if text := dump(res); !strings.Contains(text, safetool.CodeOutcomeUnrecorded) {
		t.Errorf("answered %s", text)
	}
	if got := phases(trail.Calls()); got != "intent: outcome:withheld" {
		t.Errorf("recorded %s", got)
	}
}
