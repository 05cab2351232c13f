package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	answerTimeout = 3 * time.Second
	maxAnswer     = 1 << 20
	discoverEvery = time.Hour // an issuer moves its key set hardly ever, and not at all within a fetch
)

// A source is where an issuer publishes its keys. Only one fetch runs at a time, which
// is what guards its fields.
type source struct {
	client *http.Client
	issuer string // where the key set's address is to be asked for; else empty
	now    func() time.Time

	jwks  string    // the key set's address, once it is known
	found time.Time // when it was asked for
}

// fetch returns the issuer's keys.
func (s *source) fetch(ctx context.Context) ([]*key, error) {
	if s.issuer != "" && (s.jwks == "" || s.now().Sub(s.found) >= discoverEvery) {
		jwks, err := s.discover(ctx)
		if err != nil {
			return nil, err
		}
		s.jwks, s.found = jwks, s.now()
	}
	list, err := s.keys(ctx)
	if err != nil && s.issuer != "" {
		s.jwks = "" // it may have moved
	}
	return list, err
}

func (s *source) keys(ctx context.Context) ([]*key, error) {
	body, err := s.get(ctx, s.jwks)
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// discover asks the issuer where its key set is: as an authorization server (RFC 8414
// section 3.1), then as an OpenID provider, whose document is beside the path or after
// it (RFC 8414 section 5, OpenID Connect Discovery 1.0 section 4).
func (s *source) discover(ctx context.Context) (string, error) {
	base, err := url.Parse(s.issuer)
	if err != nil {
		return "", fmt.Errorf("oauth: %w", err)
	}
	path := strings.TrimSuffix(base.EscapedPath(), "/")
	origin := base.Scheme + "://" + base.Host
	addresses := []string{origin + "/.well-known/oauth-authorization-server" + path, origin + path + "/.well-known/openid-configuration"}
	if path != "" {
		addresses = append(addresses, origin+"/.well-known/openid-configuration"+path)
	}
	var failures []error
	for _, address := range addresses {
		jwks, err := s.document(ctx, address)
		if err == nil {
			return jwks, nil
		}
		failures = append(failures, err)
	}
	return "", errors.Join(failures...)
}

// document reads the key set's address from an issuer's metadata. They count only as
// those of the issuer that they name (RFC 8414 section 3.3): otherwise one tenant of a
// host could publish keys for another.
func (s *source) document(ctx context.Context, address string) (string, error) {
	body, err := s.get(ctx, address)
	if err != nil {
		return "", err
	}
	var metadata struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	switch {
	case !jsontext.Value(body).IsValid() || json.Unmarshal(body, &metadata) != nil:
		return "", fmt.Errorf("oauth: %s is no metadata of an issuer", address)
	case metadata.Issuer != s.issuer:
		return "", fmt.Errorf("oauth: %s is the metadata of another issuer", address)
	}
	if err := checkURL(metadata.JWKS); err != nil {
		return "", fmt.Errorf("oauth: jwks_uri in %s %w", address, err)
	}
	return metadata.JWKS, nil
}

func (s *source) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("oauth: %s answered with status %d", address, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("oauth: %s: %w", address, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("oauth: %s answered with more than %d bytes", address, maxAnswer)
	}
	return body, nil
}

// client returns what fetches: the given client with its own ways to connect, but
// bounded in time, and following nobody elsewhere. A connection is not kept for the
// five minutes to the next fetch.
func client(given *http.Client) *http.Client {
	c := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10}}
	if given != nil {
		same := *given
		c = &same
	}
	if c.Timeout <= 0 || c.Timeout > fetchFor {
		c.Timeout = answerTimeout
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// checkURL says what is wrong with the address of something that is trusted: whoever
// is on the way could change what comes without TLS.
func checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("is not a URL with a host")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return errors.New("has to begin with https:// (http:// is for loopback alone)")
	case u.User != nil:
		return errors.New("holds credentials")
	case strings.Contains(address, "#"):
		return errors.New("has a fragment")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
}
