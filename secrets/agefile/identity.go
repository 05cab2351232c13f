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

	"filippo.io/age"

	"github.com/safemcp/safemcp/internal/private"
	"github.com/safemcp/safemcp/secrets"
)

// openIdentity takes the identity from where the options say, or makes one where there
// is no store either.
func (s *store) openIdentity(o *Options) (*age.X25519Identity, error) {
	if o.IdentityEnv != "" {
		return fromEnvironment(o.IdentityEnv)
	}
	path, err := private.Resolve(o.Identity)
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	id, err := s.readIdentity(path, o.Passphrase)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	at, err := s.file()
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
		return nil, noIdentity(at, path)
	}
	if err := s.writable(at); err != nil {
		return nil, err
	}
	// Whoever is asked for it may take longer than others wait for the lock.
	ask := o.Passphrase
	if ask != nil {
		passphrase, err := askFresh(ask)
		if err != nil {
			return nil, err
		}
		ask = func(bool) (secrets.Secret, error) { return passphrase, nil } //nolint:unparam // it has the type of Options.Passphrase
	}
	err = s.alone(context.Background(), func(at string) error {
		if id, err = s.readIdentity(path, ask); !errors.Is(err, fs.ErrNotExist) {
			return err // another process was first
		}
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			return noIdentity(at, path)
		}
		id, err = s.newIdentity(path, ask)
		return err
	})
	return id, err
}

func noIdentity(at, path string) error {
	return fmt.Errorf("agefile: there is the store %s, but not the identity that opens it: put %s back", at, path)
}

// fromEnvironment never quotes the variable.
func fromEnvironment(name string) (*age.X25519Identity, error) {
	text := strings.TrimSpace(os.Getenv(name))
	if text == "" {
		return nil, fmt.Errorf("agefile: the variable %s is not set: it holds the identity that opens the store, which begins with AGE-SECRET-KEY-1; age-keygen makes one", name)
	}
	id, err := parseIdentity(text)
	if err != nil {
		return nil, fmt.Errorf("agefile: the variable %s %w: it begins with AGE-SECRET-KEY-1", name, err)
	}
	return id, nil
}

// maxIdentity bounds the file of an identity, in bytes.
const maxIdentity = 64 << 10

// readIdentity returns fs.ErrNotExist where there is none. It never quotes the file.
func (s *store) readIdentity(path string, passphrase func(bool) (secrets.Secret, error)) (*age.X25519Identity, error) {
	f, _, err := private.OpenOwn(path, maxIdentity, ifRead)
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	defer f.Close()
	if err := private.Dir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxIdentity))
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	protected := isProtected(text)
	switch {
	case protected && passphrase == nil:
		return nil, fmt.Errorf("agefile: the identity %s is protected by a passphrase: give Options.Passphrase, or --passphrase to safetool secrets", path)
	case protected:
		if text, err = unprotect(path, text, passphrase); err != nil {
			return nil, err
		}
	}
	id, err := parseIdentity(string(text))
	switch {
	case err != nil:
		return nil, fmt.Errorf("agefile: %s %w: put back the one that the store was made with", path, err)
	case passphrase != nil && !protected:
		return nil, fmt.Errorf("agefile: a passphrase was given, and the identity %s is not protected by one: leave the passphrase out, or protect it with age -p", path)
	}
	return id, nil
}

// parseIdentity takes the first line that is neither empty nor a comment.
func parseIdentity(text string) (*age.X25519Identity, error) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if id, err := age.ParseX25519Identity(line); err == nil {
			return id, nil
		}
		break
	}
	return nil, errors.New("does not begin with an age identity for X25519")
}

// newIdentity makes an identity and writes it down, or returns the one that another
// store, which shares the file and has a lock of its own, has written in the meantime:
// a link, other than a rename, does not replace what is there.
func (s *store) newIdentity(path string, passphrase func(bool) (secrets.Secret, error)) (*age.X25519Identity, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("agefile: making an identity: %w", err)
	}
	text := []byte(id.String() + "\n")
	if passphrase != nil {
		if text, err = protect(text, passphrase, s.work); err != nil {
			return nil, err
		}
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("agefile: making the identity: %w", err)
	}
	if err := private.Dir(dir); err != nil {
		return nil, fmt.Errorf("agefile: making the identity: %w", err)
	}
	err = private.Put(path, text, func(from, to string) error {
		err := os.Link(from, to)
		switch {
		case err == nil:
			return os.Remove(from)
		case errors.Is(err, fs.ErrExist):
			return err //nolint:wrapcheck // as above
		}
		return s.place(from, to) // a file system without links
	})
	if errors.Is(err, fs.ErrExist) {
		return s.readIdentity(path, passphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("agefile: %w", err)
	}
	return id, nil
}
