package safetooltest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
	_ "github.com/safemcp/safemcp/serve" // whose door it is
)

// ClientOptions say who a test's client is. The zero value is a tester without
// roles and scopes, on the newest protocol.
type ClientOptions struct {
	// Principal is who calls; the zero value is the principal "test|tester".
	Principal access.Principal
	// ProtocolVersion is the newest version that the client offers; empty is the
	// newest that the SDK knows.
	ProtocolVersion string
	// SDK are the options of the SDK's client: elicitation and progress handlers
	// and so on.
	SDK *mcp.ClientOptions
}

// Tester is the principal of a client that no options name another for.
func Tester() access.Principal { return access.NewPrincipal("test", "tester") }

// NewClient connects a client of the SDK to the server, in memory, with every
// guard of the server in between, and the door that serve.Stdio has. At most one options value is taken. Client and
// connection are closed when the test ends. A failure to connect fails the test.
func NewClient(t testing.TB, server *safetool.Server, options ...*ClientOptions) *mcp.ClientSession {
	t.Helper()
	var o ClientOptions
	if len(options) > 1 {
		t.Fatal("safetooltest.NewClient takes at most one ClientOptions")
	}
	if len(options) == 1 && options[0] != nil {
		o = *options[0]
	}
	if !o.Principal.Known() {
		o.Principal = Tester()
	}
	gate := bridge.Open(server)
	ctx := context.WithoutCancel(t.Context())
	if err := gate.Start(ctx, "memory"); err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	near, far := net.Pipe()
	door, ended := bridge.Door(gate, near, bridge.Caller{Principal: o.Principal, Transport: "memory"})
	serving, err := gate.SDK.Connect(ctx, door, nil)
	if err != nil {
		t.Fatalf("connecting the server: %v", err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = serving.Wait()
		_ = near.Close()
		ended()
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "safetooltest", Version: "v0"}, o.SDK)
	session, err := client.Connect(ctx, &mcp.IOTransport{Reader: far, Writer: far}, &mcp.ClientSessionOptions{ProtocolVersion: o.ProtocolVersion})
	if err != nil {
		_ = serving.Close()
		t.Fatalf("connecting the client: %v", err)
	}
	t.Cleanup(func() {
		_ = session.Close() // the server's side ends with it
		<-over
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		_ = gate.Stop(ctx, "memory", "the test ended")
	})
	return session
}
