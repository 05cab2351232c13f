package vault_test

import (
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// Tokens of two seconds, which cannot live beyond four: whoever asks while they are
// renewed, replaced and ended notices nothing.
func TestTokensAreRenewedAndReplaced(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	v.Write("auth/approle/role/server", map[string]any{"token_policies": "server,tool-share", "token_ttl": "2s", "token_max_ttl": "4s"})
	own := provider(t, v, &vault.Options{Login: appRole(roleID, secretID)})
	children := provider(t, v, &vault.Options{
		Login: appRole(roleID, secretID), ToolLifetime: 3 * time.Second, ToolPolicies: func(string) []string { return []string{"tool-share"} },
	})
	ended := 0
	seen := map[string]bool{}
	for end := time.Now().Add(9 * time.Second); time.Now().Before(end); {
		for _, p := range []*vault.Provider{own, children} {
			if _, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}); err != nil {
				ended++
				t.Log(err)
			}
		}
	}
	if ended > 0 {
		t.Errorf("%d calls had no credential", ended)
	}
	renewals := 0
	for _, e := range v.Audit() {
		request, _ := e["request"].(map[string]any)
		path, _ := request["path"].(string)
		seen[path] = true
		if e["type"] == "request" && path == "auth/token/renew-self" {
			renewals++
		}
	}
	if !seen["auth/token/renew-self"] || !seen["auth/token/create"] || renewals > 2*9 {
		t.Errorf("%d renewals in nine seconds of two tokens; %v", renewals, seen)
	}
}
