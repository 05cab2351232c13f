package secrets_test

import (
	"encoding/base64"
	"testing"

	"github.com/safemcp/safemcp/secrets"
)

func TestShortValuesNeedAReason(t *testing.T) {
	t.Parallel()
	provider := &fixed{values: map[string]string{"five": "12345", "three": "xyz", "eight": "abcdefgh"}}
	b := secrets.NewBroker(provider, &secrets.Options{InsecureShortValues: "the PIN of a device"})
	for path := range provider.values {
		if _, err := b.Acquire(t.Context(), secrets.Request{Binding: secrets.KV(path, "f")}); err != nil {
			t.Fatal(err)
		}
	}
	if b.OptOuts()["InsecureShortValues"] != "the PIN of a device" {
		t.Error("the reason is lost")
	}
	clean, found := b.RedactString("12345 xyz abcdefgh 1234 " + base64.StdEncoding.EncodeToString([]byte("12345")))
	if clean != "[redacted:kv:five#f] xyz [redacted:kv:eight#f] 1234 MTIzNDU=" || len(found) != 2 {
		t.Errorf("%q, %q", clean, found)
	}
}
