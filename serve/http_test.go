package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

type cityArgs struct {
	City string `json:"city" validate:"required,oneof=Paris London"`
}

// weather is a server of a few tools.
func weather(t testing.TB) (*safetool.Server, *safetooltest.Recorder) {
	t.Helper()
	trail := &safetooltest.Recorder{}
	s, err := safetool.NewServer(&mcp.Implementation{Name: "weather", Version: "v1"}, &safetool.Options{Audit: trail})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(_ context.Context, _ *mcp.CallToolRequest, in cityArgs) (*mcp.CallToolResult, map[string]string, error) {
		return nil, map[string]string{"city": in.City}, nil
	}
	safetool.AddTool(s, &mcp.Tool{Name: "open"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}, answer)
	safetool.AddTool(s, &mcp.Tool{Name: "scoped"}, safetool.Policy{Risk: safetool.ReadOnly, Scopes: []string{"weather.read"}}, answer)
	safetool.AddTool(s, &mcp.Tool{Name: "hidden"}, safetool.Policy{Risk: safetool.ReadOnly, Roles: []string{"staff"}}, answer)
	return s, trail
}

// A bearerNames takes "Bearer NAME" for NAME: an authenticator for tests.
type bearerNames map[string]access.Principal

func (b bearerNames) Authenticate(r *http.Request, _ func() error) (access.Principal, error) {
	got := r.Header.Get("Authorization")
	if got == "" {
		return access.Principal{}, access.ErrNoCredentials
	}
	p, ok := b[got[min(len(got), len("Bearer ")):]]
	if !ok {
		return access.Principal{}, context.Canceled
	}
	return p, nil
}

func (bearerNames) CredentialHeaders() []string { return []string{"Authorization"} }

// serveOn serves an endpoint on a loopback port.
func serveOn(t testing.TB, s *safetool.Server, o *HTTPOptions) (*Endpoint, string) {
	t.Helper()
	options, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEndpoint(bridge.Open(s), options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	t.Cleanup(func() {
		_ = e.Shutdown(t.Context())
		server.CloseClientConnections()
		server.Close()
	})
	return e, server.URL
}

func TestClientsOfEveryVersionOnOneEndpoint(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	_, url := serveOn(t, s, &HTTPOptions{InsecureAnonymous: "a test"})
	for _, version := range mcp.SupportedProtocolVersions() {
		client := mcp.NewClient(&mcp.Implementation{Name: "client"}, nil)
		session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url + "/mcp"}, &mcp.ClientSessionOptions{ProtocolVersion: version})
		if err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "open", Arguments: map[string]any{"city": "Paris"}})
		if err != nil || res.IsError {
			t.Errorf("%s: %+v, %v", version, res, err)
		}
		_ = session.Close()
	}
}

// addZoned adds a tool with an argument that has a header.
func addZoned(s *safetool.Server) {
	safetool.AddRawTool(s, &mcp.Tool{Name: "zoned", InputSchema: json.RawMessage(zonedSchema)}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) { return &mcp.CallToolResult{}, nil })
}
