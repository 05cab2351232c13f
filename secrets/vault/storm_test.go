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

// fine answers what a login by token and a stored value need.
func fine(w http.ResponseWriter) {
	_, _ = w.Write([]byte(`{"data":{"accessor":"a","ttl":60,"data":{"key":"a-value-of-the-test"},"metadata":{"version":1}}}`))
}

// Vault's Retry-After is kept to, within the longest rest.
func TestPatienceThatVaultAsksFor(t *testing.T) {
	t.Parallel()
	var many atomic.Bool
	p, requests := stormy(t, func(w http.ResponseWriter, _ *http.Request) {
		if many.Load() {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fine(w)
	})
	request := secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}
	if _, err := p.Issue(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	many.Store(true)
	before, began := requests.Load(), time.Now()
	for range 500 {
		if _, err := p.Issue(t.Context(), request); !errors.Is(err, secrets.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if n := requests.Load() - before; n != 1 && time.Since(began) < 5*time.Second {
		t.Errorf("%d requests while Vault asked for patience", n)
	}
	many.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for { // not an hour
		if _, err := p.Issue(t.Context(), request); err == nil {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the patience has no bound")
		}
	}
}

// A connection that swallows everything holds nobody beyond their deadline, whatever is
// being waited for.
func TestABlackHoleHoldsNobody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var swallow atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if swallow.Load() {
			<-release
			return
		}
		_, _ = w.Write([]byte(`{"lease_id":"database/creds/r/x","lease_duration":600,"renewable":true,"data":{"accessor":"a","ttl":60,"username":"u-of-the-test","password":"p-of-the-test",` +
			`"type":"ed25519","latest_version":1,"supports_signing":true,"data":{"key":"a-value-of-the-test"},"metadata":{"version":1}}}`))
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	fresh := func() *vault.Provider {
		p, err := vault.New(server.URL, &vault.Options{Login: vault.Token(secrets.NewSecret([]byte("hvs.the-token-of-the-test"))), Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
			cancel()
			_ = p.Close(ctx)
		})
		return p
	}
	p := fresh()
	issue := func(p *vault.Provider, b secrets.Binding) (*secrets.Credential, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		return p.Issue(ctx, secrets.Request{Tool: "t", Binding: b})
	}
	user := must(p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.Database("r")}))(t)
	k, _ := must(p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.Transit("k")}))(t).Key()
	swallow.Store(true)
	short := func(f func(context.Context) error) func() error {
		return func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			return f(ctx)
		}
	}
	for name, f := range map[string]func() error{
		"a login":  func() error { _, err := issue(fresh(), secrets.KV("app/share", "key")); return err },
		"a value":  func() error { _, err := issue(p, secrets.KV("app/share", "key")); return err },
		"a user":   func() error { _, err := issue(p, secrets.Database("r")); return err },
		"a key":    func() error { _, err := issue(p, secrets.Transit("k")); return err },
		"renewing": short(func(ctx context.Context) error { _, err := p.Renew(ctx, user); return err }),
		"revoking": short(func(ctx context.Context) error { return p.Revoke(ctx, user) }),
		"signing":  short(func(ctx context.Context) error { _, err := k.Sign(ctx, []byte("m")); return err }),
		"close":    short(func(ctx context.Context) error { return p.Close(ctx) }),
	} {
		if name == "close" {
			defer func() { // last: nothing is sent after it
				if f() == nil {
					t.Error("a lease that could not be revoked is not told")
				}
			}()
			continue
		}
		done := make(chan error, 1)
		go func() { done <- f() }()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: nothing answered, and it is said to be done", name)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: it waits beyond its deadline", name)
		}
	}
}

// However it is said that a version is not there, it is not there; and another version
// than the one that was asked for is refused.
func TestAVersionThatIsNotThere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		`{"data":null}`: secrets.ErrNotFound,
		`{"data":{"data":null,"metadata":{"version":3,"deletion_time":"2026-01-01T00:00:00Z"}}}`:       secrets.ErrNotFound,
		`{"data":{"data":{"key":"a-value-of-the-test"},"metadata":{"version":3,"destroyed":true}}}`:    secrets.ErrNotFound,
		`{"data":{"data":{"other":"a-value-of-the-test"},"metadata":{"version":3}}}`:                   secrets.ErrNotFound,
		`{"data":{"data":{"key":"a-value-of-the-test"},"metadata":{"version":4,"destroyed":false}}}`:   nil,
		`{"data":{"data":{"key":"a-value-of-the-test"},"metadata":{"version":"3","destroyed":false}}}`: nil,
	} {
		p, _ := stormy(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "lookup-self") {
				fine(w)
				return
			}
			if r.URL.RawQuery != "version=3" {
				w.WriteHeader(http.StatusBadRequest)
			}
			_, _ = w.Write([]byte(text))
		})
		c, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key").AtVersion(3)})
		if err == nil || errors.Is(err, secrets.ErrUnavailable) || (want != nil && !errors.Is(err, want)) {
			t.Errorf("%s: %v %v", text, c, err)
		}
	}
}

// A token that may do nothing but what it is for, not even look at itself, is not replaced
// each time that something is denied to it.
func TestATokenWithoutPoliciesIsNotReplacedForEver(t *testing.T) {
	t.Parallel()
	var logins, revoked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/login"):
			logins.Add(1)
			_, _ = w.Write([]byte(`{"auth":{"client_token":"hvs.the-token-of-the-test","accessor":"a","lease_duration":3600}}`))
		case strings.HasSuffix(r.URL.Path, "/revoke-self"):
			revoked.Add(1)
		default:
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`))
		}
	}))
	t.Cleanup(server.Close)
	p, err := vault.New(server.URL, &vault.Options{Login: appRole("role", "a-secret-id-of-the-test")})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}); !errors.Is(err, secrets.ErrDenied) {
			t.Fatal(err)
		}
	}
	if n := logins.Load(); n > 2 {
		t.Errorf("%d logins for 100 calls that are denied", n)
	}
	if err := p.Close(t.Context()); err != nil || revoked.Load() != logins.Load() {
		t.Errorf("%d tokens of %d are revoked: %v", revoked.Load(), logins.Load(), err)
	}
}
