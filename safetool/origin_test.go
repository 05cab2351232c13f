package safetool_test

import (
	"context"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
)

// tracing issues credentials that say where they come from.
type tracing struct{ origin secrets.Origin }

func (p tracing) Issue(_ context.Context, r secrets.Request) (*secrets.Credential, error) {
	return secrets.NewCredential(secrets.CredentialData{Binding: r.Binding, Value: secrets.NewSecret([]byte(issued)), Version: "v7", Origin: p.origin})
}

func (tracing) Renew(context.Context, *secrets.Credential) (*secrets.Credential, error) {
	return nil, secrets.ErrNotRenewable
}
func (tracing) Revoke(context.Context, *secrets.Credential) error { return nil }

// The record of a call says what joins its credentials with their store's own records.
func TestACallIsJoinedWithTheStoreOfItsCredentials(t *testing.T) {
	t.Parallel()
	origin := secrets.Origin{Request: "a-request-of-the-store", Role: "readonly", Accessor: "hmac-sha256:0123"}
	server, trail := newServer(t, func(o *safetool.Options) { o.Secrets = secrets.NewBroker(tracing{origin}, nil) })
	safetool.AddTool(server, &mcp.Tool{Name: "use", Description: "Uses a credential."}, safetool.Policy{
		Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"key": secrets.KV("app/key", "value")},
	}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
	if res := call(t, safetooltest.NewClient(t, server), "use", nil); res.IsError {
		t.Fatalf("%v", res.Content)
	}
	calls := trail.Calls()
	last := calls[len(calls)-1]
	if len(last.Credentials) != 1 {
		t.Fatalf("%v", last.Credentials)
	}
	if c := last.Credentials[0]; c.Request != origin.Request || c.Role != origin.Role || c.Accessor != origin.Accessor || c.Version != "v7" {
		t.Errorf("%+v", c)
	}
}
