package agefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// ifRead is what to do where others may have read a file of this package.
const ifRead = "change what is in it if they may have read it"

// refresh reads the store if it is not as it was last read. Whoever calls it holds mu.
func (s *store) refresh() error {
	if s.closed {
		return errClosed
	}
	at, err := s.file()
	if err != nil {
		return err
	}
	if err = s.read(at); err == nil {
		return nil
	}
	// A link may have been changed, and what it led to removed, in between.
	if now, nerr := s.file(); nerr == nil && now != at {
		return s.read(now)
	}
	return err
}

// read is refresh for the path of the file itself: a change writes where it has read.
func (s *store) read(at string) error {
	if s.closed {
		return errClosed
	}
	f, info, err := private.OpenOwn(at, most, ifRead)
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
	if err := private.Dir(filepath.Dir(at)); err != nil {
		return fmt.Errorf("agefile: %w", err)
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
		return contents{}, fmt.Errorf("agefile: %s was encrypted to another identity than the one that is here: put back the one that it was made with", s.path)
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(plain) // to the end, where it shows whether anything is missing
	}
	if err != nil {
		return contents{}, fmt.Errorf("agefile: %s is no store, or damaged: put back a copy, or move it away to begin anew: %w", s.path, err)
	}
	data, err := parse(text)
	if err != nil {
		return contents{}, fmt.Errorf("agefile: %s %w", s.path, err)
	}
	return data, nil
}

// write puts a new state of the store in place, in one step and for good.
func (s *store) write(at string, c contents) error {
	c.recipients = with(c.recipients, s.identity.Recipient().String())
	to, err := recipients(c.recipients)
	if err != nil {
		return err
	}
	text, err := c.text()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
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
	if err := private.Put(at, out.Bytes(), s.place); err != nil {
		return fmt.Errorf("agefile: %w", err)
	}
	return nil
}
