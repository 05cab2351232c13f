package arg

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/safemcp/safemcp/validate"
)

// A URLBinding says where the URLs of one kind lead. It is asked whenever one is
// decoded, of a zero value.
type URLBinding interface{ URL() URLOptions }

// URLOptions are the URLs that are taken. The zero value takes none.
type URLOptions struct {
	// Schemes are some of https, http, wss and ws; none is https alone.
	Schemes []string
	// Hosts are names in lower case ("api.example.org"), names below one
	// ("*.example.org", which is not example.org itself), and public addresses, without
	// brackets. Names of other scripts are in their xn-- form.
	Hosts []string
	// AnyHost takes every public address, and every name but those that are never
	// public: single labels, what ends in localhost, local, internal, svc, home.arpa and
	// the like, or in what is no top-level domain's form, as kube-system. Hosts that the program has to reach are better named.
	AnyHost bool
	// Ports are taken beside the scheme's own.
	Ports []int
}

// A URL is an absolute URL of a scheme, a host and a port that its binding takes, without
// a user or password.
//
// A host that is an address is written in its one usual form (RFC 5952, and four decimal
// numbers), and is public: not loopback, private, shared, link-local, multicast,
// documentation, a transition mechanism that wraps another address (mapped, NAT64, 6to4,
// Teredo), nor the address at which a cloud answers its machines. A host that ends in a
// number is an address, as in the URL Standard of WHATWG, so that 2130706433, 0x7f.1 and
// 127.1 are none that is taken. Names are ASCII.
//
// A URL is normalised once (RFC 3986, section 6.2.2): scheme and host in lower case, no
// port that is the scheme's own, dot segments removed, percent-encoding where it is needed
// alone. That form, and no other text, is what the handler gets.
//
// A name that is taken can still have an address within, now or at the next query, and
// its host can redirect: whoever connects has to look at the address that is dialled,
// and at each redirect (Server-Side Request Forgery, DNS rebinding).
type URL[B URLBinding] struct {
	set  bool
	text string
}

// maxURL bounds a URL, in characters.
const maxURL = 2048

// schemePorts are the schemes that lead to hosts and nowhere else, and their ports.
var schemePorts = map[string]int{"https": 443, "http": 80, "wss": 443, "ws": 80}

// options are those of the binding, with their defaults.
func (URL[B]) options() (URLOptions, error) {
	o, err := ask(func() URLOptions { var b B; return b.URL() })
	if err != nil {
		return o, err
	}
	if len(o.Schemes) == 0 {
		o.Schemes = []string{"https"}
	}
	if len(o.Hosts) == 0 && !o.AnyHost {
		return o, errors.New("it is bound to no hosts: let its binding's URL name Hosts, or say AnyHost")
	}
	return o, nil
}

// check looks at what the author of a binding wrote, when a tool is registered. What it
// would refuse takes no URL either.
func (o *URLOptions) check() error {
	for _, s := range o.Schemes {
		if schemePorts[s] == 0 {
			return fmt.Errorf("the scheme %q is none of https, http, wss and ws", s)
		}
	}
	for _, h := range o.Hosts {
		name, below := strings.CutPrefix(h, "*.")
		kind, canonical, err := hostKind(name)
		if err != nil || name != canonical || below && (kind != hostName || !strings.Contains(name, ".")) {
			return fmt.Errorf("the host %q is no name in lower case, no *. before one of two labels or more, and no public address as it is usually written", h)
		}
	}
	for _, p := range o.Ports {
		if p < 1 || p > 65535 {
			return fmt.Errorf("the port %d is none", p)
		}
	}
	return nil
}

// taken says what URLs are taken, in words.
func (o *URLOptions) taken() string {
	s := "an absolute URL that begins with " + strings.Join(o.Schemes, ":// or ") + "://"
	switch {
	case o.AnyHost:
		s += " and the public name or address of a host"
	case len(o.Hosts) <= 50:
		s += " and one of the hosts " + strings.Join(o.Hosts, ", ")
	default:
		s += fmt.Sprintf(" and one of %d hosts, among them %s", len(o.Hosts), strings.Join(o.Hosts[:50], ", "))
	}
	s += "; no user or password, no address within a network, "
	if len(o.Ports) == 0 {
		return s + "no other port than the usual one"
	}
	ports := make([]string, len(o.Ports))
	for i, p := range o.Ports {
		ports[i] = strconv.Itoa(p)
	}
	return s + "no other port than the usual one and " + strings.Join(ports, ", ")
}

// ArgumentSchema implements [validate.Described]. It fails where the binding names no
// host, or something that is none.
func (u URL[B]) ArgumentSchema() (json.RawMessage, error) {
	o, err := u.options()
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return nil, err
	}
	schemes := make([]string, len(o.Schemes))
	for i, s := range o.Schemes {
		for _, c := range s { // schemes are read in either case
			schemes[i] += fmt.Sprintf("[%c%c]", c-'a'+'A', c)
		}
	}
	return aSchema{
		Pattern:     `^(` + strings.Join(schemes, "|") + `)://[A-Za-z0-9._:\[\]\-]+([/?#][^\\ "<>^` + "`" + `{|}` + controls + `]*)?$`,
		Format:      "iri",
		MaxLength:   maxURL,
		Description: o.taken(),
	}.raw()
}

// UnmarshalText reads a URL. Nothing is resolved. An error leaves u unset.
func (u *URL[B]) UnmarshalText(sent []byte) error {
	*u = URL[B]{}
	o, err := u.options()
	if err != nil {
		return err
	}
	s := string(sent)
	switch {
	case s == "" || longer(s, maxURL):
		return atMost(maxURL)
	case unseen(s):
		return errInvisible
	}
	text, ok := o.normal(s)
	if !ok {
		return validate.Refuse("must be " + o.taken() + "; other characters than those of URLs are percent-encoded")
	}
	u.set, u.text = true, text
	return nil
}

// normal takes a URL apart, holds its parts against what is taken, and puts it together
// again. Then it is parsed as the handler will, so that the two readings are one.
func (o *URLOptions) normal(s string) (string, bool) {
	scheme, rest, found := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !found || schemePorts[scheme] == 0 || !slices.Contains(o.Schemes, scheme) {
		return "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, port, ok := o.authority(scheme, rest[:end])
	if !ok {
		return "", false
	}
	path, fragment, _ := strings.Cut(rest[end:], "#")
	path, query, hasQuery := strings.Cut(path, "?")
	var parts [3]string
	for i, part := range []string{path, query, fragment} {
		if parts[i], ok = encoded(part, i == 0); !ok {
			return "", false
		}
	}
	text := scheme + "://" + host
	if port != "" {
		text += ":" + port
	}
	authority := text[len(scheme)+len("://"):]
	text += withoutDots(parts[0])
	if hasQuery {
		text += "?" + parts[1]
	}
	if fragment != "" {
		text += "#" + parts[2]
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != scheme || parsed.Host != authority || parsed.User != nil || parsed.String() != text {
		return "", false
	}
	return text, true
}

// authority takes host and port apart. The port is "" where it is the scheme's own.
func (o *URLOptions) authority(scheme, s string) (host, port string, ok bool) {
	host = strings.ToLower(s)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
		n, err := strconv.Atoi(port)
		if err != nil || port != strconv.Itoa(n) {
			return "", "", false
		}
		if n == schemePorts[scheme] {
			port = ""
		} else if !slices.Contains(o.Ports, n) {
			return "", "", false
		}
	}
	bare, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		if bare, ok = strings.CutSuffix(bare, "]"); !ok {
			return "", "", false
		}
	}
	kind, canonical, err := hostKind(bare)
	if err != nil || bracketed != (kind == hostIPv6) || !o.allows(kind, canonical) {
		return "", "", false
	}
	if bracketed {
		return "[" + canonical + "]", port, true
	}
	return canonical, port, true
}

// allows says that a host is taken, which is a name or a public address already.
func (o *URLOptions) allows(kind hostForm, host string) bool {
	for _, h := range o.Hosts {
		below, wild := strings.CutPrefix(h, "*")
		if host == h || wild && kind == hostName && strings.HasPrefix(below, ".") && strings.HasSuffix(host, below) {
			return true
		}
	}
	return o.AnyHost && (kind != hostName || publicName(host))
}

// URL returns what was read, parsed. It is the caller's own copy.
func (u URL[B]) URL() (*url.URL, error) {
	if !u.set {
		return nil, ErrUnset
	}
	parsed, err := url.Parse(u.text)
	if err != nil { // it was parsed when it was read
		return nil, ErrUnset
	}
	return parsed, nil
}

// IsZero says that the argument was not given.
func (u URL[B]) IsZero() bool { return !u.set }

// String returns the URL in its normal form. Of an unset one it returns "(unset)", which
// is no URL.
func (u URL[B]) String() string {
	if !u.set {
		return "(unset)"
	}
	return u.text
}

// MarshalText returns the URL in its normal form, for an answer that holds it.
func (u URL[B]) MarshalText() ([]byte, error) { return []byte(u.text), nil }
