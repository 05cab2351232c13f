package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
	"github.com/safemcp/safemcp/secrets/vault"
)

// credentials is where they come from: a Vault where VAULT_ADDR names one, else an
// encrypted file that is made on first run. A Vault has to hold what the tools need:
//
//	vault kv put secret/quickstart/share key=$(openssl rand -hex 32)
func credentials(ctx context.Context, home string) (secrets.Provider, func() error, error) {
	if os.Getenv("VAULT_ADDR") != "" {
		provider, err := vault.FromEnvironment(nil)
		if err != nil {
			return nil, nil, err
		}
		return provider, func() error { return provider.Close(context.WithoutCancel(ctx)) }, nil
	}
	store, err := agefile.Open(filepath.Join(home, "secrets.age"), nil)
	if err != nil {
		return nil, nil, err
	}
	if err := store.EnsureRandom(ctx, "quickstart/share", "key", 32); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, store.Close, nil
}
