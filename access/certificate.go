package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Grant is what a subject with a certificate may do: a certificate says who it is
// and no more.
type Grant struct {
	Roles, Scopes []string
	Tenant        string
}

// CertificateOptions say what those with a client certificate may do. Without Grants
// and GrantFunc whoever has one is known, and has no role and no scope.
type CertificateOptions struct {
	// Issuer stands in the principals' IDs for whoever issues the certificates. Empty
	// is "mtls"; where several authorities are trusted by different endpoints, give
	// each a name.
	Issuer string
	// Grants are what each subject may do. A subject that is not in it is refused.
	Grants map[string]Grant
	// GrantFunc says what a subject may do, in place of Grants; an error refuses it. It
	// is safe for concurrent use, and does not change the certificate.
	GrantFunc func(subject string, certificate *x509.Certificate) (Grant, error)

	now func() time.Time // for tests
}

// A ClientCertificate takes the certificate by which a client authenticated itself to
// this server in TLS. It is an [Authenticator]; crypto/tls has checked the certificate
// against the server's ClientCAs, and that the client holds its key.
//
// The subject is the one URI among the certificate's alternative names, as SPIFFE has
// it (X509-SVID section 2), else the one DNS name, else the common name. Several URIs,
// or without one several DNS names, are nobody in particular and are refused.
type ClientCertificate struct {
	issuer string
	grant  func(subject string, certificate *x509.Certificate) (Grant, error)
	now    func() time.Time
}

// NewClientCertificate returns an authenticator for client certificates. The error says
// which option is wrong.
func NewClientCertificate(options CertificateOptions) (*ClientCertificate, error) {
	c := &ClientCertificate{issuer: options.Issuer, grant: options.GrantFunc, now: options.now}
	switch {
	case options.Grants != nil && options.GrantFunc != nil:
		return nil, errors.New("access: CertificateOptions has both Grants and GrantFunc: choose one")
	case options.Grants != nil:
		c.grant = fixed(options.Grants)
	case options.GrantFunc == nil:
		c.grant = func(string, *x509.Certificate) (Grant, error) { return Grant{}, nil }
	}
	if c.issuer == "" {
		c.issuer = "mtls"
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// fixed grants what a table says, as it is now.
func fixed(grants map[string]Grant) func(string, *x509.Certificate) (Grant, error) {
	grants = maps.Clone(grants)
	for subject, g := range grants {
		g.Roles, g.Scopes = slices.Clone(g.Roles), slices.Clone(g.Scopes)
		grants[subject] = g
	}
	return func(subject string, _ *x509.Certificate) (Grant, error) {
		if g, ok := grants[subject]; ok {
			return g, nil
		}
		return Grant{}, errors.New("access: nothing is granted to the certificate's subject")
	}
}

// Authenticate returns the principal that the connection's client certificate names;
// see [Authenticator]. The work was done when the connection began, so nothing is spent.
func (c *ClientCertificate) Authenticate(r *http.Request, _ func() error) (Principal, error) {
	certificate, err := verified(r.TLS)
	if err != nil {
		return Principal{}, err
	}
	// A connection can outlive the certificate that opened it.
	if now := c.now(); now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
		return Principal{}, errors.New("access: the client's certificate is not in force")
	}
	subject, err := subjectOf(certificate)
	if err != nil {
		return Principal{}, err
	}
	grant, err := c.grant(subject, certificate)
	if err != nil {
		return Principal{}, err
	}
	p := NewPrincipal(c.issuer, subject)
	p.Roles, p.Scopes, p.Tenant = grant.Roles, grant.Scopes, grant.Tenant
	p.ScopesFixed, p.Expires = true, certificate.NotAfter
	return p, nil
}

// CredentialHeaders is nothing: what a gateway writes of certificates into a header is
// not read, since any client could write it too.
func (c *ClientCertificate) CredentialHeaders() []string { return nil }

// verified returns the client's certificate. PeerCertificates alone prove nothing: with
// tls.RequestClientCert or tls.RequireAnyClientCert nobody has checked them.
func verified(state *tls.ConnectionState) (*x509.Certificate, error) {
	switch {
	case state == nil || len(state.PeerCertificates) == 0:
		return nil, ErrNoCredentials
	case len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0:
		return nil, errors.New("access: the client's certificate was not verified: set ClientAuth to tls.VerifyClientCertIfGiven or tls.RequireAndVerifyClientCert, and ClientCAs")
	}
	return state.VerifiedChains[0][0], nil
}

// subjectOf returns whom a certificate is about. A common name, which authorities check
// least, does not pass for a URI, nor a DNS name with a star for anybody.
func subjectOf(c *x509.Certificate) (string, error) {
	switch {
	case len(c.URIs) > 1:
		return "", fmt.Errorf("access: the client's certificate has %d URIs, and could mean any of them", len(c.URIs))
	case len(c.URIs) == 1:
		return c.URIs[0].String(), nil
	case len(c.DNSNames) > 1:
		return "", fmt.Errorf("access: the client's certificate has %d DNS names, and could mean any of them", len(c.DNSNames))
	case len(c.DNSNames) == 1 && strings.Contains(c.DNSNames[0], "*"):
		return "", errors.New("access: the client's certificate is for many DNS names")
	case len(c.DNSNames) == 1:
		return strings.ToLower(c.DNSNames[0]), nil // DNS names have no case (RFC 4343)
	case c.Subject.CommonName == "":
		return "", errors.New("access: the client's certificate names nobody")
	case strings.ContainsAny(c.Subject.CommonName, ":/"):
		return "", errors.New("access: the common name of the client's certificate looks like a URI")
	}
	return c.Subject.CommonName, nil
}
