package vault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

func TestAnEntryIsReadWhole(t *testing.T) {
	t.Parallel()
	v := vaulttest.Start(t)
	v.Write("sys/mounts/secret", map[string]any{"type": "kv-v2"})
	v.Write("secret/data/app/share", map[string]any{"data": map[string]any{"gone": "of the first version"}})
	v.Write("secret/data/app/share", map[string]any{"data": map[string]any{"one": "canary-one", "two": "canary-two", "number": 7, "empty": "", "list": []string{"canary"}, "none": nil}})
	p, err := vault.New(v.Address, &vault.Options{Login: vault.Token(secrets.NewSecret([]byte(v.RootToken)))})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.WithoutCancel(t.Context()))
	values, others, err := p.Entry(t.Context(), "app/share")
	if err != nil || len(values) != 2 || strings.Join(others, " ") != "empty list none number" {
		t.Fatalf("%v, %v, %v", values, others, err)
	}
	for field, want := range map[string]string{"one": "canary-one", "two": "canary-two"} {
		if err := values[field].Use(func(b []byte) error {
			if string(b) != want {
				return fmt.Errorf("it is %d bytes long", len(b))
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, _, err := p.Entry(t.Context(), "app/absent"); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	v.Delete("secret/data/app/share") // its latest version
	if _, _, err := p.Entry(t.Context(), "app/share"); !errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("one that was deleted: %v", err)
	}
	before := len(v.Audit())
	for _, path := range []string{"", "../sys/mounts", "app//share", "app/share?version=1", "{tenant}/share", "{other}/share", "app/%2e%2e/sys"} {
		if _, _, err := p.Entry(t.Context(), path); err == nil {
			t.Errorf("%q is read", path)
		}
	}
	if after := len(v.Audit()); after != before {
		t.Errorf("%d events about paths that are none", after-before)
	}
}
