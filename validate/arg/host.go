package arg

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// A hostForm is what the host of a URL is.
type hostForm uint8

const (
	hostName hostForm = iota
	hostIPv4
	hostIPv6
)

var errHost = errors.New("it is no host that is taken")

// labels are those of a name (RFC 952 and 1123, with the underscore that services have).
var labels = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// endsInNumber is how the URL Standard of WHATWG tells an address from a name: by the
// last label, whatever the others are. Readers of URLs have taken each of these forms.
var endsInNumber = regexp.MustCompile(`(^|\.)([0-9]+|0x[0-9a-f]*)$`)

// hostKind says what a host is, without brackets, and how it is written.
func hostKind(s string) (hostForm, string, error) {
	s = strings.ToLower(s)
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		if err != nil || !a.Is6() || a.Zone() != "" || strings.Contains(s, ".") || !public(a) {
			return 0, "", errHost
		}
		return hostIPv6, a.String(), nil
	}
	if endsInNumber.MatchString(s) {
		a, err := netip.ParseAddr(s) // four decimal numbers without leading zeros
		if err != nil || !a.Is4() || !public(a) {
			return 0, "", errHost
		}
		return hostIPv4, a.String(), nil
	}
	if len(s) > 253 || !labels.MatchString(s) {
		return 0, "", errHost
	}
	return hostName, s, nil
}

// neverPublic are names that no public DNS answers: RFC 6761, 6762, 7686, 8375, 9476, what
// ICANN keeps for private use, and what networks and clusters have used for long.
var neverPublic = []string{
	"localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa",
	"test", "invalid", "onion", "alt", "svc", "consul", "docker",
}

// topLevel is the last label of a name in the public DNS (RFC 3696, section 2, and IDNA).
// vault.kube-system is a name that a cluster's own search finds.
var topLevel = regexp.MustCompile(`\.([a-z]{2,}|xn--[a-z0-9-]+)$`)

// publicName says that a name may be one of the public DNS.
func publicName(host string) bool {
	return topLevel.MatchString(host) && !slices.ContainsFunc(neverPublic, func(last string) bool {
		return host == last || strings.HasSuffix(host, "."+last)
	})
}

// global is what IPv6 has for unicast so far (RFC 4291, section 2.4).
var global = netip.MustParsePrefix("2000::/3")

// special are addresses that are not to be reached from anywhere, or not what they seem:
// the registries of IANA for special-purpose addresses (RFC 6890), multicast, and the
// address of Azure's own services, which only its machines reach.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// public says that an address is one of a host anywhere. One of IPv6 that wraps one of
// IPv4 is not: mapped, compatible and NAT64 ones are outside of global.
func public(a netip.Addr) bool {
	if a.Is6() && !global.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}
