package safetool_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

type typedIn struct {
	Short string `json:"short" validate:"max=100"`
	Long  string `json:"long"  validate:"max=100"`
}

// Whatever form an error's text has it in, what a caller typed is not in the log.
func TestWhatWasTypedIsNeverInACause(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	in := typedIn{Short: "hunt", Long: "hunter-2000 \"ä\" </b>\nq=1&r"}
	causes := map[string]func(in typedIn) string{
		"plain":  func(in typedIn) string { return in.Short + " and " + in.Long },
		"quoted": func(in typedIn) string { return fmt.Sprintf("%q is bad", in.Long) },
		"dumped": func(in typedIn) string { return dump(in) },
		"queried": func(in typedIn) string {
			return (&url.Error{Op: "Get", URL: "https://a.example/?q=" + url.QueryEscape(in.Long)}).URL
		},
		"pathed": func(in typedIn) string { return "https://a.example/" + url.PathEscape(in.Long) },
	}
	policy := open
	policy.Limits = limit.Limits{Timeout: 20 * time.Millisecond}
	release := make(chan struct{})
	safetool.AddTool(server, &mcp.Tool{Name: "late"}, policy,
		func(_ context.Context, _ *mcp.CallToolRequest, in typedIn) (*mcp.CallToolResult, any, error) {
			<-release
			return nil, nil, fmt.Errorf("no %s", in.Long)
		})
	for name, cause := range causes {
		safetool.AddTool(server, &mcp.Tool{Name: name}, open,
			func(_ context.Context, _ *mcp.CallToolRequest, in typedIn) (*mcp.CallToolResult, any, error) {
				return nil, nil, fmt.Errorf("no: %s", cause(in))
			})
	}
	client := safetooltest.NewClient(t, server)
	for name := range causes {
		call(t, client, name, in)
	}
	call(t, client, "late", in)
	close(release)
	eventually(t, func() bool {
		events := trail.Calls()
		return events[len(events)-1].Decision.Rule == "late_return"
	}, func() string { return phases(trail.Calls()) })
	found := 0
	for _, e := range trail.Calls() {
		if strings.Contains(e.Outcome.Cause, "[long]") {
			found++
		}
		for _, part := range []string{"hunt", "2000", "q=1", "q%3D1"} {
			if strings.Contains(e.Outcome.Cause, part) {
				t.Errorf("%s: the log says %q", e.MCP.Tool, e.Outcome.Cause)
			}
		}
	}
	if found != len(causes)+1 {
		t.Errorf("%d causes name the argument", found)
	}
}
