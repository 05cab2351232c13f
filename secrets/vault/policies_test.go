package vault_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// A tool never has what Options.ToolPolicies does not name: Vault gives a child the
// policies of the identity that its parent logged in as.
func TestAToolHasNoPoliciesOfTheLoginsIdentity(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	methods, _ := v.Read("sys/auth")["data"].(map[string]any)
	method, _ := methods["approle/"].(map[string]any)
	entity := text(v.Write("identity/entity", map[string]any{"name": "server", "policies": []string{"tool-tenant"}}), "id")
	v.Write("identity/entity-alias", map[string]any{"name": roleID, "canonical_id": entity, "mount_accessor": method["accessor"]})

	named := []string{" Tool-Share"} // which is the policy "tool-share"
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), ToolPolicies: func(string) []string { return named }})
	for path, tool := range map[string]string{"tenants/acme/db": "one", "app/share": "another"} {
		c, err := p.Issue(t.Context(), secrets.Request{Tool: tool, Binding: secrets.KV(path, "key")})
		if !errors.Is(err, secrets.ErrDenied) || !strings.Contains(err.Error(), "identity") {
			t.Errorf("%s: %v %v", path, c, err)
		}
	}
	if left := v.List("auth/token/accessors"); len(left) != 2 { // root's, and the provider's
		t.Errorf("%d tokens are there", len(left))
	}

	named = append(named, "tool-tenant")
	if c, err := p.Issue(t.Context(), secrets.Request{Tool: "both", Binding: secrets.KV("tenants/acme/db", "key")}); err != nil {
		t.Errorf("policies that are named: %v %v", c, err)
	}
	v.Write("identity/entity/id/"+entity, map[string]any{"policies": []string{}})
	if c, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}); err != nil {
		t.Errorf("an identity without policies: %v %v", c, err)
	}
}
