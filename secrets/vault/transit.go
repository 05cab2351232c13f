package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/safemcp/safemcp/secrets"
)

// Bounds of what a key is used on, in bytes: what Vault answers must not be over a
// megabyte.
const (
	maxMessage    = 512 << 10
	maxCiphertext = 768 << 10
	maxSignature  = 16 << 10
	maxDerive     = 4 << 10
)

// A key is one of the transit engine. Each use is a request with the token of the tool
// that has it; what it is made of stays in Vault. Nothing that it holds is a secret.
type key struct {
	binding secrets.Binding
	kind    keyKind
	// ask sends a request to the engine: "sign" and a body, or "keys" and none.
	ask func(ctx context.Context, operation string, body map[string]any) (*answer, error)
}

var _ secrets.Key = (*key)(nil)

// A keyKind is what Vault says of a key. All but the versions stays as it is.
type keyKind struct {
	Type     string                     `json:"type"`
	Derived  bool                       `json:"derived"`
	Latest   int                        `json:"latest_version"`
	Signs    bool                       `json:"supports_signing"`
	Encrypts bool                       `json:"supports_encryption"`
	Deleted  bool                       `json:"soft_deleted"` // OpenBao's
	Keys     map[string]json.RawMessage `json:"keys"`
}

// transit looks a key up, and gives the means to use it.
func (p *provider) transit(ctx context.Context, r secrets.Request, name string) (*secrets.Credential, error) {
	var by *token
	k := &key{binding: r.Binding}
	k.ask = func(ctx context.Context, operation string, body map[string]any) (*answer, error) {
		method := http.MethodPost
		var sent any = body
		if operation == "keys" {
			method, sent = http.MethodGet, nil
		}
		a, _, err := p.as(ctx, r.Tool, method, p.options.TransitMount+"/"+operation+"/"+name, sent)
		return a, err
	}
	a, by, err := p.as(ctx, r.Tool, http.MethodGet, p.options.TransitMount+"/keys/"+name, nil)
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	if k.kind, err = kindOf(a); err != nil {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	return secrets.NewCredential(secrets.CredentialData{
		Binding: r.Binding, Key: k, Version: fmt.Sprintf("v%d", k.kind.Latest), Origin: by.origin(a, ""),
	})
}

func kindOf(a *answer) (keyKind, error) {
	var kind keyKind
	if err := a.into(&kind); err != nil || kind.Type == "" || kind.Latest < 1 {
		return kind, errors.New("the answer is no key of the transit engine")
	}
	if kind.Deleted {
		return kind, secrets.ErrNotFound
	}
	return kind, nil
}

// String says which key it is.
func (k *key) String() string { return k.binding.String() }

// GoString returns what String does.
func (k *key) GoString() string { return k.String() }

// MarshalText returns what String does.
func (k *key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// cannot is the error for what a kind of key does not do.
func (k *key) cannot(what string) error {
	return fmt.Errorf("vault: %s: a key of the kind %s does not %s: %w", k.binding, k.kind.Type, what, secrets.ErrUnsupported)
}

func (k *key) fail(what string, err error) error {
	return fmt.Errorf("vault: %s: %s: %w", k.binding, what, err)
}

// bounded refuses what is too long.
func (k *key) bounded(what string, n, most int) error {
	if n > most {
		return fmt.Errorf("vault: %s: the %s has %d bytes, and at most %d are sent to Vault", k.binding, what, n, most)
	}
	return nil
}

// use sends one request and returns a text of the answer.
func (k *key) use(ctx context.Context, what, operation, field string, body map[string]any) (string, error) {
	a, err := k.ask(ctx, operation, body)
	if err != nil {
		return "", k.fail(what, err)
	}
	var data map[string]any
	if err := a.into(&data); err != nil {
		return "", k.fail(what, err)
	}
	text, is := data[field].(string)
	if !is || (text == "" && field != "plaintext") {
		return "", k.fail(what, errors.New("the answer has not the form that is expected"))
	}
	return text, nil
}

// Sign implements [secrets.Key]. An RSA key signs with PSS, all with SHA-256 where the
// kind of key takes a hash.
func (k *key) Sign(ctx context.Context, message []byte) (string, error) {
	switch {
	case !k.kind.Signs:
		return "", k.cannot("sign")
	case k.kind.Derived:
		return "", k.cannot("sign where it derives others")
	}
	if err := k.bounded("message", len(message), maxMessage); err != nil {
		return "", err
	}
	return k.use(ctx, "signing", "sign", "signature", map[string]any{"input": encoded(message)})
}

// HMAC implements [secrets.Key] with SHA-256.
func (k *key) HMAC(ctx context.Context, message []byte) (string, error) {
	if err := k.bounded("message", len(message), maxMessage); err != nil {
		return "", err
	}
	return k.use(ctx, "hashing", "hmac", "hmac", map[string]any{"input": encoded(message)})
}

// Verify implements [secrets.Key]. An HMAC has 32 bytes, which no signature is as short as:
// of a key that signs Vault would take it in the place of one, from whoever may hash.
func (k *key) Verify(ctx context.Context, message []byte, signature string) error {
	if err := k.bounded("message", len(message), maxMessage); err != nil {
		return err
	}
	if err := k.bounded("signature", len(signature), maxSignature); err != nil {
		return err
	}
	_, raw, err := opened(signature)
	if err != nil {
		return k.fail("verifying", errors.New("this is no signature of Vault's"))
	}
	field := "signature"
	switch {
	case len(raw) == hmacSize && k.kind.Signs:
		return k.fail("verifying", errors.New("this is an HMAC, and a key that signs verifies signatures alone"))
	case len(raw) == hmacSize:
		field = "hmac"
	case !k.kind.Signs:
		return k.cannot("verify signatures")
	case k.kind.Derived:
		return k.cannot("verify signatures where it derives others")
	}
	a, err := k.ask(ctx, "verify", map[string]any{"input": encoded(message), field: signature})
	if err != nil {
		return k.fail("verifying", err)
	}
	var data struct {
		Valid bool `json:"valid"`
	}
	if err := a.into(&data); err != nil {
		return k.fail("verifying", err)
	}
	if !data.Valid {
		return k.fail("verifying", errors.New("the signature is not one of this message with this key"))
	}
	return nil
}

const hmacSize = 32

// Encrypt implements [secrets.Key]. Whoever may create keys by encrypting, which the
// capability "create" allows, gets a new one where the key was deleted in between: "update"
// is enough.
func (k *key) Encrypt(ctx context.Context, plaintext, derive []byte) (string, error) {
	if !k.kind.Encrypts {
		return "", k.cannot("encrypt")
	}
	body, err := k.derived(derive)
	if err != nil {
		return "", err
	}
	if err := k.bounded("plaintext", len(plaintext), maxMessage); err != nil {
		return "", err
	}
	body["plaintext"] = encoded(plaintext)
	return k.use(ctx, "encrypting", "encrypt", "ciphertext", body)
}

// Decrypt implements [secrets.Key].
func (k *key) Decrypt(ctx context.Context, ciphertext string, derive []byte) ([]byte, error) {
	if !k.kind.Encrypts {
		return nil, k.cannot("decrypt")
	}
	body, err := k.derived(derive)
	if err != nil {
		return nil, err
	}
	if err := k.bounded("ciphertext", len(ciphertext), maxCiphertext); err != nil {
		return nil, err
	}
	if _, _, err := opened(ciphertext); err != nil {
		return nil, k.fail("decrypting", errors.New("this is no ciphertext of Vault's"))
	}
	body["ciphertext"] = ciphertext
	text, err := k.use(ctx, "decrypting", "decrypt", "plaintext", body)
	if err != nil {
		return nil, err
	}
	plaintext, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, k.fail("decrypting", errors.New("the answer has not the form that is expected"))
	}
	return plaintext, nil
}

// derived begins a request of a key that derives others, or does not. What is given for
// one that does not would be ignored by Vault, and so bind nothing.
func (k *key) derived(derive []byte) (map[string]any, error) {
	switch {
	case k.kind.Derived && len(derive) == 0:
		return nil, fmt.Errorf("vault: %s: the key derives others: it needs to be told from what", k.binding)
	case !k.kind.Derived && len(derive) > 0:
		return nil, fmt.Errorf("vault: %s: the key derives no others, so that what it is told to derive from would bind nothing: %w", k.binding, secrets.ErrUnsupported)
	case !k.kind.Derived:
		return map[string]any{}, nil
	}
	if err := k.bounded("context", len(derive), maxDerive); err != nil {
		return nil, err
	}
	return map[string]any{"context": encoded(derive)}, nil
}

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

var transitForm = regexp.MustCompile(`^vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]+={0,2})$`)

// opened takes Vault's form of a signature, a hash or a ciphertext apart: the version of
// the key, and the bytes.
func opened(text string) (version int, raw []byte, err error) {
	parts := transitForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, nil, errors.New("not of the form that is expected")
	}
	if version, err = strconv.Atoi(parts[1]); err != nil {
		return 0, nil, fmt.Errorf("%w", err)
	}
	if raw, err = base64.StdEncoding.DecodeString(parts[2]); err != nil {
		return 0, nil, fmt.Errorf("%w", err)
	}
	return version, raw, nil
}
