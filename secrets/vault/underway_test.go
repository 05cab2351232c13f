package vault_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// A token that ends while a request is under way with it is no refusal of the login, of
// the tool or of the value: it is asked for again with the next.
func TestATokenThatEndsUnderWayRefusesNothing(t *testing.T) {
	t.Parallel()
	var logins atomic.Int64
	answer := func(w http.ResponseWriter, status int, v any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := func(name string, lifetime int, policies ...string) map[string]any {
			return map[string]any{"auth": map[string]any{
				"client_token": "hvs.of-the-test-" + name, "accessor": "a", "lease_duration": lifetime, "token_policies": policies,
			}}
		}
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/login"):
			if logins.Add(1) == 1 {
				answer(w, http.StatusOK, token("first", 1, "server"))
			} else {
				answer(w, http.StatusOK, token("next", 60, "server"))
			}
		case strings.HasSuffix(path, "/create") && r.Header.Get("X-Vault-Token") == "hvs.of-the-test-first":
			time.Sleep(1100 * time.Millisecond) // the token's only second is over
			answer(w, http.StatusBadRequest, map[string]any{"errors": []string{"parent token lookup failed"}})
		case strings.HasSuffix(path, "/create"):
			answer(w, http.StatusOK, token("tool", 60, "default", "tool-share"))
		case strings.HasSuffix(path, "/share"):
			answer(w, http.StatusOK, map[string]any{"data": map[string]any{"data": map[string]any{"key": value}, "metadata": map[string]any{"version": 1}}})
		default:
			answer(w, http.StatusOK, map[string]any{})
		}
	}))
	t.Cleanup(server.Close)
	p, err := vault.New(server.URL, &vault.Options{Login: appRole("role", "secret-id-of-the-test"), ToolPolicies: func(tool string) []string { return []string{"tool-" + tool} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(t.Context()) })
	c, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")})
	if err != nil || shown(c) != value || logins.Load() != 2 {
		t.Errorf("%v, %v after %d logins", c, err, logins.Load())
	}
}
