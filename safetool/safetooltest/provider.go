package safetooltest

import (
	"context"
	"fmt"

	"github.com/safemcp/safemcp/secrets"
)

// A Provider issues fixed values. It is safe for concurrent use as long as nobody
// changes the map.
//
//	broker := secrets.NewBroker(safetooltest.Provider{secrets.KV("quickstart/share", "key"): "0123456789abcdef"}, nil)
type Provider map[secrets.Binding]string

// Issue implements secrets.Provider.
func (p Provider) Issue(_ context.Context, r secrets.Request) (*secrets.Credential, error) {
	value, ok := p[r.Binding]
	if !ok {
		return nil, fmt.Errorf("safetooltest: no value for %s: %w", r.Binding, secrets.ErrNotFound)
	}
	return secrets.NewCredential(secrets.CredentialData{Binding: r.Binding, Value: secrets.NewSecret([]byte(value)), Version: "1"})
}

// Renew implements secrets.Provider: a fixed value has nothing to renew.
func (p Provider) Renew(context.Context, *secrets.Credential) (*secrets.Credential, error) {
	return nil, secrets.ErrNotRenewable
}

// Revoke implements secrets.Provider: a fixed value cannot be revoked.
func (p Provider) Revoke(context.Context, *secrets.Credential) error { return nil }
