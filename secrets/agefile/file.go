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
	"time"

	"filippo.io/age"

	"github.com/safemcp/safemcp/internal/private"
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

// ifRead is what to do where others may have read a file of this package.
const ifRead = "change what is in it if they may have read it"

// refresh reads the store if it is not as it was last read. Whoever calls it holds mu.
func (s *store) refresh() error {
	if s.closed {
		return errClosed
	}
	f, info, err := private.Open(s.path, most, ifRead)
	if errors.Is(err, fs.ErrNotExist) {
		if s.seen != (stamp{}) {
			return fmt.Errorf("agefile: %s is gone: put it back", s.path)
		}
		s.data = contents{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("agefile: %w", err)
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
	if err := private.Put(s.path, out.Bytes(), os.Rename); err != nil {
		return fmt.Errorf("agefile: %w", err)
	}
	return nil
}

func makeDir(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("agefile: %w", err)
	}
	return nil
}
