package safetool_test

import (
	"context"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// Arguments that would take more memory than they have bytes are refused before they are
// decoded, in words that say what is taken.
func TestArgumentsAreRefusedByTheirShape(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	p := open
	p.Limits = limit.Limits{ArgumentDepth: 3, ArgumentValues: 6, ArgumentElements: 4, ArgumentString: 10}
	safetool.AddTool(server, &mcp.Tool{Name: "any"}, p, func(_ context.Context, _ *mcp.CallToolRequest, _ map[string]any) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
	client := safetooltest.NewClient(t, server)
	for rule, c := range map[string]struct {
		good, bad any
		says      string
	}{
		"argument_depth":    {[]any{[]any{}}, []any{[]any{[]any{}}}, "at most 3 levels"},
		"argument_values":   {[]any{1, []any{1, 2, 3}}, []any{1, []any{1, 2, 3, 4}}, "at most 6 are taken in all"},
		"argument_elements": {[]any{1, 2, 3, 4}, []any{1, 2, 3, 4, 5}, "at most 4 elements"},
		"argument_string":   {strings.Repeat("a", 10), strings.Repeat("a", 11), "at most 10 bytes"},
	} {
		if res := call(t, client, "any", map[string]any{"a": c.good}); res.IsError {
			t.Errorf("%s: %s", rule, textOf(res))
		}
		if res := call(t, client, "any", map[string]any{"a": c.bad}); !res.IsError || !strings.Contains(textOf(res), c.says) {
			t.Errorf("%s: %s", rule, textOf(res))
		}
		events := trail.Calls()
		if got := events[len(events)-1].Decision.Rule; got != rule {
			t.Errorf("the log says %s, not %s", got, rule)
		}
	}
}
