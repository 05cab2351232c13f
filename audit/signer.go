package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// The files of a log's own signing key.
const (
	signerFile = "signer"     // the key, which signs checkpoints
	publicFile = "signer.pub" // what verifies them, to be kept elsewhere
)

// originPrefix is what the names of logs and of their keys begin with.
const originPrefix = "safemcp/audit/"

// GenerateKey returns a new signing key for [Options].SigningKey, and the public key that
// verifies what it signs, for [VerifyOptions].PublicKey. Both are one line of text in the
// form of golang.org/x/mod/sumdb/note (Ed25519).
func GenerateKey() (signing, public string, err error) {
	var id [8]byte
	rand.Read(id[:])
	signing, public, err = note.GenerateKey(rand.Reader, originPrefix+hex.EncodeToString(id[:]))
	if err != nil {
		return "", "", fmt.Errorf("audit: making a signing key: %w", err)
	}
	return signing, public, nil
}

// publicOf returns the public key of a signing key.
func publicOf(signing string) (string, error) {
	signer, err := note.NewSigner(signing)
	if err != nil {
		return "", fmt.Errorf("audit: the signing key is none: make one with audit.GenerateKey: %w", err)
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(signing, "PRIVATE+KEY+"+signer.Name()+"+"), "+")
	seed, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", errors.New("audit: the signing key is none of Ed25519: make one with audit.GenerateKey")
	}
	pair := ed25519.NewKeyFromSeed(seed[1:])
	public, err := note.NewEd25519VerifierKey(signer.Name(), ed25519.PublicKey(pair[ed25519.SeedSize:]))
	if err != nil {
		return "", fmt.Errorf("audit: the signing key: %w", err)
	}
	return public, nil
}

// ownSigner returns the signing key in dir, making one where there is none, unless there
// are checkpoints already that it could not have signed.
func ownSigner(d disk, dir string, begun bool) (string, error) {
	path := filepath.Join(dir, signerFile)
	signing, err := readSigner(path)
	if errors.Is(err, fs.ErrNotExist) {
		if begun {
			return "", fmt.Errorf("audit: there is a log in %s but not the key that signs its checkpoints: put the file %q back, or give Options.SigningKey, or begin a log in another directory", dir, signerFile)
		}
		if signing, _, err = GenerateKey(); err != nil {
			return "", err
		}
		if err := writeWhole(d, path, []byte(signing+"\n")); err != nil {
			return "", fmt.Errorf("audit: writing the signing key: %w", err)
		}
	} else if err != nil {
		return "", err
	}
	return signing, nil
}

func readSigner(path string) (string, error) {
	text, mode, err := readSmall(path)
	if err != nil {
		return "", fmt.Errorf("audit: the signing key: %w", err)
	}
	if runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 {
		return "", fmt.Errorf("audit: the signing key %s can be read by others, who could then sign a log of their own: chmod 600 it, and begin a log with another key if they may have", path)
	}
	return strings.TrimSpace(string(text)), nil
}

// maxKeyFile bounds a file of a key, in bytes.
const maxKeyFile = 4 << 10

// readSmall reads a regular file of a key. Others are not opened: a pipe would be waited for.
func readSmall(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err //nolint:wrapcheck // the caller says what it is
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, 0, fmt.Errorf("%s is no regular file of at most %d bytes", path, maxKeyFile)
	}
	text, err := os.ReadFile(path)
	return text, info.Mode(), err
}

// publish puts the public key beside the log, for people to take elsewhere.
func publish(d disk, dir, public string) error {
	path := filepath.Join(dir, publicFile)
	if old, _, err := readSmall(path); err == nil && strings.TrimSpace(string(old)) == public {
		return nil
	}
	if err := writeWhole(d, path, []byte(public+"\n")); err != nil {
		return fmt.Errorf("audit: writing the public key: %w", err)
	}
	return nil
}

// ReadPublicKey reads a file that holds a public key, such as "signer.pub" in the
// directory of a log.
func ReadPublicKey(path string) (string, error) {
	text, _, err := readSmall(path)
	if err != nil {
		return "", fmt.Errorf("audit: the public key: %w", err)
	}
	public := strings.TrimSpace(string(text))
	if _, err := verifierOf(public); err != nil {
		return "", err
	}
	return public, nil
}

// ErrPublicKey is what the errors about a public key that is none are.
var ErrPublicKey = errors.New("audit: this is no public key")

func verifierOf(public string) (note.Verifier, error) {
	v, err := note.NewVerifier(public)
	if err != nil {
		return nil, fmt.Errorf(`%w: it looks like "safemcp/audit/4f9c…+5a0b…+AX…", as the file %s in the directory of the log holds it`, ErrPublicKey, publicFile)
	}
	return v, nil
}
