// Package agefile keeps credentials in one encrypted file: the store for a server
// that has no Vault.
//
//	store, err := agefile.Open("/var/lib/weather/secrets.age", nil)
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	if err := store.EnsureRandom(ctx, "weather/share", "key", 32); err != nil {
//		return err
//	}
//	broker := secrets.NewBroker(store, nil)
//
// The file is encrypted with age (https://age-encryption.org/v1) to an identity that
// lies in a file beside it, ".identity" after its name; both are made on first use
// with the mode 0600 and refused where others can read them. What this protects
// against is the store getting about without its identity, in a backup or an image;
// whoever can read both can read the credentials. Options.Identity puts it elsewhere.
package agefile

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"filippo.io/age"
	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/secrets"
)

// Options change where things are. Nil is the zero value.
type Options struct {
	// Identity is the path of the age identity that opens the store; empty is the
	// store's own with ".identity" after it.
	Identity string
}

// A Store holds credentials in a file. It is safe for concurrent use, and several
// processes may use one file. It implements secrets.Provider for bindings made with
// secrets.KV.
type Store struct {
	path     string
	identity *age.X25519Identity

	mu     sync.Mutex // also around the lock between processes
	lock   *flock.Flock
	seen   stamp
	data   contents
	closed bool
}

// An entry is one value and how often it has been changed.
type entry struct {
	Value   []byte `json:"value"`
	Version int    `json:"version"`
}

// contents are the entries by path and field.
type contents map[string]map[string]entry

// Open opens the store at path, making an identity where there is neither. It fails
// where the file or its identity can be read by others, does not decrypt, or was
// damaged; it never writes over a file that it cannot read.
func Open(path string, o *Options) (*Store, error) {
	identityPath := path + ".identity"
	if o != nil && o.Identity != "" {
		identityPath = o.Identity
	}
	if err := makeDirs(path, identityPath); err != nil {
		return nil, err
	}
	s := &Store{path: path, lock: flock.New(path+".lock", flock.SetPermissions(0o600))}
	err := s.locked(func() (err error) {
		if s.identity, err = openIdentity(identityPath, path); err != nil {
			return err
		}
		return s.refresh()
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// locked runs f while no other process changes the store.
func (s *Store) locked(f func() error) (err error) {
	if err := s.lock.Lock(); err != nil {
		return fmt.Errorf("agefile: locking %s: %w", s.path, err)
	}
	defer func() { err = errors.Join(err, s.lock.Unlock()) }()
	return f()
}

// errClosed is what every method says after Close.
var errClosed = errors.New("agefile: the store is closed")

// change reads the store, has f change it, and writes it if f says that it did.
func (s *Store) change(ctx context.Context, f func(contents) (bool, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("agefile: nothing was changed: %w", context.Cause(ctx))
	}
	return s.locked(func() error {
		if err := s.refresh(); err != nil {
			return err
		}
		next := make(contents, len(s.data))
		for path, fields := range s.data {
			next[path] = maps.Clone(fields)
		}
		changed, err := f(next)
		if err != nil || !changed {
			return err
		}
		if err := s.write(next); err != nil {
			return err
		}
		return s.refresh()
	})
}

// Set stores a value. It is on disk when Set returns; the version changes if the
// value does.
func (s *Store) Set(ctx context.Context, path, field string, value secrets.Secret) error {
	if err := secrets.KV(path, field).Check(); err != nil {
		return err //nolint:wrapcheck // says what is wrong with the path
	}
	return s.change(ctx, func(c contents) (changed bool, err error) {
		err = value.Use(func(b []byte) error {
			if old, there := c[path][field]; there && string(old.Value) == string(b) {
				return nil
			}
			changed = true
			c.put(path, field, b)
			return nil
		})
		if err != nil {
			return false, fmt.Errorf("agefile: storing %s: %w", secrets.KV(path, field), err)
		}
		return changed, nil
	})
}

func (c contents) put(path, field string, value []byte) {
	if c[path] == nil {
		c[path] = map[string]entry{}
	}
	c[path][field] = entry{value, c[path][field].Version + 1}
}

// EnsureRandom stores the hexadecimal form of n random bytes, at least 16, unless
// there is a value already.
func (s *Store) EnsureRandom(ctx context.Context, path, field string, n int) error {
	if err := secrets.KV(path, field).Check(); err != nil {
		return err //nolint:wrapcheck // says what is wrong with the path
	}
	if n < 16 || n > 4096 {
		return errors.New("agefile: EnsureRandom takes 16 to 4096 bytes")
	}
	return s.change(ctx, func(c contents) (bool, error) {
		if _, there := c[path][field]; there {
			return false, nil
		}
		value := make([]byte, n)
		rand.Read(value) //nolint:errcheck // crypto/rand.Read never fails (Go 1.24)
		c.put(path, field, hex.AppendEncode(nil, value))
		return true, nil
	})
}

// Delete removes a value. The error is secrets.ErrNotFound where there is none.
func (s *Store) Delete(ctx context.Context, path, field string) error {
	return s.change(ctx, func(c contents) (bool, error) {
		if _, there := c[path][field]; !there {
			return false, fmt.Errorf("agefile: %s: %w", secrets.KV(path, field), secrets.ErrNotFound)
		}
		delete(c[path], field)
		return true, nil
	})
}

// List returns the bindings that have a value, sorted.
func (s *Store) List() ([]secrets.Binding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if err := s.refresh(); err != nil {
		return nil, err
	}
	var all []secrets.Binding
	for _, path := range slices.Sorted(maps.Keys(s.data)) {
		for _, field := range slices.Sorted(maps.Keys(s.data[path])) {
			all = append(all, secrets.KV(path, field))
		}
	}
	return all, nil
}

// Issue implements secrets.Provider: it returns the value as it stands in the file
// now, whoever changed it.
func (s *Store) Issue(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
	if err := s.Supports(r.Binding); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("agefile: %w", context.Cause(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if err := s.refresh(); err != nil {
		return nil, err
	}
	e, there := s.data[r.Binding.Path()][r.Binding.Field()]
	if !there {
		return nil, fmt.Errorf("agefile: %s: %w", r.Binding, secrets.ErrNotFound)
	}
	return secrets.NewCredential(secrets.CredentialData{ //nolint:wrapcheck // names the binding
		Binding: r.Binding, Value: secrets.NewSecret(e.Value), Version: strconv.Itoa(e.Version),
	})
}

// Supports refuses bindings that are not made with secrets.KV, and paths that
// secrets.Binding refuses.
func (s *Store) Supports(b secrets.Binding) error {
	if err := b.Check(); err != nil {
		return err //nolint:wrapcheck // says what is wrong with the binding
	}
	if b.Kind() != secrets.KindKV {
		return fmt.Errorf("agefile: %s: a file holds stored values alone: %w", b, secrets.ErrUnsupported)
	}
	return nil
}

// Renew implements secrets.Provider: what is stored does not expire.
func (*Store) Renew(context.Context, *secrets.Credential) (*secrets.Credential, error) {
	return nil, secrets.ErrNotRenewable
}

// Revoke implements secrets.Provider: there is nothing to take back.
func (*Store) Revoke(context.Context, *secrets.Credential) error { return nil }

// Close forgets what was read. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.data = true, nil
	return s.lock.Close() //nolint:wrapcheck // names the path
}
