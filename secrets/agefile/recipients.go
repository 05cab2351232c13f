package agefile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
)

// Recipients returns the public keys, age1 and what follows, of the identities that
// can open the store, sorted. Its own is one of them. They are no secrets.
func (s *Store) Recipients() ([]string, error) {
	in := s.inner()
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.refresh(); err != nil {
		return nil, err
	}
	return with(in.data.recipients, in.identity.Recipient().String()), nil
}

// AddRecipient lets the identity of a public key, which age-keygen shows, open the
// store too: an operator's, or the one that is to take the place of the store's own. The
// store remembers it, so that every later change is encrypted to it, whoever makes it.
// A store has at most 64.
func (s *Store) AddRecipient(ctx context.Context, key string) error {
	if _, err := age.ParseX25519Recipient(key); err != nil {
		if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(key)), "AGE-SECRET-KEY-") {
			return errors.New("agefile: that is an identity, which is secret: give its public key, which begins with age1 and age-keygen -y shows")
		}
		return errors.New("agefile: that is no public key of age for X25519: it begins with age1, and age-keygen -y shows it")
	}
	in := s.inner()
	return in.change(ctx, func(c *contents) (bool, error) {
		if slices.Contains(c.recipients, key) {
			return false, nil
		}
		c.recipients = with(with(c.recipients, key), in.identity.Recipient().String())
		if len(c.recipients) > maxRecipients {
			return false, fmt.Errorf("agefile: nothing was changed: a store has at most %d recipients: remove one", maxRecipients)
		}
		return true, nil
	})
}

// RemoveRecipient ends that an identity can open the store from now on. What it could
// open before it may have kept: change the values too. It refuses the identity that
// this Store works with. The error says so where the key was none of the store's.
func (s *Store) RemoveRecipient(ctx context.Context, key string) error {
	in := s.inner()
	return in.change(ctx, func(c *contents) (bool, error) {
		if key == in.identity.Recipient().String() {
			return false, errors.New("agefile: nothing was changed: that is the key of the identity that the store was opened with: open it with another one to remove this one")
		}
		at := slices.Index(c.recipients, key)
		if at < 0 {
			return false, errors.New("agefile: nothing was changed: the store has no such recipient")
		}
		c.recipients = slices.Delete(c.recipients, at, at+1)
		return true, nil
	})
}

// with returns the sorted keys and one more.
func with(keys []string, key string) []string {
	all := append(slices.Clone(keys), key)
	slices.Sort(all)
	return slices.Compact(all)
}

func recipients(keys []string) ([]age.Recipient, error) {
	all := make([]age.Recipient, len(keys))
	for i, key := range keys {
		r, err := age.ParseX25519Recipient(key)
		if err != nil {
			return nil, errors.New("agefile: nothing was changed: a recipient of the store is none")
		}
		all[i] = r
	}
	return all, nil
}
