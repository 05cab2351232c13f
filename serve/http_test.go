package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
)

type cityArgs struct {
	City string `json:"city" validate:"required,oneof=Paris London"`
}

// weather is a server of a few tools.
func weather(t testing.TB) (*safetool.Server, *recorder) {
	t.Helper()
	trail := &recorder{}
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

// A directory takes "Bearer NAME" for the principal of that name: an authenticator
// for tests, whose entries change.
type directory struct {
	mu    sync.Mutex
	by    map[string]access.Principal
	err   error
	costs bool
	asked int
}

func newDirectory(principals ...access.Principal) *directory {
	d := &directory{by: map[string]access.Principal{}}
	for _, p := range principals {
		d.by[p.Subject] = p
	}
	return d
}

func (d *directory) set(p access.Principal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.by[p.Subject] = p
}

func (d *directory) Authenticate(r *http.Request, spend func() error) (access.Principal, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return access.Principal{}, access.ErrNoCredentials
	}
	if d.err != nil {
		return access.Principal{}, d.err
	}
	if p, ok := d.by[token]; ok {
		return p, nil
	}
	if d.costs {
		if err := spend(); err != nil {
			return access.Principal{}, err
		}
	}
	return access.Principal{}, errors.New("the directory does not know the token")
}

func (*directory) CredentialHeaders() []string { return []string{"Authorization", "X-Secret"} }

func (*directory) ResourceMetadata() access.ResourceMetadata {
	return access.ResourceMetadata{Resource: "https://mcp.example/mcp", AuthorizationServers: []string{"https://id.example"}}
}

// who is a principal with scopes.
func who(name string, scopes ...string) access.Principal {
	p := access.NewPrincipal("https://id.example", name)
	p.Scopes = scopes
	return p
}

// A sent is a request for tests.
type sent struct {
	method, token, session, version, body string
	header                                map[string]string
}

const (
	initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	listTools  = `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`
)

// callOf is a tool call in the way of the newest version, with what its headers need.
func callOf(token, tool string) sent {
	return sent{
		token: token, version: stateless, body: strings.Replace(goodCall, `"name":"open"`, `"name":"`+tool+`"`, 1),
		header: map[string]string{"Mcp-Method": "tools/call", "Mcp-Name": tool},
	}
}

type got struct {
	status int
	header http.Header
	body   string
}

// to sends the request, and reads all of the answer.
func (s sent) to(t testing.TB, url string) got {
	t.Helper()
	g, err := s.try(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (s sent) try(ctx context.Context, url string) (got, error) {
	r, err := s.request(ctx, url)
	if err != nil {
		return got{}, err
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return got{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return got{res.StatusCode, res.Header, string(body)}, err
}

func (s sent) request(ctx context.Context, url string) (*http.Request, error) {
	method := s.method
	if method == "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, url+"/mcp", strings.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for name, value := range map[string]string{"Authorization": s.token, headerSession: s.session, headerVersion: s.version} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	for name, value := range s.header {
		r.Header.Set(name, value)
	}
	return r, nil
}

// begun begins a session of an older client.
func begun(t testing.TB, url, token string) string {
	t.Helper()
	g := sent{token: token, body: initialize}.to(t, url)
	id := g.header.Get(headerSession)
	if g.status != http.StatusOK || id == "" {
		t.Fatalf("initialize: %+v", g)
	}
	sent{token: token, session: id, version: "2025-11-25", body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`}.to(t, url)
	return id
}

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
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
}
