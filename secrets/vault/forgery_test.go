package vault_test

import (
	"testing"

	"github.com/safemcp/safemcp/secrets"
)

// Who may hash with a key that signs forges no signature with that, and who signs with
// another key or another version none of this one.
func TestAHashIsNoSignature(t *testing.T) {
	t.Parallel()
	v, p := withKeys(t)
	v.Write("sys/policies/acl/tool-share", map[string]any{"policy": `
path "transit/keys/+" { capabilities = ["read"] }
path "transit/hmac/+" { capabilities = ["update"] }`})
	message := []byte("pay 10 to Ada")
	for _, name := range []string{"ed25519", "ecdsa-p256", "rsa-2048"} {
		c, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.Transit(name)})
		if err != nil {
			t.Fatal(err)
		}
		forger, _ := c.Key()
		if _, err := forger.Sign(t.Context(), message); err == nil {
			t.Fatalf("%s: it may sign", name)
		}
		hash, err := forger.HMAC(t.Context(), message)
		if err != nil {
			t.Fatal(err)
		}
		k := keyOf(t, p, name)
		if err := k.Verify(t.Context(), message, hash); err == nil {
			t.Errorf("%s: a hash is taken for a signature", name)
		}
		v.Write("transit/keys/"+name+"/rotate", nil)
		signature, err := k.Sign(t.Context(), message)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.Verify(t.Context(), message, "vault:v1:"+signature[len("vault:v2:"):]); err == nil {
			t.Errorf("%s: a signature of another version is taken", name)
		}
		if err := k.Verify(t.Context(), message, signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
