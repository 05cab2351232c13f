package agefile

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/safemcp/safemcp/internal/private"
	"github.com/safemcp/safemcp/secrets"
)

// Set stores a copy of a value, of 1 byte to 64 KiB. It is on disk when Set returns;
// the version changes if the value does. Where Set fails nothing has changed, except
// where the error says so.
func (s *Store) Set(ctx context.Context, path, field string, v secrets.Secret) error {
	return s.SetFields(ctx, path, map[string]secrets.Secret{field: v})
}

// SetFields stores the values of several fields of a path, as Set does, all or none of
// them. Other fields stay as they are.
func (s *Store) SetFields(ctx context.Context, path string, values map[string]secrets.Secret) error {
	if len(values) == 0 {
		return errors.New("agefile: SetFields takes at least one field")
	}
	for _, field := range fieldsOf(values) {
		if err := secrets.KV(path, field).Check(); err != nil {
			return err
		}
	}
	return s.inner().change(ctx, func(c *contents) (changed bool, _ error) {
		for _, field := range fieldsOf(values) {
			err := values[field].Use(func(v []byte) error {
				if len(v) > maxValue {
					return fmt.Errorf("the value has more than %d bytes", maxValue)
				}
				if old, there := c.entries[path][field]; there && string(old.Value) == string(v) {
					return nil
				}
				changed = true
				c.put(path, field, v)
				return nil
			})
			if err != nil {
				return false, fmt.Errorf("agefile: nothing was changed: storing %s: %w", secrets.KV(path, field), err)
			}
		}
		return changed, nil
	})
}

// EnsureRandom stores the hexadecimal form of n random bytes, 16 to 4096, unless there
// is a value already.
func (s *Store) EnsureRandom(ctx context.Context, path, field string, n int) error {
	b := secrets.KV(path, field)
	if err := b.Check(); err != nil {
		return err
	}
	if n < 16 || n > 4096 {
		return errors.New("agefile: EnsureRandom takes 16 to 4096 bytes")
	}
	in := s.inner()
	// A value that is there needs no lock, and no file system that can be written.
	if there, err := in.has(b); there || err != nil {
		return err
	}
	return in.change(ctx, func(c *contents) (bool, error) {
		if _, there := c.entries[path][field]; there {
			return false, nil
		}
		c.put(path, field, hex.AppendEncode(nil, random(n)))
		return true, nil
	})
}

func (s *store) has(b secrets.Binding) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return false, err
	}
	_, there := s.data.entries[b.Path()][b.Field()]
	return there, nil
}

// Delete removes a value. The error is secrets.ErrNotFound where there is none.
func (s *Store) Delete(ctx context.Context, path, field string) error {
	return s.inner().change(ctx, func(c *contents) (bool, error) {
		if _, there := c.entries[path][field]; !there {
			return false, fmt.Errorf("agefile: %s: %w", secrets.KV(path, field), secrets.ErrNotFound)
		}
		delete(c.entries[path], field)
		if len(c.entries[path]) == 0 {
			delete(c.entries, path)
		}
		return true, nil
	})
}

// put gives the value a version that neither a deleted one nor one that a copy brings
// back has had.
func (c contents) put(path, field string, v []byte) {
	if c.entries[path] == nil {
		c.entries[path] = map[string]value{}
	}
	c.entries[path][field] = value{v, binary.LittleEndian.Uint64(random(8)), time.Now().UTC().Truncate(time.Second)}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (Go 1.24)
	return b
}

// change reads the store, has f change a copy of it, and writes that if f says that it
// did. Values can be issued while it waits for its turn.
func (s *store) change(ctx context.Context, f func(*contents) (bool, error)) error {
	return s.alone(ctx, func(at string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.read(at); err != nil {
			return err
		}
		next := s.data.clone()
		changed, err := f(&next)
		if err != nil || !changed {
			return err
		}
		if now, err := s.file(); err != nil || now != at {
			return errors.Join(fmt.Errorf("agefile: nothing was changed: %s is a link that has just been changed: try again", s.path), err)
		}
		private.Sweep(at, at+".identity")
		if err := s.write(at, next); err != nil {
			return err
		}
		if err := s.read(at); err != nil {
			return fmt.Errorf("%w (the change was made, and the file is not as it was written)", err)
		}
		return nil
	})
}
