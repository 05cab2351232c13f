package safetooltest

import (
	"context"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/secrets"
)

// CallOptions say what a handler under test finds in its Call.
type CallOptions struct {
	// Tool is the name that Call.Tool returns.
	Tool string
	// Principal is who calls; the zero value is [Tester].
	Principal access.Principal
	// Secrets are the credentials' values, by the names that a policy gives them.
	Secrets map[string]string
	// Arguments is what Call.Arguments returns.
	Arguments any
}

// Context returns a context with a Call in it, for the unit test of a handler.
// Nil options are a call by [Tester] without credentials. The call, and the
// context with it, ends with the test.
func Context(t testing.TB, o *CallOptions) context.Context {
	t.Helper()
	if o == nil {
		o = &CallOptions{}
	}
	spec := bridge.CallSpec{Tool: o.Tool, Principal: o.Principal, Arguments: o.Arguments, Credentials: map[string]*secrets.Credential{}}
	if !spec.Principal.Known() {
		spec.Principal = Tester()
	}
	for name, value := range o.Secrets {
		c, err := secrets.NewCredential(secrets.CredentialData{
			Binding: secrets.KV("safetooltest", name), Value: secrets.NewSecret([]byte(value)), Version: "test", Expires: time.Time{},
		})
		if err != nil {
			t.Fatalf("the credential %q: %v", name, err)
		}
		spec.Credentials[name] = c
	}
	ctx, end := bridge.WithCall(t.Context(), spec)
	t.Cleanup(end)
	return ctx
}
