package audit

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

const keyFile = "key"

// ReadKey reads a key file: hexadecimal digits of at least 32 bytes.
func ReadKey(path string) ([]byte, error) {
	text, mode, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("audit: the key: %w", err)
	}
	if runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("audit: the key %s can be read by others, who could then check guesses of arguments: chmod 600 it, and take a new key if they may have", path)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) < minKey {
		return nil, fmt.Errorf("audit: the key %s is not the hexadecimal form of at least %d bytes", path, minKey)
	}
	return key, nil
}

// Keys returns the keys of arguments that a log has kept in dir: its own, which is the first,
// and those that it had before, for [Redactor.HMAC]. There is none where the log was given
// its key in Options.
func Keys(dir string) (keys [][]byte, err error) {
	entries, err := os.ReadDir(dir) // sorted: "key" is before "key.…"
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	for _, entry := range entries {
		if !keyName.MatchString(entry.Name()) {
			continue
		}
		key, err := ReadKey(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// keyName is what a file is called that holds a key of arguments.
var keyName = regexp.MustCompile(`^key(\.[0-9a-f]{16})?$`)

// ownKey returns the key in dir, making one where there is none, unless there is a
// log already that it could not belong to.
func ownKey(d disk, dir string) ([]byte, error) {
	path := filepath.Join(dir, keyFile)
	key, err := ReadKey(path)
	if err == nil {
		return nextKey(d, path, key)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	segments, err := segmentsOf(dir)
	if err != nil {
		return nil, err
	}
	if len(segments) > 0 {
		return nil, fmt.Errorf("audit: there is a log in %s but not its key: put the file %q back, or give Options.Key, or begin a log in another directory", dir, keyFile)
	}
	key = make([]byte, minKey)
	rand.Read(key)
	if err := writeWhole(d, path, []byte(hex.EncodeToString(key)+"\n")); err != nil {
		return nil, fmt.Errorf("audit: writing the key: %w", err)
	}
	return key, nil
}

// nextKey puts the key that is to come next into the place of the log's own, which is kept
// under its name, or returns the own where there is none.
func nextKey(d disk, path string, own []byte) ([]byte, error) {
	next, err := ReadKey(path + nextSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return own, nil
	} else if err != nil {
		return nil, err
	}
	r, err := NewRedactor(own)
	if err != nil {
		return nil, err
	}
	if err := writeWhole(d, path+"."+r.Key(), []byte(hex.EncodeToString(own)+"\n")); err != nil {
		return nil, fmt.Errorf("audit: keeping the key that is replaced: %w", err)
	}
	if err := errors.Join(d.rename(path+nextSuffix, path), d.syncDir(filepath.Dir(path))); err != nil {
		return nil, fmt.Errorf("audit: putting the key in its place: %w", err)
	}
	return next, nil
}

// writeWhole makes a file, or puts it in the place of another: all of it is on disk under
// its name when it returns, and whenever the process dies before, nothing of it is there
// under that name. The caller holds the lock of the directory.
func writeWhole(d disk, path string, content []byte) error {
	unnamed := path + ".new"
	if err := d.remove(unnamed); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a process that died
		return err
	}
	f, err := d.create(unnamed)
	if err != nil {
		return err
	}
	n, err := f.Write(content)
	if err == nil && n < len(content) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = d.rename(unnamed, path)
	}
	if err != nil {
		return errors.Join(err, d.remove(unnamed))
	}
	return d.syncDir(filepath.Dir(path))
}
