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

// credentials is where they come from: a Vault where VAULT_ADDR names one, else an
// encrypted file that is made on first run. A Vault has to hold what the tools need:
//
//	vault kv put secret/quickstart/share key=$(openssl rand -hex 32)
//
// What was issued is revoked at the end, within some seconds.
func credentials(ctx context.Context, home string) (*secrets.Broker, func() error, error) {
	ended := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	}
	if os.Getenv("VAULT_ADDR") != "" {
		provider, err := vault.FromEnvironment(&vault.Options{Journal: filepath.Join(home, "vault-journal")})
		if err != nil {
			return nil, nil, err
		}
		broker := secrets.NewBroker(provider, nil)
		return broker, func() error {
			ctx, cancel := ended()
			defer cancel()
			return errors.Join(broker.Close(ctx), provider.Close(ctx))
		}, nil
	}
	store, err := agefile.Open(filepath.Join(home, "secrets.age"), nil)
	if err != nil {
		return nil, nil, err
	}
	if err := store.EnsureRandom(ctx, "quickstart/share", "key", 32); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	broker := secrets.NewBroker(store, nil)
	return broker, func() error {
		ctx, cancel := ended()
		defer cancel()
		return errors.Join(broker.Close(ctx), store.Close())
	}, nil
}
