package agefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"filippo.io/age"
)

// most bounds the store, in bytes: it is read whole.
const most = 4 << 20

// A stamp tells one state of a file from another. Each state is a file of its own,
// put in place by a rename.
type stamp struct {
	file os.FileInfo
	time time.Time
	size int64
}

func (s stamp) is(info os.FileInfo) bool {
	return s.file != nil && os.SameFile(s.file, info) && s.time.Equal(info.ModTime()) && s.size == info.Size()
}

func makeDirs(paths ...string) error {
	for _, p := range paths {
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			return fmt.Errorf("agefile: %w", err)
		}
	}
	return nil
}

// private refuses a file that others can read.
func private(path string, info os.FileInfo) error {
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("agefile: %s can be read by others: chmod 600 it, and change what is in it if they may have read it", path)
	}
	return nil
}

// refresh reads the store if it is not as it was last read.
func (s *Store) refresh() error {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		if s.seen.file != nil {
			return fmt.Errorf("agefile: %s is gone: put it back", s.path)
		}
		s.data = contents{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("agefile: %w", err)
	}
	if s.seen.is(info) {
		return nil
	}
	data, info, err := s.read()
	if err != nil {
		return err
	}
	s.data, s.seen = data, stamp{info, info.ModTime(), info.Size()}
	return nil
}

func (s *Store) read() (contents, os.FileInfo, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, nil, fmt.Errorf("agefile: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("agefile: %w", err)
	}
	if err := private(s.path, info); err != nil {
		return nil, nil, err
	}
	if info.Size() > most {
		return nil, nil, fmt.Errorf("agefile: %s has more than %d bytes", s.path, most)
	}
	plain, err := age.Decrypt(f, s.identity)
	if err != nil {
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) {
			return nil, nil, fmt.Errorf("agefile: %s was encrypted to another identity than the one that is here: put back the one that it was made with", s.path)
		}
		return nil, nil, fmt.Errorf("agefile: %s is no store, or damaged: put back a copy, or move it away to begin anew: %w", s.path, err)
	}
	text, err := io.ReadAll(io.LimitReader(plain, most))
	if err != nil {
		return nil, nil, fmt.Errorf("agefile: %s is damaged: put back a copy, or move it away to begin anew: %w", s.path, err)
	}
	var form struct {
		Version int      `json:"version"`
		Entries contents `json:"entries"`
	}
	// The error of a decoder may quote what it read.
	if json.Unmarshal(text, &form) != nil || form.Version != 1 {
		return nil, nil, fmt.Errorf("agefile: %s does not hold what this version of the package writes", s.path)
	}
	return form.Entries, info, nil
}

// write puts a new state of the store in place, in one step and for good.
func (s *Store) write(c contents) error {
	text, err := json.Marshal(map[string]any{"version": 1, "entries": c})
	if err != nil {
		return errors.New("agefile: the entries do not marshal")
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, s.identity.Recipient())
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("agefile: encrypting: %w", err)
	}
	if sealed.Len() > most {
		return fmt.Errorf("agefile: the store would have more than %d bytes: nothing was changed", most)
	}
	return replace(s.path, sealed.Bytes())
}

// replace writes a file beside path and renames it, so that path is always whole.
func replace(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return fmt.Errorf("agefile: nothing was changed: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("agefile: nothing was changed: %w", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil && runtime.GOOS != "windows" {
		err = syncDir(dir)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was for
	}
	return errors.Join(d.Sync(), d.Close())
}

// openIdentity reads the identity, or makes one where there is no store either.
func openIdentity(path, store string) (*age.X25519Identity, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(store); err == nil {
			return nil, fmt.Errorf("agefile: there is the store %s, but not the identity that opens it: put %s back", store, path)
		}
		return newIdentity(path)
	}
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	if err := private(path, info); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if id, err := age.ParseX25519Identity(line); err == nil {
			return id, nil
		}
		break
	}
	return nil, fmt.Errorf("agefile: %s does not hold an age identity: put back the one that the store was made with", path)
}

func newIdentity(path string) (*age.X25519Identity, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	if err := replace(path, []byte(id.String()+"\n")); err != nil {
		return nil, err
	}
	return id, nil
}
