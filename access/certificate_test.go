package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// An authority signs client certificates; without a parent it signs itself.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	made := a.issue(t, template)
	a.certificate, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

func (a *authority) issue(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// through makes a request over TLS with the certificates and returns whom the server
// authenticated; a handshake that fails is an error too.
func through(t *testing.T, c *ClientCertificate, mode tls.ClientAuthType, trusted *authority, certificates ...tls.Certificate) (p Principal, err error) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, err = c.Authenticate(r, func() error { t.Error("spent"); return nil })
	}))
	roots := x509.NewCertPool()
	roots.AddCert(trusted.certificate)
	server.TLS = &tls.Config{ClientAuth: mode, ClientCAs: roots}
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	client := server.Client()
	transport := client.Transport.(*http.Transport)
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(certificates) == 0 {
			return &tls.Certificate{}, nil
		}
		return &certificates[0], nil
	}
	resp, failed := client.Get(server.URL)
	if failed != nil {
		return Principal{}, failed
	}
	resp.Body.Close()
	return p, err
}

func known(t *testing.T, options CertificateOptions) *ClientCertificate {
	t.Helper()
	c, err := NewClientCertificate(options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func uris(t *testing.T, raw ...string) []*url.URL {
	t.Helper()
	var out []*url.URL
	for _, r := range raw {
		u, err := url.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, u)
	}
	return out
}

func TestAVerifiedCertificateNamesItsSubject(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	c := known(t, CertificateOptions{Grants: map[string]Grant{"spiffe://weather.example/desk": {Roles: []string{"reader"}, Scopes: []string{"weather.read"}, Tenant: "finance"}}})
	p, err := through(t, c, tls.RequireAndVerifyClientCert, a, a.issue(t, &x509.Certificate{URIs: uris(t, "spiffe://weather.example/desk"), DNSNames: []string{"a.example", "b.example"}, Subject: pkix.Name{CommonName: "x"}}))
	if err != nil || p.ID != "mtls|spiffe://weather.example/desk" || p.Tenant != "finance" || !p.ScopesFixed || p.Expires.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
	if !slices.Equal(p.Roles, []string{"reader"}) || !slices.Equal(p.Scopes, []string{"weather.read"}) {
		t.Errorf("%+v", p)
	}
	if c.CredentialHeaders() != nil {
		t.Error("a header is read")
	}
}

func TestNoCertificateIsBelievedThatNobodyVerified(t *testing.T) {
	t.Parallel()
	a, stranger := newAuthority(t), newAuthority(t)
	c := known(t, CertificateOptions{})
	ada := func(by *authority) tls.Certificate {
		return by.issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "ada"}})
	}
	for _, mode := range []tls.ClientAuthType{tls.RequestClientCert, tls.RequireAnyClientCert, tls.VerifyClientCertIfGiven, tls.RequireAndVerifyClientCert} {
		if p, err := through(t, c, mode, a, ada(stranger)); p.Known() || err == nil || errors.Is(err, ErrNoCredentials) {
			t.Errorf("%v: %+v, %v", mode, p, err)
		}
	}
	if p, err := through(t, c, tls.RequireAnyClientCert, a, ada(a)); p.Known() || err == nil { // right, and yet unchecked
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := through(t, c, tls.VerifyClientCertIfGiven, a, ada(a)); p.ID != "mtls|ada" || err != nil || p.Roles != nil || p.Scopes != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := through(t, c, tls.VerifyClientCertIfGiven, a); p.Known() || !errors.Is(err, ErrNoCredentials) {
		t.Errorf("without one: %+v, %v", p, err)
	}
	plain := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	plain.Header.Set("X-Forwarded-Client-Cert", "URI=spiffe://weather.example/desk")
	if p, err := c.Authenticate(plain, nil); p.Known() || !errors.Is(err, ErrNoCredentials) {
		t.Errorf("without TLS: %+v, %v", p, err)
	}
}

func request(leaf *x509.Certificate) *http.Request {
	return &http.Request{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}}}
}

func TestNoCertificateIsTakenThatCouldMeanSeveral(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	c := known(t, CertificateOptions{now: func() time.Time { return now }})
	in := func(from, to time.Duration, leaf x509.Certificate) *x509.Certificate {
		leaf.NotBefore, leaf.NotAfter = now.Add(from), now.Add(to)
		return &leaf
	}
	ada := x509.Certificate{Subject: pkix.Name{CommonName: "ada"}}
	for name, test := range map[string]struct {
		leaf *x509.Certificate
		want string // empty: refused
	}{
		"a URI":                 {in(-1, 1, x509.Certificate{URIs: uris(t, "spiffe://a/b")}), "spiffe://a/b"},
		"a DNS name":            {in(-1, 1, x509.Certificate{DNSNames: []string{"A.Example"}, Subject: pkix.Name{CommonName: "x"}}), "a.example"},
		"a common name":         {in(-1, 1, ada), "ada"},
		"two URIs":              {in(-1, 1, x509.Certificate{URIs: uris(t, "spiffe://a/b", "spiffe://a/c")}), ""},
		"a URI twice":           {in(-1, 1, x509.Certificate{URIs: uris(t, "spiffe://a/b", "spiffe://a/b")}), ""},
		"two DNS names":         {in(-1, 1, x509.Certificate{DNSNames: []string{"a.example", "b.example"}, Subject: pkix.Name{CommonName: "a.example"}}), ""},
		"a star":                {in(-1, 1, x509.Certificate{DNSNames: []string{"*.example"}}), ""},
		"nobody":                {in(-1, 1, x509.Certificate{EmailAddresses: []string{"ada@example"}}), ""},
		"a common name as URI":  {in(-1, 1, x509.Certificate{Subject: pkix.Name{CommonName: "spiffe://a/b"}}), ""},
		"on its last second":    {in(-1, 0, ada), "ada"},
		"expired":               {in(-2, -1, ada), ""},
		"not yet in force":      {in(1, 2, ada), ""},
		"expired while it held": {in(-time.Hour, -time.Second, ada), ""},
	} {
		p, err := c.Authenticate(request(test.leaf), nil)
		if p.Subject != test.want || (err == nil) != (test.want != "") || errors.Is(err, ErrNoCredentials) {
			t.Errorf("%s: %q, %v", name, p.Subject, err)
		}
	}
	for _, state := range []*tls.ConnectionState{{}, {PeerCertificates: []*x509.Certificate{&ada}, VerifiedChains: [][]*x509.Certificate{{}}}} {
		if p, err := c.Authenticate(&http.Request{TLS: state}, nil); p.Known() || err == nil {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

func TestNobodyIsGrantedWhatIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	ada := request(&x509.Certificate{Subject: pkix.Name{CommonName: "ada"}, NotAfter: time.Now().Add(time.Hour)})
	grants := map[string]Grant{"ada": {Roles: []string{"reader"}}}
	c := known(t, CertificateOptions{Issuer: "plant", Grants: grants})
	grants["ada"].Roles[0] = "admin"
	delete(grants, "ada")
	if p, err := c.Authenticate(ada, nil); err != nil || p.ID != "plant|ada" || !slices.Equal(p.Roles, []string{"reader"}) {
		t.Errorf("%+v, %v", p, err)
	}
	for name, options := range map[string]CertificateOptions{
		"another": {Grants: map[string]Grant{"Ada": {}}},
		"no one":  {Grants: map[string]Grant{}},
		"an error": {GrantFunc: func(string, *x509.Certificate) (Grant, error) {
			return Grant{Roles: []string{"admin"}}, errors.New("the directory is down")
		}},
	} {
		if p, err := known(t, options).Authenticate(ada, nil); p.Known() || p.Roles != nil || err == nil || errors.Is(err, ErrNoCredentials) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	asked := known(t, CertificateOptions{GrantFunc: func(subject string, certificate *x509.Certificate) (Grant, error) {
		return Grant{Scopes: []string{subject + certificate.Subject.CommonName}}, nil
	}})
	if p, err := asked.Authenticate(ada, nil); err != nil || !slices.Equal(p.Scopes, []string{"adaada"}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := NewClientCertificate(CertificateOptions{Grants: grants, GrantFunc: fixed(nil)}); err == nil || !strings.Contains(err.Error(), "choose one") {
		t.Errorf("%v", err)
	}
}
