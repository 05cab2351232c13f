package agefile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/internal/private"
)

const (
	// lockTimeout is for how long another process that changes the store is waited
	// for. A change takes milliseconds.
	lockTimeout = 10 * time.Second
	lockRetry   = 5 * time.Millisecond
)

// errPatience has no sentinel of context, whose deadline was not the caller's.
var errPatience = errors.New("the store has been locked for too long")

// alone runs f, with the path of the file itself, while nobody else changes the store, in
// this process or in another.
func (s *store) alone(ctx context.Context, f func(at string) error) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.patience, errPatience)
	defer cancel()
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
	at, err := s.file()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return unwritable(at, err)
	}
	if err := private.Dir(filepath.Dir(at)); err != nil {
		return fmt.Errorf("agefile: nothing was changed: %w", err)
	}
	if err := s.writable(at); err != nil {
		return err
	}
	lock, err := lockOf(ctx, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	sign(lock.Path())
	defer func() { _ = os.Truncate(lock.Path(), 0) }()
	return f(at)
}

// lockOf takes the lock of the file at a path, and the one that lies where others look
// for it: one that was removed while it was waited for keeps nobody out.
func lockOf(ctx context.Context, at string) (*flock.Flock, error) {
	for {
		lock := flock.New(at+".lock", flock.SetPermissions(0o600))
		if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
			switch {
			case ctx.Err() == nil:
				return nil, unwritable(at, fmt.Errorf("locking %s: %w", at, err))
			case errors.Is(context.Cause(ctx), errPatience):
				return nil, fmt.Errorf("agefile: nothing was changed: %w, by %s: end that process if it hangs, and try again", errPatience, holder(lock.Path()))
			}
			return nil, fmt.Errorf("agefile: nothing was changed: locking %s: %w", at, context.Cause(ctx))
		}
		held, err := lock.Stat()
		now, lerr := os.Lstat(lock.Path())
		if err == nil && lerr == nil && os.SameFile(held, now) {
			return lock, nil
		}
		if uerr := lock.Unlock(); uerr != nil || (lerr != nil && !errors.Is(lerr, fs.ErrNotExist)) || (lerr == nil && !now.Mode().IsRegular()) {
			return nil, fmt.Errorf("agefile: nothing was changed: %s is no file that can be locked: remove it", lock.Path())
		}
	}
}

// sign says in the lock's file who holds it, for whoever waits in vain. Windows lets
// nobody write to what is locked, and nobody waits for that.
func sign(path string) {
	host, _ := os.Hostname()
	text := fmt.Sprintf("the process %d (%s) on %s since %s", os.Getpid(), filepath.Base(os.Args[0]), host, time.Now().UTC().Format(time.RFC3339))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return
	}
	_, _ = f.WriteString(text)
	_ = f.Close()
}

// holder is who holds the lock, as far as that is known.
func holder(path string) string {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		text, _ := io.ReadAll(io.LimitReader(f, 512))
		said := strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, string(text))
		if said != "" {
			return said
		}
	}
	return "another process that uses the store, a server or safetool secrets, which fuser " + path + " shows"
}

func (s *store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
