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
//
// Each change is a new file that takes the old one's place in one step, after it has
// reached the disk; a file ".lock" after the store's name keeps processes apart while
// they change it. Reading takes no lock and writes nothing, so that a store that is
// there already may lie on a medium that cannot be written.
package agefile

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"
)

// Options change where things are. Nil is the zero value.
type Options struct {
	// Identity is the path of the age identity that opens the store; empty is the
	// store's own with ".identity" after it. Several stores may share one.
	Identity string
}

// A Store holds credentials in a file. It is safe for concurrent use, and several
// processes may use one file. It implements secrets.Provider for bindings made with
// secrets.KV. Printed, it shows nothing of what it holds.
type Store struct {
	state func() *store // a closure, so that nothing prints what is in it
}

type store struct {
	path     string // absolute, of the file itself where a link was given
	identity *age.X25519Identity
	patience time.Duration // for the lock; lockTimeout, or less in tests
	turn     chan struct{} // one change at a time in this process

	mu     sync.Mutex
	seen   stamp
	data   contents
	closed bool
}

// An entry is one value, and a number that no other value of the entry has had.
type entry struct {
	Value   []byte `json:"value"`
	Version uint64 `json:"version"`
}

// contents are the entries by path and field.
type contents map[string]map[string]entry

// errClosed is what every method says after Close.
var errClosed = errors.New("agefile: the store is closed: use one that Open has returned")

// Open opens the store at path, and makes an identity where there is neither. The
// store itself is made by the first change. Open fails where the file or its identity
// can be read by others, does not decrypt, or was damaged; nothing is ever written
// over a file that cannot be read. A link is followed.
func Open(path string, o *Options) (*Store, error) {
	identityPath := path + ".identity"
	if o != nil && o.Identity != "" {
		identityPath = o.Identity
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	if target, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = target
	}
	s := &store{path: absolute, patience: lockTimeout, turn: make(chan struct{}, 1)}
	if s.identity, err = s.openIdentity(identityPath); err != nil {
		return nil, err
	}
	if err := s.refresh(); err != nil {
		return nil, err
	}
	return &Store{state: func() *store { return s }}, nil
}

// inner returns what the methods work with, also for a Store that Open did not make.
func (s *Store) inner() *store {
	if s == nil || s.state == nil {
		return &store{closed: true, turn: make(chan struct{}, 1)}
	}
	return s.state()
}

// Close waits for a change under way and forgets what was read. A second Close does
// nothing.
func (s *Store) Close() error {
	in := s.inner()
	in.turn <- struct{}{}
	defer func() { <-in.turn }()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.data, in.identity = true, nil, nil
	return nil
}

// String returns the path of the store.
func (s *Store) String() string { return "agefile:" + s.inner().path }

// GoString returns what String does.
func (s *Store) GoString() string { return s.String() }
