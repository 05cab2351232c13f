package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/validate"
)

// bearing gives each request a token.
type bearing string

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// Over HTTP, too, clients of both eras are told when the values of an allowlist change, and
// see them when they list anew; who lacks the scope is not told the values.
func TestClientsOverHTTPAreToldWhenWhatIsAllowedChanges(t *testing.T) {
	t.Parallel()
	var values atomic.Pointer[[]string]
	values.Store(&[]string{"Paris"})
	trail := &recorder{}
	s, err := safetool.NewServer(&mcp.Implementation{Name: "travel", Version: "v1"}, &safetool.Options{
		Audit: trail, Allow: map[string]validate.Allowlist{"cities": validate.Cached(validate.AllowFunc(func(context.Context) ([]string, error) {
			return *values.Load(), nil
		}), &validate.CacheOptions{Lifetime: 10 * time.Millisecond})},
	})
	if err != nil {
		t.Fatal(err)
	}
	type args struct {
		City string `json:"city" validate:"max=20,allow=cities"`
	}
	safetool.AddTool(s, &mcp.Tool{Name: "fly"}, safetool.Policy{Risk: safetool.ReadOnly, Scopes: []string{"travel"}}, func(context.Context, *mcp.CallToolRequest, args) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{}, nil, nil
	})
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada", "travel"), who("bob"))}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	type client struct {
		*mcp.ClientSession
		name string
		told chan struct{}
	}
	connect := func(name, version string) client {
		told := make(chan struct{}, 1000)
		session, err := mcp.NewClient(&mcp.Implementation{Name: "c"}, &mcp.ClientOptions{
			ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { told <- struct{}{} },
		}).Connect(ctx, &mcp.StreamableClientTransport{Endpoint: url + "/mcp", HTTPClient: &http.Client{Transport: bearing(name)}}, &mcp.ClientSessionOptions{ProtocolVersion: version})
		if err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		t.Cleanup(func() { _ = session.Close() })
		return client{session, name + " of " + version, told}
	}
	listed := func(c client) string {
		res, err := c.ListTools(ctx, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		raw, err := json.Marshal(res.Tools)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	clients := []client{connect("ada", "2025-11-25"), connect("ada", "2026-07-28"), connect("bob", "2025-11-25"), connect("bob", "2026-07-28")}
	for round, city := range []string{"Paris", "Oslo", "Lima"} {
		values.Store(&[]string{city})
		for _, c := range clients {
			lacks := strings.HasPrefix(c.name, "bob")
			for first := true; ; first = false {
				if !first || round > 0 { // who lists at once could see it without being told
					select {
					case <-c.told:
					case <-ctx.Done():
						t.Fatalf("%s: not told of %s", c.name, city)
					}
				}
				now := listed(c)
				if lacks {
					if strings.Contains(now, city) || !strings.Contains(now, "cities that are allowed") {
						t.Fatalf("%s, who lacks the scope, is listed %s", c.name, now)
					}
					break
				}
				if strings.Contains(now, `"enum":["`+city+`"]`) {
					break
				}
			}
		}
	}
}
