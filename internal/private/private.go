// Package private keeps files that nobody but their owner may read or change, and that
// are whole at any time: a new one takes the old one's place in one step.
package private

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A disk is what Put does to one, or a test's faults.
type disk struct {
	create  func(dir, pattern string) (file, error)
	place   func(from, to string) error
	syncDir func(dir string) error
}

type file interface {
	io.Writer
	Sync() error
	Close() error
	Name() string
}

// Put writes content to a file beside path, and has place, which is os.Rename or a
// test's, move it there once it has reached the disk. The error says whether anything
// was changed.
func Put(path string, content []byte, place func(from, to string) error) error {
	return Write(path, place, func(w io.Writer) error {
		_, err := w.Write(content)
		return err //nolint:wrapcheck // put says that nothing was changed
	})
}

// Write is Put for what does not fit into memory: write writes it.
func Write(path string, place func(from, to string) error, write func(w io.Writer) error) error {
	create := func(dir, pattern string) (file, error) { return os.CreateTemp(dir, pattern) } // 0600
	return put(path, write, disk{create, place, syncDir})
}

func put(path string, write func(w io.Writer) error, d disk) error {
	f, err := d.create(filepath.Dir(path), leftover(path)+"*")
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = d.place(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s was changed, but the change may not survive a loss of power: %w", path, err)
	}
	return nil
}

// leftover is how the names of files begin that were not yet put in their place.
func leftover(path string) string { return "." + filepath.Base(path) + ".tmp-" }

// Sweep removes what processes left beside the paths, which are of one directory, when
// they ended in the midst of Put. Whoever calls it keeps others from Put meanwhile. What
// cannot be removed is in nobody's way.
func Sweep(paths ...string) {
	dir := filepath.Dir(paths[0])
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		for _, path := range paths {
			if strings.HasPrefix(e.Name(), leftover(path)) {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
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

// Open opens a file of no more than most bytes that nobody else may read or change; hint is
// what to do where others may have. The error is fs.ErrNotExist where there is none.
func Open(path string, most int64, hint string) (_ *os.File, _ os.FileInfo, err error) {
	return open(path, 0, 0o077, most, hint)
}

// open opens a file that others have none of the given permissions for.
func open(path string, flags int, others os.FileMode, most int64, hint string) (_ *os.File, _ os.FileInfo, err error) {
	// Opening a pipe would wait for its other end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, nil, notFile(path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|flags, 0)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // it names the path
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err //nolint:wrapcheck // it names the path
	case !info.Mode().IsRegular(): // it was put there after the first look
		return nil, nil, notFile(path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&others != 0:
		if others&0o044 == 0 {
			return nil, nil, fmt.Errorf("%s can be changed by others: chmod go-w %[1]s, and %s", path, hint)
		}
		return nil, nil, fmt.Errorf("%s can be read or changed by others: chmod 600 %[1]s, and %s", path, hint)
	case info.Size() > most:
		return nil, nil, fmt.Errorf("%s has more than %d bytes: it is not what is expected there", path, most)
	}
	return f, info, nil
}

func notFile(path string) error {
	return fmt.Errorf("%s is not a file: give the path of one", path)
}
