package apikey

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// put writes content to a file beside path, and has place move it there once it has
// reached the disk, so that path is always whole.
func put(path string, content []byte, place func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), leftover(path)+"*") // 0600
	if err != nil {
		return fmt.Errorf("apikey: nothing was changed: %w", err)
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
		return fmt.Errorf("apikey: nothing was changed: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("apikey: %s was changed, but the change may not survive a loss of power: %w", path, err)
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
		if strings.HasPrefix(d.Name(), leftover(path)) {
			_ = os.Remove(filepath.Join(filepath.Dir(path), d.Name()))
		}
	}
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
