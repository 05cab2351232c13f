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

// A stamp tells one state of the file from another. The time alone does not: a file
// system keeps it in steps of milliseconds. The beginning of an age file holds a key
// that was made for this state.
type stamp struct {
	time time.Time
	size int64
	head [256]byte
}

// sealed is the form of what is encrypted.
type sealed struct {
	Version int      `json:"version"` // of the form: 1
	Entries contents `json:"entries"`
}

// refresh reads the store if it is not as it was last read. Whoever calls it holds mu.
func (s *store) refresh() error {
	if s.closed {
		return errClosed
	}
	f, info, err := openPrivate(s.path, most)
	if errors.Is(err, fs.ErrNotExist) {
		if s.seen != (stamp{}) {
			return fmt.Errorf("agefile: %s is gone: put it back", s.path)
		}
		s.data = contents{}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	now := stamp{time: info.ModTime(), size: info.Size()}
	n, err := io.ReadFull(f, now.head[:])
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		return fmt.Errorf("agefile: %w", err)
	case now == s.seen:
		return nil
	}
	data, err := s.decrypt(io.MultiReader(bytes.NewReader(now.head[:n]), io.LimitReader(f, most)))
	if err != nil {
		return err
	}
	s.data, s.seen = data, now
	return nil
}

// decrypt never quotes what it has decrypted.
func (s *store) decrypt(r io.Reader) (contents, error) {
	plain, err := age.Decrypt(r, s.identity)
	if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
		return nil, fmt.Errorf("agefile: %s was encrypted to another identity than the one that is here: put back the one that it was made with", s.path)
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(plain) // to the end, where it shows whether anything is missing
	}
	if err != nil {
		return nil, fmt.Errorf("agefile: %s is no store, or damaged: put back a copy, or move it away to begin anew: %w", s.path, err)
	}
	var form sealed
	if json.Unmarshal(text, &form) != nil || form.Version != 1 {
		return nil, fmt.Errorf("agefile: %s does not hold what this version of the package writes", s.path)
	}
	return form.Entries, nil
}

// write puts a new state of the store in place, in one step and for good.
func (s *store) write(c contents) error {
	text, err := json.Marshal(sealed{1, c})
	if err != nil {
		return errors.New("agefile: nothing was changed: the entries do not marshal")
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, s.identity.Recipient())
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("agefile: nothing was changed: encrypting: %w", err)
	}
	if out.Len() > most {
		return fmt.Errorf("agefile: nothing was changed: the store would have more than %d bytes", most)
	}
	return put(s.path, out.Bytes(), os.Rename)
}

// put writes content to a file beside path, and has place move it there once it has
// reached the disk, so that path is always whole.
func put(path string, content []byte, place func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), leftover(path)+"*") // 0600
	if err != nil {
		return fmt.Errorf("agefile: nothing was changed: %w", err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = place(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("agefile: nothing was changed: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("agefile: %s was changed, but the change may not survive a loss of power: %w", path, err)
	}
	return nil
}

// leftover is how the names of files begin that were not yet put in their place.
func leftover(path string) string { return "." + filepath.Base(path) + ".tmp-" }

// sweep removes what processes left beside the store that ended while they changed it.
// Whoever calls it has the lock. What cannot be removed is in nobody's way.
func sweep(path string) {
	dir, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, d := range dir {
		if strings.HasPrefix(d.Name(), leftover(path)) || strings.HasPrefix(d.Name(), leftover(path+".identity")) {
			_ = os.Remove(filepath.Join(filepath.Dir(path), d.Name()))
		}
	}
}

func makeDir(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("agefile: %w", err)
	}
	return nil
}

// syncDir makes a rename last. Windows cannot do that, and does not need it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was for
	}
	return errors.Join(d.Sync(), d.Close())
}

// openPrivate opens a file that nobody else may read or change. The error is
// fs.ErrNotExist where there is none.
func openPrivate(path string, most int64) (_ *os.File, _ os.FileInfo, err error) {
	// Opening a pipe would wait for its other end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("agefile: %s is not a file: give the path of one", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("agefile: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("agefile: %w", err)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, nil, fmt.Errorf("agefile: %s can be read or changed by others: chmod 600 %[1]s, and change what is in it if they may have read it", path)
	case info.Size() > most:
		return nil, nil, fmt.Errorf("agefile: %s has more than %d bytes: it is not what this package writes", path, most)
	}
	return f, info, nil
}
