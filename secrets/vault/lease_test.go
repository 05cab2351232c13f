//go:build unix

package vault_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// paths counts the requests of one kind in Vault's audit log, by what they may do.
func paths(events []map[string]any, path string) (policies []string) {
	for _, e := range events {
		request, _ := e["request"].(map[string]any)
		if e["type"] != "response" || request["path"] != path {
			continue
		}
		auth, _ := e["auth"].(map[string]any)
		all, _ := auth["token_policies"].([]any)
		text := ""
		for _, p := range all {
			text += p.(string) + " "
		}
		policies = append(policies, text)
	}
	return policies
}

// Renew says whether the credential has ended, and only that.
func TestALeaseIsRenewedByItsToolAndEndsForGood(t *testing.T) {
	t.Parallel()
	v, _, roleID, secretID := withDatabase(t)
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), ToolPolicies: perTool})
	issue := func(tool, role string) (*secrets.Credential, error) {
		return p.Issue(t.Context(), secrets.Request{Tool: tool, Binding: secrets.Database(role)})
	}
	c, err := issue("query", "readonly")
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := p.Renew(t.Context(), c)
	if err != nil || renewed.Expires().Before(c.Expires()) || renewed.Version() != c.Version() || renewed.Origin() != c.Origin() {
		t.Errorf("%v %v", renewed, err)
	}
	if by := paths(v.Audit(), "sys/leases/renew"); len(by) != 1 || !strings.Contains(by[0], "tool-query") {
		t.Errorf("renewed by %q", by)
	}

	// At the end of the longest life it is as long as it was.
	v.Write("database/roles/readonly", map[string]any{"default_ttl": "5m", "max_ttl": "5m"})
	short, err := issue("query", "readonly")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.Renew(t.Context(), short); err != nil || again.Expires().Before(short.Expires()) || again.Expires().After(short.Expires().Add(2*time.Second)) {
		t.Errorf("%v %v: %v and %v", again, err, short.Expires(), again.Expires())
	}

	// Revoked by somebody else.
	v.Write("sys/leases/revoke", map[string]any{"lease_id": c.ID(), "sync": true})
	for range 2 { // also where nobody remembers whose it was
		if _, err := p.Renew(t.Context(), c); !errors.Is(err, secrets.ErrNotFound) || errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("a lease that was revoked: %v", err)
		}
	}
	if err := p.Revoke(t.Context(), c); err != nil {
		t.Errorf("what is not there needs no revoking: %v", err)
	}
	stored, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Renew(t.Context(), stored); !errors.Is(err, secrets.ErrNotRenewable) {
		t.Errorf("a stored value: %v", err)
	}

	for name, want := range map[string]error{"none": secrets.ErrNotFound, "forbidden": secrets.ErrDenied} {
		if _, err := issue("query", name); !errors.Is(err, want) || errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("the role %s: %v", name, err)
		}
	}
	if _, err := issue("share", "readonly"); !errors.Is(err, secrets.ErrDenied) {
		t.Errorf("another tool's role: %v", err)
	}
	v.Delete("database/roles/readonly")
	if _, err := issue("query", "readonly"); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("a role that was deleted: %v", err)
	}
	v.Delete("sys/policies/acl/tool-query")
	if _, err := issue("query", "readonly"); !errors.Is(err, secrets.ErrDenied) {
		t.Errorf("a policy that was deleted: %v", err)
	}
	v.Delete("auth/approle/role/server")
	for _, accessor := range v.List("auth/token/accessors") {
		if !v.Try("auth/token/lookup-accessor", map[string]any{"accessor": accessor}) {
			continue // it has ended with its parent
		}
		if text(v.Write("auth/token/lookup-accessor", map[string]any{"accessor": accessor}), "display_name") == "approle" {
			v.Write("auth/token/revoke-accessor", map[string]any{"accessor": accessor})
		}
	}
	before := len(v.Audit())
	for range 100 {
		if _, err := issue("query", "readonly"); !errors.Is(err, secrets.ErrDenied) || errors.Is(err, secrets.ErrUnavailable) {
			t.Fatalf("a role of ours that was deleted: %v", err)
		}
	}
	if n := (len(v.Audit()) - before) / 2; n > 20 {
		t.Errorf("%d requests for 100 calls whose login is refused", n)
	}
	if err := p.Healthy(t.Context()); !errors.Is(err, secrets.ErrDenied) {
		t.Errorf("healthy: %v", err)
	}
}

// A database that is away does not close Vault to what needs another.
func TestADatabaseInTroubleIsNotVaultInTrouble(t *testing.T) {
	t.Parallel()
	v, _, roleID, secretID := withDatabase(t)
	v.Write("database/config/away", map[string]any{
		"plugin_name": "postgresql-database-plugin", "allowed_roles": "away", "username": "postgres", "password": "x", "verify_connection": false,
		"connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:1/postgres?sslmode=disable",
	})
	v.Write("database/roles/away", map[string]any{"db_name": "away", "creation_statements": `CREATE ROLE "{{name}}"`})
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID)})
	const calls = 50
	for range calls {
		if _, err := p.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.Database("away")}); !errors.Is(err, secrets.ErrUnavailable) {
			t.Fatal(err)
		}
		if c, err := p.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.KV("app/share", "key")}); err != nil || shown(c) != value {
			t.Fatal(err)
		}
	}
	if c, err := p.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.Database("readonly")}); err != nil {
		t.Errorf("another database: %v %v", c, err)
	}
	if err := p.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(paths(v.Audit(), "database/creds/away")); n > calls/2 {
		t.Errorf("%d requests for %d calls to a database that is away", n, calls)
	}
}

// What a token of ours made does not outlive it, so no credential says that it does.
func TestACredentialEndsWithItsToken(t *testing.T) {
	t.Parallel()
	v, _, roleID, secretID := withDatabase(t)
	v.Write("auth/approle/role/server", map[string]any{"token_policies": "server", "token_ttl": "60s"})
	for name, o := range map[string]*vault.Options{
		"the provider's token":            {},
		"a tool's token":                  {ToolPolicies: perTool, ToolLifetime: 30 * time.Second},
		"a tool's token, by its parent's": {ToolPolicies: perTool, ToolLifetime: time.Hour},
	} {
		o.Login = appRole(roleID, secretID)
		p := provider(t, v, o)
		c, err := p.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.Database("readonly")})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*secrets.Credential{c, must(p.Renew(t.Context(), c))(t)} {
			if left := time.Until(c.Expires()); left > time.Minute {
				t.Errorf("%s ends in a minute or less, and the user of a database in %s", name, left)
			}
		}
	}
}

// A credential is followed from its Origin into Vault's own audit log.
func TestACredentialIsFollowedIntoVaultsAudit(t *testing.T) {
	t.Parallel()
	v, db, roleID, secretID := withDatabase(t)
	v.Write("sys/mounts/transit", map[string]any{"type": "transit"})
	v.Write("transit/keys/k", map[string]any{"type": "ed25519"})
	v.Write("sys/policies/acl/tool-query", map[string]any{"policy": `
path "database/creds/*" { capabilities = ["read"] }
path "transit/+/k" { capabilities = ["read", "update"] }
path "secret/data/*" { capabilities = ["read"] }`})
	joined := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), ToolPolicies: perTool, AuditDevice: "file"})
	refused := provider(t, v, &vault.Options{Login: vault.Token(secrets.NewSecret([]byte(v.RootToken))), ToolPolicies: perTool, AuditDevice: "none"})
	line := func(c *secrets.Credential) map[string]any {
		t.Helper()
		for _, e := range v.Audit() {
			request, _ := e["request"].(map[string]any)
			if e["type"] == "response" && request["id"] == c.Origin().Request {
				return e
			}
		}
		t.Fatalf("Vault's audit log has no request %q", c.Origin().Request)
		return nil
	}
	for path, b := range map[string]secrets.Binding{
		"database/creds/readonly": secrets.Database("readonly"), "secret/data/app/share": secrets.KV("app/share", "key"), "transit/keys/k": secrets.Transit("k"),
	} {
		c, err := joined.Issue(t.Context(), secrets.Request{Tool: "query", Binding: b})
		if err != nil {
			t.Fatal(err)
		}
		e := line(c)
		request, _ := e["request"].(map[string]any)
		auth, _ := e["auth"].(map[string]any)
		if accessor := c.Origin().Accessor; request["path"] != path || auth["accessor"] != accessor || !strings.HasPrefix(accessor, "hmac-sha256:") {
			t.Errorf("%s: %v and Vault's %v %v", b, c.Origin(), request["path"], auth["accessor"])
		}
		role := "server"
		if b.Kind() == secrets.KindDatabase {
			role = "readonly"
			// And on into PostgreSQL's.
			user, _ := c.Field("username")
			_ = user.Use(func(name []byte) error {
				if !db.Can(string(name), shown(c)) || !strings.Contains(db.Log(), string(name)) {
					t.Errorf("PostgreSQL's log has no %s", name)
				}
				return nil
			})
		}
		if c.Origin().Role != role {
			t.Errorf("%s: the role is %q", b, c.Origin().Role)
		}
	}
	if n := len(paths(v.Audit(), "sys/audit-hash/file")); n != 2 {
		t.Errorf("%d hashes were asked for, for two tokens", n)
	}
	c, err := refused.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.KV("app/share", "key")})
	if err != nil || !strings.HasPrefix(c.Origin().Accessor, "sha256:") || line(c) == nil {
		t.Errorf("a device that is not there: %v %v", c.Origin(), err)
	}
}
