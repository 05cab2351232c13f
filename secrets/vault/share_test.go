package vault_test

import (
	"sync"
	"testing"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// Ten thousand callers at once are one request to a real Vault.
func TestTenThousandCallersAreOneRequest(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	broker := secrets.NewBroker(provider(t, v, &vault.Options{Login: appRole(roleID, secretID)}), nil)
	t.Cleanup(func() { _ = broker.Close(t.Context()) })
	begin := make(chan struct{})
	var wait sync.WaitGroup
	for range 10_000 {
		wait.Go(func() {
			<-begin
			c, err := broker.Acquire(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")})
			if err != nil || shown(c) != value {
				t.Errorf("%v, %v", c, err)
			}
			broker.Release(c)
		})
	}
	close(begin)
	wait.Wait()
	asked := 0
	for _, e := range v.Audit() {
		request, _ := e["request"].(map[string]any)
		if e["type"] == "request" && request["path"] == "secret/data/app/share" && request["operation"] == "read" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("%d requests", asked)
	}
}
