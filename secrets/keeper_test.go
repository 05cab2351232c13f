package secrets

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// counting is a provider with one value, that counts.
type counting struct{ issued int }

func (c *counting) Issue(_ context.Context, r Request) (*Credential, error) {
	c.issued++
	return NewCredential(CredentialData{Binding: r.Binding, Version: "1", Value: NewSecret([]byte("0123456789abcdef"))})
}

func (*counting) Renew(context.Context, *Credential) (*Credential, error) {
	return nil, ErrNotRenewable
}
func (*counting) Revoke(context.Context, *Credential) error { return nil }

// A keeper that does not do its work leaves nobody with what it did not confirm.
func TestWithoutAKeeperCallsAskThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &counting{}
		b := NewBroker(p, nil)
		b.inner().keeper.end()
		r := Request{Binding: KV("a", "b")}
		for range 130 {
			c, err := b.Acquire(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			b.Release(c)
			time.Sleep(time.Second)
		}
		if p.issued < 3 {
			t.Errorf("asked %d times in two minutes", p.issued)
		}
	})
}
