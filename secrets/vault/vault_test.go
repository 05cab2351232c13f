package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

const value = "correct-horse-battery-staple"

// furnished is a Vault with stored values, an AppRole, and policies for two tools.
func furnished(t *testing.T) (v *vaulttest.Server, roleID, secretID string) {
	t.Helper()
	v = vaulttest.Start(t)
	v.Write("sys/mounts/secret", map[string]any{"type": "kv-v2"})
	v.Write("sys/auth/approle", map[string]any{"type": "approle"})
	for path, text := range map[string]string{"app/share": value, "tenants/acme/db": "the-value-of-acme", "other": "the-value-of-another"} {
		v.Write("secret/data/"+path, map[string]any{"data": map[string]any{"key": text, "number": 7}})
	}
	v.Write("sys/policies/acl/server", map[string]any{"policy": `
path "secret/data/*" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update", "sudo"] }`})
	v.Write("sys/policies/acl/tool-share", map[string]any{"policy": `path "secret/data/app/*" { capabilities = ["read"] }`})
	v.Write("sys/policies/acl/tool-tenant", map[string]any{"policy": `path "secret/data/tenants/*" { capabilities = ["read"] }`})
	v.Write("auth/approle/role/server", map[string]any{"token_policies": "server,tool-share,tool-tenant", "token_ttl": "1h"})
	roleID = text(v.Read("auth/approle/role/server/role-id"), "role_id")
	secretID = text(v.Write("auth/approle/role/server/secret-id", nil), "secret_id")
	return v, roleID, secretID
}

func text(answer map[string]any, name string) string {
	data, _ := answer["data"].(map[string]any)
	s, _ := data[name].(string)
	return s
}

// provider is one that has the patience that a busy machine needs.
func provider(t *testing.T, v *vaulttest.Server, o *vault.Options) *vault.Provider {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	p, err := vault.New(v.Address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.WithoutCancel(t.Context())) })
	return p
}

func appRole(roleID, secretID string) vault.Login {
	return vault.AppRole(vault.AppRoleOptions{RoleID: roleID, SecretID: secrets.NewSecret([]byte(secretID))})
}

func shown(c *secrets.Credential) (s string) {
	if c != nil {
		_ = c.Secret().Use(func(b []byte) error { s = string(b); return nil })
	}
	return s
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestStoredValuesAreIssued(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), ToolPolicies: func(tool string) []string { return []string{"tool-" + tool} }})
	issue := func(r secrets.Request) (*secrets.Credential, error) { return p.Issue(t.Context(), r) }

	c, err := issue(secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")})
	if err != nil || shown(c) != value || c.Version() != "v1" {
		t.Fatalf("%v %v", c, err)
	}
	v.Write("secret/data/app/share", map[string]any{"data": map[string]any{"key": "another-value-now"}})
	if c, err = issue(secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}); err != nil || shown(c) != "another-value-now" || c.Version() != "v2" {
		t.Errorf("%v %v", c, err)
	}
	if c, err = issue(secrets.Request{Tool: "tenant", Tenant: "acme", Binding: secrets.KV("tenants/{tenant}/db", "key")}); err != nil || shown(c) != "the-value-of-acme" {
		t.Errorf("%v %v", c, err)
	}

	for name, r := range map[string]secrets.Request{
		"another tool's":          {Tool: "tenant", Binding: secrets.KV("app/share", "key")},
		"no tool's":               {Tool: "share", Binding: secrets.KV("other", "key")},
		"of nobody's tenant":      {Tool: "tenant", Binding: secrets.KV("tenants/{tenant}/db", "key")},
		"of a tenant like a path": {Tool: "tenant", Tenant: "../app", Binding: secrets.KV("tenants/{tenant}/db", "key")},
		"of another case":         {Tool: "tenant", Tenant: "Acme", Binding: secrets.KV("tenants/{tenant}/db", "key")},
		"a number":                {Tool: "share", Binding: secrets.KV("app/share", "number")},
		"braces":                  {Tool: "share", Binding: secrets.KV("app/{caller}", "key")},
		"a key's braces":          {Tool: "share", Binding: secrets.Transit("{tenant}")},
		"a version never written": {Tool: "share", Binding: secrets.KV("app/share", "key").AtVersion(99)},
	} {
		if c, err := issue(r); err == nil || errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("%s: %v %v", name, c, err)
		}
	}
	for name, b := range map[string]secrets.Binding{"no field": secrets.KV("app/share", "none"), "no entry": secrets.KV("app/none", "key")} {
		if _, err := issue(secrets.Request{Tool: "share", Binding: b}); !errors.Is(err, secrets.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	v.Delete("secret/data/app/share")
	if _, err := issue(secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("a value that was deleted: %v", err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if s := fmt.Sprintf(verb, p); strings.Contains(s, "hvs.") || strings.Contains(s, secretID) {
			t.Errorf("%s shows the token: %s", verb, s)
		}
	}
}

// A Vault in trouble: each kind is said to be one that may be over, is over without a
// restart, and does not get more requests for it.
func TestAVaultInTrouble(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), ToolPolicies: func(string) []string { return []string{"tool-share"} }})
	issue := func() error {
		_, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")})
		return err
	}
	recovers := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for issue() != nil || p.Healthy(ctx) != nil {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				t.Fatalf("%s: no recovery: %v, %v", what, issue(), p.Healthy(t.Context()))
			}
		}
	}
	recovers("at first")
	requests := func() int { return len(v.Audit()) }

	v.Seal()
	for range 200 {
		if err := issue(); !errors.Is(err, secrets.ErrUnavailable) {
			t.Fatalf("sealed: %v", err)
		}
	}
	if p.Healthy(t.Context()) == nil {
		t.Error("sealed, and healthy")
	}
	v.Unseal()
	recovers("unsealed")

	v.Kill()
	for range 200 {
		if err := issue(); !errors.Is(err, secrets.ErrUnavailable) || strings.Contains(err.Error(), "app/share/") {
			t.Fatalf("killed: %v", err)
		}
	}
	v.Restart()
	recovers("started again")

	for _, accessor := range v.List("auth/token/accessors") {
		if token := text(v.Write("auth/token/lookup-accessor", map[string]any{"accessor": accessor}), "display_name"); token != "root" {
			_ = token
			v.Write("auth/token/revoke-accessor", map[string]any{"accessor": accessor})
			break
		}
	}
	recovers("a token revoked")
	v.Delete("sys/policies/acl/tool-share")
	before := requests()
	const denied = 20
	for range denied {
		if err := issue(); err == nil || errors.Is(err, secrets.ErrUnavailable) {
			t.Fatalf("the policy is gone: %v", err)
		}
	}
	if n := (requests() - before) / 2; n > 2*denied+2 { // each is a line of request and one of response
		t.Errorf("%d requests for %d that were denied", n, denied)
	}
}

// 1,000 at once log in once.
func TestManyLogInOnce(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), Timeout: time.Minute}) // a machine with other work is slow
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Issue(cancelled, secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}); err == nil {
		t.Error("one who has gone gets something")
	}
	var wait sync.WaitGroup
	for range 1000 {
		wait.Go(func() {
			if _, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	logins := 0
	for _, e := range v.Audit() {
		request, _ := e["request"].(map[string]any)
		if e["type"] == "response" && request["path"] == "auth/approle/login" {
			logins++
		}
	}
	if logins != 1 {
		t.Errorf("%d logins", logins)
	}
}

// A wrapped SecretID is unwrapped once, and serves later logins.
func TestAWrappedSecretIDIsUnwrappedOnce(t *testing.T) {
	t.Parallel()
	v, roleID, _ := furnished(t)
	wrapping := v.Wrap("auth/approle/role/server/secret-id")
	p := provider(t, v, &vault.Options{Login: vault.AppRole(vault.AppRoleOptions{RoleID: roleID, SecretID: secrets.NewSecret([]byte(wrapping)), Wrapped: true})})
	request := secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}
	if _, err := p.Issue(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, accessor := range v.List("auth/token/accessors") {
		if text(v.Write("auth/token/lookup-accessor", map[string]any{"accessor": accessor}), "display_name") == "approle" {
			own = append(own, accessor)
		}
	}
	for _, accessor := range own { // only now: with it go those that it made, which could not be looked up any more
		v.Write("auth/token/revoke-accessor", map[string]any{"accessor": accessor})
	}
	if _, err := p.Issue(t.Context(), request); err != nil {
		t.Errorf("after its token was revoked: %v", err)
	}
	thief := provider(t, v, &vault.Options{Login: vault.AppRole(vault.AppRoleOptions{RoleID: roleID, SecretID: secrets.NewSecret([]byte(wrapping)), Wrapped: true})})
	if _, err := thief.Issue(t.Context(), request); err == nil || !strings.Contains(err.Error(), "somebody else has the SecretID") {
		t.Errorf("a wrapping token that was used: %v", err)
	}
}

// Close leaves no token of ours.
func TestCloseRevokesItsTokens(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	before := len(v.List("auth/token/accessors"))
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), ToolPolicies: func(string) []string { return []string{"tool-share"} }})
	for _, tool := range []string{"a", "b", "c"} {
		if _, err := p.Issue(t.Context(), secrets.Request{Tool: tool, Binding: secrets.KV("app/share", "key")}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(v.List("auth/token/accessors")); n != before+4 {
		t.Errorf("%d tokens for three tools", n-before)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(v.List("auth/token/accessors")); n != before {
		t.Errorf("%d tokens are left", n-before)
	}
}

func TestWiringThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	login := vault.Token(secrets.NewSecret([]byte("hvs.something")))
	for name, o := range map[string]*vault.Options{
		"no options": nil, "no login": {}, "a mount like a path": {Login: login, KVMount: "../sys"}, "no certificate": {Login: login, CACert: []byte("x")},
		"no time": {Login: login, Timeout: -1}, "a short life": {Login: login, ToolLifetime: time.Millisecond},
	} {
		if _, err := vault.New("https://vault.example.org:8200", o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, address := range []string{"", "vault.example.org", "http://vault.example.org:8200", "https://u:p@vault.example.org", "https://vault.example.org/ui", "ftp://vault.example.org"} {
		if _, err := vault.New(address, &vault.Options{Login: login}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", address, err)
		}
	}
	p, err := vault.New("http://vault.example.org:8200", &vault.Options{Login: login, InsecurePlaintext: "a mesh encrypts it"})
	if err != nil || p.OptOuts()["InsecurePlaintext"] == "" {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
