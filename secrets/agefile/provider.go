package agefile

import (
	"context"
	"fmt"

	"github.com/safemcp/safemcp/secrets"
)

var _ secrets.Provider = (*Store)(nil)

// Issue implements secrets.Provider: it returns the value as it stands in the file
// now, whoever changed it. The version is a number that says nothing but that the
// value is another one. The error is secrets.ErrNotFound where there is no value and
// secrets.ErrUnsupported for a binding that was not made with secrets.KV.
func (s *Store) Issue(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
	if err := s.Supports(r.Binding); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("agefile: %w", context.Cause(ctx))
	}
	in := s.inner()
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.refresh(); err != nil {
		return nil, err
	}
	v, there := in.data.entries[r.Binding.Path()][r.Binding.Field()]
	if !there {
		return nil, fmt.Errorf("agefile: %s: %w", r.Binding, secrets.ErrNotFound)
	}
	return secrets.NewCredential(secrets.CredentialData{
		Binding: r.Binding, Value: secrets.NewSecret(v.Value), Version: v.name(),
	})
}

// Supports refuses bindings that are not made with secrets.KV or name a version, with
// secrets.ErrUnsupported, and those that Binding.Check refuses.
func (*Store) Supports(b secrets.Binding) error {
	if err := b.Check(); err != nil {
		return err
	}
	switch {
	case b.Kind() != secrets.KindKV:
		return fmt.Errorf("agefile: %s: a file holds stored values alone: %w", b, secrets.ErrUnsupported)
	case b.Version() != 0:
		return fmt.Errorf("agefile: %s: a file keeps no value but the latest: %w", b, secrets.ErrUnsupported)
	}
	return nil
}

// Healthy says why no credential can be issued at the moment: the file is gone, does not
// decrypt, or is not this user's alone any more.
func (s *Store) Healthy(context.Context) error {
	in := s.inner()
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.refresh()
}

// Renew implements secrets.Provider: it returns secrets.ErrNotRenewable, since what is
// stored does not expire.
func (*Store) Renew(context.Context, *secrets.Credential) (*secrets.Credential, error) {
	return nil, secrets.ErrNotRenewable
}

// Revoke implements secrets.Provider: there is nothing to take back. Delete ends a
// stored value for good.
func (*Store) Revoke(context.Context, *secrets.Credential) error { return nil }
