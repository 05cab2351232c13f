package agefile

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/internal/private"
	"github.com/safemcp/safemcp/secrets"
)

const (
	// lockTimeout is for how long another process that changes the store is waited
	// for. A change takes milliseconds.
	lockTimeout = 10 * time.Second
	lockRetry   = 5 * time.Millisecond
	// maxValue is the longest value in bytes: a broker issues none that is longer.
	maxValue = 64 << 10
)

// Set stores a copy of value, of 1 byte to 64 KiB. It is on disk when Set returns;
// the version changes if the value does. Where Set fails nothing has changed, except
// where the error says so.
func (s *Store) Set(ctx context.Context, path, field string, value secrets.Secret) error {
	b := secrets.KV(path, field)
	if err := b.Check(); err != nil {
		return err
	}
	return s.inner().change(ctx, func(c contents) (changed bool, err error) {
		err = value.Use(func(v []byte) error {
			if len(v) > maxValue {
				return fmt.Errorf("the value has more than %d bytes", maxValue)
			}
			if old, there := c[path][field]; there && string(old.Value) == string(v) {
				return nil
			}
			changed = true
			c.put(path, field, v)
			return nil
		})
		if err != nil {
			return false, fmt.Errorf("agefile: storing %s: %w", b, err)
		}
		return changed, nil
	})
}

// EnsureRandom stores the hexadecimal form of n random bytes, 16 to 4096, unless there
// is a value already.
func (s *Store) EnsureRandom(ctx context.Context, path, field string, n int) error {
	if err := secrets.KV(path, field).Check(); err != nil {
		return err
	}
	if n < 16 || n > 4096 {
		return errors.New("agefile: EnsureRandom takes 16 to 4096 bytes")
	}
	return s.inner().change(ctx, func(c contents) (bool, error) {
		if _, there := c[path][field]; there {
			return false, nil
		}
		c.put(path, field, hex.AppendEncode(nil, random(n)))
		return true, nil
	})
}

// Delete removes a value. The error is secrets.ErrNotFound where there is none.
func (s *Store) Delete(ctx context.Context, path, field string) error {
	return s.inner().change(ctx, func(c contents) (bool, error) {
		if _, there := c[path][field]; !there {
			return false, fmt.Errorf("agefile: %s: %w", secrets.KV(path, field), secrets.ErrNotFound)
		}
		delete(c[path], field)
		if len(c[path]) == 0 {
			delete(c, path)
		}
		return true, nil
	})
}

// List returns the bindings that have a value, sorted by path and field.
func (s *Store) List() ([]secrets.Binding, error) {
	in := s.inner()
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.refresh(); err != nil {
		return nil, err
	}
	var all []secrets.Binding
	for _, path := range slices.Sorted(maps.Keys(in.data)) {
		for _, field := range slices.Sorted(maps.Keys(in.data[path])) {
			all = append(all, secrets.KV(path, field))
		}
	}
	return all, nil
}

// put gives the entry a version that neither a deleted value nor one that a copy
// brings back has had.
func (c contents) put(path, field string, value []byte) {
	if c[path] == nil {
		c[path] = map[string]entry{}
	}
	c[path][field] = entry{value, binary.LittleEndian.Uint64(random(8))}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (Go 1.24)
	return b
}

// change reads the store, has f change a copy of it, and writes that if f says that it
// did. Values can be issued while it waits for its turn.
func (s *store) change(ctx context.Context, f func(contents) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errPatience)
	defer cancel()
	return s.alone(ctx, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
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
		private.Sweep(s.path, s.path+".identity")
		if err := s.write(next); err != nil {
			return err
		}
		return s.refresh()
	})
}

// errPatience has no sentinel of context, whose deadline was not the caller's.
var errPatience = errors.New("the store has been locked for too long: end the process that is changing it")

// alone runs f while nobody else changes the store, in this process or in another.
func (s *store) alone(ctx context.Context, f func() error) (err error) {
	switch {
	case s.isClosed():
		return errClosed
	case ctx.Err() != nil:
		return fmt.Errorf("agefile: nothing was changed: %w", context.Cause(ctx))
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return fmt.Errorf("agefile: nothing was changed: %w", context.Cause(ctx))
	}
	if s.isClosed() { // while it waited
		return errClosed
	}
	if err := makeDir(s.path); err != nil {
		return err
	}
	lock := flock.New(s.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("agefile: nothing was changed: locking %s: %w", s.path, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return f()
}

func (s *store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
