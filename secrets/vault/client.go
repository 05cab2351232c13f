package vault

import (
	"bytes"
	"cmp"
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
	"sync"
	"sync/atomic"
	"syscall"
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

	engines string       // paths under it are an engine's, see behind
	slow    *http.Client // for those, whose requests would take all connections from others
	mu      sync.Mutex
	apart   map[string]*breaker // of those paths
	heard   atomic.Int64        // when Vault last answered as it should, in nanoseconds
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
		DialContext: (&net.Dialer{Timeout: o.Timeout}).DialContext,
		// HTTP/1 alone: a request that times out ends its connection, where HTTP/2 goes on
		// using one that nothing comes back on; and GODEBUG=http2debug=1 shows tokens.
		Protocols: http1(),
	}
	if u.Scheme == "http" && o.InsecurePlaintext == "" {
		transport.DialContext = (&net.Dialer{Timeout: o.Timeout, Control: onlyHere}).DialContext
	}
	if o.CACert != nil {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(o.CACert) {
			return nil, errors.New("vault: Options.CACert holds no certificate in PEM")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	c := &client{
		base: u.Scheme + "://" + u.Host + "/v1/", namespace: o.Namespace, breaker: &breaker{now: time.Now},
		engines: o.DatabaseMount + "/creds/", apart: map[string]*breaker{},
		http: &http.Client{
			Transport: transport, Timeout: o.Timeout,
			// A redirect would take the token to wherever it says.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	slow := *c.http
	slow.Transport, c.slow = transport.Clone(), &slow
	return c, nil
}

// behind says that there is more than Vault behind a path: a database, which has users made,
// kept and taken away.
func (c *client) behind(path string) bool {
	return c.engines != "" && (strings.HasPrefix(path, c.engines) || path == renewLease || path == revokeLease)
}

// Where a lease is extended, and ended.
const (
	renewLease  = "sys/leases/renew"
	revokeLease = "sys/leases/revoke"
)

// by is what sends the requests for a path.
func (c *client) by(path string) *http.Client {
	if c.behind(path) {
		return c.slow
	}
	return c.http
}

// idle closes the connections that nobody uses.
func (c *client) idle() {
	c.http.CloseIdleConnections()
	c.slow.CloseIdleConnections()
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// onlyHere refuses to connect to another machine: "localhost" is what the system's
// resolver makes of it.
func onlyHere(_, address string, _ syscall.RawConn) error {
	host, _, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errors.New("the address is http: and leads to another machine than this one")
	}
	return nil
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

// seconds is a time that Vault gives, from none to a century: more would overflow, and so
// be over already, or never.
func seconds(n int) time.Duration {
	const century = 100 * 365 * 24 * 60 * 60
	return time.Duration(min(max(int64(n), 0), century)) * time.Second
}

type auth struct {
	Token     string `json:"client_token"`
	Accessor  string `json:"accessor"`
	Lifetime  int    `json:"lease_duration"` // seconds; 0 for a token that does not end
	Renewable bool   `json:"renewable"`
	// Policies are all that the token has, those of its identity among them.
	Policies []string `json:"policies"`
	// Metadata is what the method of the login knows: an AppRole's or a JWT's role.
	Metadata map[string]string `json:"metadata"`

	parent *token // whose child it is, where it was not a login
}

// role returns the role that logged in, empty where Vault does not say.
func (a *auth) role() string { return cmp.Or(a.Metadata["role_name"], a.Metadata["role"]) }

// unreachable says that no answer came. What the transport says of it may hold an
// address and is for the log.
type unreachable struct{ err error }

func (u *unreachable) Error() string        { return "Vault cannot be reached: " + u.err.Error() }
func (u *unreachable) Unwrap() error        { return u.err }
func (u *unreachable) Is(target error) bool { return target == secrets.ErrUnavailable }

// do sends one request. path is of our own making: its parts have been checked.
func (c *client) do(ctx context.Context, method, path string, token secrets.Secret, body any) (*answer, error) {
	apart := c.breakerOf(path)
	if err := apart.enter(); err != nil {
		return nil, err
	}
	if err := c.breaker.enter(); err != nil {
		apart.leave(nil, true)
		return nil, err
	}
	begun := time.Now()
	a, err := c.send(ctx, method, path, token, body)
	// A caller who had no time, or went away, says nothing of Vault: else one tool of
	// little patience would close it to all others.
	gone := ctx.Err() != nil && (errors.Is(ctx.Err(), context.Canceled) || time.Since(begun) < c.http.Timeout/2)
	r, answered := errors.AsType[*refusal](err)
	if err == nil || (answered && !r.passing()) {
		c.heard.Store(time.Now().UnixNano())
	}
	if apart == nil || (answered && r.trouble()) {
		c.breaker.leave(err, gone)
		apart.leave(nil, true)
		return a, err
	}
	c.breaker.leave(nil, gone || err != nil)
	apart.leave(err, gone)
	return a, err
}

// mostApart bounds the breakers of single paths.
const mostApart = 1024

// breakerOf is the breaker of a path behind which there is more than Vault, such as a
// database: one that does not answer must not close Vault to what needs another. It is nil
// for the others.
func (c *client) breakerOf(path string) *breaker {
	if !c.behind(path) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.apart[path]
	if b == nil {
		if len(c.apart) >= mostApart {
			return nil
		}
		b = &breaker{now: c.breaker.now}
		c.apart[path] = b
	}
	return b
}

// A silent context has the end of another and none of its values: a trace of HTTP
// (net/http/httptrace) among those is told every header, and so the token.
type silent struct{ context.Context } //nolint:containedctx // it is one

// Value returns nil.
func (silent) Value(any) any { return nil }

func (c *client) send(ctx context.Context, method, path string, token secrets.Secret, body any) (*answer, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, errors.New("vault: a request could not be encoded")
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(silent{ctx}, method, c.base+path, reader)
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
	res, err := c.by(path).Do(req)
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
		return nil, refused(res.StatusCode, res.Header, raw)
	}
	a := &answer{}
	if len(raw) > 0 && json.Unmarshal(raw, a) != nil {
		return nil, &unreachable{errors.New("what answers there is no Vault")}
	}
	return a, nil
}
