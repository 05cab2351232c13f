package vault

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/safemcp/safemcp/secrets"
)

// hashes are Vault's names of those that may be signed. SHA-1 is not among them.
var hashes = map[crypto.Hash]string{
	crypto.SHA224: "sha2-224", crypto.SHA256: "sha2-256", crypto.SHA384: "sha2-384", crypto.SHA512: "sha2-512",
	crypto.SHA3_224: "sha3-224", crypto.SHA3_256: "sha3-256", crypto.SHA3_384: "sha3-384", crypto.SHA3_512: "sha3-512",
}

// latest asks for the latest version of an asymmetric key and its public part.
func (k *key) latest(ctx context.Context, what string) (version int, public crypto.PublicKey, err error) {
	a, err := k.ask(ctx, "keys", nil)
	if err != nil {
		return 0, nil, k.fail(what, err)
	}
	kind, err := kindOf(a)
	if err != nil {
		return 0, nil, k.fail(what, err)
	}
	var one struct {
		Public string `json:"public_key"`
	}
	if json.Unmarshal(kind.Keys[strconv.Itoa(kind.Latest)], &one) != nil || one.Public == "" {
		return 0, nil, k.cannot("have a public part")
	}
	if public, err = publicOf(kind.Type, one.Public); err != nil {
		return 0, nil, k.fail(what, err)
	}
	return kind.Latest, public, nil
}

// publicOf reads a public key: PKIX in PEM (RFC 5280), or for Ed25519 its 32 bytes in
// base64 (RFC 8032).
func publicOf(kind, text string) (crypto.PublicKey, error) {
	if kind == "ed25519" {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("the public key is none of Ed25519")
		}
		return ed25519.PublicKey(raw), nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("the public key of the kind %s is not known here: %w", kind, secrets.ErrUnsupported)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the public key of the kind %s is not known here: %w", kind, secrets.ErrUnsupported)
	}
	return public, nil
}

// Signer implements [secrets.Key]. What it signs is made with the version whose public key
// it has, also after the key was rotated. It takes a digest of SHA-2 or SHA-3, and for
// Ed25519 the message; RSA is PKCS #1 version 1.5, or PSS with [rsa.PSSOptions].
func (k *key) Signer(ctx context.Context) (crypto.Signer, error) {
	if !k.kind.Signs || k.kind.Derived {
		return nil, k.cannot("sign as the standard library does")
	}
	version, public, err := k.latest(ctx, "the signer")
	if err != nil {
		return nil, err
	}
	switch public.(type) {
	case ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey:
		return &signer{ctx, k, version, public}, nil
	}
	return nil, k.cannot("sign as the standard library does")
}

// A signer signs with one version of a key.
type signer struct {
	ctx     context.Context //nolint:containedctx // crypto.Signer takes none, and must end with the call
	key     *key
	version int
	public  crypto.PublicKey
}

// Public implements [crypto.Signer].
func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign implements [crypto.Signer]. It needs no randomness of ours.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	body, err := s.request(digest, opts)
	if err != nil {
		return nil, err
	}
	text, err := s.key.use(s.ctx, "signing", "sign", "signature", body)
	if err != nil {
		return nil, err
	}
	version, signature, err := opened(text)
	if err != nil || version != s.version {
		return nil, s.key.fail("signing", errors.New("the answer is no signature with the version that was asked for"))
	}
	return signature, nil
}

// request is what Vault is asked for.
func (s *signer) request(digest []byte, opts crypto.SignerOpts) (map[string]any, error) {
	if opts == nil {
		return nil, s.key.fail("signing", errors.New("the options are nil: give the hash that the digest was made with, or crypto.Hash(0) for a message"))
	}
	body := map[string]any{"input": encoded(digest), "key_version": s.version}
	hash := opts.HashFunc()
	if _, is := s.public.(ed25519.PublicKey); is {
		if o, special := opts.(*ed25519.Options); hash != 0 || (special && o.Context != "") {
			return nil, s.key.cannot("sign a digest or with a context (Ed25519ph, Ed25519ctx): give the message and crypto.Hash(0)")
		}
		return body, s.key.bounded("message", len(digest), maxMessage)
	}
	name, known := hashes[hash]
	if !known {
		return nil, s.key.cannot(fmt.Sprintf("sign a digest of %s", hashName(hash)))
	}
	if len(digest) != hash.Size() {
		return nil, s.key.fail("signing", fmt.Errorf("the digest has %d bytes, and one of %s has %d", len(digest), hash, hash.Size()))
	}
	body["prehashed"], body["hash_algorithm"], body["marshaling_algorithm"] = true, name, "asn1"
	if _, is := s.public.(*rsa.PublicKey); is {
		body["signature_algorithm"] = "pkcs1v15"
		if pss, is := opts.(*rsa.PSSOptions); is {
			salt, err := saltLength(pss.SaltLength)
			if err != nil {
				return nil, s.key.fail("signing", err)
			}
			body["signature_algorithm"], body["salt_length"] = "pss", salt
		}
	}
	return body, nil
}

func hashName(h crypto.Hash) string {
	if h == 0 {
		return "no hash"
	}
	return h.String()
}

// saltLength is Vault's word for a length of PSS's salt.
func saltLength(length int) (string, error) {
	switch {
	case length == rsa.PSSSaltLengthAuto:
		return "auto", nil
	case length == rsa.PSSSaltLengthEqualsHash:
		return "hash", nil
	case length > 0:
		return strconv.Itoa(length), nil
	}
	return "", errors.New("the length of the salt is negative")
}

// Decrypter implements [secrets.Key]: OAEP with SHA-256 and no label, which is what Vault
// does. PKCS #1 version 1.5 is refused: it tells whoever may ask often
// enough what was encrypted (RFC 8017, section 7.2).
func (k *key) Decrypter(ctx context.Context) (crypto.Decrypter, error) {
	if !k.kind.Encrypts {
		return nil, k.cannot("decrypt")
	}
	version, public, err := k.latest(ctx, "the decrypter")
	if err != nil {
		return nil, err
	}
	if _, is := public.(*rsa.PublicKey); !is {
		return nil, k.cannot("decrypt as the standard library does")
	}
	return &decrypter{ctx, k, version, public}, nil
}

// A decrypter decrypts with one version of a key.
type decrypter struct {
	ctx     context.Context //nolint:containedctx // as in signer
	key     *key
	version int
	public  crypto.PublicKey
}

// Public implements [crypto.Decrypter].
func (d *decrypter) Public() crypto.PublicKey { return d.public }

// Decrypt implements [crypto.Decrypter].
func (d *decrypter) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	oaep, is := opts.(*rsa.OAEPOptions)
	if !is || oaep.Hash != crypto.SHA256 || (oaep.MGFHash != 0 && oaep.MGFHash != crypto.SHA256) || len(oaep.Label) > 0 {
		return nil, d.key.cannot("decrypt but with OAEP, SHA-256 and no label")
	}
	return d.key.Decrypt(d.ctx, fmt.Sprintf("vault:v%d:%s", d.version, encoded(ciphertext)), nil)
}
