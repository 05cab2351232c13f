package oauth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
)

var (
	_ access.Authenticator = (*ResourceServer)(nil)
	_ access.Authenticator = (*Assertion)(nil)
)

func TestNoWrongOptionIsTaken(t *testing.T) {
	t.Parallel()
	for field, changes := range map[string][]func(*Options){
		"Resource": {
			func(o *Options) { o.Resource = "" },
			func(o *Options) { o.Resource = "weather" },
			func(o *Options) { o.Resource = "/mcp" },
			func(o *Options) { o.Resource = "http://weather.example/mcp" },
			func(o *Options) { o.Resource = "https://weather.example/mcp#x" },
			func(o *Options) { o.Resource = "https://weather.example/mcp#" },
			func(o *Options) { o.Resource = "https://user:pass@weather.example/mcp" },
			func(o *Options) { o.Resource = "https://:443/mcp" },
			func(o *Options) { o.Resource = "http://127.0.0.1.evil.example/mcp" },
			func(o *Options) { o.Resource = "http://localhost.evil.example/mcp" },
		},
		"Issuer": {
			func(o *Options) { o.Issuer = "" },
			func(o *Options) { o.Issuer = "login.example" },
			func(o *Options) { o.Issuer = "http://login.example" },
			func(o *Options) { o.Issuer = "https://login.example?x" },
			func(o *Options) { o.Issuer = "https://login.example?" },
			func(o *Options) { o.Issuer = "ftp://localhost" },
		},
		"JWKSURL": {
			func(o *Options) { o.JWKSURL = "http://login.example/jwks" },
			func(o *Options) { o.JWKSURL = "file:///etc/keys" },
		},
		"Algorithms": {
			func(o *Options) { o.Algorithms = []string{"ES256", "HS256"} },
			func(o *Options) { o.Algorithms = []string{"none"} },
			func(o *Options) { o.Algorithms = []string{"None"} },
			func(o *Options) { o.Algorithms = []string{""} },
			func(o *Options) { o.Algorithms = []string{"es256"} },
			func(o *Options) { o.Algorithms = []string{"RSA-OAEP"} },
		},
		"Types": {
			func(o *Options) { o.Types = []string{"at+jwt", "jwt"} },
			func(o *Options) { o.Types = []string{""} },
			func(o *Options) { o.Types, o.InsecureAnyType = []string{"at+jwt"}, "both" },
		},
		"ClockSkew": {
			func(o *Options) { o.ClockSkew = -time.Second },
			func(o *Options) { o.ClockSkew = 5*time.Minute + 1 },
		},
		"MaxStale": {
			func(o *Options) { o.MaxStale = time.Second },
			func(o *Options) { o.MaxStale = 25 * time.Hour },
		},
		"MaxTokenBytes": {
			func(o *Options) { o.MaxTokenBytes = -1 },
			func(o *Options) { o.MaxTokenBytes = 1 << 20 },
		},
	} {
		for i, change := range changes {
			options := Options{Resource: resource, Issuer: "https://login.example"}
			change(&options)
			if s, err := NewResourceServer(options); err == nil || s != nil || !strings.Contains(err.Error(), "Options."+field) && !strings.Contains(err.Error(), field+" and") {
				t.Errorf("%s %d: %v", field, i, err)
			}
		}
	}
	for _, loop := range []string{"http://localhost:8080/mcp", "http://127.8.9.1/mcp", "http://[::1]:80/mcp", "https://weather.example:8443/mcp?x=1"} {
		if _, err := NewResourceServer(Options{Resource: loop, Issuer: "https://login.example/tenant/"}); err != nil {
			t.Errorf("%s: %v", loop, err)
		}
	}
}

func TestTheMetadataNamesTheIssuerAndNothingThatCanBeChanged(t *testing.T) {
	t.Parallel()
	scopes := []string{"weather.read"}
	s := must(NewResourceServer(Options{Resource: resource, Issuer: "https://login.example", Scopes: scopes, Name: "Weather"}))
	want := access.ResourceMetadata{
		Resource: resource, AuthorizationServers: []string{"https://login.example"}, ScopesSupported: []string{"weather.read"},
		BearerMethodsSupported: []string{"header"}, ResourceName: "Weather",
	}
	got := s.ResourceMetadata()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	scopes[0], got.ScopesSupported[0], got.AuthorizationServers[0], got.BearerMethodsSupported[0] = "x", "x", "x", "x"
	if !reflect.DeepEqual(s.ResourceMetadata(), want) {
		t.Error("the metadata changed")
	}
}

func TestAnAudienceOtherThanTheResourceReplacesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.Audience = "api://weather" })
	b.takes(t, b.token(map[string]any{"aud": "api://weather"}))
	b.refuses(t, b.token(nil), errAudience)
	if b.server.ResourceMetadata().Resource != resource {
		t.Error("clients are told of another resource")
	}
}

func assertionOptions(b *bench) AssertionOptions {
	return AssertionOptions{Header: "X-Goog-IAP-JWT-Assertion", Issuer: "https://cloud.google.com/iap", Audience: "/projects/1/apps/x", JWKSURL: b.URL + "/jwks", now: b.now}
}

func TestAGatewaysAssertionIsTakenFromItsHeaderAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := must(NewAssertion(assertionOptions(b)))
	good := map[string]any{"iss": "https://cloud.google.com/iap", "aud": "/projects/1/apps/x"}
	token := defaultKey.sign(`{"alg":"ES256","kid":"ec","typ":"JWT"}`, b.claims(good))
	authenticate := func(header string, values ...string) (access.Principal, error) {
		r := httptest.NewRequest(http.MethodPost, resource, nil)
		for _, v := range values {
			r.Header.Add(header, v)
		}
		return a.Authenticate(r, b.spend)
	}
	p, err := authenticate("x-goog-iap-jwt-assertion", token)
	if err != nil || p.ID != "https://cloud.google.com/iap|ada" || !p.ScopesFixed {
		t.Errorf("%+v, %v", p, err)
	}
	bad := func(change string, v any) string {
		c := map[string]any{"iss": good["iss"], "aud": good["aud"], change: v}
		return defaultKey.sign(`{"alg":"ES256","kid":"ec"}`, b.claims(c))
	}
	for name, c := range map[string]struct {
		header string
		values []string
		want   error
	}{
		"nothing":              {"X-Goog-IAP-JWT-Assertion", nil, access.ErrNoCredentials},
		"another header":       {"Authorization", []string{"Bearer " + token}, access.ErrNoCredentials},
		"two":                  {"X-Goog-IAP-JWT-Assertion", []string{token, token}, errTwice},
		"empty":                {"X-Goog-IAP-JWT-Assertion", []string{""}, errEmpty},
		"a scheme":             {"X-Goog-IAP-JWT-Assertion", []string{"Bearer " + token}, errEncoding},
		"another gateway":      {"X-Goog-IAP-JWT-Assertion", []string{bad("iss", "https://evil.example")}, errIssuer},
		"another customer's":   {"X-Goog-IAP-JWT-Assertion", []string{bad("aud", "/projects/2/apps/x")}, errAudience},
		"expired":              {"X-Goog-IAP-JWT-Assertion", []string{bad("exp", 1)}, errExpired},
		"a service of no name": {"X-Goog-IAP-JWT-Assertion", []string{bad("sub", "")}, errSubject},
		"signed by another":    {"X-Goog-IAP-JWT-Assertion", []string{signer{"ec", "ES256", ecOther}.sign(defaultKey.header(), b.claims(good))}, errSignature},
	} {
		if p, err := authenticate(c.header, c.values...); p.Known() || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if got := a.CredentialHeaders(); !slices.Equal(got, []string{"X-Goog-Iap-Jwt-Assertion"}) {
		t.Errorf("%q", got)
	}
}

func TestNoWrongAssertionOptionIsTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for field, change := range map[string]func(*AssertionOptions){
		"Header is empty":   func(o *AssertionOptions) { o.Header = "" },
		"Header is not":     func(o *AssertionOptions) { o.Header = "X Assertion" },
		"Header is one":     func(o *AssertionOptions) { o.Header = "authorization" },
		"Issuer is empty":   func(o *AssertionOptions) { o.Issuer = "" },
		"Audience is empty": func(o *AssertionOptions) { o.Audience = "" },
		"JWKSURL is empty":  func(o *AssertionOptions) { o.JWKSURL = "" },
		"JWKSURL has":       func(o *AssertionOptions) { o.JWKSURL = "http://gateway.example" },
		"Algorithms":        func(o *AssertionOptions) { o.Algorithms = []string{"HS256"} },
		"ClockSkew":         func(o *AssertionOptions) { o.ClockSkew = time.Hour },
	} {
		options := assertionOptions(b)
		change(&options)
		if a, err := NewAssertion(options); err == nil || a != nil || !strings.Contains(err.Error(), "AssertionOptions."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
