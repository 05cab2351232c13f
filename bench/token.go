package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/safemcp/safemcp/access/oauth"
)

// An issuer signs tokens and publishes its key.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newIssuer() (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return &issuer{key: key, Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": []map[string]string{{
			"kty": "EC", "crv": "P-256", "kid": "one", "x": b64(point[1:33]), "y": b64(point[33:]),
		}}})
	}))}, nil
}

const tokenAudience = "https://mcp.example/mcp"

func (i *issuer) request() (*http.Request, string, error) {
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": i.URL, "sub": "ada", "aud": tokenAudience, "client_id": "app", "scope": "read write", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	t.Header["typ"], t.Header["kid"] = "at+jwt", "one"
	text, err := t.SignedString(i.key)
	if err != nil {
		return nil, "", err
	}
	r, err := http.NewRequest(http.MethodPost, tokenAudience, nil) //nolint:noctx // it is not sent
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Authorization", "Bearer "+text)
	return r, text, nil
}

// remembered is a token that has been verified before, and verifiedAnew one that a
// library verifies each time.
func remembered(context.Context) (*side, error) {
	i, err := newIssuer()
	if err != nil {
		return nil, err
	}
	s, err := oauth.NewResourceServer(oauth.Options{Resource: tokenAudience, Issuer: i.URL, JWKSURL: i.URL})
	if err != nil {
		return nil, err
	}
	r, _, err := i.request()
	if err != nil {
		return nil, err
	}
	return &side{
		do: func(n int) error {
			for range n {
				if p, err := s.Authenticate(r, func() error { return nil }); err != nil || p.Subject != "ada" {
					return errors.Join(errors.New("a good token is refused"), err)
				}
			}
			return nil
		},
		close: func() error { i.Close(); return nil },
	}, nil
}

func verifiedAnew(context.Context) (*side, error) {
	i, err := newIssuer()
	if err != nil {
		return nil, err
	}
	_, text, err := i.request()
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience(tokenAudience), jwt.WithIssuer(i.URL), jwt.WithExpirationRequired())
	return &side{
		do: func(n int) error {
			for range n {
				if _, err := parser.Parse(text, func(*jwt.Token) (any, error) { return &i.key.PublicKey, nil }); err != nil {
					return err
				}
			}
			return nil
		},
		close: func() error { i.Close(); return nil },
	}, nil
}
