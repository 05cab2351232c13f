package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
)

func TestMistakesOfHTTPWiringAreSaid(t *testing.T) {
	t.Parallel()
	people := []access.Authenticator{newDirectory()}
	for want, o := range map[string]*HTTPOptions{
		"Authenticators is empty":           {},
		"choose one":                        {Authenticators: people, InsecureAnonymous: "why"},
		"is nil":                            {Authenticators: []access.Authenticator{nil}},
		"go together":                       {Authenticators: people, CertFile: "a"},
		"needs CertFile":                    {Authenticators: people, ClientCAFile: "a"},
		"begins with a slash":               {Authenticators: people, Path: "mcp"},
		"Depth is negative":                 {Authenticators: people, Depth: -1},
		"AddressRate is negative":           {Authenticators: people, AddressRate: limit.Rate{Count: -1, Per: time.Second}},
		"without a scheme":                  {Authenticators: people, Hosts: []string{"https://a.example"}},
		"without a path or a pattern":       {Authenticators: people, Origins: []string{"https://a.example/"}},
		"X-Forwarded-For or Forwarded":      {Authenticators: people, ForwardedHeader: "X-Real-Ip"},
		"not a loopback address":            {Address: "0.0.0.0:0", InsecureAnonymous: "why"},
		"say by which names":                {Address: ":0", Authenticators: people},
		"is host:port":                      {Address: "nowhere", Authenticators: people},
		"CertFile and KeyFile: open absent": {Authenticators: people, Address: "127.0.0.1:0", CertFile: "absent", KeyFile: "absent"},
	} {
		s, _ := weather(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // in case it starts
		if err := HTTP(ctx, s, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := HTTP(t.Context(), nil, nil); err == nil {
		t.Error("no server")
	}
	if _, err := Handler(nil, nil); err == nil {
		t.Error("no server")
	}
}

// Nothing is served that could not be recorded.
func TestNoStartWithoutItsRecord(t *testing.T) {
	t.Parallel()
	for after := range 2 {
		s, trail := weather(t)
		taken := 0
		trail.Fail = func(audit.Event) error {
			if taken++; taken > after {
				return errors.New("disk full")
			}
			return nil
		}
		if _, err := Handler(s, &HTTPOptions{InsecureAnonymous: "a test"}); err == nil || !strings.Contains(err.Error(), "could not be recorded") {
			t.Errorf("record %d fails: %v", after, err)
		}
	}
}

func TestProbesAnswerByAnyName(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	e, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory()}})
	probe := func(path string) got {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "10.1.2.3:8080"
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return got{status: res.StatusCode}
	}
	if probe("/healthz").status != 200 || probe("/readyz").status != 200 || probe("/mcp").status != 403 || probe("/").status != 403 {
		t.Error("a probe is refused, or something else is not")
	}
	e.draining.Store(true)
	if probe("/healthz").status != 200 || probe("/readyz").status != 503 {
		t.Error("a server that ends says that it is ready, or that it is dead")
	}
	e.draining.Store(false)
}

func TestPagesOfAllowedOriginsGetTheirHeaders(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}, Origins: []string{"https://app.example"}})
	preflight := sent{method: http.MethodOptions, header: map[string]string{
		"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site", "Access-Control-Request-Method": "POST",
		"Access-Control-Request-Headers": "authorization, mcp-param-zone, x-other",
	}}
	g := preflight.to(t, url)
	if g.status != http.StatusNoContent || g.header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
		!strings.Contains(g.header.Get("Access-Control-Allow-Headers"), "mcp-param-zone") || strings.Contains(g.header.Get("Access-Control-Allow-Headers"), "x-other") {
		t.Errorf("preflight: %+v", g)
	}
	call := callOf("ada", "open")
	call.header["Origin"], call.header["Sec-Fetch-Site"] = "https://app.example", "cross-site"
	if g := call.to(t, url); g.status != http.StatusOK || g.header.Get("Access-Control-Allow-Origin") != "https://app.example" || g.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a call: %+v", g)
	}
	preflight.header["Origin"] = "https://evil.example"
	if g := preflight.to(t, url); g.status != http.StatusForbidden || g.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %+v", g)
	}
}

// pair writes a certificate for 127.0.0.1 of the serial number, signed by itself.
func pair(t *testing.T, dir string, serial int64) (*x509.Certificate, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A certificate that was renewed is used without a restart; one that cannot be read
// ends nothing; a client's is verified where it comes.
func TestCertificatesAreReadAnewWhenTheyChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, client := pair(t, dir, 7)
	ca, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	clientCA := filepath.Join(dir, "clients.pem")
	if err := os.WriteFile(clientCA, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	first, _ := pair(t, dir, 1)
	o, err := (&HTTPOptions{
		Authenticators: []access.Authenticator{newDirectory()}, CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), ClientCAFile: clientCA,
	}).complete()
	if err != nil {
		t.Fatal(err)
	}
	c := &certificates{o: o}
	now := time.Now()
	c.now = func() time.Time { now = now.Add(2 * lookAgain); return now }
	if c.config, err = c.read(); err != nil {
		t.Fatal(err)
	}
	shake := func(client *tls.Certificate) (serial int64, err error) {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetConfigForClient: c.forClient})
		if err != nil {
			return 0, err
		}
		defer l.Close()
		b, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return 0, err
		}
		defer b.Close()
		done := make(chan error, 1)
		go func() {
			a, err := l.Accept()
			if err == nil {
				err = a.(*tls.Conn).Handshake()
				_ = a.Close()
			}
			done <- err
		}()
		config := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12} // whose client learns of a refusal
		if client != nil {
			config.Certificates = []tls.Certificate{*client}
		}
		conn := tls.Client(b, config)
		err = conn.Handshake()
		if err != nil {
			_ = b.Close()
		}
		if serr := <-done; err == nil {
			err = serr
		}
		if err != nil {
			return 0, err
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	if serial, err := shake(nil); err != nil || serial != first.SerialNumber.Int64() {
		t.Errorf("%d, %v", serial, err)
	}
	if _, err := shake(&client); err != nil {
		t.Errorf("a client with a good certificate: %v", err)
	}
	stranger := t.TempDir()
	_, other := pair(t, stranger, 9)
	if _, err := shake(&other); err == nil {
		t.Error("a client with a stranger's certificate comes in")
	}
	pair(t, dir, 2)
	if serial, err := shake(nil); err != nil || serial != 2 {
		t.Errorf("after the change: %d, %v", serial, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if serial, err := shake(nil); err != nil || serial != 2 {
		t.Errorf("with a file that is no certificate: %d, %v", serial, err)
	}
}

// An authenticator that panics has let nobody in.
type panicking struct{}

func (panicking) Authenticate(*http.Request, func() error) (access.Principal, error) { panic("secret") }
func (panicking) CredentialHeaders() []string                                        { return nil }

// Nor has one that names nobody.
type nameless struct{ panicking }

func (nameless) Authenticate(*http.Request, func() error) (access.Principal, error) {
	return access.Principal{Subject: "ada", Roles: []string{"staff"}}, nil
}

func TestAnAuthenticatorThatFailsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	for want, a := range map[int]access.Authenticator{http.StatusServiceUnavailable: panicking{}, http.StatusUnauthorized: nameless{}} {
		s, _ := weather(t)
		_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{a}})
		if g := callOf("ada", "open").to(t, url); g.status != want || strings.Contains(g.body, "secret") {
			t.Errorf("%T: %+v", a, g)
		}
	}
}

// Without credentials only this machine is let in, however the handler is mounted.
func TestAnonymousCallersComeOverLoopback(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	e, err := Handler(s, &HTTPOptions{InsecureAnonymous: "a test", Hosts: []string{"mcp.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for local, want := range map[string]int{"192.0.2.1:80": http.StatusForbidden, "127.0.0.1:80": http.StatusOK, "": http.StatusForbidden} {
		r, err := callOf("", "open").request(t.Context(), "http://mcp.example")
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = "192.0.2.9:5"
		if local != "" {
			at, err := net.ResolveTCPAddr("tcp", local)
			if err != nil {
				t.Fatal(err)
			}
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(at)))
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("over %q: %d %s", local, w.Code, w.Body)
		}
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
