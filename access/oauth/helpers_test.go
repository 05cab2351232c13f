package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/safemcp/safemcp/access"
)

const resource = "https://weather.example/mcp"

// The keys are made once: RSA takes long.
var (
	ecKey      = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ecOther    = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ec384Key   = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	rsaKey     = must(rsa.GenerateKey(rand.Reader, 2048))
	_, edKey   = must2(ed25519.GenerateKey(rand.Reader))
	defaultKey = signer{"ec", "ES256", ecKey}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[A, B any](a A, b B, err error) (A, B) { return a, must(b, err) }

// A signer is a private key as the issuer uses it.
type signer struct {
	kid, alg string
	private  any
}

// sign makes a token of any header and payload.
func (s signer) sign(header, payload string) string {
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	return text + "." + b64(must(jwt.GetSigningMethod(s.alg).Sign(text, s.private)))
}

func (s signer) header() string {
	return string(must(json.Marshal(map[string]any{"alg": s.alg, "kid": s.kid, "typ": "at+jwt"})))
}

// public is the member of the key set.
func (s signer) public() map[string]any {
	m := jwkOf(s.private.(crypto.Signer).Public())
	m["kid"], m["use"] = s.kid, "sig"
	return m
}

func jwkOf(public crypto.PublicKey) map[string]any {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		point := must(k.Bytes())[1:]
		return map[string]any{"kty": "EC", "crv": k.Params().Name, "x": b64(point[:len(point)/2]), "y": b64(point[len(point)/2:])}
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(k)}
	}
	panic("unknown key")
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// An issuer publishes keys on loopback and counts who asks.
type issuer struct {
	*httptest.Server
	fetches, discoveries atomic.Int64

	mu     sync.Mutex
	answer http.HandlerFunc // in place of the key set
	body   string
}

func newIssuer(t *testing.T, keys ...signer) *issuer {
	t.Helper()
	is := &issuer{}
	is.publish(keys...)
	mux := http.NewServeMux()
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, r *http.Request) {
		is.fetches.Add(1)
		is.mu.Lock()
		answer, body := is.answer, is.body
		is.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		io.WriteString(w, body)
	})
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		is.discoveries.Add(1)
		json.NewEncoder(w).Encode(map[string]string{"issuer": is.URL, "jwks_uri": is.URL + "/jwks"})
	})
	is.Server = httptest.NewServer(mux)
	t.Cleanup(is.Close)
	return is
}

// publish changes the key set.
func (is *issuer) publish(keys ...signer) {
	members := make([]map[string]any, 0, len(keys))
	for _, k := range keys {
		members = append(members, k.public())
	}
	is.publishJSON(string(must(json.Marshal(map[string]any{"keys": members}))))
}

func (is *issuer) publishJSON(body string) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.body, is.answer = body, nil
}

func (is *issuer) handle(answer http.HandlerFunc) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.answer = answer
}

// A clock stands still until it is set forward.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) forward(d time.Duration) { c.nanos.Add(int64(d)) }

// A bench is a resource server with its issuer and clock.
type bench struct {
	*issuer
	*clock
	server *ResourceServer
	spent  atomic.Int64
}

func newBench(t *testing.T, change func(*Options), keys ...signer) *bench {
	t.Helper()
	if keys == nil {
		keys = []signer{defaultKey}
	}
	b := &bench{issuer: newIssuer(t, keys...), clock: newClock()}
	options := Options{Resource: resource, Issuer: b.URL, JWKSURL: b.URL + "/jwks", now: b.now}
	if change != nil {
		change(&options)
	}
	server, err := NewResourceServer(options)
	if err != nil {
		t.Fatal(err)
	}
	b.server = server
	return b
}

// claims are those of a good token, changed; nil takes one out.
func (b *bench) claims(change map[string]any) string {
	c := map[string]any{
		"iss": b.URL, "aud": resource, "sub": "ada", "client_id": "desk", "scope": "weather.read weather.write",
		"iat": b.now().Unix(), "exp": b.now().Add(10 * time.Minute).Unix(),
	}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return string(must(json.Marshal(c)))
}

func (b *bench) token(change map[string]any) string {
	return defaultKey.sign(defaultKey.header(), b.claims(change))
}

func (b *bench) spend() error {
	b.spent.Add(1)
	return nil
}

func request(t *testing.T, token string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, resource, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func (b *bench) authenticate(t *testing.T, token string) (access.Principal, error) {
	t.Helper()
	return b.server.Authenticate(request(t, token), b.spend)
}

// takes wants the token to be taken.
func (b *bench) takes(t *testing.T, token string) access.Principal {
	t.Helper()
	p, err := b.authenticate(t, token)
	if err != nil || !p.Known() {
		t.Fatalf("a good token is refused: %v", err)
	}
	return p
}

// refuses wants the token to be refused, as wrong and not for want of the issuer, with
// a text that holds nothing of it.
func (b *bench) refuses(t *testing.T, token string, why error) {
	t.Helper()
	p, err := b.authenticate(t, token)
	if p.Known() || !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
	if err == nil {
		return
	}
	if errors.Is(err, access.ErrUnavailable) || errors.Is(err, access.ErrNoCredentials) {
		t.Errorf("%v: another authenticator would be asked, or the caller told to come back", err)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("the error holds the token: %v", err)
		}
	}
}

// unavailable wants the caller to be told to come back.
func (b *bench) unavailable(t *testing.T, token string) {
	t.Helper()
	if p, err := b.authenticate(t, token); p.Known() || !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("%v, want that it cannot be checked", err)
	}
}

func generate(curve elliptic.Curve) (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(curve, rand.Reader)
}

func signPSS(t *testing.T, text string, salt int) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	return must(rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: salt}))
}

func jsonOf(v any) ([]byte, error) { return json.Marshal(v) }

func generateRSA(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
