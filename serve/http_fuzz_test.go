package serve

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/limit"
)

// Whatever is sent with whatever headers, nothing panics at the door, and nobody
// without credentials is answered.
func FuzzTheHTTPDoor(f *testing.F) {
	s, trail := weather(f)
	often := limit.Rate{Count: 1 << 30, Per: time.Hour}
	e, err := Handler(s, &HTTPOptions{
		Authenticators: []access.Authenticator{newDirectory(who("ada"))}, Hosts: []string{"mcp.example"}, AddressRate: often, CallerRate: often,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("POST", "/mcp", "mcp.example", "ada", "2026-07-28", "tools/call", "open", goodCall)
	f.Add("POST", "/mcp", "mcp.example", "eve", "2025-11-25", "", "", initialize)
	f.Add("GET", "/mcp", "localhost", "ada", "", "", "", "")
	f.Add("DELETE", "/.well-known/oauth-protected-resource/mcp", "mcp.example", "", "", "", "", "[")
	f.Fuzz(func(t *testing.T, method, path, host, token, version, mcpMethod, name, body string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://mcp.example/", strings.NewReader(body))
		if err != nil {
			return
		}
		r.URL.Path, r.Host, r.RemoteAddr = path, host, "192.0.2.1:1"
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 80})))
		r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"*/*"}}
		for header, value := range map[string]string{headerVersion: version, headerMethod: mcpMethod, headerName: name} {
			if value != "" {
				r.Header[header] = []string{value}
			}
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if method == http.MethodGet {
			return // a stream stays open
		}
		if strings.Contains(body, "subscriptions/listen") {
			return
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		answer := w.Body.String()
		if token != "ada" && w.Code == http.StatusOK && path == "/mcp" {
			t.Errorf("nobody is answered: %s", answer)
		}
		if w.Code == http.StatusInternalServerError {
			events := trail.Events()
			t.Errorf("the door fails: %+v", events[len(events)-1])
		}
	})
}
