package safetool_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/validate"
)

// What is allowed, or nearly, or what a rule of the program's says, is never told to a caller
// who lacks the tool's scope: not by an error, whatever is wrong with the arguments, and not
// by the list, in which the tool stands since the scope could be gained.
func TestWhoLacksTheScopeNeverLearnsWhatIsAllowed(t *testing.T) {
	t.Parallel()
	type args struct {
		Account string `json:"account" validate:"max=20,allow=accounts"`
		Ledger  string `json:"ledger,omitempty" validate:"omitempty,max=20,rule=ledger"`
	}
	eachEra(t, func(t *testing.T, version string) {
		var ran, judged int
		values := []string{"acme-alpha", "acme-omega"}
		server, trail := newServer(t, func(o *safetool.Options) {
			o.Allow = map[string]validate.Allowlist{"accounts": validate.AllowFunc(func(context.Context) ([]string, error) { return values, nil })}
			o.Rules = map[string]validate.Rule{"ledger": {Message: "must be an open ledger", Check: validate.RuleFor(func(context.Context, string) (bool, error) {
				judged++
				return false, nil
			})}}
		})
		safetool.AddTool(server, &mcp.Tool{Name: "pay"}, safetool.Policy{Risk: safetool.ReadOnly, Scopes: []string{"pay"}}, func(context.Context, *mcp.CallToolRequest, args) (*mcp.CallToolResult, any, error) {
			ran++
			return &mcp.CallToolResult{}, nil, nil
		})
		connect := func(scopes ...string) *mcp.ClientSession {
			p := access.NewPrincipal("test", "ada")
			p.Scopes = scopes
			return safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version, Principal: p})
		}
		without, with := connect(), connect("pay")
		tells := func(what any) bool { return strings.Contains(fmt.Sprint(dump(what)), "acme-") }
		list, err := without.ListTools(t.Context(), nil)
		if err != nil || len(list.Tools) != 1 || tells(list) || !strings.Contains(dump(list), "accounts that are allowed at the moment") {
			t.Errorf("without the scope the list is %s, %v", dump(list), err)
		}
		if list, err = with.ListTools(t.Context(), nil); err != nil || !tells(list) {
			t.Errorf("with the scope the list is %s, %v", dump(list), err)
		}
		for _, sent := range []map[string]any{
			{"account": "acme-alpho"}, {"account": "acme-alpha"}, {"account": 7}, {"account": "acme-alpha", "ledger": "x"}, {"other": 1}, {},
		} {
			res := call(t, without, "pay", sent)
			if !res.IsError || tells(res) || !strings.Contains(textOf(res), "needs the scope pay") {
				t.Errorf("%v without the scope: %s", sent, dump(res))
			}
		}
		if ran != 0 || judged != 0 {
			t.Errorf("without the scope the handler ran %d times, the rule %d times", ran, judged)
		}
		refused := trail.Calls()[0]
		if refused.Outcome.Code != safetool.CodeMissingScope || refused.Args.Digest == "" || tells(trail.Events()) {
			t.Errorf("the log has %s", dump(refused))
		}
		if res := call(t, with, "pay", map[string]any{"account": "acme-alpho"}); !res.IsError || !strings.Contains(textOf(res), "Nearest to what was sent: acme-alpha.") {
			t.Errorf("with the scope: %s", dump(res))
		}
		if res := call(t, with, "pay", map[string]any{"account": "acme-alpha"}); res.IsError || ran != 1 {
			t.Errorf("with the scope: %s", dump(res))
		}
	})
}
