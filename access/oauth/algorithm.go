package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hash of …256
	_ "crypto/sha512" // the hashes of …384 and …512
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// defaultAlgorithms are what providers sign with today.
var defaultAlgorithms = []string{"ES256", "RS256", "PS256", "EdDSA", "ES384"}

// An algorithm is a way to sign that only the holder of a private key can (RFC 7518
// section 3.1, RFC 8037 section 3.1).
type algorithm struct {
	method jwt.SigningMethod
	// fits says that the public key is of the algorithm's type. A token chooses the
	// algorithm; were the key to follow that choice, a public key would pass for an
	// HMAC secret (RFC 8725 section 3.1).
	fits func(public crypto.PublicKey) bool
}

// algorithms are all that can be allowed. HMAC is not among them: who can check such
// a signature can make one. Neither is none.
var algorithms = map[string]algorithm{
	"ES256": {jwt.SigningMethodES256, onCurve(elliptic.P256())},
	"ES384": {jwt.SigningMethodES384, onCurve(elliptic.P384())},
	"ES512": {jwt.SigningMethodES512, onCurve(elliptic.P521())},
	"RS256": {jwt.SigningMethodRS256, isRSA},
	"RS384": {jwt.SigningMethodRS384, isRSA},
	"RS512": {jwt.SigningMethodRS512, isRSA},
	"PS256": {pss(jwt.SigningMethodPS256), isRSA},
	"PS384": {pss(jwt.SigningMethodPS384), isRSA},
	"PS512": {pss(jwt.SigningMethodPS512), isRSA},
	"EdDSA": {jwt.SigningMethodEdDSA, isEd25519},
}

func onCurve(curve elliptic.Curve) func(crypto.PublicKey) bool {
	return func(public crypto.PublicKey) bool {
		k, ok := public.(*ecdsa.PublicKey)
		return ok && k.Curve == curve
	}
}

func isRSA(public crypto.PublicKey) bool {
	_, ok := public.(*rsa.PublicKey)
	return ok
}

func isEd25519(public crypto.PublicKey) bool {
	_, ok := public.(ed25519.PublicKey)
	return ok
}

// pss wants the salt to be as long as the hash (RFC 7518 section 3.5), where the
// library takes any length.
func pss(m *jwt.SigningMethodRSAPSS) *jwt.SigningMethodRSAPSS {
	return &jwt.SigningMethodRSAPSS{SigningMethodRSA: m.SigningMethodRSA, Options: m.Options}
}

// allowed returns the algorithms that the options name, or the defaults.
func allowed(field string, names []string) ([]string, error) {
	if len(names) == 0 {
		return defaultAlgorithms, nil
	}
	for _, name := range names {
		if _, ok := algorithms[name]; !ok {
			known := strings.Join(slices.Sorted(maps.Keys(algorithms)), ", ")
			return nil, fmt.Errorf("oauth: %s names %q: only signatures by a private key can be allowed, which are %s", field, name, known)
		}
	}
	return slices.Clone(names), nil
}
