package agefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Writable says in a sentence why the store cannot be changed, where it lies on a file
// system that cannot be written, or in a directory that this user may not write to; nil
// where nothing is known to be in the way. What is there already is read and issued all
// the same. It writes nothing.
func (s *Store) Writable() error {
	in := s.inner()
	if in.isClosed() {
		return errClosed
	}
	at, err := in.file()
	if err != nil {
		return err
	}
	return in.writable(at)
}

// writable looks at the nearest directory that there is: those below it can be made in
// it.
func (s *store) writable(at string) error {
	dir := filepath.Dir(at)
	for {
		err := s.medium(dir)
		if up := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && up != dir {
			dir = up
			continue
		}
		return unwritable(at, err)
	}
}

// unwritable makes a sentence of what the system says where something is in the way of
// a change; other errors stay what they are.
func unwritable(at string, err error) error {
	var why string
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errReadOnly):
		why = "its file system is read-only"
	case errors.Is(err, fs.ErrPermission):
		why = fmt.Sprintf("this user (%d) may not write to %s", os.Geteuid(), filepath.Dir(at))
	default:
		return fmt.Errorf("agefile: nothing was changed: %w", err)
	}
	if _, missing := os.Lstat(at); errors.Is(missing, fs.ErrNotExist) {
		return fmt.Errorf("agefile: there is no store %s, and none can be made, since %s: make it where that can be done, with safetool secrets set, and bring it here with its identity; or give a path on a volume of the server's own; or use a Vault: %w", at, why, err)
	}
	return fmt.Errorf("agefile: %s can be read and not changed, since %s: change it where that can be done, with safetool secrets, and put the new file here: %w", at, why, err)
}
