package oauth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"

	"github.com/golang-jwt/jwt/v5"
)

// An algorithm is one that a token may be signed with, bound to the one kind of key
// that it goes with (RFC 8725 section 3.1): a public RSA key is no HMAC secret.
type algorithm struct {
	method jwt.SigningMethod
	fits   func(key any) bool
}

const leastRSA = 2048 // bits

func curve(c elliptic.Curve) func(any) bool {
	return func(key any) bool {
		k, ok := key.(*ecdsa.PublicKey)
		return ok && k.Curve == c
	}
}

func isRSA(key any) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && k.N.BitLen() >= leastRSA && k.E >= 3
}

func isEd25519(key any) bool {
	k, ok := key.(ed25519.PublicKey)
	return ok && len(k) == ed25519.PublicKeySize
}

var algorithms = map[string]algorithm{
	"ES256": {jwt.SigningMethodES256, curve(elliptic.P256())},
	"ES384": {jwt.SigningMethodES384, curve(elliptic.P384())},
	"ES512": {jwt.SigningMethodES512, curve(elliptic.P521())},
	"RS256": {jwt.SigningMethodRS256, isRSA},
	"RS384": {jwt.SigningMethodRS384, isRSA},
	"RS512": {jwt.SigningMethodRS512, isRSA},
	"PS256": {jwt.SigningMethodPS256, isRSA},
	"PS384": {jwt.SigningMethodPS384, isRSA},
	"PS512": {jwt.SigningMethodPS512, isRSA},
	"EdDSA": {jwt.SigningMethodEdDSA, isEd25519},
}
