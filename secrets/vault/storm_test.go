package vault_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// stormy answers every request with a status, or not at all, and counts them.
func stormy(t *testing.T, answer http.HandlerFunc) (p *vault.Provider, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	p, err := vault.New(server.URL, &vault.Options{Login: vault.Token(secrets.NewSecret([]byte("hvs.the-token-of-the-test"))), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(t.Context()) })
	return p, requests
}

// A storm of refusals is not answered with a storm of requests, and no error quotes what
// came.
func TestAStormGetsFewRequests(t *testing.T) {
	t.Parallel()
	const canary = "canary-of-the-answer"
	stop := make(chan struct{})
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/"+canary)
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"errors":["` + canary + `"]}`))
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"500": status(500), "502": status(502), "503": status(503), "429": status(429), "473": status(473), "a redirect": status(307),
		"a black hole": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		},
		"no Vault":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>" + canary)) },
		"a cut answer":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a huge answer":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) },
		"nothing at all": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, requests := stormy(t, answer)
			began := time.Now()
			const calls = 300
			for range calls {
				c, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")})
				if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "hvs.") {
					t.Fatalf("%v %v", c, err)
				}
				if trouble := name != "nothing at all"; trouble && !errors.Is(err, secrets.ErrUnavailable) {
					t.Fatalf("%v is not said to be over in a while", err)
				}
			}
			// Three before the breaker opens, and then one for each half of the shortest rest at most.
			most := 3 + int64(time.Since(began)/(125*time.Millisecond)) + 1
			if n := requests.Load(); n > most && name != "nothing at all" {
				t.Errorf("%d requests for %d calls, at most %d were to be sent", n, calls, most)
			}
		})
	}
	t.Cleanup(func() { close(stop) })
}

// Callers of little patience do not close a slow Vault to others.
func TestTheImpatientDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	slow := make(chan struct{})
	p, requests := stormy(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-slow:
			_, _ = w.Write([]byte(`{"data":{"accessor":"a","ttl":60,"data":{"key":"a-value-of-the-test"},"metadata":{"version":1}}}`))
		case <-r.Context().Done():
		}
	})
	request := secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}
	close(slow) // the login
	if _, err := p.Issue(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = p.Issue(ctx, request)
		ctx, cancel = context.WithTimeout(t.Context(), time.Nanosecond)
		_, _ = p.Issue(ctx, request)
		cancel()
	}
	if _, err := p.Issue(t.Context(), request); err != nil {
		t.Errorf("after %d requests: %v", requests.Load(), err)
	}
}
