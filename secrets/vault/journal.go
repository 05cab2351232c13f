package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/internal/private"
	"github.com/safemcp/safemcp/secrets"
)

// A journal is the file in which a process keeps the names of what Vault gave it, so that
// another can revoke that when the process was killed. The file is locked while the
// process lives, by a file of its own beside it, which the system unlocks when it dies. A
// line is on disk before what it names is used. It is safe for concurrent use; a nil
// journal keeps nothing.
type journal struct {
	dir  string
	name string // of this process's file, without its ending
	lock *flock.Flock
	head entry

	mu    sync.Mutex
	file  *os.File
	live  map[entry]bool // what has not been dropped
	lines int            // in the file
	err   error          // that the last write ended with: nothing is known of the file any more
}

// An entry is a line of a journal. Nothing in it is secret: an accessor and a lease can
// be ended with them by those whose own token may, and not be used.
type entry struct {
	Vault     string `json:"vault,omitempty"` // the first line: whose names they are
	Namespace string `json:"namespace,omitempty"`
	Accessor  string `json:"accessor,omitempty"`
	Lease     string `json:"lease,omitempty"`
}

// Endings of a journal's file and of its lock's.
const (
	journalEnding = ".jsonl"
	lockEnding    = ".lock"
)

// slack is how many lines more than there have to be a file may have before it is
// written anew.
const slack = 4096

// errJournal is wrapped around what goes wrong: credentials may be there again when there
// is space on the disk.
type errJournal struct{ err error }

func (e *errJournal) Error() string {
	return "vault: the journal cannot be written, and without it nothing is issued: " + e.err.Error()
}
func (e *errJournal) Unwrap() error        { return e.err }
func (e *errJournal) Is(target error) bool { return target == secrets.ErrUnavailable }

// openJournal makes the directory and the process's file in it.
func openJournal(dir string, head entry) (*journal, error) {
	if dir == "" {
		return nil, nil
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	j := &journal{dir: dir, name: rand.Text(), head: head, live: map[entry]bool{}}
	j.lock = flock.New(j.path(lockEnding), flock.SetPermissions(0o600))
	// The lock comes first, so that there is no moment at which the file is there and
	// looks like that of a dead process.
	if err := j.hold(); err != nil {
		return nil, fmt.Errorf("vault: Options.Journal: %w", err)
	}
	if err := j.rewrite(); err != nil {
		_ = j.lock.Close()
		_ = os.Remove(j.path(lockEnding))
		return nil, fmt.Errorf("vault: Options.Journal: %w", err)
	}
	return j, nil
}

// hold takes the lock, and makes sure that it is the one that others find: an heir may have
// swept away what had no journal yet.
func (j *journal) hold() error {
	for range 100 {
		locked, err := j.lock.TryLock()
		if err != nil {
			return err //nolint:wrapcheck // names the path
		}
		if locked {
			held, err := j.lock.Stat()
			if err != nil {
				return err //nolint:wrapcheck // names the path
			}
			if found, err := os.Stat(j.path(lockEnding)); err == nil && os.SameFile(held, found) {
				return nil
			}
		}
		if err := j.lock.Close(); err != nil {
			return err //nolint:wrapcheck // names the path
		}
		j.name = rand.Text()
		j.lock = flock.New(j.path(lockEnding), flock.SetPermissions(0o600))
	}
	return errors.New("a new file is taken by another process each time")
}

// checkDir makes the directory, and refuses one in which others could have us revoke what
// they like.
func checkDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("vault: Options.Journal: %w", err)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("vault: Options.Journal: %w", err)
	case !info.IsDir():
		return fmt.Errorf("vault: Options.Journal: %s is no directory", dir)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("vault: Options.Journal: others may use %s (%s): chmod 700 it", dir, info.Mode().Perm())
	}
	if err := private.Dir(dir); err != nil { // another user's
		return fmt.Errorf("vault: Options.Journal: %w", err)
	}
	return nil
}

func (j *journal) path(ending string) string { return filepath.Join(j.dir, j.name+ending) }

// add writes a line, and returns when it is on disk.
func (j *journal) add(e entry) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil && j.err == nil {
		return errClosed
	}
	j.live[e] = true
	if j.err != nil || j.lines > 2*len(j.live)+slack {
		if j.err = j.rewrite(); j.err != nil { // with e
			delete(j.live, e)
			return &errJournal{j.err}
		}
		return nil
	}
	_, err := j.file.Write(line(e))
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.err = err
		delete(j.live, e)
		return &errJournal{err}
	}
	j.lines++
	return nil
}

// drop says that nothing is to be revoked any more. The line stays until the file is
// written anew: revoking twice does no harm.
func (j *journal) drop(e entry) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.live, e)
}

// rewrite writes a file with what is live in the place of the one that is there. The
// caller holds the lock, or has the journal alone.
func (j *journal) rewrite() error {
	var text bytes.Buffer
	text.Write(line(j.head))
	for e := range j.live {
		text.Write(line(e))
	}
	if j.file != nil {
		_ = j.file.Close() // Windows replaces no file that is open
		j.file = nil
	}
	if err := private.Put(j.path(journalEnding), text.Bytes(), os.Rename); err != nil {
		return fmt.Errorf("%w", err)
	}
	f, err := os.OpenFile(j.path(journalEnding), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	j.file, j.lines = f, 1+len(j.live)
	return nil
}

// close ends it. What is left is kept for the next start; where nothing is, the file goes.
func (j *journal) close(left bool) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	if j.file != nil {
		err = j.file.Close()
		j.file = nil
	}
	j.err = nil
	if !left {
		err = errors.Join(err, os.Remove(j.path(journalEnding)))
	}
	err = errors.Join(err, j.lock.Close())
	if !left {
		_ = os.Remove(j.path(lockEnding)) // a lock without a file is nobody's
	}
	if err != nil {
		return fmt.Errorf("vault: the journal: %w", err)
	}
	return nil
}

func line(e entry) []byte {
	raw, _ := json.Marshal(e) //nolint:errchkjson // strings always can
	return append(raw, '\n')
}
