package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// fixed is a provider that has a value for each path, and keeps what was revoked.
type fixed struct {
	values map[string]string
	edit   func(*secrets.CredentialData)

	mu      sync.Mutex
	revoked []string // IDs
	fail    error    // what Revoke returns
}

func (f *fixed) Issue(_ context.Context, r secrets.Request) (*secrets.Credential, error) {
	value, there := f.values[r.Binding.Path()]
	if !there {
		return nil, fmt.Errorf("no value for %s: %w", r.Binding, secrets.ErrNotFound)
	}
	d := secrets.CredentialData{Binding: r.Binding, Value: secrets.NewSecret([]byte(value)), Version: "v1"}
	if f.edit != nil {
		f.edit(&d)
	}
	return secrets.NewCredential(d)
}

func (*fixed) Renew(context.Context, *secrets.Credential) (*secrets.Credential, error) {
	return nil, secrets.ErrNotRenewable
}

func (f *fixed) Revoke(_ context.Context, c *secrets.Credential) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return f.fail
	}
	f.revoked = append(f.revoked, c.ID())
	return nil
}

func (f *fixed) ids() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.revoked...)
}

// funcs is a provider made of functions.
type funcs struct {
	issue  func(context.Context, secrets.Request) (*secrets.Credential, error)
	revoke func(context.Context, *secrets.Credential) error
}

func (f funcs) Issue(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
	return f.issue(ctx, r)
}

func (funcs) Renew(context.Context, *secrets.Credential) (*secrets.Credential, error) {
	return nil, secrets.ErrNotRenewable
}

func (f funcs) Revoke(ctx context.Context, c *secrets.Credential) error {
	if f.revoke == nil {
		return errors.New("nothing should be revoked here")
	}
	return f.revoke(ctx, c)
}

// holding returns a broker that has issued values, for v0, v1 and so on.
func holding(t testing.TB, values ...string) *secrets.Broker {
	t.Helper()
	provider := &fixed{values: map[string]string{}}
	broker := secrets.NewBroker(provider, nil)
	for i, value := range values {
		path := fmt.Sprint("v", i)
		provider.values[path] = value
		if _, err := broker.Acquire(t.Context(), secrets.Request{Binding: secrets.KV(path, "f")}); err != nil {
			t.Fatal(err)
		}
	}
	return broker
}

func lease(id string, expires time.Time) func(*secrets.CredentialData) {
	return func(d *secrets.CredentialData) { d.ID, d.Expires = id, expires }
}
