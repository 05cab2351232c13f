package serve

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Where a request comes from: its Host, its Origin, the caller's address.

// hostAllowed says whether a request is meant for this server. A browser that a name
// was rebound in sends that name.
func (o *HTTPOptions) hostAllowed(r *http.Request) bool {
	host := strings.ToLower(r.Host)
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if o.hosts[host] || o.hosts[name] {
		return true
	}
	return isLoopback(name) && overLoopback(r)
}

// overLoopback says whether the request arrived on a loopback address of this
// machine. Where nobody knows it did not.
func overLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// originAllowed says whether a page that makes the request may: none does, it is one
// of the origins, or it comes from the server itself. An origin that hides itself is
// "null", and foreign. A browser that sends no Origin may still say that the site is
// another (Fetch Metadata).
func (o *HTTPOptions) originAllowed(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) > 1 {
		return false
	}
	if len(origins) == 1 {
		origin := strings.ToLower(origins[0])
		if o.origins[origin] {
			return true
		}
		scheme, host, ok := strings.Cut(origin, "://")
		if !ok || host != strings.ToLower(r.Host) || (scheme != "http" && scheme != "https") {
			return false
		}
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

// cors answers a page of an allowed origin, and says whether the request was only a
// preflight.
func (o *HTTPOptions) cors(w http.ResponseWriter, r *http.Request) (done bool) {
	origin := r.Header.Get("Origin")
	if origin == "" || !o.origins[strings.ToLower(origin)] {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	// Named one by one: a star stands for no Authorization (Fetch section 3.3.5).
	allowed := []string{"Authorization", "Content-Type", "Accept", "Last-Event-ID", "MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name"}
	for name := range strings.SplitSeq(r.Header.Get("Access-Control-Request-Headers"), ",") {
		name = strings.TrimSpace(name)
		if len(name) < 128 && len(allowed) < 32 && strings.HasPrefix(strings.ToLower(name), "mcp-param-") && !strings.ContainsAny(name, "\r\n") {
			allowed = append(allowed, name)
		}
	}
	h.Set("Access-Control-Allow-Headers", strings.Join(allowed, ", "))
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// address is the caller's: the peer's, or what trusted proxies say. Each proxy
// appends the peer that it saw, so the last entry that no trusted proxy stands
// behind is the one that nobody could make up.
func (o *HTTPOptions) address(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "" // a unix socket
	}
	at := peer.Addr().Unmap().WithZone("")
	if len(o.TrustedProxies) == 0 || !o.trusts(at) {
		return at.String()
	}
	var hops []string
	for _, line := range r.Header[o.ForwardedHeader] {
		hops = append(hops, strings.Split(line, ",")...)
	}
	for _, said := range slices.Backward(hops) {
		hop, ok := hopAddress(said, o.ForwardedHeader == "Forwarded")
		if !ok {
			break // what stands before it is behind somebody unknown
		}
		if at = hop; !o.trusts(at) {
			break
		}
	}
	return at.String()
}

func (o *HTTPOptions) trusts(at netip.Addr) bool {
	for _, p := range o.TrustedProxies {
		if p.Contains(at) {
			return true
		}
	}
	return false
}

// hopAddress reads an entry of X-Forwarded-For or the for parameter of one of
// Forwarded (RFC 7239 section 4).
func hopAddress(hop string, forwarded bool) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if forwarded {
		value := ""
		for pair := range strings.SplitSeq(hop, ";") {
			name, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && strings.EqualFold(name, "for") {
				value = strings.Trim(v, `"`)
			}
		}
		hop = value
	}
	if at, err := netip.ParseAddrPort(hop); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	at, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]"))
	return at.Unmap().WithZone(""), err == nil
}

// network is what an address counts under: who has an IPv6 address has 2^64 of them.
func network(address string) string {
	at, err := netip.ParseAddr(address)
	if err != nil || at.Is4() {
		return address
	}
	prefix, err := at.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
