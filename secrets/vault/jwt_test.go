package vault_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// A JWT that a platform writes to a file logs in at a real Vault, is read anew at the next
// login, and does not when it is not for this Vault or another key signed it.
func TestAJWTFromAFileLogsIn(t *testing.T) {
	t.Parallel()
	v, _, _ := furnished(t)
	key, other := newKey(t), newKey(t)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	v.Write("sys/auth/platform", map[string]any{"type": "jwt"})
	v.Write("auth/platform/config", map[string]any{"jwt_validation_pubkeys": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
	v.Write("auth/platform/role/server", map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_subject": "workload", "bound_audiences": "vault", "token_policies": "server,tool-share", "token_ttl": "2s", "token_max_ttl": "2s",
	})
	path := filepath.Join(t.TempDir(), "token")
	write := func(by *ecdsa.PrivateKey, audience string) {
		t.Helper()
		token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"sub": "workload", "aud": audience, "exp": time.Now().Add(time.Minute).Unix()})
		text, err := token.SignedString(by)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	request := secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}
	for name, c := range map[string]struct {
		by       *ecdsa.PrivateKey
		audience string
	}{"another key": {other, "vault"}, "another audience": {key, "elsewhere"}} {
		write(c.by, c.audience)
		if got, err := provider(t, v, &vault.Options{Login: vault.JWT("server", path, "platform")}).Issue(t.Context(), request); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	write(key, "vault")
	p := provider(t, v, &vault.Options{Login: vault.JWT("server", path, "platform")})
	issue := func() {
		t.Helper()
		if got, err := p.Issue(t.Context(), request); err != nil || shown(got) != value {
			t.Fatalf("%v, %v", got, err)
		}
	}
	issue()
	write(key, "vault") // another one, for the login after the token's two seconds
	v.Until("it has logged in again", func() bool {
		issue()
		logins := 0
		for _, e := range v.Audit() {
			asked, _ := e["request"].(map[string]any)
			if failed, _ := e["error"].(string); e["type"] == "response" && asked["path"] == "auth/platform/login" && failed == "" {
				logins++
			}
		}
		return logins >= 2
	})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
