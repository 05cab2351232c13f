package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// Bounds of a request.
const (
	requestTimeout = 3 * time.Second
	maxAnswer      = 1 << 20 // bytes
	maxConnections = 16
)

// A client sends single requests to a Vault, one attempt each: who calls knows whether a
// second one makes sense. It is safe for concurrent use.
type client struct {
	base      string // "https://vault.example.org:8200/v1/"
	namespace string
	http      *http.Client
	breaker   *breaker
}

func newClient(address string, o *Options) (*client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("vault: the address is not one of the form https://vault.example.org:8200")
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) && o.InsecurePlaintext == "" {
		return nil, errors.New("vault: the address is http: and not on this machine, so that anybody on the way could read every secret: use https, or give Options.InsecurePlaintext a reason")
	}
	transport := &http.Transport{
		// No proxy from the environment: a proxy would see the token of a plain
		// connection, and a Vault is next door.
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName},
		TLSHandshakeTimeout: o.Timeout, MaxIdleConnsPerHost: maxConnections, MaxConnsPerHost: maxConnections, IdleConnTimeout: time.Minute,
		ForceAttemptHTTP2: true,
		DialContext:       (&net.Dialer{Timeout: o.Timeout}).DialContext,
	}
	if o.CACert != nil {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(o.CACert) {
			return nil, errors.New("vault: Options.CACert holds no certificate in PEM")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &client{
		base: u.Scheme + "://" + u.Host + "/v1/", namespace: o.Namespace, breaker: &breaker{now: time.Now},
		http: &http.Client{
			Transport: transport, Timeout: o.Timeout,
			// A redirect would take the token to wherever it says.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// An answer is what Vault says to a request.
type answer struct {
	RequestID     string          `json:"request_id"`
	LeaseID       string          `json:"lease_id"`
	LeaseDuration int             `json:"lease_duration"` // seconds
	Renewable     bool            `json:"renewable"`
	Data          json.RawMessage `json:"data"`
	Auth          *auth           `json:"auth"`
	WrapInfo      json.RawMessage `json:"wrap_info"`
}

type auth struct {
	Token     string   `json:"client_token"`
	Accessor  string   `json:"accessor"`
	Lifetime  int      `json:"lease_duration"` // seconds; 0 for a token that does not end
	Renewable bool     `json:"renewable"`
	Policies  []string `json:"token_policies"`
}

// A refusal is an answer of Vault that is no success. It says nothing of what Vault
// said: that may quote a path, and a plugin's errors anything.
type refusal struct{ status int }

func (r *refusal) Error() string {
	switch r.status {
	case http.StatusForbidden:
		return "Vault denied it: the policies of the token do not allow it, or the token has ended"
	case http.StatusServiceUnavailable:
		return "Vault is sealed or in maintenance"
	}
	return fmt.Sprintf("Vault answered with the status %d", r.status)
}

// Is makes of what may be over in a while a [secrets.ErrUnavailable], and of what is not
// there a [secrets.ErrNotFound].
func (r *refusal) Is(target error) bool {
	switch target {
	case secrets.ErrUnavailable:
		return r.status == http.StatusTooManyRequests || r.status == http.StatusPreconditionFailed || r.status >= 500 ||
			(r.status >= 300 && r.status < 400) || r.status == 472 || r.status == 473
	case secrets.ErrNotFound:
		return r.status == http.StatusNotFound
	}
	return false
}

// unreachable says that no answer came. What the transport says of it may hold an
// address and is for the log.
type unreachable struct{ err error }

func (u *unreachable) Error() string        { return "Vault cannot be reached: " + u.err.Error() }
func (u *unreachable) Unwrap() error        { return u.err }
func (u *unreachable) Is(target error) bool { return target == secrets.ErrUnavailable }

// do sends one request. path is of our own making: its parts have been checked.
func (c *client) do(ctx context.Context, method, path string, token secrets.Secret, body any) (*answer, error) {
	if err := c.breaker.enter(); err != nil {
		return nil, err
	}
	begun := time.Now()
	a, err := c.send(ctx, method, path, token, body)
	// A caller who had no time, or went away, says nothing of Vault: else one tool of
	// little patience would close it to all others.
	gone := ctx.Err() != nil && (errors.Is(ctx.Err(), context.Canceled) || time.Since(begun) < c.http.Timeout/2)
	c.breaker.leave(err, gone)
	return a, err
}

func (c *client) send(ctx context.Context, method, path string, token secrets.Secret, body any) (*answer, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, errors.New("vault: a request could not be encoded")
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	req.Header.Set("X-Vault-Request", "true")
	if c.namespace != "" {
		req.Header.Set("X-Vault-Namespace", c.namespace)
	}
	if !token.IsZero() {
		if err := token.Use(func(b []byte) error { req.Header.Set("X-Vault-Token", string(b)); return nil }); err != nil {
			return nil, fmt.Errorf("vault: %w", err)
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		if inner, is := errors.AsType[*url.Error](err); is { // names the path
			err = inner.Err
		}
		return nil, &unreachable{err}
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, &unreachable{err}
	case len(raw) > maxAnswer:
		return nil, &unreachable{fmt.Errorf("what answers there sends more than %d bytes", maxAnswer)}
	case res.StatusCode/100 != 2:
		return nil, &refusal{res.StatusCode}
	}
	a := &answer{}
	if len(raw) > 0 && json.Unmarshal(raw, a) != nil {
		return nil, &unreachable{errors.New("what answers there is no Vault")}
	}
	return a, nil
}
