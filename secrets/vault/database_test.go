//go:build unix

package vault_test

import (
	"net"
	"testing"

	"github.com/safemcp/safemcp/internal/postgrestest"
	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// withDatabase is a Vault that makes users of a real PostgreSQL, for the tool "query".
func withDatabase(t *testing.T) (v *vaulttest.Server, db *postgrestest.Server, roleID, secretID string) {
	t.Helper()
	v, roleID, secretID = furnished(t)
	db = postgrestest.Start(t)
	v.Write("sys/mounts/database", map[string]any{"type": "database"})
	v.Write("database/config/main", map[string]any{
		"plugin_name": "postgresql-database-plugin", "allowed_roles": "readonly", "username": "postgres", "password": db.Password,
		"connection_url": "postgresql://{{username}}:{{password}}@" + net.JoinHostPort(db.Host, db.Port) + "/postgres?sslmode=disable",
	})
	for _, role := range []string{"readonly", "forbidden"} {
		v.Write("database/roles/"+role, map[string]any{
			"db_name": "main", "default_ttl": "5m", "max_ttl": "10m",
			"creation_statements": `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
		})
	}
	v.Write("sys/policies/acl/server", map[string]any{"policy": `
path "auth/token/create" { capabilities = ["update", "sudo"] }
path "auth/token/revoke-accessor" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/audit-hash/file" { capabilities = ["update"] }
path "secret/data/*" { capabilities = ["read"] }
path "database/creds/*" { capabilities = ["read"] }`})
	v.Write("sys/policies/acl/tool-query", map[string]any{"policy": `path "database/creds/*" { capabilities = ["read"] }`})
	return v, db, roleID, secretID
}

func perTool(tool string) []string { return []string{"tool-" + tool} }

// noUsers waits until Vault has no lease and PostgreSQL no user that it made.
func noUsers(t *testing.T, v *vaulttest.Server, db *postgrestest.Server) {
	t.Helper()
	v.Until("no lease of ours is left", func() bool {
		return len(v.List("sys/leases/lookup/database/creds/readonly")) == 0 && db.Run("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'") == "0"
	})
}

// A user of a real PostgreSQL, made by a real Vault, who can log in until the lease is
// revoked, and cannot afterwards.
func TestADatabaseUserLivesAsLongAsItsLease(t *testing.T) {
	t.Parallel()
	v, db, roleID, secretID := withDatabase(t)
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), ToolPolicies: perTool})

	request := secrets.Request{Tool: "query", Binding: secrets.Database("readonly")}
	issue := func() (c *secrets.Credential, name, password string) {
		t.Helper()
		c, err := p.Issue(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		user, _ := c.Field("username")
		_ = user.Use(func(b []byte) error { name = string(b); return nil })
		if !db.Can(name, shown(c)) {
			t.Errorf("%s cannot log in", name)
		}
		return c, name, shown(c)
	}
	first, name, password := issue()
	second, other, _ := issue()
	if name == other || first.Version() == second.Version() || first.ID() == "" || first.Expires().IsZero() {
		t.Errorf("%s and %s, %v and %v", name, other, first, second)
	}
	renewed, err := p.Renew(t.Context(), first)
	if err != nil || renewed.Expires().Before(first.Expires()) || shown(renewed) != password || renewed.ID() != first.ID() {
		t.Errorf("renewed: %v %v", renewed, err)
	}
	if err := p.Revoke(t.Context(), first); err != nil {
		t.Error(err)
	}
	if db.Can(name, password) || db.Run("SELECT count(*) FROM pg_roles WHERE rolname = '"+name+"'") != "0" {
		t.Error("a user whose lease was revoked is there")
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	noUsers(t, v, db) // Vault ends the leases of a token that has ended in the background
}
