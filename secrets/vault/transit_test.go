package vault_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// withKeys is a Vault with a key of each kind, and a tool that may use them and no more.
func withKeys(t *testing.T) (v *vaulttest.Server, p *vault.Provider) {
	t.Helper()
	v, roleID, secretID := furnished(t)
	v.Write("sys/mounts/transit", map[string]any{"type": "transit"})
	for _, kind := range []string{"ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048", "aes256-gcm96"} {
		v.Write("transit/keys/"+kind, map[string]any{"type": kind})
	}
	v.Write("transit/keys/derived", map[string]any{"type": "aes256-gcm96", "derived": true})
	v.Write("transit/keys/convergent", map[string]any{"type": "aes256-gcm96", "derived": true, "convergent_encryption": true})
	v.Write("transit/keys/deriving", map[string]any{"type": "ed25519", "derived": true})
	v.Write("sys/policies/acl/tool-key", map[string]any{"policy": `
path "transit/keys/+"    { capabilities = ["read"] }
path "transit/sign/+"    { capabilities = ["update"] }
path "transit/verify/+"  { capabilities = ["update"] }
path "transit/hmac/+"    { capabilities = ["update"] }
path "transit/encrypt/+" { capabilities = ["update"] }
path "transit/decrypt/+" { capabilities = ["update"] }`})
	v.Write("auth/approle/role/server", map[string]any{"token_policies": "server,tool-key,tool-share", "token_ttl": "1h"})
	return v, provider(t, v, &vault.Options{Login: appRole(roleID, secretID), ToolPolicies: func(tool string) []string { return []string{"tool-" + tool} }})
}

func keyOf(t *testing.T, p *vault.Provider, name string) secrets.Key {
	t.Helper()
	c, err := p.Issue(t.Context(), secrets.Request{Tool: "key", Binding: secrets.Transit(name)})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	k, is := c.Key()
	if !is || c.Version() != "v1" || c.ID() != "" || !c.Secret().IsZero() {
		t.Fatalf("%s: %v", name, c)
	}
	return k
}

// A key of Vault's signs, hashes and encrypts what only it verifies and decrypts.
func TestAKeyIsUsedInVault(t *testing.T) {
	t.Parallel()
	v, p := withKeys(t)
	message, other := []byte("pay 10 to Ada"), []byte("pay 99 to Eve")
	for _, name := range []string{"ed25519", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "rsa-2048"} {
		k := keyOf(t, p, name)
		signature, err := k.Sign(t.Context(), message)
		if err != nil || !strings.HasPrefix(signature, "vault:v1:") {
			t.Fatalf("%s: %q %v", name, signature, err)
		}
		if err := k.Verify(t.Context(), message, signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := k.Verify(t.Context(), other, signature); err == nil {
			t.Errorf("%s: the signature of another message is taken", name)
		}
	}
	for _, name := range []string{"aes256-gcm96", "derived"} {
		k := keyOf(t, p, name)
		hash, err := k.HMAC(t.Context(), message)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := k.Verify(t.Context(), message, hash); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := k.Verify(t.Context(), other, hash); err == nil || errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"aes256-gcm96", "rsa-2048"} {
		k := keyOf(t, p, name)
		ciphertext, err := k.Encrypt(t.Context(), message, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if plaintext, err := k.Decrypt(t.Context(), ciphertext, nil); err != nil || !bytes.Equal(plaintext, message) {
			t.Errorf("%s: %q %v", name, plaintext, err)
		}
		if _, err := k.Encrypt(t.Context(), message, []byte("tenant")); !errors.Is(err, secrets.ErrUnsupported) {
			t.Errorf("%s: what does not bind is taken: %v", name, err)
		}
		changed := strings.Replace(ciphertext, ":v1:", ":v1:AAAA", 1)
		if plaintext, err := k.Decrypt(t.Context(), changed, nil); err == nil {
			t.Errorf("%s: a changed ciphertext gives %q", name, plaintext)
		}
	}
	empty := keyOf(t, p, "aes256-gcm96")
	if ciphertext, err := empty.Encrypt(t.Context(), nil, nil); err != nil {
		t.Error(err)
	} else if plaintext, err := empty.Decrypt(t.Context(), ciphertext, nil); err != nil || len(plaintext) != 0 {
		t.Errorf("%q %v", plaintext, err)
	}
	for _, name := range []string{"derived", "convergent"} {
		k := keyOf(t, p, name)
		if _, err := k.Encrypt(t.Context(), message, nil); err == nil {
			t.Errorf("%s: nothing to derive from", name)
		}
		ciphertext, err := k.Encrypt(t.Context(), message, []byte("acme"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := k.Decrypt(t.Context(), ciphertext, []byte("globex")); err == nil {
			t.Errorf("%s: another tenant's is decrypted", name)
		}
		if plaintext, err := k.Decrypt(t.Context(), ciphertext, []byte("acme")); err != nil || !bytes.Equal(plaintext, message) {
			t.Errorf("%s: %q %v", name, plaintext, err)
		}
	}

	// The credential's version changes when the key is rotated, and what was made before
	// is good.
	k := keyOf(t, p, "ed25519")
	signature, _ := k.Sign(t.Context(), message)
	v.Write("transit/keys/ed25519/rotate", nil)
	if c, err := p.Issue(t.Context(), secrets.Request{Tool: "key", Binding: secrets.Transit("ed25519")}); err != nil || c.Version() != "v2" {
		t.Errorf("%v %v", c, err)
	}
	if err := k.Verify(t.Context(), message, signature); err != nil {
		t.Error(err)
	}
	// What a key may not do to a tool, it may not.
	if _, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.Transit("ed25519")}); !errors.Is(err, secrets.ErrDenied) {
		t.Errorf("another tool's: %v", err)
	}
	if _, err := p.Issue(t.Context(), secrets.Request{Tool: "key", Binding: secrets.Transit("none")}); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("no key: %v", err)
	}
	v.Write("transit/keys/ecdsa-p256/config", map[string]any{"deletion_allowed": true})
	deleted := keyOf(t, p, "ecdsa-p256")
	v.Delete("transit/keys/ecdsa-p256")
	if _, err := deleted.Sign(t.Context(), message); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("a key that was deleted: %v", err)
	}
	v.Write("transit/keys/aes256-gcm96/config", map[string]any{"deletion_allowed": true})
	v.Delete("transit/keys/aes256-gcm96")
	if _, err := empty.Encrypt(t.Context(), message, nil); err == nil {
		t.Error("a key that was deleted is made anew by encrypting")
	}
}

// What a kind of key does not do is said in plain words, and is not asked of Vault.
func TestAKeyDoesWhatItsKindDoes(t *testing.T) {
	t.Parallel()
	_, p := withKeys(t)
	ctx, message := t.Context(), []byte("message")
	aes, ed, deriving, p256, rsaKey := keyOf(t, p, "aes256-gcm96"), keyOf(t, p, "ed25519"), keyOf(t, p, "deriving"), keyOf(t, p, "ecdsa-p256"), keyOf(t, p, "rsa-2048")
	sign := func(k secrets.Key, digest []byte, o crypto.SignerOpts) func() error {
		return func() error {
			s, err := k.Signer(ctx)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Sign(rand.Reader, digest, o)
			return err
		}
	}
	second := func(_ any, err error) error { return err }
	for name, f := range map[string]func() error{
		"a cipher signs":            func() error { return second(aes.Sign(ctx, message)) },
		"a cipher has a signer":     func() error { return second(aes.Signer(ctx)) },
		"a cipher has a decrypter":  func() error { return second(aes.Decrypter(ctx)) },
		"a cipher verifies":         func() error { return aes.Verify(ctx, message, "vault:v1:"+strings.Repeat("A", 88)) },
		"a signing key encrypts":    func() error { return second(ed.Encrypt(ctx, message, nil)) },
		"a signing key decrypts":    func() error { return second(p256.Decrypt(ctx, "vault:v1:AAAA", nil)) },
		"a signing key's decrypter": func() error { return second(p256.Decrypter(ctx)) },
		"a deriving key signs":      func() error { return second(deriving.Sign(ctx, message)) },
		"a deriving key's signer":   func() error { return second(deriving.Signer(ctx)) },
		"Ed25519ph":                 sign(ed, make([]byte, 64), &ed25519.Options{Hash: crypto.SHA512}),
		"Ed25519ctx":                sign(ed, message, &ed25519.Options{Context: "x"}),
		"SHA-1":                     sign(p256, make([]byte, 20), crypto.SHA1),
		"no hash":                   sign(rsaKey, message, crypto.Hash(0)),
		"PKCS #1 v1.5 decryption": func() error {
			d, err := rsaKey.Decrypter(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return second(d.Decrypt(nil, message, &rsa.PKCS1v15DecryptOptions{})) //nolint:staticcheck // what nobody should use is refused
		},
	} {
		if err := f(); !errors.Is(err, secrets.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]func() error{
		"a digest that is none": sign(p256, message, crypto.SHA256),
		"no options":            sign(p256, make([]byte, 32), nil),
		"a negative salt":       sign(rsaKey, make([]byte, 32), &rsa.PSSOptions{SaltLength: -7, Hash: crypto.SHA256}),
		"a huge message":        func() error { return second(ed.Sign(ctx, make([]byte, 1<<20))) },
		"no signature":          func() error { return ed.Verify(ctx, message, "vault:v1:A\nB") },
		"no ciphertext":         func() error { return second(aes.Decrypt(ctx, "../../sys", nil)) },
	} {
		if err := f(); err == nil || errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ed.Sign(ended, message); err == nil {
		t.Error("who has gone gets a signature")
	}
}

// What a key is made of passes neither into the process nor out of it, and nothing prints
// what it could be used with.
func TestAKeyIsNotOnTheWire(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	v.Write("sys/mounts/transit", map[string]any{"type": "transit"})
	material := map[string]string{}
	for name, export := range map[string]string{"rsa-2048": "signing-key", "ed25519": "signing-key", "aes256-gcm96": "encryption-key"} {
		v.Write("transit/keys/"+name, map[string]any{"type": name, "exportable": true})
		data, _ := v.Read("transit/export/" + export + "/" + name)["data"].(map[string]any)
		text, _ := data["keys"].(map[string]any)["1"].(string)
		if lines := strings.Split(text, "\n"); len(lines) > 4 {
			text = lines[3] // of PEM, in which others are on the wire escaped
		}
		if len(text) < 40 {
			t.Fatalf("%s: no material to look for", name)
		}
		material[name] = text
	}
	v.Write("sys/policies/acl/server", map[string]any{"policy": `path "transit/*" { capabilities = ["read", "update"] }`})
	target, _ := url.Parse(v.Address)
	var mu sync.Mutex
	var wire bytes.Buffer
	keep := func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		wire.Write(b)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(res *http.Response) error {
		body, err := io.ReadAll(res.Body)
		keep(body)
		res.Body = io.NopCloser(bytes.NewReader(body))
		return err
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		keep(append(body, r.URL.String()...))
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p, err := vault.New(front.URL, &vault.Options{Login: appRole(roleID, secretID)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.WithoutCancel(t.Context())) })
	ctx, message := t.Context(), []byte("message")
	for name := range material {
		c, err := p.Issue(ctx, secrets.Request{Tool: "key", Binding: secrets.Transit(name)})
		if err != nil {
			t.Fatal(err)
		}
		k, _ := c.Key()
		signature, _ := k.Sign(ctx, message)
		_ = k.Verify(ctx, message, signature)
		_, _ = k.HMAC(ctx, message)
		ciphertext, _ := k.Encrypt(ctx, message, nil)
		_, _ = k.Decrypt(ctx, ciphertext, nil)
		if s, err := k.Signer(ctx); err == nil {
			_, _ = s.Sign(nil, make([]byte, 32), crypto.SHA256)
		}
		raw, _ := json.Marshal(k)
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %v", k, k, k, k, c), string(raw)} {
			if strings.Contains(text, "hvs.") || strings.Contains(text, secretID) {
				t.Errorf("a key shows a token: %s", text)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if !bytes.Contains(wire.Bytes(), []byte("vault:v1:")) {
		t.Fatal("nothing was on the wire")
	}
	for name, text := range material {
		if bytes.Contains(wire.Bytes(), []byte(text)) {
			t.Errorf("what %s is made of was on the wire", name)
		}
	}
}
