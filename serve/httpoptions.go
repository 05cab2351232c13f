package serve

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/limit"
)

// HTTPOptions say how a server is run over HTTP. Every zero field is a safe default;
// who is let in has to be said, in Authenticators or InsecureAnonymous.
type HTTPOptions struct {
	// Address is where [HTTP] listens, host:port; empty is 127.0.0.1:8080. Other than
	// on loopback it does not start without Authenticators.
	Address string
	// Listening, if set, is called with the address once HTTP listens, which tells
	// the port where Address leaves that open.
	Listening func(net.Addr)
	// Path is that of the endpoint; empty is /mcp.
	Path string

	// Authenticators say who calls. They are asked in order; the first that finds
	// credentials of its kind decides. Without credentials nobody is let in.
	Authenticators []access.Authenticator
	// InsecureAnonymous gives the reason why nobody has to say who calls. The caller is
	// then the principal "anonymous|ADDRESS", and requests that do not arrive over
	// loopback are refused. The reason is audited at start.
	InsecureAnonymous string

	// Hosts are the names under which clients reach the server, as a Host header has
	// them, with or without a port. Loopback names are always taken over loopback,
	// and the host of Address if it names one. A server that listens on all addresses
	// must be told: a page whose name is made to resolve to the server (DNS
	// rebinding) is told apart by nothing else.
	Hosts []string
	// Origins are the web origins whose pages may call, "https://app.example.com".
	// They get the CORS headers that they need. All others are refused.
	Origins []string
	// TrustedProxies are the gateways whose word for the caller's address is taken.
	TrustedProxies []netip.Prefix
	// ForwardedHeader is where they write it: X-Forwarded-For, which is meant when it
	// is empty, or Forwarded (RFC 7239). The other one is ignored: a gateway that
	// writes one passes on what its clients write into the other.
	ForwardedHeader string

	// CertFile and KeyFile are PEM files of the server's certificate. They are read
	// anew when they change. ClientCAFile has the authorities whose client
	// certificates are verified; whether a caller needs one is for the
	// Authenticators to say.
	CertFile, KeyFile, ClientCAFile string

	// BodyBytes bounds a request's body; zero is 4 MiB. Depth bounds how deep it is
	// nested; zero is 128.
	BodyBytes, Depth int
	// Bodies bounds the bytes of all bodies held at once, of which one caller may have
	// a quarter; zero is 64 MiB.
	Bodies int
	// Requests bounds how many requests run at once, open streams among them, and
	// CallerRequests how many of one caller; zero is 2048 and 128.
	Requests, CallerRequests int
	// Connections bounds the connections of HTTP; zero is 4096.
	Connections int
	// Sessions bounds the sessions of clients older than 2026-07-28; zero is 10,000.
	// One more of a caller who has CallerSessions, zero is 64, ends the one that
	// caller used least recently. A session ends when it was not used for SessionIdle,
	// zero is 30 minutes, and after SessionLifetime, zero is 24 hours.
	Sessions, CallerSessions     int
	SessionIdle, SessionLifetime time.Duration
	// AddressRate bounds what one address may spend before anybody knows who it is:
	// credentials that are wrong, or whose check costs something. Zero is 200 in 10
	// seconds. IPv6 addresses count by their /64.
	AddressRate limit.Rate
	// CallerRate bounds the requests of one caller, of every kind; zero is 3000 in 10
	// seconds.
	CallerRate limit.Rate
	// Limiter counts against these rates; nil counts in this process.
	Limiter limit.Limiter
	// HeaderTimeout, BodyTimeout and WriteTimeout bound how long a client may take to
	// send its headers and a body, and to take a part of an answer; zero is 10, 30 and
	// 30 seconds. IdleTimeout bounds how long a connection is kept between requests;
	// zero is 2 minutes.
	HeaderTimeout, BodyTimeout, WriteTimeout, IdleTimeout time.Duration
	// Drain is how long calls that run when the server is told to end may take to be
	// answered; zero is 10 seconds.
	Drain time.Duration
	// IgnoreSignals leaves SIGINT and SIGTERM to the program, which ends the server
	// through the context.
	IgnoreSignals bool

	hosts, origins map[string]bool
	loopback       bool // it is known to listen there
}

const defaultAddress = "127.0.0.1:8080"

// complete checks the options and fills in the defaults. The words of an error begin
// with the field that is wrong.
func (o *HTTPOptions) complete() (*HTTPOptions, error) {
	var out HTTPOptions
	if o != nil {
		out = *o
	}
	switch {
	case len(out.Authenticators) == 0 && out.InsecureAnonymous == "":
		return nil, errors.New("serve: HTTPOptions.Authenticators is empty, so nobody could call: give one of package access or its sub-packages, or say in InsecureAnonymous why callers on this machine need not say who they are")
	case len(out.Authenticators) > 0 && out.InsecureAnonymous != "":
		return nil, errors.New("serve: HTTPOptions has both Authenticators and InsecureAnonymous: choose one")
	case slices.Contains(out.Authenticators, nil):
		return nil, errors.New("serve: one of HTTPOptions.Authenticators is nil")
	case (out.CertFile == "") != (out.KeyFile == ""):
		return nil, errors.New("serve: HTTPOptions.CertFile and KeyFile go together")
	case out.ClientCAFile != "" && out.CertFile == "":
		return nil, errors.New("serve: HTTPOptions.ClientCAFile needs CertFile and KeyFile: client certificates come with TLS")
	case out.Path != "" && (out.Path[0] != '/' || strings.ContainsAny(out.Path, "?# ")):
		return nil, errors.New("serve: HTTPOptions.Path begins with a slash and has no query")
	case out.Path == healthPath || out.Path == readyPath || strings.HasPrefix(out.Path, wellKnownPath):
		return nil, errors.New("serve: HTTPOptions.Path is one that the endpoint answers itself: choose another")
	}
	for name, n := range map[string]int64{
		"BodyBytes": int64(out.BodyBytes), "Depth": int64(out.Depth), "Bodies": int64(out.Bodies),
		"Requests": int64(out.Requests), "CallerRequests": int64(out.CallerRequests), "Connections": int64(out.Connections),
		"Sessions": int64(out.Sessions), "CallerSessions": int64(out.CallerSessions),
		"SessionIdle": int64(out.SessionIdle), "SessionLifetime": int64(out.SessionLifetime),
		"HeaderTimeout": int64(out.HeaderTimeout), "BodyTimeout": int64(out.BodyTimeout), "WriteTimeout": int64(out.WriteTimeout),
		"IdleTimeout": int64(out.IdleTimeout), "Drain": int64(out.Drain),
		"AddressRate": min(int64(out.AddressRate.Count), int64(out.AddressRate.Per)),
		"CallerRate":  min(int64(out.CallerRate.Count), int64(out.CallerRate.Per)),
	} {
		if n < 0 {
			return nil, fmt.Errorf("serve: HTTPOptions.%s is negative; zero is the default", name)
		}
	}
	zero(&out.Path, "/mcp")
	zero(&out.Address, defaultAddress)
	zero(&out.BodyBytes, defaultFrame)
	zero(&out.Depth, defaultDepth)
	zero(&out.Bodies, 64<<20)
	zero(&out.Requests, 2048)
	zero(&out.CallerRequests, 128)
	zero(&out.Connections, 4096)
	zero(&out.Sessions, 10_000)
	zero(&out.CallerSessions, 64)
	zero(&out.SessionIdle, 30*time.Minute)
	zero(&out.SessionLifetime, 24*time.Hour)
	zero(&out.AddressRate, limit.Rate{Count: 200, Per: 10 * time.Second})
	zero(&out.CallerRate, limit.Rate{Count: 3000, Per: 10 * time.Second})
	zero(&out.HeaderTimeout, 10*time.Second)
	zero(&out.BodyTimeout, 30*time.Second)
	zero(&out.WriteTimeout, 30*time.Second)
	zero(&out.IdleTimeout, 2*time.Minute)
	zero(&out.Drain, defaultDrain)
	if out.Limiter == nil {
		out.Limiter = new(limit.Buckets)
	}
	zero(&out.ForwardedHeader, "X-Forwarded-For")
	out.ForwardedHeader = textproto.CanonicalMIMEHeaderKey(out.ForwardedHeader)
	if out.ForwardedHeader != "X-Forwarded-For" && out.ForwardedHeader != "Forwarded" {
		return nil, errors.New("serve: HTTPOptions.ForwardedHeader is X-Forwarded-For or Forwarded")
	}
	return &out, out.names()
}

func zero[T comparable](field *T, is T) {
	var nothing T
	if *field == nothing {
		*field = is
	}
}

// names puts hosts and origins into the form in which they are looked up.
func (o *HTTPOptions) names() error {
	o.hosts, o.origins = map[string]bool{}, map[string]bool{}
	for _, h := range o.Hosts {
		name := strings.ToLower(h)
		if name == "" || strings.ContainsAny(name, "/*@ ") {
			return errors.New("serve: HTTPOptions.Hosts are host names, with or without a port, as a Host header has them; without a scheme, path or pattern")
		}
		o.hosts[name] = true
	}
	for _, origin := range o.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.Scheme+"://"+u.Host != origin {
			return errors.New("serve: HTTPOptions.Origins are web origins, scheme://host or scheme://host:port, without a path or a pattern")
		}
		o.origins[strings.ToLower(origin)] = true
	}
	return nil
}

// listens takes from the address what it says of names, and holds it against who is
// let in.
func (o *HTTPOptions) listens() error {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return fmt.Errorf("serve: HTTPOptions.Address is host:port: %w", err)
	}
	if o.loopback = isLoopback(host); o.loopback {
		return nil
	}
	if o.InsecureAnonymous != "" {
		return fmt.Errorf("serve: %s is not a loopback address, so callers have to say who they are: give HTTPOptions.Authenticators instead of InsecureAnonymous", o.Address)
	}
	ip, err := netip.ParseAddr(host)
	everywhere := host == "" || (err == nil && ip.IsUnspecified())
	if everywhere && len(o.hosts) == 0 {
		return fmt.Errorf("serve: %s is every address of this machine, so HTTPOptions.Hosts has to say by which names clients reach it", o.Address)
	}
	if !everywhere {
		o.hosts[strings.ToLower(host)] = true
	}
	return nil
}

// isLoopback says whether a host is a loopback name or address.
func isLoopback(host string) bool {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
