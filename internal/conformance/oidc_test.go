package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/access/oauth"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/serve"
)

const redirect = "http://127.0.0.1:9/callback" // nothing listens there; the test reads where it is sent

// A site is a guarded server that takes the tokens of a real OpenID provider.
type site struct {
	t      *testing.T
	issuer string
	mcp    string
	trail  *safetooltest.Recorder
	keys   map[string]*ecdsa.PrivateKey
	stop   func() // ends the provider
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// jwks are private keys as oidc-provider takes them.
func jwks(t *testing.T, keys map[string]*ecdsa.PrivateKey) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	for id, k := range keys {
		private, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		point, err := k.PublicKey.Bytes() // 4, x, y (SEC 1 section 2.3.3)
		if err != nil {
			t.Fatal(err)
		}
		b64 := base64.RawURLEncoding.EncodeToString
		raw, err := json.Marshal(map[string]string{ // RFC 7518 section 6.2
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id, "x": b64(point[1:33]), "y": b64(point[33:]), "d": b64(private),
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	return all
}

// installed returns the path of a Node that finds what package-lock.json pins. One test
// installs it for all.
var installed = sync.OnceValues(func() (string, error) {
	var said bytes.Buffer
	install := exec.Command("./install.sh")
	install.Stderr = &said
	node, err := install.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, said.String())
	}
	return strings.TrimSpace(string(node)), nil
})

func newSite(t *testing.T) *site {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the provider is installed by a shell script")
	}
	if testing.Short() {
		t.Skip("it installs and starts a provider")
	}
	node, err := installed()
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("no provider: %v", err)
		}
		t.Fatalf("no provider: %v", err)
	}
	cache, err := filepath.Abs("../../.cache/conformance")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("oidc/provider.mjs")
	if err != nil {
		t.Fatal(err)
	}
	// Node looks for packages from where the script stands.
	at := filepath.Join(cache, "provider-"+rand.Text()+".mjs")
	if err := os.WriteFile(at, script, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(at) })

	s := &site{t: t, trail: &safetooltest.Recorder{}, keys: map[string]*ecdsa.PrivateKey{"one": newKey(t)}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.mcp = "http://" + listener.Addr().String() + "/mcp"
	settings, err := json.Marshal(map[string]any{"keys": jwks(t, s.keys), "redirect": redirect, "resource": s.mcp})
	if err != nil {
		t.Fatal(err)
	}
	provider := exec.Command(node, at, string(settings))
	out, err := provider.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	s.stop = func() {
		if !ended {
			ended = true
			_ = provider.Process.Kill()
			_ = provider.Wait()
		}
	}
	t.Cleanup(s.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s.issuer = strings.TrimSpace(line)
	go func() { _, _ = io.Copy(io.Discard, out) }()

	tokens, err := oauth.NewResourceServer(oauth.Options{Resource: s.mcp, Issuer: s.issuer, Scopes: []string{"basic"}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := safetool.NewServer(&mcp.Implementation{Name: "site", Version: "v1"}, &safetool.Options{Audit: s.trail})
	if err != nil {
		t.Fatal(err)
	}
	for name, scopes := range map[string][]string{"plain": {"basic"}, "weather": {"weather.read"}} {
		safetool.AddTool(server, &mcp.Tool{Name: name}, safetool.Policy{Risk: safetool.ReadOnly, Scopes: scopes},
			func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
				who := safetool.CallFrom(ctx).Principal()
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: who.Subject + " by " + who.Client}}}, nil, nil
			})
	}
	endpoint, err := serve.Handler(server, &serve.HTTPOptions{Authenticators: []access.Authenticator{tokens}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(endpoint)
	_ = web.Listener.Close()
	web.Listener = listener
	web.Start()
	t.Cleanup(func() {
		_ = endpoint.Shutdown(context.Background())
		web.CloseClientConnections()
		web.Close()
	})
	return s
}

// agrees is a user's browser: it follows the provider's redirects until it is sent back.
func agrees(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	var back *http.Request
	home := errors.New("home")
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect) {
			back = r
			return home
		}
		return nil
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, args.URL, nil)
	if err != nil {
		return nil, err
	}
	res, err := browser.Do(r)
	if res != nil {
		_ = res.Body.Close()
	}
	if back == nil {
		return nil, fmt.Errorf("the provider did not send the user back: %v, %w", res, err)
	}
	q := back.URL.Query()
	if q.Get("error") != "" {
		return nil, fmt.Errorf("the provider says %s: %s", q.Get("error"), q.Get("error_description"))
	}
	return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
}

// The SDK's own client finds the provider, gets a token by an authorization code with
// PKCE, and goes back for the scope that a tool needs.
func TestARealClientAuthorizesAndStepsUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		asked := 0
		handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
			PreregisteredClient: &oauthex.ClientCredentials{ClientID: "app"}, RedirectURL: redirect,
			AuthorizationCodeFetcher: func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
				asked++
				return agrees(ctx, args)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		session, err := mcp.NewClient(&mcp.Implementation{Name: "client"}, nil).
			Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: s.mcp, OAuthHandler: handler}, &mcp.ClientSessionOptions{ProtocolVersion: version})
		if err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		call := func(tool string) string {
			res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool})
			if err != nil {
				return err.Error()
			}
			return res.Content[0].(*mcp.TextContent).Text
		}
		if got := call("plain"); got != "ada by app" || asked != 1 {
			t.Errorf("%s: %q after %d authorizations", version, got, asked)
		}
		if got := call("weather"); got != "ada by app" || asked != 2 {
			t.Errorf("%s: stepping up: %q after %d authorizations", version, got, asked)
		}
		_ = session.Close()
	}
	seen := false
	for _, e := range s.trail.Events() {
		seen = seen || (e.Phase == audit.PhaseRefused && e.Decision.Rule == "scope" && e.MCP.Tool == "weather" && e.Caller.Subject == "ada")
	}
	if !seen {
		t.Error("that the scope was missing is not in the log")
	}
}

// call makes a call with a token, and returns the status, the challenge and the cause
// that the log has.
func (s *site) call(token string) (status int, challenge, cause string) {
	s.t.Helper()
	before := len(s.trail.Events())
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"plain","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.mcp, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28",
		"Mcp-Method": "tools/call", "Mcp-Name": "plain", "Authorization": "Bearer " + token,
	} {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	events := s.trail.Events()[before:]
	if len(events) > 0 {
		cause = events[len(events)-1].Outcome.Cause
	}
	if cause != "" && strings.Contains(string(answer), cause) {
		s.t.Errorf("the caller is told the cause: %s", answer)
	}
	return res.StatusCode, res.Header.Get("WWW-Authenticate"), cause
}

func (s *site) token(method jwt.SigningMethod, key any, head map[string]any, change jwt.MapClaims) string {
	s.t.Helper()
	now := time.Now()
	claims := jwt.MapClaims{"iss": s.issuer, "sub": "ada", "aud": s.mcp, "client_id": "app", "scope": "basic", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	maps.Copy(claims, change)
	t := jwt.NewWithClaims(method, claims)
	t.Header["typ"], t.Header["kid"] = "at+jwt", "one"
	maps.Copy(t.Header, head)
	text, err := t.SignedString(key)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// Each token that is wrong has its status, its challenge, and its cause in the log; a
// rotation is followed, and a provider that is gone is not the caller's fault.
func TestTokensOfARealProvider(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	es, one := jwt.SigningMethodES256, s.keys["one"]
	der, err := x509.MarshalPKIXPublicKey(one.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good := s.token(es, one, nil, nil)
	parts := strings.Split(good, ".")
	if status, _, cause := s.call(good); status != http.StatusOK {
		t.Fatalf("a good token: %d, %s", status, cause)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	now := time.Now()
	for _, c := range []struct{ name, token, cause string }{
		{"wrong audience", s.token(es, one, nil, jwt.MapClaims{"aud": "https://other.example"}), "another audience"},
		{"expired", s.token(es, one, nil, jwt.MapClaims{"exp": now.Add(-time.Hour).Unix()}), "has expired"},
		{"not yet valid", s.token(es, one, nil, jwt.MapClaims{"nbf": now.Add(time.Hour).Unix()}), "not valid yet"},
		{"alg=none", none + "." + parts[1] + ".", "not signed"},
		{"alg=none with a signature", none + "." + parts[1] + "." + parts[2], "algorithm"},
		{"stripped signature", parts[0] + "." + parts[1] + ".", "not signed"},
		{"HS256 with the public key", s.token(jwt.SigningMethodHS256, public, nil, nil), "algorithm"},
		{"another's key", s.token(es, newKey(t), nil, nil), "signature is wrong"},
		{"an ID token", s.token(es, one, map[string]any{"typ": "JWT"}, nil), "type is not"},
	} {
		status, challenge, cause := s.call(c.token)
		if status != http.StatusUnauthorized || !strings.Contains(challenge, `error="invalid_token"`) || !strings.Contains(challenge, "resource_metadata=") || !strings.Contains(cause, c.cause) {
			t.Errorf("%s: %d, %s, %q", c.name, status, challenge, cause)
		}
	}
	for i := range 30 {
		if status, _, cause := s.call(s.token(es, one, map[string]any{"kid": fmt.Sprint("unknown ", i)}, nil)); status != http.StatusUnauthorized || (i < 5 && !strings.Contains(cause, "no key")) {
			t.Fatalf("unknown key %d: %d, %q", i, status, cause)
		}
	}
	if status, _, cause := s.call(s.token(es, one, nil, jwt.MapClaims{"jti": "after"})); status != http.StatusOK {
		t.Errorf("a good token after the storm: %d, %s", status, cause)
	}

	s.keys["two"] = newKey(t)
	raw, err := json.Marshal(jwks(t, s.keys))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(s.issuer+"/test/keys", "application/json", bytes.NewReader(raw))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	_ = res.Body.Close()
	rotated := func() int {
		status, _, _ := s.call(s.token(es, s.keys["two"], map[string]any{"kid": "two"}, nil))
		return status
	}
	deadline := now.Add(2 * time.Minute)
	for rotated() != http.StatusOK { // at the latest after the pause between two fetches
		if time.Now().After(deadline) {
			t.Fatal("the new key is not taken")
		}
		time.Sleep(200 * time.Millisecond)
	}

	s.stop()
	if status, _, _ := s.call(good); status != http.StatusOK {
		t.Errorf("a remembered token with the provider gone: %d", status)
	}
	if status, _, _ := s.call(s.token(es, one, nil, jwt.MapClaims{"jti": "new"})); status != http.StatusOK {
		t.Errorf("a new token of a known key with the provider gone: %d", status)
	}
	for { // until the pause is over, and a fetch has failed
		status, _, _ := s.call(s.token(es, newKey(t), map[string]any{"kid": "three"}, nil))
		if status == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("an unknown key with the provider gone: %d", status)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
