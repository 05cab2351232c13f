//go:build unix

package trouble_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// A relay stands between the server and its Vault: it counts what is sent, and can
// answer in Vault's place, or not at all.
type relay struct {
	*httptest.Server
	sent atomic.Int64

	mu     sync.Mutex
	status int           // answered in Vault's place, where it is not zero
	hole   chan struct{} // what is sent vanishes until it is closed, where it is not nil
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{DisableKeepAlives: true} // Vault is killed under it
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.sent.Add(1)
		r.mu.Lock()
		status, hole := r.status, r.hole
		r.mu.Unlock()
		switch {
		case hole != nil:
			select {
			case <-hole:
			case <-q.Context().Done():
			}
			panic(http.ErrAbortHandler)
		case status != 0:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
		default:
			proxy.ServeHTTP(w, q)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// answer has the relay answer with a status; 0 relays again.
func (r *relay) answer(status int) func() {
	return func() { r.mu.Lock(); r.status = status; r.mu.Unlock() }
}

// swallow has what is sent vanish, and restore relays again.
func (r *relay) swallow() { r.mu.Lock(); r.hole = make(chan struct{}); r.mu.Unlock() }

func (r *relay) restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hole != nil {
		close(r.hole)
	}
	r.hole = nil
}
