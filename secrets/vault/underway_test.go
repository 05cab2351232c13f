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

// What Vault says of a token that has ended is no refusal of what it was asked, whichever
// status it says it with, also where it ends sooner than it had said.
func TestATokenThatEndsSoonerRefusesNothing(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"parent token lookup failed: no parent found", "token not found"} {
		endsUnderWay(t, 60, 0, said)
	}
}

// A token that ends while a request is under way with it is no refusal of the login, of
// the tool or of the value: it is asked for again with the next.
func TestATokenThatEndsUnderWayRefusesNothing(t *testing.T) {
	t.Parallel()
	endsUnderWay(t, 1, 1100*time.Millisecond, "of this kind there is no other word")
}

// endsUnderWay has a tool's token asked for with one that ends meanwhile: it had so many
// seconds, and Vault says so after a while.
func endsUnderWay(t *testing.T, lifetime int, after time.Duration, said string) {
	t.Helper()
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
				answer(w, http.StatusOK, token("first", lifetime, "server"))
			} else {
				answer(w, http.StatusOK, token("next", 60, "server"))
			}
		case strings.HasSuffix(path, "/create") && r.Header.Get("X-Vault-Token") == "hvs.of-the-test-first":
			time.Sleep(after) // the token's only second is over
			answer(w, http.StatusBadRequest, map[string]any{"errors": []string{said}})
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
