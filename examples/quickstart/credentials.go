package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
	"github.com/safemcp/safemcp/secrets/vault"
)

// credentials lends them, from where provider has them. What was issued is revoked at the
// end, within some seconds.
func credentials(ctx context.Context, home string) (*secrets.Broker, func() error, error) {
	source, closeSource, err := provider(ctx, home)
	if err != nil {
		return nil, nil, err
	}
	broker := secrets.NewBroker(source, nil)
	return broker, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(broker.Close(ctx), closeSource(ctx))
	}, nil
}

// provider is where they come from: a Vault where VAULT_ADDR names one, else an encrypted
// file that is made on first run. A Vault has to hold what the tools need:
//
//	vault kv put secret/quickstart/share key=$(openssl rand -hex 32)
func provider(ctx context.Context, home string) (secrets.Provider, func(context.Context) error, error) {
	if os.Getenv("VAULT_ADDR") != "" {
		v, err := vault.FromEnvironment(&vault.Options{Journal: filepath.Join(home, "vault-journal")})
		if err != nil {
			return nil, nil, err
		}
		return v, v.Close, nil
	}
	store, err := agefile.Open(filepath.Join(home, "secrets.age"), nil)
	if err != nil {
		return nil, nil, err
	}
	if err := store.EnsureRandom(ctx, "quickstart/share", "key", 32); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, func(context.Context) error { return store.Close() }, nil
}
