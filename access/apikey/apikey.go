// Package apikey knows callers by keys that an operator hands out, for clients that
// have no OAuth server to go to: scripts, other servers, a continuous build.
//
//	keys, err := apikey.Open("/etc/weather/keys.json", nil)
//	if err != nil {
//		return err
//	}
//	// keys is an access.Authenticator
//
// A key is msk_<id>_<secret><crc>. The id is public: it stands in lists, in the audit
// log and in access.Principal.Client. The secret is 160 bits from crypto/rand. The crc
// is the CRC-32 of all that is before it, so that a key which was mistyped or cut
// short is known without a look at the store, and so that scanners which search
// repositories for lost keys have no false finds.
//
// The store is one JSON file with the mode 0600. It holds the SHA-256 of each key and
// never a key: what has 160 bits of chance in it cannot be guessed from its hash, as a
// password could, and needs no slow one. Create and Rotate return a key once, and
// nothing can show it again.
//
// Each change is a new file that takes the old one's place in one step, after it has
// reached the disk; a file ".lock" after the store's name keeps processes apart while
// they change it. A server that has the store open looks once a second whether the
// file is another one, so that a key that another process revokes stops within a
// second. Where the file cannot be read any more, or can be read by others, every key
// is refused as one that cannot be checked.
package apikey

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options change how a store is opened. Nil is the zero value.
type Options struct {
	// Create allows the file not to be there until the first key is made. Without it
	// Open fails, so that a path with a mistake in it is no server without keys.
	Create bool
}

// A Store is the keys in one file. It is safe for concurrent use, and several
// processes may use one file. It implements access.Authenticator. Printed, it shows
// its path and nothing of what it holds.
type Store struct {
	state func() *store // a closure, so that nothing prints what is in it
}

type store struct {
	path     string                      // absolute
	now      func() time.Time            // time.Now, or another one in tests
	place    func(from, to string) error // os.Rename, or a fault in tests
	patience time.Duration               // for the lock; lockTimeout, or less in tests
	turn     chan struct{}               // one change at a time in this process
	last     atomic.Pointer[snapshot]

	mu     sync.Mutex // held while the file is read
	absent bool       // the file need not be there yet
}

// errNoStore is what the methods of a Store say that Open did not return.
var errNoStore = errors.New("apikey: there is no store: use one that Open has returned")

// Open opens the store at path. It fails where the file is not there, can be read or
// changed by others, or does not hold what this package writes. A link is followed,
// each time that the file is read.
func Open(path string, o *Options) (*Store, error) {
	absolute, err := filepath.Abs(path)
	if err != nil || path == "" {
		return nil, errors.Join(errors.New("apikey: Open takes the path of a file"), err)
	}
	s := &store{
		path: absolute, now: time.Now, place: os.Rename, patience: lockTimeout,
		turn: make(chan struct{}, 1), absent: o != nil && o.Create,
	}
	if at := s.read(); at.err != nil {
		return nil, at.err
	}
	return &Store{state: func() *store { return s }}, nil
}

// inner returns what the methods work with, or an error for a Store that Open did not
// make.
func (s *Store) inner() (*store, error) {
	if s == nil || s.state == nil {
		return nil, errNoStore
	}
	return s.state(), nil
}

// List returns the entries as they stand in the file now, in the order in which they
// were made, those of keys that have ended too.
func (s *Store) List() ([]Entry, error) {
	in, err := s.inner()
	if err != nil {
		return nil, err
	}
	at := in.read()
	if at.err != nil {
		return nil, at.err
	}
	all := make([]Entry, len(at.all))
	for i, r := range at.all {
		all[i] = r.entry.clone()
	}
	return all, nil
}

// String returns the path of the store.
func (s *Store) String() string {
	in, err := s.inner()
	if err != nil {
		return "apikey:"
	}
	return fmt.Sprintf("apikey:%s", in.path)
}

// GoString returns what String does.
func (s *Store) GoString() string { return s.String() }
