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
// Operators change it with safetool secrets, while servers run: a value is issued as it
// stands in the file at that moment, and its version changes when it does. A broker
// that has it in use asks again every 30 seconds.
//
// # What opens it
//
// The file is encrypted with age (https://age-encryption.org/v1) to an identity of age,
// that is, a private key. It lies in a file beside the store, ".identity" after its
// name, and is made on first use. What this protects against is the store getting about
// without its identity, in a backup or an image; whoever can read both can read the
// credentials. [Options] puts the identity elsewhere: into another file, into a variable
// of the environment, or behind a passphrase. Other keys, an operator's for instance,
// can be given the store too: see [Store.AddRecipient].
//
// # The file
//
// Store and identity have the mode 0600, and are refused where others can read or
// change them, where they belong to another user than this one or root, and where
// others can write to the directory. A link is followed, each time that the store is
// read, if nobody else can have put it there.
//
// Each change is a new file that takes the old one's place in one step, after it has
// reached the disk, so that nobody ever reads half of one; a file ".lock" after the
// store's name keeps processes apart while they change it. Nothing is written over a
// file that cannot be read.
//
// Reading takes no lock and writes nothing, so that a store that is there already may
// lie on a file system that cannot be written: see [Store.Writable]. The lock is one
// machine's. A store is not for a file system over a network, nor for replicas that
// each change a copy of their own: let one writer make it and hand it out, or use a
// Vault.
package agefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/safemcp/safemcp/internal/private"
	"github.com/safemcp/safemcp/secrets"
)

// Options say what opens the store. Nil is the zero value.
type Options struct {
	// Identity is the path of the age identity that opens the store; empty is the
	// store's own with ".identity" after it. Several stores may share one.
	Identity string
	// IdentityEnv is the name of a variable of the environment, such as
	// SAFEMCP_AGE_IDENTITY, that holds the identity itself: AGE-SECRET-KEY-1 and what
	// follows. Nothing is then made or read beside the store. No variable is read
	// unless it is named here. It goes with neither of the others.
	IdentityEnv string
	// Passphrase returns the passphrase that protects the file of the identity, which
	// is then encrypted with age's scrypt. It is called by Open alone, at most once;
	// fresh says that there is no identity yet and the passphrase, of 12 characters or
	// more, is to protect the one that is made: ask for it twice. [PassphraseFile]
	// returns one that reads a file. Deriving the key takes about a second and 256 MiB.
	Passphrase func(fresh bool) (secrets.Secret, error)
}

// A Store holds credentials in a file. It is safe for concurrent use, and several
// processes may use one file. It implements secrets.Provider for bindings made with
// secrets.KV. Printed, it shows nothing of what it holds.
type Store struct {
	state func() *store // a closure, so that nothing prints what is in it
}

type store struct {
	path     string // absolute, as it was given
	identity *age.X25519Identity
	patience time.Duration               // for the lock; lockTimeout, or less in tests
	place    func(from, to string) error // os.Rename, or a fault in tests
	medium   func(dir string) error      // private.Writable, or a fault in tests
	work     int                         // log2 of scrypt's cost; workFactor, or less in tests
	turn     chan struct{}               // one change at a time in this process

	mu     sync.Mutex
	seen   stamp
	data   contents
	closed bool
}

// errClosed is what every method says after Close.
var errClosed = errors.New("agefile: the store is closed: use one that Open has returned")

// Open opens the store at path, and makes an identity where there is neither. The
// store itself is made by the first change. Open fails where the file or its identity
// is not this user's alone, does not decrypt, or was damaged, and where there is no
// store and none can be made.
func Open(path string, o *Options) (*Store, error) {
	return open(path, o, &store{
		patience: lockTimeout, place: os.Rename, medium: private.Writable, work: workFactor, turn: make(chan struct{}, 1),
	})
}

func open(path string, o *Options, s *store) (_ *Store, err error) {
	var options Options
	if o != nil {
		options = *o
	}
	switch {
	case path == "":
		return nil, errors.New("agefile: Open takes the path of a file")
	case options.IdentityEnv != "" && (options.Identity != "" || options.Passphrase != nil):
		return nil, errors.New("agefile: Options.IdentityEnv goes with neither Identity nor Passphrase: say one thing that opens the store")
	}
	if options.Identity == "" {
		options.Identity = path + ".identity"
	}
	if s.path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	if s.identity, err = s.openIdentity(&options); err != nil {
		return nil, err
	}
	if err := s.refresh(); err != nil {
		return nil, err
	}
	if s.seen == (stamp{}) { // there is nothing to read: can it be made?
		at, err := s.file()
		if err != nil {
			return nil, err
		}
		if err := private.Dir(filepath.Dir(at)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("agefile: %w", err)
		}
		if err := s.writable(at); err != nil {
			return nil, err
		}
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
	in.closed, in.data, in.identity = true, contents{}, nil
	return nil
}

// String returns the path of the store.
func (s *Store) String() string { return "agefile:" + s.inner().path }

// GoString returns what String does.
func (s *Store) GoString() string { return s.String() }

// file is the path of the file itself where the store's is a link. It is looked up each
// time: what mounts a new version may do so by another link.
func (s *store) file() (string, error) {
	at, err := private.Resolve(s.path)
	if err != nil {
		return "", fmt.Errorf("agefile: %w", err)
	}
	return at, nil
}
