package arg_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate/arg"
)

type (
	noHosts  struct{}
	gopher   struct{}
	tooWide  struct{}
	within   struct{}
	anywhere struct{}
	named    struct{}
)

func (noHosts) URL() arg.URLOptions { return arg.URLOptions{} }
func (gopher) URL() arg.URLOptions {
	return arg.URLOptions{AnyHost: true, Schemes: []string{"https", "gopher"}}
}
func (tooWide) URL() arg.URLOptions { return arg.URLOptions{Hosts: []string{"*.org"}} }
func (within) URL() arg.URLOptions  { return arg.URLOptions{Hosts: []string{"127.0.0.1"}} }
func (anywhere) URL() arg.URLOptions {
	return arg.URLOptions{AnyHost: true, Schemes: []string{"http", "https", "ws", "wss"}, Ports: []int{22, 80, 443, 8080, 6379, 11211}}
}

func (named) URL() arg.URLOptions {
	return arg.URLOptions{Hosts: []string{"api.example.org", "*.docs.example.org", "9.9.9.9", "2620:fe::9"}, Ports: []int{8443}}
}

var errDialled = errors.New("dialled")

// Whatever of the corpus is taken leads to where its binding leads, by the handler's own
// client too.
func TestNoPayloadIsDialledWithinTheNetwork(t *testing.T) {
	t.Parallel()
	everywhere, _ := decoder[arg.URL[anywhere]](t)
	strictly, _ := decoder[arg.URL[named]](t)
	var dialled []string
	client := http.Client{Transport: &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, errDialled
	}}}
	taken, refused := 0, 0
	for _, payload := range payloads(t, "Server Side Request Forgery") {
		if u, err := strictly(payload); err == nil {
			t.Errorf("%q is taken for %s", payload, u)
		}
		for _, host := range []string{"", "http://"} {
			u, err := everywhere(host + payload)
			if err != nil {
				mustNotEcho(t, err, payload)
				refused++
				continue
			}
			taken++
			parsed, err := u.URL()
			if err != nil {
				t.Fatal(err)
			}
			if a := lenient(parsed.Hostname()); a != nil && !outsideAddress(a) || internalName(parsed.Hostname()) || parsed.User != nil {
				t.Errorf("%q is taken, and leads to %s", payload, parsed.Host)
			}
			dialled = nil
			request := &http.Request{Method: http.MethodGet, URL: parsed, Host: parsed.Host}
			if strings.HasPrefix(parsed.Scheme, "http") {
				if _, err := client.Do(request.WithContext(t.Context())); err != nil && len(dialled) != 1 {
					t.Errorf("%q: dialled %q, %v", payload, dialled, err)
				}
			}
			for _, address := range dialled {
				host, _, err := net.SplitHostPort(address)
				if err != nil || host != parsed.Hostname() || internalName(host) {
					t.Errorf("%q: dialled %q", payload, address)
				}
				if a := lenient(host); a != nil && !outsideAddress(a) {
					t.Errorf("%q: dialled %q", payload, address)
				}
			}
		}
	}
	t.Logf("%d taken, %d refused", taken, refused)
	if taken == 0 || refused < 1000 {
		t.Error("the test looks at too little")
	}
}

// lenient reads a host as inet_aton does, and as the URL Standard does; nil is a name.
func lenient(host string) net.IP {
	if ip := net.ParseIP(strings.Trim(host, "[].")); ip != nil {
		return ip
	}
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return nil
	}
	var value uint64
	for i, p := range parts {
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(p), "o"), 0, 64)
		if err != nil {
			return nil
		}
		if i == len(parts)-1 {
			value = value<<(8*(5-len(parts))) | n
		} else {
			value = value<<8 | n&255
		}
	}
	return net.IPv4(byte(value>>24), byte(value>>16), byte(value>>8), byte(value))
}

func outsideAddress(ip net.IP) bool {
	shared := net.IPNet{IP: net.IPv4(100, 64, 0, 0).To4(), Mask: net.CIDRMask(10, 32)}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip) && ip.String() != "168.63.129.16"
}

func internalName(host string) bool {
	return !strings.Contains(host, ".") && !strings.Contains(host, ":") || regexp.MustCompile(`(?i)(localhost|\.internal|\.local|\.localdomain)\.?$`).MatchString(host)
}

// Every notation of an address within, and what else a URL can hide.
func TestNoURLIsTakenThatLeadsElsewhere(t *testing.T) {
	t.Parallel()
	decode, _ := decoder[arg.URL[anywhere]](t)
	hosts := []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "0x7F.1", "0", "0.0.0.0", "00000000", "0x0", "0x",
		"127.0.0.1.", "127.0.0.1..", "1.1.1.1.", "127.0.0.01", "127.000.000.001", "256.256.256.256", "1.2.3.4.5", "1.1.1", "1.1", "example.1", "example.0x7f", "1e1.1",
		"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
		"[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:1.1.1.1]", "[::ffff:101:101]", "[0:0:0:0:0:ffff:127.0.0.1]",
		"[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::101:101]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:101:101::1]", "[2001:0:7f00:1::]", "[2001:db8::1]", "[3fff::1]",
		"[fc00::1]", "[fd00:ec2::254]", "[fd20:ce::254]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[2606:4700:4700::1111%25eth0]", "[2606:4700:4700::1111%eth0]", "[fec0::1]", "[ff02::1]", "[100::1]", "[5f00::1]",
		"::1", "2606:4700:4700::1111", "[1.1.1.1]", "[example.com]", "[", "]", "[]", "[::1", "::1]", "[v1.x]", "[2606:4700:4700::1111", "[2606:4700:4700:0:0:0:1.1.1.1]",
		"localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "ip6-localhost", "metadata", "metadata.google.internal", "printer.local", "router.home.arpa", "kubernetes.default.svc.local", "a.onion", "intranet", "a.corp",
		"ｅxample.com", "ⓔⓧⓐⓜⓟⓛⓔ.ⓒⓞⓜ", "１２７.0.0.1", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "①②⑦.⓪.⓪.①", "bücher.example.com", "exаmple.com", "example.com\u200b", "exa\u00admple.com",
		"%31%32%37.0.0.1", "example%2ecom", "127.0.0.1%00.example.com", "a b.com", "a_.-.com", "-a.com", "a-.com", ".example.com", "example..com", "example.com.", "*.example.com", strings.Repeat("a.", 127) + "com", strings.Repeat("a", 64) + ".com", "",
		"user@example.com", "user:password@example.com", "@example.com", ":@example.com", "example.com@127.0.0.1", "127.0.0.1@example.com", "example.com%40evil.com", `example.com\@evil.com`,
		"example.com:", "example.com:0", "example.com:81", "example.com:080", "example.com:+80", "example.com:-1", "example.com:65536", "example.com:99999999999999999999", "example.com:80:80", "example.com:http", "example.com:8 0", "example.com:８０", "1.1.1.1:25",
	}
	for _, host := range hosts {
		for _, scheme := range []string{"http", "https", "HTTP", "wss"} {
			for _, rest := range []string{"", "/", "/a?b#c"} {
				if host+rest == "example.com:80" || strings.Contains(host, ":443") {
					continue
				}
				if u, err := decode(scheme + "://" + host + rest); err == nil {
					t.Errorf("%s://%s%s is taken for %s", scheme, host, rest, u)
				}
			}
		}
	}
	for _, s := range []string{
		"", "example.com", "//example.com", "/a", "http:example.com", "http:/example.com", "http:///example.com", "http:\\\\example.com", "http://", "https", "https:", "://example.com",
		"ftp://example.com", "file:///etc/passwd", "gopher://example.com/", "javascript://example.com/%0aalert(1)", "data:text/html,x", "jar:http://example.com!/", "dict://example.com", "ldap://example.com", "netdoc:///etc/passwd", "http+unix://a.com", "httpss://example.com", "0://example.com;http://example.com:80/",
		" https://example.com", "https://example.com ", "https://example.com/ a", "https://example.com/\ta", "https://example.com/\n", "https://example.com/\r\nHost: a", "ht\ntps://example.com", "https://example.com/a\x00", "https://example.com/\u202e", "https://example.com/\U000e0041",
		"https://example.com/%", "https://example.com/%4", "https://example.com/%zz", "https://example.com/%00", "https://example.com/?%00", "https://example.com/?%zz", "https://example.com/#%zz", "https://example.com/%0d%0aa", "https://example.com/%7f",
		`https://example.com\a`, `https://example.com/\a`, "https://example.com/<a>", `https://example.com/"`, "https://example.com/?{a}", "https://example.com/a|b", "https://example.com/^", "https://example.com/`a`", "https://example.com/#a#b",
		"https://example.com" + strings.Repeat("/a", 1020),
	} {
		if u, err := decode(s); err == nil {
			t.Errorf("%q is taken for %s", s, u)
		}
	}
}

// What is named is taken, and nothing that looks like it.
func TestNoHostIsTakenThatIsNotNamed(t *testing.T) {
	t.Parallel()
	decode, schema := decoder[arg.URL[named]](t)
	for sent, want := range map[string]string{
		"https://api.example.org":                       "https://api.example.org/",
		"HTTPS://API.Example.ORG:443/A/./b/../c?Q=%7e#": "https://api.example.org/A/c?Q=~",
		"https://a.docs.example.org:8443/%61%2f%c3%a9é": "https://a.docs.example.org:8443/a%2F%C3%A9%C3%A9",
		"https://a.b.docs.example.org/?":                "https://a.b.docs.example.org/?",
		"https://9.9.9.9/..":                            "https://9.9.9.9/",
		"https://[2620:FE:0::9]/%2e%2e/%2E/a/":          "https://[2620:fe::9]/a/",
		"https://api.example.org?a=b":                   "https://api.example.org/?a=b",
		"https://api.example.org//a//b":                 "https://api.example.org//a//b",
	} {
		u, err := decode(sent)
		if err != nil || u.String() != want {
			t.Errorf("%q is %q, not %q: %v", sent, u, want, err)
			continue
		}
		parsed, err := u.URL()
		if err != nil || parsed.String() != want {
			t.Errorf("%q is parsed as %q: %v", sent, parsed, err)
		}
		parsed.Host = "127.0.0.1" // the caller's own
		if u.String() != want {
			t.Error("what the handler got changes what was read")
		}
		again, err := decode(want)
		if err != nil || again.String() != want {
			t.Errorf("%q is no normal form: %q, %v", want, again, err)
		}
	}
	for _, s := range []string{
		"http://api.example.org", "https://example.org", "https://docs.example.org", "https://xdocs.example.org", "https://api.example.org.evil.com", "https://evil.com/api.example.org", "https://api.example.org:8080",
		"https://api.example.org@evil.com", "https://evil.com#api.example.org", "https://evil.com?.docs.example.org", "https://.docs.example.org", "https://9.9.9.8", "https://[2620:fe::8]", "https://api-example.org", "https://*.docs.example.org",
	} {
		if u, err := decode(s); err == nil {
			t.Errorf("%q is taken for %s", s, u)
		}
	}
	_, err := decode("https://evil.com")
	if err == nil || !strings.Contains(err.Error(), "api.example.org, *.docs.example.org") || !strings.Contains(schema.Description, "api.example.org") {
		t.Errorf("what is taken is not said: %v, %q", err, schema.Description)
	}
	var unset arg.URL[named]
	if _, err := unset.URL(); !errors.Is(err, arg.ErrUnset) {
		t.Errorf("an unset URL is given: %v", err)
	}
	if parsed, err := url.Parse(unset.String()); err == nil && parsed.Host != "" {
		t.Error("an unset URL leads somewhere")
	}
	if err := (&arg.URL[noHosts]{}).UnmarshalText([]byte("https://example.org")); err == nil {
		t.Error("a URL is read that is bound to no hosts")
	}
	if !slices.Contains([]string{"iri"}, schema.Format) {
		t.Error(schema.Format)
	}
}
