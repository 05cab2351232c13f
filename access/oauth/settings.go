package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	defaultSkew     = 30 * time.Second
	maxSkew         = 5 * time.Minute
	defaultBytes    = 8 << 10
	mostBytes       = 64 << 10
	defaultMaxStale = time.Hour
	leastMaxStale   = time.Minute
	mostMaxStale    = 24 * time.Hour
)

// settings are what the options of both authenticators come to.
type settings struct {
	of         string // the options' name, for what is said of them
	jwksURL    string // empty: discovered
	algorithms []string
	types      []string
	maxBytes   int
	maxStale   time.Duration
	client     *http.Client
	rules      rulebook
	now        func() time.Time // nil is time.Now
}

// verifier checks the settings and makes what verifies by them.
func (s *settings) verifier() (*verifier, error) {
	var err error
	if s.algorithms, err = allowed(s.of+".Algorithms", s.algorithms); err != nil {
		return nil, err
	}
	if s.jwksURL != "" {
		if err := checkURL(s.jwksURL); err != nil {
			return nil, fmt.Errorf("oauth: %s.JWKSURL %w", s.of, err)
		}
	}
	if err := errors.Join(
		bound(s.of+".ClockSkew", &s.rules.skew, defaultSkew, 0, maxSkew),
		bound(s.of+".MaxStale", &s.maxStale, defaultMaxStale, leastMaxStale, mostMaxStale),
		bound(s.of+".MaxTokenBytes", &s.maxBytes, defaultBytes, 0, mostBytes),
	); err != nil {
		return nil, err
	}
	if s.now == nil {
		s.now = time.Now
	}
	from := &source{client: client(s.client), now: s.now, jwks: s.jwksURL}
	if s.jwksURL == "" {
		from.issuer = s.rules.issuer
	}
	return &verifier{
		algorithms: s.algorithms,
		types:      s.types,
		maxBytes:   s.maxBytes,
		rules:      s.rules,
		keys:       &keySet{fetch: from.fetch, now: s.now, maxStale: s.maxStale},
		cache:      newCache(),
		now:        s.now,
	}, nil
}

// bound fills in what is left out and refuses what is out of bounds.
func bound[T int | time.Duration](field string, value *T, otherwise, least, most T) error {
	if *value == 0 {
		*value = otherwise
	}
	if *value < least || *value > most {
		return fmt.Errorf("oauth: %s is %v: it has to lie between %v and %v", field, *value, least, most)
	}
	return nil
}

// checkIssuer says what is wrong with an issuer that clients are sent to (RFC 8414
// section 2).
func checkIssuer(issuer string) error {
	if err := checkURL(issuer); err != nil {
		return err
	}
	if u, err := url.Parse(issuer); err != nil || u.RawQuery != "" || u.ForceQuery {
		return errors.New("has a query")
	}
	return nil
}
