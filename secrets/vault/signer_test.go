package vault_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// What the standard library verifies and encrypts, Vault has signed and decrypts; and a
// signer stays with its version when the key is rotated.
func TestASignerIsOneOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	v, p := withKeys(t)
	message := []byte("a message")
	d256, d384, d512 := sha256.Sum256(message), sha512.Sum384(message), sha512.Sum512(message)
	digests := map[crypto.Hash][]byte{crypto.SHA256: d256[:], crypto.SHA384: d384[:], crypto.SHA512: d512[:]}
	for name, hash := range map[string]crypto.Hash{"ecdsa-p256": crypto.SHA256, "ecdsa-p384": crypto.SHA384, "ecdsa-p521": crypto.SHA512} {
		s, err := keyOf(t, p, name).Signer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v.Write("transit/keys/"+name+"/rotate", nil)
		signature, err := s.Sign(rand.Reader, digests[hash], hash)
		if err != nil || !ecdsa.VerifyASN1(s.Public().(*ecdsa.PublicKey), digests[hash], signature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ed, err := keyOf(t, p, "ed25519").Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signature, err := ed.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil || !ed25519.Verify(ed.Public().(ed25519.PublicKey), message, signature) {
		t.Errorf("ed25519: %v", err)
	}
	rsaKey := keyOf(t, p, "rsa-2048")
	rs, err := rsaKey.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	public := rs.Public().(*rsa.PublicKey)
	for hash, digest := range digests {
		signature, err := rs.Sign(rand.Reader, digest, hash)
		if err != nil || rsa.VerifyPKCS1v15(public, hash, digest, signature) != nil {
			t.Errorf("PKCS #1 v1.5 with %s: %v", hash, err)
		}
		for _, salt := range []int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 20} {
			o := &rsa.PSSOptions{SaltLength: salt, Hash: hash}
			signature, err := rs.Sign(rand.Reader, digest, o)
			want := *o
			if salt == rsa.PSSSaltLengthEqualsHash {
				want.SaltLength = hash.Size()
			}
			if err != nil || rsa.VerifyPSS(public, hash, digest, signature, &want) != nil {
				t.Errorf("PSS with %s and a salt of %d: %v", hash, salt, err)
			}
		}
	}
	d, err := rsaKey.Decrypter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, d.Public().(*rsa.PublicKey), message, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: crypto.SHA256}); err != nil || !bytes.Equal(got, message) {
		t.Errorf("%q %v", got, err)
	}

	// A JWT signed by Vault is one for everybody who has the public key.
	claims := jwt.RegisteredClaims{Subject: "ada", Audience: jwt.ClaimStrings{"api"}}
	token, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims).SignedString(ed)
	if err != nil {
		t.Fatal(err)
	}
	var read jwt.RegisteredClaims
	if _, err := jwt.ParseWithClaims(token, &read, func(*jwt.Token) (any, error) { return ed.Public(), nil }, jwt.WithValidMethods([]string{"EdDSA"})); err != nil || read.Subject != "ada" {
		t.Errorf("%v %v", read, err)
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	text, err := unsigned.SigningString()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	if signature, err = rs.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.Parse(text+"."+unsigned.EncodeSegment(signature), func(*jwt.Token) (any, error) { return public, nil }, jwt.WithValidMethods([]string{"RS256"})); err != nil {
		t.Error(err)
	}
}
