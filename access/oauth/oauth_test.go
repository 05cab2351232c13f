package oauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/safemcp/safemcp/access"
)

// A provider is an authorization server for tests: keys that change, and a count of
// how often they are asked for.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	keys    []jwkset.JWKMarshal
	answer  func(http.ResponseWriter, *http.Request) bool // true: it has answered
	fetches atomic.Int64
	now     time.Time
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{now: time.Unix(1_800_000_000, 0)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.answer != nil && p.answer(w, r) {
			return
		}
		switch r.URL.Path {
		case "/.well-known/oauth-authorization-server":
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
		case "/keys":
			p.fetches.Add(1)
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": p.keys})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) add(t testing.TB, id string, public crypto.PublicKey) {
	t.Helper()
	k, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: id}})
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, k.Marshal())
}

func (p *provider) later(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *provider) time() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *provider) answers(f func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

const resource = "https://mcp.example/mcp"

func (p *provider) server(t testing.TB, o Options) *ResourceServer {
	t.Helper()
	o.Resource, o.Issuer = resource, p.URL
	s, err := NewResourceServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.verifier.now = p.time
	return s
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// good are the claims of a good token.
func (p *provider) good() jwt.MapClaims {
	now := p.time()
	return jwt.MapClaims{
		"iss": p.URL, "sub": "ada", "aud": resource, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "client_id": "app", "scope": "read write",
	}
}

func with(c jwt.MapClaims, name string, value any) jwt.MapClaims {
	out := maps.Clone(c)
	if value == nil {
		delete(out, name)
	} else {
		out[name] = value
	}
	return out
}

func sign(t testing.TB, method jwt.SigningMethod, key any, head map[string]any, claims jwt.Claims) string {
	t.Helper()
	tok := jwt.NewWithClaims(method, claims)
	tok.Header["typ"], tok.Header["kid"] = "at+jwt", "one"
	for name, value := range head {
		if tok.Header[name] = value; value == nil {
			delete(tok.Header, name)
		}
	}
	text, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func free() error { return nil }

func present(s access.Authenticator, token string, spend func() error) (access.Principal, error) {
	r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}
	return s.Authenticate(r.WithContext(context.Background()), spend)
}

func TestAGoodTokenSaysWhoCalls(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	k := ecKey(t)
	p.add(t, "one", k.Public())
	s := p.server(t, Options{Keys: Keys{RolesClaim: "realm.roles", TenantClaim: "org"}})
	claims := with(with(with(p.good(), "realm", map[string]any{"roles": []string{"staff"}}), "org", "acme"),
		"act", map[string]any{"sub": "agent", "act": map[string]any{"sub": "gateway", "iss": "https://g.example"}})
	got, err := present(s, sign(t, jwt.SigningMethodES256, k, nil, claims), free)
	if err != nil {
		t.Fatal(err)
	}
	var issued int64
	if got.ID != access.NewPrincipal(p.URL, "ada").ID || got.Client != "app" || got.Tenant != "acme" || fmt.Sprint(got.Roles, got.Scopes) != "[staff] [read write]" ||
		fmt.Sprint(got.Delegation) != fmt.Sprint([]string{p.URL + "|agent", "https://g.example|gateway"}) || !got.Claim("iat", &issued) || issued != p.time().Unix() || got.ScopesFixed {
		t.Errorf("%+v", got)
	}
	if m := s.ResourceMetadata(); m.Resource != resource || m.AuthorizationServers[0] != p.URL {
		t.Errorf("%+v", m)
	}
}

func TestEveryAlgorithmGoesWithItsKeyAlone(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	ec := ecKey(t)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pub, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.add(t, "ec", ec.Public())
	p.add(t, "rsa", rs.Public())
	p.add(t, "ed", pub)
	s := p.server(t, Options{})
	signers := map[string]struct {
		method jwt.SigningMethod
		key    any
	}{
		"ec": {jwt.SigningMethodES256, ec}, "rsa": {jwt.SigningMethodRS256, rs}, "ed": {jwt.SigningMethodEdDSA, ed},
	}
	for id, signer := range signers {
		for named := range signers {
			_, err := present(s, sign(t, signer.method, signer.key, map[string]any{"kid": named}, p.good()), free)
			if (err == nil) != (id == named) {
				t.Errorf("signed with %s, named %s: %v", id, named, err)
			}
		}
		if _, err := present(s, sign(t, signer.method, signer.key, map[string]any{"kid": nil}, p.good()), free); err != nil {
			t.Errorf("%s without a name, the only key that fits: %v", id, err)
		}
	}
	p.add(t, "ec2", ecKey(t).Public())
	p.later(10 * time.Minute)
	if _, err := present(s, sign(t, jwt.SigningMethodES256, ec, nil, p.good()), free); err == nil {
		t.Error("a name that there is not")
	}
	if _, err := present(s, sign(t, jwt.SigningMethodES256, ec, map[string]any{"kid": nil}, p.good()), free); err == nil {
		t.Error("without a name, and two keys fit")
	}
}

// Each of these is a good token with one thing wrong.
func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	k, other := ecKey(t), ecKey(t)
	p.add(t, "one", k.Public())
	s := p.server(t, Options{})
	es := jwt.SigningMethodES256
	good := p.good()
	text := sign(t, es, k, nil, good)
	parts := strings.Split(text, ".")
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	b64 := base64.RawURLEncoding.EncodeToString
	raw := func(head, claims string) string {
		signed := b64([]byte(head)) + "." + b64([]byte(claims))
		sig, err := es.Sign(signed, k)
		if err != nil {
			t.Fatal(err)
		}
		return signed + "." + b64(sig)
	}
	goodJSON, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	head := `{"alg":"ES256","typ":"at+jwt","kid":"one"}`
	if _, err := present(s, raw(head, string(goodJSON)), free); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	now := p.time()
	for name, token := range map[string]string{
		"none":                       sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, good),
		"none, with the signature":   b64([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + "." + parts[2],
		"stripped signature":         parts[0] + "." + parts[1] + ".",
		"two parts":                  parts[0] + "." + parts[1],
		"four parts":                 text + ".x",
		"HS256 with the public key":  sign(t, jwt.SigningMethodHS256, public, nil, good),
		"HS256 with the DER key":     sign(t, jwt.SigningMethodHS256, der, nil, good),
		"another's key":              sign(t, es, other, nil, good),
		"its own key in jwk":         sign(t, es, other, map[string]any{"jwk": map[string]any{"kty": "EC"}, "kid": nil}, good),
		"changed claims":             parts[0] + "." + b64(goodJSON[:len(goodJSON)-1]) + "." + parts[2],
		"signature with a bit":       text[:len(text)-3] + "AAA",
		"padded base64":              text + "==",
		"another issuer":             sign(t, es, k, nil, with(good, "iss", "https://evil.example")),
		"issuer with a slash":        sign(t, es, k, nil, with(good, "iss", p.URL+"/")),
		"no issuer":                  sign(t, es, k, nil, with(good, "iss", nil)),
		"another audience":           sign(t, es, k, nil, with(good, "aud", "https://other.example/mcp")),
		"a beginning as audience":    sign(t, es, k, nil, with(good, "aud", "https://mcp.example")),
		"others as audience":         sign(t, es, k, nil, with(good, "aud", []string{"a", "b"})),
		"no audience":                sign(t, es, k, nil, with(good, "aud", nil)),
		"expired":                    sign(t, es, k, nil, with(good, "exp", now.Add(-31*time.Second).Unix())),
		"no expiry":                  sign(t, es, k, nil, with(good, "exp", nil)),
		"expiry in text":             sign(t, es, k, nil, with(good, "exp", "9999999999")),
		"expiry null":                raw(head, strings.Replace(string(goodJSON), `"exp":`, `"exp":null,"x":`, 1)),
		"not yet valid":              sign(t, es, k, nil, with(good, "nbf", now.Add(31*time.Second).Unix())),
		"issued in the future":       sign(t, es, k, nil, with(good, "iat", now.Add(time.Minute).Unix())),
		"no subject":                 sign(t, es, k, nil, with(good, "sub", nil)),
		"a subject that is a number": sign(t, es, k, nil, with(good, "sub", 7)),
		"an ID token":                sign(t, es, k, map[string]any{"typ": "JWT"}, good),
		"no typ":                     sign(t, es, k, map[string]any{"typ": nil}, good),
		"crit":                       sign(t, es, k, map[string]any{"crit": []string{"exp"}}, good),
		"unencoded payload":          sign(t, es, k, map[string]any{"b64": false}, good),
		"a claim twice":              raw(head, strings.Replace(string(goodJSON), `"sub":`, `"sub":"eve","sub":`, 1)),
		"alg twice":                  raw(`{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"one"}`, string(goodJSON)),
		"claims an array":            raw(head, `["`+p.URL+`"]`),
		"bytes after the claims":     raw(head, string(goodJSON)+"x"),
		"an actor without end":       sign(t, es, k, nil, with(good, "act", nested(20))),
		"too long":                   sign(t, es, k, nil, with(good, "x", strings.Repeat("a", mostToken))),
		"empty":                      "",
		"spaces":                     "a b c",
	} {
		got, err := present(s, token, free)
		if err == nil || got.Known() {
			t.Errorf("%s passes: %+v", name, got)
			continue
		}
		if errors.Is(err, access.ErrUnavailable) || errors.Is(err, access.ErrNoCredentials) || (token != "" && len(token) > 20 && strings.Contains(err.Error(), token[:20])) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, token := range map[string]string{
		"a little late":        sign(t, es, k, nil, with(good, "exp", now.Add(-29*time.Second).Unix())),
		"a little early":       sign(t, es, k, nil, with(good, "nbf", now.Add(29*time.Second).Unix())),
		"one of the audiences": sign(t, es, k, nil, with(good, "aud", []string{"a", resource})),
		"typ in full":          sign(t, es, k, map[string]any{"typ": "application/AT+JWT"}, good),
	} {
		if _, err := present(s, token, free); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := (&http.Request{Header: http.Header{"Authorization": {"Bearer " + text, "Bearer " + text}}}).WithContext(t.Context())
	if _, err := s.Authenticate(r, free); err == nil || errors.Is(err, access.ErrNoCredentials) {
		t.Errorf("two tokens: %v", err)
	}
	r.Header = http.Header{"Authorization": {"Basic " + text}}
	if _, err := s.Authenticate(r, free); !errors.Is(err, access.ErrNoCredentials) {
		t.Errorf("another scheme: %v", err)
	}
}

func nested(n int) any {
	if n == 0 {
		return map[string]any{"sub": "last"}
	}
	return map[string]any{"sub": "one", "act": nested(n - 1)}
}

// An attacker's keys cost the provider little, and nobody else anything.
func TestAStormOfUnknownKeysIsBounded(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	k := ecKey(t)
	p.add(t, "one", k.Public())
	s := p.server(t, Options{})
	for round := range 3 {
		var all sync.WaitGroup
		for i := range 50 {
			token := sign(t, jwt.SigningMethodES256, k, map[string]any{"kid": fmt.Sprint("made up ", round, i)}, p.good())
			all.Go(func() {
				if _, err := present(s, token, free); err == nil || errors.Is(err, access.ErrUnavailable) {
					t.Errorf("an unknown key: %v", err)
				}
			})
		}
		all.Wait()
		if _, err := present(s, sign(t, jwt.SigningMethodES256, k, nil, with(p.good(), "jti", round)), free); err != nil {
			t.Errorf("a good token in the storm: %v", err)
		}
		if n := p.fetches.Load(); n != int64(round)+1 {
			t.Errorf("round %d: the keys were fetched %d times", round, n)
		}
		p.later(refreshPause)
	}
}

// A new key is found, one that was taken back ends the tokens that it signed.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	first, second := ecKey(t), ecKey(t)
	p.add(t, "one", first.Public())
	s := p.server(t, Options{})
	old := sign(t, jwt.SigningMethodES256, first, nil, p.good())
	if _, err := present(s, old, free); err != nil {
		t.Fatal(err)
	}
	p.add(t, "two", second.Public())
	p.later(refreshPause)
	if _, err := present(s, sign(t, jwt.SigningMethodES256, second, map[string]any{"kid": "two"}, p.good()), free); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if _, err := present(s, old, free); err != nil {
		t.Errorf("the old one still stands: %v", err)
	}
	p.mu.Lock()
	p.keys = p.keys[1:]
	p.mu.Unlock()
	p.later(refreshAfter + time.Second)
	_, _ = present(s, old, free) // begins the fetch in the background
	for s.verifier.set.fetched() < 3 {
		time.Sleep(time.Millisecond)
	}
	if _, err := present(s, old, free); err == nil {
		t.Error("a token whose key was taken back passes")
	}
	// The same name for another key ends the tokens, too.
	third := ecKey(t)
	two := sign(t, jwt.SigningMethodES256, second, map[string]any{"kid": "two"}, with(p.good(), "jti", 3))
	if _, err := present(s, two, free); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.keys = nil
	p.mu.Unlock()
	p.add(t, "two", third.Public())
	p.later(refreshAfter + time.Second)
	_, _ = present(s, two, free)
	for s.verifier.set.fetched() < 4 {
		time.Sleep(time.Millisecond)
	}
	if _, err := present(s, two, free); err == nil {
		t.Error("a token of the name's former key passes")
	}
}

// fetched is how often a fetch has ended well; a test waits for it.
func (s *keySet) fetched() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// A provider that is out of reach is a 503, not a 401; what it said before stands for
// a while.
func TestAProviderOutOfReach(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"down":    func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true },
		"garbage": func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte("<html>")); return true },
		"huge": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(`{"keys":[` + strings.Repeat(" ", mostSet) + `]}`))
			return true
		},
		"empty": func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte(`{"keys":[]}`)); return true },
		"redirect": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/moved" {
				return false
			}
			http.Redirect(w, r, "/moved", http.StatusFound)
			return true
		},
		"another's metadata": func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "well-known") {
				return false
			}
			_, _ = w.Write([]byte(`{"issuer":"https://evil.example","jwks_uri":"http://` + r.Host + `/keys"}`))
			return true
		},
		"keys without TLS": func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = w.Write([]byte(`{"issuer":"http://` + r.Host + `","jwks_uri":"http://keys.example/"}`))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			k := ecKey(t)
			p.add(t, "one", k.Public())
			p.answers(answer)
			s := p.server(t, Options{})
			if _, err := present(s, sign(t, jwt.SigningMethodES256, k, nil, p.good()), free); !errors.Is(err, access.ErrUnavailable) {
				t.Errorf("with no keys: %v", err)
			}
			p.answers(nil)
			p.later(refreshPause)
			if _, err := present(s, sign(t, jwt.SigningMethodES256, k, nil, p.good()), free); err != nil {
				t.Fatalf("back again: %v", err)
			}
			p.answers(answer)
			p.later(50 * time.Minute)
			fresh := sign(t, jwt.SigningMethodES256, k, nil, p.good())
			if _, err := present(s, fresh, free); err != nil && name != "another's metadata" && name != "keys without TLS" {
				t.Errorf("with the keys that were there: %v", err)
			}
			if name == "another's metadata" || name == "keys without TLS" {
				return // where the keys are is known by now
			}
			if _, err := present(s, sign(t, jwt.SigningMethodES256, k, map[string]any{"kid": "new"}, p.good()), free); !errors.Is(err, access.ErrUnavailable) {
				t.Errorf("a key that may be new: %v", err)
			}
			p.later(11 * time.Minute)
			if _, err := present(s, sign(t, jwt.SigningMethodES256, k, nil, p.good()), free); !errors.Is(err, access.ErrUnavailable) {
				t.Errorf("with keys that are too old: %v", err)
			}
		})
	}
}

// One caller who gives up fails nobody else.
func TestACallerWhoGivesUpFailsNobodyElse(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	k := ecKey(t)
	p.add(t, "one", k.Public())
	let, asked := make(chan struct{}), make(chan struct{}, 1)
	p.Config.Handler, p.answer = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-let
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": p.keys})
	}), nil
	s := p.server(t, Options{Keys: Keys{JWKSURL: p.URL + "/keys"}})
	token := sign(t, jwt.SigningMethodES256, k, nil, p.good())
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		r := (&http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}).WithContext(ctx)
		_, err := s.Authenticate(r, free)
		gone <- err
	}()
	<-asked
	stays := make(chan error, 1)
	go func() { _, err := present(s, token, free); stays <- err }()
	cancel()
	if err := <-gone; !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("who gave up: %v", err)
	}
	close(let)
	if err := <-stays; err != nil {
		t.Errorf("who stayed: %v", err)
	}
}

// A token that has been verified costs nothing, until it expires.
func TestVerifiedTokensAreRemembered(t *testing.T) { // alone: it counts allocations
	p := newProvider(t)
	k := ecKey(t)
	p.add(t, "one", k.Public())
	s := p.server(t, Options{})
	token := sign(t, jwt.SigningMethodES256, k, nil, p.good())
	spent := 0
	spend := func() error { spent++; return nil }
	for range 5 {
		if _, err := present(s, token, spend); err != nil {
			t.Fatal(err)
		}
	}
	if spent != 1 {
		t.Errorf("it was paid for %d times", spent)
	}
	broke := errors.New("spent")
	if _, err := present(s, sign(t, jwt.SigningMethodES256, k, nil, with(p.good(), "jti", "b")), func() error { return broke }); !errors.Is(err, broke) {
		t.Errorf("without means: %v", err)
	}
	r := (&http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}).WithContext(t.Context())
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.Authenticate(r, spend); err != nil {
			t.Fatal(err)
		}
	}); n > 12 {
		t.Errorf("a remembered token takes %v allocations", n)
	} else {
		t.Logf("a remembered token takes %v allocations", n)
	}
	p.later(time.Hour + 31*time.Second)
	if _, err := present(s, token, spend); err == nil {
		t.Error("it outlives its expiry")
	}
	v := &s.verifier.verified
	one := &key{id: "one", public: k.Public()}
	v.set = nil
	for i := range mostVerified + 500 {
		v.put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, access.Principal{Expires: p.time().Add(time.Hour)}, one, p.time())
	}
	if n := len(v.by); n > mostVerified {
		t.Errorf("%d tokens are remembered", n)
	}
}

func TestAGatewaysAssertion(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	k := ecKey(t)
	p.add(t, "one", k.Public())
	a, err := NewAssertion(AssertionOptions{Header: "cf-access-jwt-assertion", Issuer: "https://team.example", Audience: "app-1", Keys: Keys{JWKSURL: p.URL + "/keys"}})
	if err != nil {
		t.Fatal(err)
	}
	a.verifier.now = p.time
	claims := with(with(p.good(), "iss", "https://team.example"), "aud", []string{"app-1"})
	ask := func(token ...string) (access.Principal, error) {
		r := &http.Request{Header: http.Header{"Authorization": {"Bearer x"}, "Cf-Access-Jwt-Assertion": token}}
		if token == nil {
			delete(r.Header, "Cf-Access-Jwt-Assertion")
		}
		return a.Authenticate(r.WithContext(t.Context()), free)
	}
	good := sign(t, jwt.SigningMethodES256, k, map[string]any{"typ": nil}, claims)
	got, err := ask(good)
	if err != nil || got.ID != "https://team.example|ada" || !got.ScopesFixed {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ask(); !errors.Is(err, access.ErrNoCredentials) {
		t.Errorf("without it: %v", err)
	}
	if _, err := ask(good, good); err == nil {
		t.Error("twice")
	}
	if _, err := ask(sign(t, jwt.SigningMethodES256, k, nil, with(claims, "aud", "app-2"))); err == nil {
		t.Error("another application's")
	}
	if h := a.CredentialHeaders(); len(h) != 1 || h[0] != "Cf-Access-Jwt-Assertion" {
		t.Error(h)
	}
}

func TestMistakesOfWiringAreSaid(t *testing.T) {
	t.Parallel()
	ok := Options{Resource: resource, Issuer: "https://id.example"}
	for want, change := range map[string]func(*Options){
		"Options.Resource":  func(o *Options) { o.Resource = "" },
		"Options.Issuer":    func(o *Options) { o.Issuer = "id.example" },
		"has to be https":   func(o *Options) { o.Issuer = "http://id.example" },
		`has "HS256"`:       func(o *Options) { o.Algorithms = []string{"HS256"} },
		`has "none"`:        func(o *Options) { o.Algorithms = []string{"none"} },
		"ClockSkew is from": func(o *Options) { o.ClockSkew = time.Hour },
		"JWKSURL":           func(o *Options) { o.JWKSURL = "http://keys.example" },
		"choose one":        func(o *Options) { o.Types, o.InsecureAnyType = []string{"x"}, "why" },
	} {
		o := ok
		change(&o)
		if _, err := NewResourceServer(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for want, o := range map[string]AssertionOptions{
		"names the header":    {Issuer: "i", Audience: "a"},
		"Issuer and Audience": {Header: "H"},
		"the JWKSURL":         {Header: "H", Issuer: "i", Audience: "a"},
	} {
		if _, err := NewAssertion(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Whatever is presented, nothing panics, and nobody comes in.
func FuzzTokens(f *testing.F) {
	p := newProvider(f)
	k := ecKey(f)
	p.add(f, "one", k.Public())
	s := p.server(f, Options{})
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Add("e30.e30.AA")
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := present(s, token, free); err == nil || got.Known() {
			t.Errorf("%q: %+v", token, got)
		}
	})
}
