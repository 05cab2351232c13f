package safetool_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/validate"
)

// A client that does not wait for the list of tools does not make every other client list
// its tools again, since nothing has changed.
func TestNobodyIsToldOfAListThatSomebodyDidNotWaitFor(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		synctest.Test(t, func(t *testing.T) {
			var slow atomic.Bool
			server, _ := newServer(t, func(o *safetool.Options) {
				o.Allow = map[string]validate.Allowlist{"cities": validate.AllowFunc(func(context.Context) ([]string, error) {
					if slow.Load() {
						time.Sleep(900 * time.Millisecond)
					}
					return []string{"Oslo"}, nil
				})}
			})
			addTravel(server, open, "fly")
			one, two := listen(t, server, version), listen(t, server, version)
			if got := enumOf(t, one.ClientSession, "fly"); got != "Oslo" {
				t.Fatal(got)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			told := two.told.Load()
			slow.Store(true)
			for range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				_, _ = one.ListTools(ctx, nil)
				cancel()
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if n := two.told.Load(); n != told {
				t.Errorf("told %d times of nothing", n-told)
			}
			one.Close()
			two.Close()
			time.Sleep(10 * time.Second) // the source ends
			synctest.Wait()
		})
	})
}

type observedIn struct {
	Note  string `json:"note" text:"flag" validate:"max=20"`
	Count int    `json:"count" validate:"max=3"`
}

// What is flagged is said also where another rule is broken that is only observed.
func TestFlaggedTextsAreToldWhereRulesAreObserved(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, func(o *safetool.Options) { o.InsecureObserve = "a test" })
	var told []string
	safetool.AddTool(server, &mcp.Tool{Name: "note"}, open, func(ctx context.Context, _ *mcp.CallToolRequest, _ observedIn) (*mcp.CallToolResult, any, error) {
		told = append(told, safetool.CallFrom(ctx).Flagged())
		return nil, nil, nil
	})
	client := safetooltest.NewClient(t, server)
	if res := call(t, client, "note", observedIn{"a\u200bb", 9}); res.IsError {
		t.Fatal(dump(res))
	}
	if len(told) != 1 || told[0] == "" || phases(trail.Calls()) != "notice: intent: outcome:ok" {
		t.Errorf("the handler is told %q, the log %s", told, phases(trail.Calls()))
	}
}
