package vault_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// Each kind of trouble is noticed by a probe though nobody calls, within the interval in
// which Vault is asked, and so is its end; and many probes send few requests.
func TestAProbeNotices(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, trouble := range map[string]http.HandlerFunc{
		"sealed":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"a standby":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"another standby": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTemporaryRedirect) },
		"too many":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"slow, or a black hole": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		},
		"the token revoked, in an older Vault": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["permission denied"]}`))
		},
		"the token revoked": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bad atomic.Bool
			p, requests := stormy(t, func(w http.ResponseWriter, r *http.Request) {
				if bad.Load() {
					trouble(w, r)
					return
				}
				fine(w)
			})
			until := func(what string, done func() bool) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for !done() {
					select {
					case <-ctx.Done():
						t.Fatalf("it was not noticed: %s", what)
					case <-time.After(5 * time.Millisecond):
					}
				}
			}
			if err := p.Healthy(t.Context()); err != nil {
				t.Fatal(err)
			}
			bad.Store(true)
			until("trouble", func() bool { return p.Healthy(t.Context()) != nil })
			began, before := time.Now(), requests.Load()
			for range 1000 {
				if p.Healthy(t.Context()) == nil {
					t.Fatal("trouble is forgotten")
				}
			}
			if n, most := requests.Load()-before, 8+int64(time.Since(began)/(125*time.Millisecond)); n > most {
				t.Errorf("%d requests for 1000 probes, at most %d", n, most)
			}
			bad.Store(false)
			until("its end", func() bool { return p.Healthy(t.Context()) == nil })
		})
	}
}
