package secrets

import (
	"context"
	"crypto"
)

// A Key is one that stays in its store and is used there: what it is made of is never
// in this process, so that nothing here can leak it. It is what a binding made with
// [Transit] gives; a method that the kind of key does not have (encrypting with one
// that signs) fails with [ErrUnsupported]. It is safe for concurrent use, and each call
// asks the store, within ctx.
type Key interface {
	// Sign returns the signature of message in the store's own form, which says
	// with which version of the key it was made.
	Sign(ctx context.Context, message []byte) (signature string, err error)
	// Verify returns nil where signature is what Sign made of message, or HMAC with a key
	// that does not sign: who may hash with one that does need not be allowed to sign.
	Verify(ctx context.Context, message []byte, signature string) error
	// HMAC returns a keyed hash of message in the store's own form.
	HMAC(ctx context.Context, message []byte) (hash string, err error)
	// Encrypt returns the ciphertext in the store's own form. derive is needed for a
	// key that derives others, and is empty else.
	Encrypt(ctx context.Context, plaintext, derive []byte) (ciphertext string, err error)
	// Decrypt returns the plaintext of what Encrypt made. It is what somebody had
	// encrypted, and no credential: it is not looked for in what leaves the server.
	Decrypt(ctx context.Context, ciphertext string, derive []byte) (plaintext []byte, err error)
	// Signer returns the latest version of an asymmetric key as the standard library
	// knows one, with plain signatures. Its calls end with ctx.
	Signer(ctx context.Context) (crypto.Signer, error)
	// Decrypter is the same for an RSA key that decrypts.
	Decrypter(ctx context.Context) (crypto.Decrypter, error)
}
