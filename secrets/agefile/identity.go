package agefile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"

	"github.com/safemcp/safemcp/internal/private"
)

// openIdentity reads the identity, or makes one where there is no store either.
func (s *store) openIdentity(path string) (*age.X25519Identity, error) {
	id, err := readIdentity(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), s.patience, errPatience)
	defer cancel()
	err = s.alone(ctx, func() error {
		if id, err = readIdentity(path); !errors.Is(err, fs.ErrNotExist) {
			return err // another process was first
		}
		if _, err := os.Lstat(s.path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("agefile: there is the store %s, but not the identity that opens it: put %s back", s.path, path)
		}
		id, err = newIdentity(path)
		return err
	})
	return id, err
}

// readIdentity returns fs.ErrNotExist where there is none. It never quotes the file.
func readIdentity(path string) (*age.X25519Identity, error) {
	f, _, err := private.Open(path, 64<<10, ifRead)
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
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
	return nil, fmt.Errorf("agefile: %s does not begin with an age identity for X25519: put back the one that the store was made with", path)
}

// newIdentity makes an identity and writes it down, or returns the one that another
// store, which shares the file and has a lock of its own, has written in the meantime:
// a link, other than a rename, does not replace what is there.
func newIdentity(path string) (*age.X25519Identity, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("agefile: making an identity: %w", err)
	}
	if err := makeDir(path); err != nil {
		return nil, err
	}
	err = private.Put(path, []byte(id.String()+"\n"), func(from, to string) error {
		err := os.Link(from, to)
		switch {
		case err == nil:
			return os.Remove(from)
		case errors.Is(err, fs.ErrExist):
			return err //nolint:wrapcheck // as above
		}
		return os.Rename(from, to) // a file system without links
	})
	if errors.Is(err, fs.ErrExist) {
		return readIdentity(path)
	}
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	return id, nil
}
