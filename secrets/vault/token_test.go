package vault_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// pretended is a Vault that lets everybody in, and gives other answers to all else.
func pretended(t *testing.T, o *vault.Options, answer http.HandlerFunc) (p *vault.Provider, logins *atomic.Int64) {
	t.Helper()
	logins = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/login") {
			logins.Add(1)
			_, _ = w.Write([]byte(`{"auth":{"client_token":"hvs.the-token-of-the-test","accessor":"a","lease_duration":3600,"renewable":true}}`))
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	o.Login = appRole("role", "the-secret-id-of-the-test")
	p, err := vault.New(server.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(t.Context()) })
	return p, logins
}

// A caller may trace the requests of its own to others; the token is not in what it sees.
func TestNoTraceIsToldTheToken(t *testing.T) {
	t.Parallel()
	p, _ := pretended(t, &vault.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data":{"type":"hmac","latest_version":1,"hmac":"vault:v1:AAAA"}}`))
	})
	k := keyOf(t, p, "k")
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteHeaderField: func(key string, value []string) {
		if strings.Contains(strings.Join(value, ""), "hvs.") {
			t.Errorf("a trace is told %s", key)
		}
	}})
	if _, err := k.HMAC(ctx, []byte("message")); err != nil {
		t.Error(err)
	}
}

// Where each token ends as soon as it is made, callers are not as many logins.
func TestTokensThatEndAtOnceAreNoStorm(t *testing.T) {
	t.Parallel()
	var ended atomic.Bool
	p, logins := pretended(t, &vault.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		if ended.Load() {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["permission denied","invalid token"]}`))
			return
		}
		_, _ = w.Write([]byte(`{"data":{"type":"hmac","latest_version":1,"hmac":"vault:v1:AAAA"}}`))
	})
	k := keyOf(t, p, "k")
	ended.Store(true)
	began := time.Now()
	for range 300 {
		if _, err := k.HMAC(t.Context(), []byte("message")); err == nil {
			t.Fatal("a token that has ended is good for something")
		}
	}
	if n, most := logins.Load(), 3+2*int64(time.Since(began)/time.Second); n > most {
		t.Errorf("%d logins for 300 calls, at most %d were to be sent", n, most)
	}
	ended.Store(false)
	for deadline := time.Now().Add(time.Minute); ; {
		if _, err := k.HMAC(t.Context(), []byte("message")); err == nil {
			return
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// A lease that Vault gives for longer than can be counted has not ended.
func TestALongLeaseHasNotEnded(t *testing.T) {
	t.Parallel()
	for _, length := range []string{"9223372036854775807", "9223372037", "-9223372036854775808"} {
		p, err := func() (*vault.Provider, error) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"lease_id":"database/creds/r/l","lease_duration":%s,"data":{"accessor":"a","ttl":%[1]s,"username":"the-user","password":"the-password"}}`, length)
			}))
			t.Cleanup(server.Close)
			return vault.New(server.URL, &vault.Options{Login: vault.Token(secrets.NewSecret([]byte("hvs.the-token-of-the-test")))})
		}()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close(t.Context()) })
		c, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.Database("r")})
		if err != nil {
			t.Errorf("%s: %v", length, err)
			continue
		}
		if over := c.Expires().Before(time.Now()); over != strings.HasPrefix(length, "-") {
			t.Errorf("a lease of %s seconds ends at %s", length, c.Expires())
		}
	}
}

// Whoever steals a wrapped SecretID and wraps it again does not go unnoticed.
func TestASecretIDThatWasWrappedAgainIsRefused(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	login := func(wrapping string) error {
		p := provider(t, v, &vault.Options{Login: vault.AppRole(vault.AppRoleOptions{RoleID: roleID, SecretID: secrets.NewSecret([]byte(wrapping)), Wrapped: true})})
		_, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")})
		return err
	}
	for _, path := range []string{"auth/approle/role/server/secret-id", "auth/approle/role/server/custom-secret-id"} {
		if err := login(v.WrapOf(path, map[string]any{"secret_id": "the-secret-id-of-the-test"})); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	err := login(v.WrapOf("sys/wrapping/wrap", map[string]any{"secret_id": secretID}))
	if !errors.Is(err, secrets.ErrDenied) || !strings.Contains(err.Error(), "somebody else has the SecretID") || strings.Contains(err.Error(), secretID) {
		t.Errorf("wrapped again: %v", err)
	}
}
