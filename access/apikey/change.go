package apikey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/internal/private"
)

const (
	// lockTimeout is for how long another process that changes the store is waited
	// for. A change takes milliseconds.
	lockTimeout = 10 * time.Second
	lockRetry   = 5 * time.Millisecond
	// longestGrace is for how long two keys of a rotation may be valid at once.
	longestGrace = 90 * 24 * time.Hour
)

// Create makes a key and returns it, once and never again, and its entry. Roles and
// scopes are sorted, each kept once. It fails where a valid key of another tenant has
// the name, since the two would be one caller.
func (s *Store) Create(ctx context.Context, g Grant) (key string, _ Entry, err error) {
	in, err := s.inner()
	if err != nil {
		return "", Entry{}, err
	}
	if err := g.Check(); err != nil {
		return "", Entry{}, err
	}
	var made *record
	err = in.change(ctx, func(c *contents) error {
		g.Roles, g.Scopes = sorted(g.Roles), sorted(g.Scopes)
		g.Expires = whole(g.Expires)
		if !g.Expires.IsZero() && !c.now.Before(g.Expires) {
			return errors.New("apikey: the key would have expired already: give a later time")
		}
		for _, r := range c.all {
			if e := r.entry; e.Name == g.Name && e.Tenant != g.Tenant && e.Check(c.now) == nil {
				return fmt.Errorf("apikey: the valid key %s has the name %q with the tenant %q: give another name, or revoke that key", e.ID, e.Name, e.Tenant)
			}
		}
		key, made = c.add(Entry{Grant: g})
		return nil
	})
	if err != nil {
		return "", Entry{}, err
	}
	return key, made.entry.clone(), nil
}

// Rotate makes a key with the grant of the one with that id, its expiry too, and
// returns it once. The old one ends after grace, 0 to 90 days, or before if it would
// have. The error wraps ErrUnknown, ErrRevoked or ErrExpired where there is no such
// key that is valid; a key is replaced once.
func (s *Store) Rotate(ctx context.Context, id string, grace time.Duration) (key string, _ Entry, err error) {
	in, err := s.inner()
	if err != nil {
		return "", Entry{}, err
	}
	if grace < 0 || grace > longestGrace {
		return "", Entry{}, fmt.Errorf("apikey: the grace must be 0 to %d hours", longestGrace/time.Hour)
	}
	var made *record
	err = in.change(ctx, func(c *contents) error {
		at, err := c.find(id)
		if err != nil {
			return err
		}
		old := c.all[at].entry
		if err := old.Check(c.now); err != nil {
			return fmt.Errorf("apikey: the key %s cannot be replaced: %w: make a new one with create", id, err)
		}
		if old.ReplacedBy != "" {
			return fmt.Errorf("apikey: the key %s was replaced already: rotate its successor, %s", id, old.ReplacedBy)
		}
		key, made = c.add(Entry{Grant: old.Grant, Replaces: id})
		if end := whole(c.now.Add(grace)); old.Expires.IsZero() || end.Before(old.Expires) {
			old.Expires = end
		}
		old.ReplacedBy = made.entry.ID
		c.all[at] = newRecord(old, c.all[at].hash)
		return nil
	})
	if err != nil {
		return "", Entry{}, err
	}
	return key, made.entry.clone(), nil
}

// Revoke ends a key for good, and returns its entry. A key that was revoked before
// stays as it is. The keys before and after it in a rotation are not touched. The
// error wraps ErrUnknown where there is no such key.
func (s *Store) Revoke(ctx context.Context, id string) (Entry, error) {
	in, err := s.inner()
	if err != nil {
		return Entry{}, err
	}
	var e Entry
	err = in.change(ctx, func(c *contents) error {
		at, err := c.find(id)
		if err != nil {
			return err
		}
		if e = c.all[at].entry; e.Revoked.IsZero() {
			e.Revoked = whole(c.now)
			c.all[at] = newRecord(e, c.all[at].hash)
		}
		return nil
	})
	if err != nil {
		return Entry{}, err
	}
	return e.clone(), nil
}

// contents are what a change works on: a copy of the list, whose records it replaces.
type contents struct {
	now time.Time
	all []*record
}

func (c *contents) find(id string) (int, error) {
	if at := slices.IndexFunc(c.all, func(r *record) bool { return r.entry.ID == id }); at >= 0 {
		return at, nil
	}
	if !isID(id) { // it may be a whole key, which is not shown
		return 0, fmt.Errorf("apikey: %w: what was given is no id: take one from safetool keys list", ErrUnknown)
	}
	return 0, fmt.Errorf("apikey: %w: %s: safetool keys list shows those that there are", ErrUnknown, id)
}

func (c *contents) add(e Entry) (key string, _ *record) {
	for {
		e.ID, key = newKey()
		if _, err := c.find(e.ID); err != nil {
			break
		}
	}
	e.Created = whole(c.now)
	r := newRecord(e, sha256.Sum256([]byte(key)))
	c.all = append(c.all, r)
	return key, r
}

// whole is the time as it is written down.
func whole(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// errPatience has no sentinel of context, whose deadline was not the caller's.
var errPatience = errors.New("the store has been locked for too long: end the process that is changing it")

// change has f change a copy of what is in the file now, and writes that. Keys are
// checked meanwhile.
func (s *store) change(ctx context.Context, f func(*contents) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errPatience)
	defer cancel()
	return s.alone(ctx, func(path string) error {
		at := s.read()
		if at.err != nil {
			return at.err
		}
		c := &contents{now: s.now(), all: slices.Clone(at.all)}
		if err := f(c); err != nil {
			return err
		}
		text, err := encode(c.all)
		if err != nil {
			return err
		}
		private.Sweep(path)
		if err := private.Put(path, text, s.place); err != nil {
			return fmt.Errorf("apikey: %w", err)
		}
		s.read() // what cannot be read now was written all the same: the next call says so
		return nil
	})
}

// alone runs f while nobody else changes the store, in this process or in another,
// with the path of the file itself where the store's is a link: a link must stay one,
// and two names of one store must have one lock.
func (s *store) alone(ctx context.Context, f func(path string) error) (err error) {
	if ctx.Err() != nil {
		return fmt.Errorf("apikey: nothing was changed: %w", context.Cause(ctx))
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return fmt.Errorf("apikey: nothing was changed: %w", context.Cause(ctx))
	}
	path := s.path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("apikey: %w", err)
	}
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("apikey: nothing was changed: locking %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return f(path)
}
