package vault_test

import (
	"errors"
	"testing"

	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// A standby hands on what it is asked; when the active one is gone it is trouble that may
// be over in a while, and is when that is back.
func TestAStandby(t *testing.T) {
	t.Parallel()
	active, standby := vaulttest.StartPair(t)
	active.Write("sys/mounts/secret", map[string]any{"type": "kv-v2"})
	active.Until("the engine is there", func() bool {
		return active.Try("secret/data/app/share", map[string]any{"data": map[string]any{"key": value}})
	})
	p := provider(t, standby, &vault.Options{Login: vault.Token(secrets.NewSecret([]byte(active.RootToken)))})
	issue := func() error {
		c, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")})
		if err == nil && shown(c) != value {
			t.Errorf("%v", c)
		}
		return err
	}
	standby.Until("the standby has the engine", func() bool { return issue() == nil })
	active.Kill()
	for range 200 {
		if err := issue(); !errors.Is(err, secrets.ErrUnavailable) {
			t.Fatalf("the active one is gone: %v", err)
		}
	}
	standby.Until("a probe notices", func() bool { return p.Healthy(t.Context()) != nil })
	active.Revive()
	standby.Until("it is over", func() bool { return issue() == nil && p.Healthy(t.Context()) == nil })
}

// A quota of Vault's own is trouble that is over when the quota is.
func TestAQuota(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID)})
	issue := func() error {
		_, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")})
		return err
	}
	if err := issue(); err != nil {
		t.Fatal(err)
	}
	v.Write("sys/quotas/rate-limit/few", map[string]any{"path": "secret/", "rate": 1, "interval": "1m"})
	before, refused := len(v.Audit()), 0
	for range 200 {
		switch err := issue(); {
		case errors.Is(err, secrets.ErrUnavailable):
			refused++
		case err != nil:
			t.Fatal(err)
		}
	}
	if n := (len(v.Audit()) - before) / 2; refused < 190 || n > 20 {
		t.Errorf("%d of 200 are refused, with %d requests", refused, n)
	}
	v.Delete("sys/quotas/rate-limit/few")
	v.Until("it is over", func() bool { return issue() == nil })
}
