package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
)

var second = signer{"second", "ES256", ecOther}

// settled waits for the fetch that runs in the background, if one does.
func settled(s *keySet) {
	s.mu.Lock()
	f := s.running
	s.mu.Unlock()
	if f != nil {
		<-f.done
	}
}

func (b *bench) wantFetches(t *testing.T, want int64) {
	t.Helper()
	settled(b.server.verifier.keys)
	if got := b.fetches.Load(); got != want {
		t.Errorf("the issuer was asked %d times, want %d", got, want)
	}
}

func TestTheIssuerIsNotAskedBeforeTheFirstToken(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.wantFetches(t, 0)
	b.refuses(t, "x.y.z", errEncoding)
	b.wantFetches(t, 0)
	b.takes(t, b.token(nil))
	b.wantFetches(t, 1)
}

// Anybody can make up key IDs; each must not become a request to the issuer.
func TestAStormOfUnknownKeysCostsTheIssuerTwelveFetchesAMinute(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.takes(t, b.token(nil))
	begun := b.fetches.Load()
	unknown := func(i int) string {
		return signer{fmt.Sprintf("k%d", i), "ES256", ecOther}.sign(fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":"k%d"}`, i), b.claims(nil))
	}
	for i := range 600 { // ten in a second, for a minute
		b.forward(100 * time.Millisecond)
		b.refuses(t, unknown(i), errUnknownKey)
	}
	if n := b.fetches.Load() - begun; n > 12 || n < 11 {
		t.Errorf("%d fetches in a minute", n)
	}
	b.takes(t, b.token(nil))
	var wg sync.WaitGroup
	before := b.fetches.Load()
	b.forward(fetchPause)
	for i := range 64 { // all at once
		wg.Go(func() { b.refuses(t, unknown(i), errUnknownKey) })
	}
	wg.Wait()
	if n := b.fetches.Load() - before; n != 1 {
		t.Errorf("%d fetches for 64 at once", n)
	}
}

func TestANewKeyIsTakenAtOnceAndAWithdrawnOneNoLonger(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	old := b.token(nil)
	b.takes(t, old)
	b.publish(defaultKey, second)
	b.forward(fetchPause)
	b.takes(t, second.sign(second.header(), b.claims(nil)))
	b.wantFetches(t, 2)
	b.takes(t, old)

	b.publish(second)
	b.forward(refreshEvery)
	b.takes(t, old) // the keys at hand are in use while newer ones come
	b.wantFetches(t, 3)
	b.refuses(t, old, errUnknownKey) // though it was verified before
	b.refuses(t, b.token(map[string]any{"jti": "x"}), errUnknownKey)
	b.takes(t, second.sign(second.header(), b.claims(nil)))
	if n := len(b.server.verifier.cache.entries); n != 2 { // the second key's
		t.Errorf("%d tokens are remembered", n)
	}
}

// The same ID with another key is another key.
func TestAKeyThatIsReplacedUnderItsIDIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	old := b.token(nil)
	b.takes(t, old)
	b.publish(signer{"ec", "ES256", ecOther})
	b.forward(refreshEvery)
	b.takes(t, old)
	settled(b.server.verifier.keys)
	b.refuses(t, old, errSignature)
}

// An issuer that withdraws all its keys means it.
func TestAnEmptyKeySetRefusesAll(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	old := b.token(nil)
	b.takes(t, old)
	b.publish()
	b.forward(refreshEvery)
	b.takes(t, old)
	settled(b.server.verifier.keys)
	b.refuses(t, old, errUnknownKey)
}

func TestWithoutKeysTheAnswerIsToComeBack(t *testing.T) {
	t.Parallel()
	big := `{"keys":[]}` + strings.Repeat(" ", maxAnswer) // cut short it would still be one
	for name, answer := range map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusBadGateway) },
		"keys, not found": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"keys":[]}`)
		},
		"no content":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"a page":         func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>login</html>") },
		"another object": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"error":"x"}`) },
		"null":           func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `null`) },
		"keys null":      func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"keys":null}`) },
		"keys twice":     func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"keys":[],"keys":[]}`) },
		"a huge body":    func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, big) },
		"too many keys": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"keys":[`+strings.Repeat("{},", maxKeys)+`{}]}`)
		},
		"a cut body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			io.WriteString(w, `{"keys":[]}`)
		},
		"a hung up line": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a redirect":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a redirect (308)": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/jwks?again", http.StatusPermanentRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(o *Options) {
				o.HTTPClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
			})
			b.handle(answer)
			token := b.token(nil)
			b.unavailable(t, token)
			b.unavailable(t, token) // in the pause
			b.wantFetches(t, 1)
			b.publish(defaultKey)
			b.unavailable(t, token)
			b.wantFetches(t, 1)
			b.forward(fetchPause)
			b.takes(t, token)
			b.wantFetches(t, 2)
		})
	}
}

func TestKeysStayInUseThroughAnOutageUntilTheyAreStale(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	long := map[string]any{"exp": b.now().Add(3 * time.Hour).Unix()}
	token := b.token(long)
	b.takes(t, token)
	b.handle(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) })
	for range 11 { // 55 minutes
		b.forward(refreshEvery)
		b.takes(t, token)
		settled(b.server.verifier.keys)
		b.takes(t, b.token(map[string]any{"jti": b.now().String()}))
		b.unavailable(t, second.sign(second.header(), b.claims(nil))) // who knows
	}
	b.wantFetches(t, 12)
	b.forward(refreshEvery)
	b.unavailable(t, token)
	b.unavailable(t, b.token(long))
	b.publish(defaultKey)
	b.forward(fetchPause)
	b.takes(t, token)
	spent := b.spent.Load()
	b.takes(t, token)
	if b.spent.Load() != spent {
		t.Error("what was verified before the outage is verified anew")
	}
}

// A slow issuer holds up nobody whose key is known, and those who wait for it wait for
// one answer.
func TestASlowIssuerDelaysOnlyWhoNeedsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	known := b.token(nil)
	b.takes(t, known)
	asked, answer := make(chan struct{}, 9), make(chan struct{})
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
		io.WriteString(w, `{"keys":[`+string(must(jsonOf(second.public())))+`,`+string(must(jsonOf(defaultKey.public())))+`]}`)
	})
	b.forward(refreshEvery)
	fresh := second.sign(second.header(), b.claims(nil))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { b.takes(t, fresh) })
	}
	<-asked
	b.takes(t, known)
	b.takes(t, b.token(map[string]any{"jti": "new"}))

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.server.Authenticate(request(t, fresh).WithContext(gone), nil); !errors.Is(err, access.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("who went away got %v", err)
	}
	close(answer)
	wg.Wait()
	b.wantFetches(t, 2)
}

// The one who began the fetch leaves; the fetch does not.
func TestACallerWhoGoesAwayFailsNobodyElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	asked, answer := make(chan struct{}), make(chan struct{})
	keys := b.body
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-answer
		if r.Context().Err() == nil {
			io.WriteString(w, keys)
		}
	})
	token := b.token(nil)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := b.server.Authenticate(request(t, token).WithContext(ctx), nil)
		first <- err
	}()
	<-asked
	cancel()
	if err := <-first; !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.takes(t, token)
	}()
	close(answer)
	<-done
	b.wantFetches(t, 1)
}

// A fetch ends by the clock of its own client.
func TestAnIssuerThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.HTTPClient = &http.Client{Timeout: 50 * time.Millisecond} })
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) }) // before the server closes, which waits for its handlers
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		<-hang
	})
	b.unavailable(t, b.token(nil))
	for given, want := range map[time.Duration]time.Duration{0: answerTimeout, -1: answerTimeout, time.Second: time.Second, time.Hour: answerTimeout} {
		if got := client(&http.Client{Timeout: given}).Timeout; got != want {
			t.Errorf("%v becomes %v", given, got)
		}
	}
	if client(nil).Timeout != answerTimeout {
		t.Error("the client of our own waits longer")
	}
}

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("transport") }

func TestATransportThatPanicsTakesNothingDown(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.HTTPClient = &http.Client{Transport: panicking{}} })
	b.unavailable(t, b.token(nil))
	b.forward(fetchPause)
	b.unavailable(t, b.token(nil))
}

func TestATokenWithoutAKeyIDIsTakenOnlyWhereThereIsNothingToGuess(t *testing.T) {
	t.Parallel()
	nameless := `{"alg":"ES256","typ":"at+jwt"}`
	rs := signer{"rsa", "RS256", rsaKey}
	b := newBench(t, nil, defaultKey, rs, signer{"p384", "ES384", ec384Key})
	b.takes(t, defaultKey.sign(nameless, b.claims(nil)))
	b.takes(t, rs.sign(`{"alg":"RS256","typ":"at+jwt"}`, b.claims(nil)))
	b.refuses(t, signer{"", "EdDSA", edKey}.sign(`{"alg":"EdDSA","typ":"at+jwt"}`, b.claims(nil)), errUnknownKey)
	two := newBench(t, nil, defaultKey, second)
	two.refuses(t, defaultKey.sign(nameless, two.claims(nil)), errAmbiguousKey)
	two.wantFetches(t, 1)
}

func TestNoKeyIsTakenThatIsNotForThis(t *testing.T) {
	t.Parallel()
	small := signer{"small", "RS256", must(generateRSA(1024))}
	with := func(s signer, name string, v any) map[string]any {
		m := s.public()
		m[name] = v
		return m
	}
	off := defaultKey.public()
	off["y"] = off["x"]
	for name, c := range map[string]struct {
		key  map[string]any
		by   signer
		want error
	}{
		"good":               {defaultKey.public(), defaultKey, nil},
		"for its algorithm":  {with(defaultKey, "alg", "ES256"), defaultKey, nil},
		"to verify":          {with(defaultKey, "key_ops", []string{"verify"}), defaultKey, nil},
		"padded":             {with(defaultKey, "x", defaultKey.public()["x"].(string)+"="), defaultKey, nil},
		"for encryption":     {with(defaultKey, "use", "enc"), defaultKey, errUnknownKey},
		"to sign":            {with(defaultKey, "key_ops", []string{"sign"}), defaultKey, errUnknownKey},
		"for another":        {with(defaultKey, "alg", "ES384"), defaultKey, errWrongKey},
		"for HMAC":           {with(defaultKey, "alg", "HS256"), defaultKey, errWrongKey},
		"PS256 alone":        {with(signer{"rsa", "RS256", rsaKey}, "alg", "PS256"), signer{"rsa", "RS256", rsaKey}, errWrongKey},
		"without ID":         {with(defaultKey, "kid", ""), defaultKey, errUnknownKey},
		"an ID by number":    {with(defaultKey, "kid", 7), defaultKey, errUnknownKey},
		"its private part":   {with(defaultKey, "d", "AAAA"), defaultKey, errUnknownKey},
		"off the curve":      {off, defaultKey, errUnknownKey},
		"another curve":      {with(defaultKey, "crv", "P-384"), defaultKey, errUnknownKey},
		"secp256k1":          {with(defaultKey, "crv", "secp256k1"), defaultKey, errUnknownKey},
		"too long":           {with(defaultKey, "x", strings.Repeat("A", 44)), defaultKey, errUnknownKey},
		"no point":           {with(defaultKey, "x", ""), defaultKey, errUnknownKey},
		"no base64":          {with(defaultKey, "x", "*"), defaultKey, errUnknownKey},
		"symmetric":          {map[string]any{"kty": "oct", "kid": "ec", "k": "AAAA"}, defaultKey, errUnknownKey},
		"1024 bits":          {small.public(), small, errUnknownKey},
		"16384 bits":         {with(small, "n", b64(append(append([]byte{0x80}, make([]byte, 2046)...), 1))), small, errUnknownKey},
		"an even modulus":    {with(signer{"rsa", "RS256", rsaKey}, "n", b64(append(rsaKey.N.Bytes()[:255:255], 0))), signer{"rsa", "RS256", rsaKey}, errUnknownKey},
		"exponent 1":         {with(signer{"rsa", "RS256", rsaKey}, "e", "AQ"), signer{"rsa", "RS256", rsaKey}, errUnknownKey},
		"exponent beyond":    {with(signer{"rsa", "RS256", rsaKey}, "e", "AQAAAAAAAAAB"), signer{"rsa", "RS256", rsaKey}, errUnknownKey},
		"Ed25519, too short": {with(signer{"ed", "EdDSA", edKey}, "x", "AAAA"), signer{"ed", "EdDSA", edKey}, errUnknownKey},
		"X25519":             {with(signer{"ed", "EdDSA", edKey}, "crv", "X25519"), signer{"ed", "EdDSA", edKey}, errUnknownKey},
	} {
		b := newBench(t, nil)
		b.publishJSON(`{"keys":[{"kty":"new"},7,` + string(must(jsonOf(c.key))) + `]}`)
		token := c.by.sign(c.by.header(), b.claims(nil))
		if c.want == nil {
			if _, err := b.authenticate(t, token); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if p, err := b.authenticate(t, token); p.Known() || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestTheKeySetIsDiscoveredOnlyFromTheIssuersOwnMetadata(t *testing.T) {
	t.Parallel()
	const tenant = "/tenants/a"
	for name, c := range map[string]struct {
		path, issuer, jwks string // of the document; %s is the server
		good               bool
	}{
		"RFC 8414":              {"/.well-known/oauth-authorization-server" + tenant, "%s" + tenant, "%s/jwks", true},
		"OpenID, after":         {tenant + "/.well-known/openid-configuration", "%s" + tenant, "%s/jwks", true},
		"OpenID, beside":        {"/.well-known/openid-configuration" + tenant, "%s" + tenant, "%s/jwks", true},
		"the host's":            {"/.well-known/oauth-authorization-server", "%s" + tenant, "%s/jwks", false},
		"another tenant's":      {"/.well-known/oauth-authorization-server" + tenant, "%s/tenants/b", "%s/jwks", false},
		"with a slash":          {"/.well-known/oauth-authorization-server" + tenant, "%s" + tenant + "/", "%s/jwks", false},
		"nobody's":              {"/.well-known/oauth-authorization-server" + tenant, "", "%s/jwks", false},
		"without a key set":     {"/.well-known/oauth-authorization-server" + tenant, "%s" + tenant, "", false},
		"a key set in a file":   {"/.well-known/oauth-authorization-server" + tenant, "%s" + tenant, "file:///etc/passwd", false},
		"a key set without TLS": {"/.well-known/oauth-authorization-server" + tenant, "%s" + tenant, "http://192.0.2.1/jwks", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			fill := func(s string) string { return strings.ReplaceAll(s, "%s", server.URL) }
			mux.HandleFunc(c.path, func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, fill(c.issuer), fill(c.jwks))
			})
			b := newBench(t, func(o *Options) { o.Issuer, o.JWKSURL = server.URL+tenant, "" })
			mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, b.body) })
			token := b.token(map[string]any{"iss": server.URL + tenant})
			if c.good {
				b.takes(t, token)
			} else {
				b.unavailable(t, token)
			}
		})
	}
}

func TestTheAddressOfTheKeySetIsAskedForAnew(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.JWKSURL = "" })
	hours := map[string]any{"exp": b.now().Add(3 * time.Hour).Unix()}
	token := b.token(hours)
	b.takes(t, token)
	b.forward(refreshEvery)
	b.takes(t, token)
	b.wantFetches(t, 2)
	if n := b.discoveries.Load(); n != 1 {
		t.Errorf("asked %d times for two fetches", n)
	}
	b.handle(func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }) // it moved
	b.forward(refreshEvery)
	b.takes(t, token)
	b.wantFetches(t, 3)
	b.publish(defaultKey)
	b.forward(fetchPause)
	b.takes(t, token)
	b.wantFetches(t, 4)
	if n := b.discoveries.Load(); n != 2 {
		t.Errorf("asked %d times, the second after a failure", n)
	}
	b.forward(discoverEvery)
	b.takes(t, token)
	if n := b.discoveries.Load(); n != 3 {
		t.Errorf("asked %d times, the third after an hour", n)
	}
}
