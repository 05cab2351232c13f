package oauth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxKeys    = 64   // more is no key set for checking tokens
	minRSABits = 2048 // RFC 7518 section 3.3
	maxRSABits = 8192 // beyond it a signature costs more to check than a request is worth
)

// A key is a public key that the issuer signs with.
type key struct {
	kid, alg string // as the key set has them; empty where it does not
	public   crypto.PublicKey
	print    fingerprint // of all of the above
}

// A fingerprint tells keys apart across fetches.
type fingerprint [sha256.Size]byte

// fits says that a signature by this algorithm may be checked with the key.
func (k *key) fits(alg string) bool {
	return (k.alg == "" || k.alg == alg) && algorithms[alg].fits(k.public)
}

// A jwk is a member of a key set (RFC 7517 section 4, RFC 7518 section 6, RFC 8037).
type jwk struct {
	Kty string          `json:"kty"`
	Use string          `json:"use"`
	Ops []string        `json:"key_ops"`
	Alg string          `json:"alg"`
	Kid string          `json:"kid"`
	Crv string          `json:"crv"`
	X   string          `json:"x"`
	Y   string          `json:"y"`
	N   string          `json:"n"`
	E   string          `json:"e"`
	D   json.RawMessage `json:"d"`
}

// parseKeys reads a key set. Keys that cannot be used here are passed over, as RFC 7517
// section 5 says; a set that has none is an answer too: the issuer has withdrawn them.
func parseKeys(body []byte) ([]*key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch {
	case !jsontext.Value(body).IsValid():
		return nil, errors.New("oauth: the key set is not JSON, or gives a name twice")
	case json.Unmarshal(body, &set) != nil || set.Keys == nil:
		return nil, errors.New("oauth: the key set has no list of keys")
	case len(set.Keys) > maxKeys:
		return nil, fmt.Errorf("oauth: the key set has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	var list []*key
	for _, raw := range set.Keys {
		var j jwk
		if json.Unmarshal(raw, &j) != nil || !j.verifies() {
			continue
		}
		if k, err := j.key(); err == nil {
			list = append(list, k)
		}
	}
	return list, nil
}

// verifies says that the key is for checking signatures. One that is published with
// its private part signs for anybody.
func (j *jwk) verifies() bool {
	return (j.Use == "" || j.Use == "sig") && (len(j.Ops) == 0 || slices.Contains(j.Ops, "verify")) && j.D == nil
}

func (j *jwk) key() (*key, error) {
	public, err := j.public()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	return &key{kid: j.Kid, alg: j.Alg, public: public, print: sha256.Sum256(fmt.Appendf(nil, "%q %q %x", j.Kid, j.Alg, der))}, nil
}

var errKey = errors.New("oauth: a key cannot be used")

// public returns the key itself. A symmetric one (oct) is not taken: published, it is
// no secret.
func (j *jwk) public() (crypto.PublicKey, error) {
	switch j.Kty {
	case "EC":
		return j.ec()
	case "RSA":
		return j.rsa()
	case "OKP":
		if x := octets(j.X); j.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize {
			return ed25519.PublicKey(x), nil
		}
	}
	return nil, errKey
}

func (j *jwk) ec() (crypto.PublicKey, error) {
	curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[j.Crv]
	if !ok {
		return nil, errKey
	}
	size := (curve.Params().BitSize + 7) / 8
	x, y := octets(j.X), octets(j.Y)
	if len(x) == 0 || len(y) == 0 || len(x) > size || len(y) > size {
		return nil, errKey
	}
	point := make([]byte, 1+2*size) // SEC 1 section 2.3.3; some providers leave zeros in front out
	point[0] = 4
	copy(point[1+size-len(x):], x)
	copy(point[1+2*size-len(y):], y)
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point) // is on the curve
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	return public, nil
}

func (j *jwk) rsa() (crypto.PublicKey, error) {
	n := new(big.Int).SetBytes(octets(j.N))
	e := new(big.Int).SetBytes(bytes.TrimLeft(octets(j.E), "\x00"))
	if n.BitLen() < minRSABits || n.BitLen() > maxRSABits || n.Bit(0) == 0 || e.BitLen() < 2 || e.BitLen() > 31 || e.Bit(0) == 0 {
		return nil, errKey
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// octets decodes what RFC 7518 section 2 calls Base64urlUInt; nil where it is not.
func octets(s string) []byte {
	out, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil
	}
	return out
}
