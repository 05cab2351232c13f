package apikey

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
)

// A clock is the time of a store in a test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// opened opens a store that is as old as its clock.
func opened(t testing.TB, path string, c *clock) *Store {
	t.Helper()
	s, err := Open(path, &Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	s.state().now = c.now
	s.state().read()
	return s
}

// fresh is a store in a new directory at noon.
func fresh(t testing.TB) (*Store, *clock) {
	t.Helper()
	c := &clock{t: noon}
	return opened(t, filepath.Join(t.TempDir(), storeName), c), c
}

var ada = Grant{Name: "ada", Tenant: "finance", Roles: []string{"reader"}, Scopes: []string{"weather:read"}}

func create(t testing.TB, s *Store, g Grant) (key string, e Entry) {
	t.Helper()
	key, e, err := s.Create(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return key, e
}

// with is a request with these headers, name and value in turn.
func with(headers ...string) *http.Request {
	r := &http.Request{Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// ask presents a key.
func ask(s *Store, key string) (access.Principal, error) {
	return s.Authenticate(with("X-API-Key", key), nil)
}

// told says whether a text has eight characters in a row of a key's secret.
func told(text, key string) bool {
	secret := key[strings.LastIndex(key, "_")+1:]
	for i := range len(secret) - 7 {
		if strings.Contains(text, secret[i:i+8]) {
			return true
		}
	}
	return false
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
