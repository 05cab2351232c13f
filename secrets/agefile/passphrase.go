package agefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/safemcp/safemcp/internal/private"
	"github.com/safemcp/safemcp/secrets"
)

const (
	// workFactor is log2 of scrypt's cost: that of age's own program, about a second
	// and 256 MiB. maxWork is the most that a file may ask for, four times of it.
	workFactor, maxWork = 18, 20
	// minPassphrase is the shortest that protects an identity, in characters. scrypt
	// makes guessing slow; a short one is guessed all the same.
	minPassphrase = 12
)

// PassphraseFile returns a function for Options.Passphrase that reads a file, which
// nobody else may read: the whole of it, without a newline at its end.
func PassphraseFile(path string) func(bool) (secrets.Secret, error) {
	return func(bool) (secrets.Secret, error) {
		resolved, err := private.Resolve(path)
		if err != nil {
			return secrets.Secret{}, fmt.Errorf("agefile: the file of the passphrase: %w", err)
		}
		f, _, err := private.OpenOwn(resolved, 4<<10, "change the passphrase if they may have read it")
		if err != nil {
			return secrets.Secret{}, fmt.Errorf("agefile: the file of the passphrase: %w", err)
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, 4<<10))
		if err != nil {
			return secrets.Secret{}, fmt.Errorf("agefile: the file of the passphrase: %w", err)
		}
		return secrets.NewSecret(bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))), nil
	}
}

// askFresh asks for a passphrase that is to protect a new identity.
func askFresh(ask func(bool) (secrets.Secret, error)) (secrets.Secret, error) {
	passphrase, err := ask(true)
	if err != nil {
		return secrets.Secret{}, err
	}
	short := true
	if !passphrase.IsZero() {
		err = passphrase.Use(func(b []byte) error { short = utf8.RuneCount(b) < minPassphrase; return nil })
	}
	switch {
	case err != nil:
		return secrets.Secret{}, fmt.Errorf("agefile: the passphrase: %w", err)
	case short:
		return secrets.Secret{}, fmt.Errorf("agefile: the passphrase has fewer than %d characters and could be guessed: give a longer one, of several words", minPassphrase)
	}
	return passphrase, nil
}

// isProtected says that a file is one of age's rather than an identity.
func isProtected(text []byte) bool {
	return bytes.HasPrefix(text, []byte("age-encryption.org/")) || bytes.HasPrefix(bytes.TrimSpace(text), []byte(armor.Header))
}

func protect(text []byte, ask func(bool) (secrets.Secret, error), work int) ([]byte, error) {
	passphrase, err := ask(true)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = passphrase.Use(func(b []byte) error {
		to, err := age.NewScryptRecipient(string(b))
		if err != nil {
			return err //nolint:wrapcheck // it is below
		}
		to.SetWorkFactor(work)
		w, err := age.Encrypt(&out, to)
		if err == nil {
			_, err = w.Write(text)
		}
		if err == nil {
			err = w.Close()
		}
		return err //nolint:wrapcheck // it is below
	})
	if err != nil {
		return nil, fmt.Errorf("agefile: protecting the identity: %w", err)
	}
	return out.Bytes(), nil
}

// unprotect shows neither the passphrase nor what it protects.
func unprotect(path string, text []byte, ask func(bool) (secrets.Secret, error)) (plain []byte, err error) {
	passphrase, err := ask(false)
	if err != nil {
		return nil, err
	}
	if passphrase.IsZero() {
		return nil, fmt.Errorf("agefile: the passphrase of the identity %s is empty: give the one that it was made with", path)
	}
	err = passphrase.Use(func(b []byte) error {
		id, err := age.NewScryptIdentity(string(b))
		if err != nil {
			return err //nolint:wrapcheck // it is below
		}
		id.SetMaxWorkFactor(maxWork)
		var from io.Reader = bytes.NewReader(text)
		if !bytes.HasPrefix(text, []byte("age-")) {
			from = armor.NewReader(from)
		}
		r, err := age.Decrypt(from, id)
		if err == nil {
			plain, err = io.ReadAll(io.LimitReader(r, maxIdentity))
		}
		return err //nolint:wrapcheck // it is below
	})
	switch {
	case errors.Is(err, age.ErrIncorrectIdentity):
		return nil, fmt.Errorf("agefile: the identity %s does not open with this passphrase: give the one that it was made with; if that is the one, the file was damaged: put back a copy", path)
	case err != nil:
		return nil, fmt.Errorf("agefile: the identity %s was damaged: put back a copy: %w", path, err)
	}
	return plain, nil
}
