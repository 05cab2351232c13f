package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// OpenOwn is Open for a path that Resolve has returned: it follows no link, waits for
// nothing that looks like a file, and refuses what belongs to another user, who could
// change it at any time.
func OpenOwn(path string, most int64, hint string) (*os.File, os.FileInfo, error) {
	return openOwn(path, 0o077, most, hint)
}

// OpenTrusted is OpenOwn for what is no secret: others may read it, and may not change it.
func OpenTrusted(path string, most int64, hint string) (*os.File, os.FileInfo, error) {
	return openOwn(path, 0o022, most, hint)
}

func openOwn(path string, others os.FileMode, most int64, hint string) (*os.File, os.FileInfo, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, nil, wasLinked(path)
	}
	f, info, err := open(path, ownFlags, others, most, hint)
	switch {
	case isLink(err):
		return nil, nil, wasLinked(path)
	case err != nil:
		return nil, nil, err
	case !trusted(info):
		return nil, nil, errors.Join(foreign(path, info), f.Close())
	}
	return f, info, nil
}

// Dir refuses a directory in which another user could put, or take away, what a program
// keeps there.
func Dir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err //nolint:wrapcheck // it names the path
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others can write to the directory %s: chmod 700 it, or give a directory in it that is not there yet", dir)
	case !trusted(info):
		return foreign(dir, info)
	}
	return nil
}

// mostLinks is how many links may lie one behind the other.
const mostLinks = 40

// Resolve returns the path of the file that path leads to, absolute and without links,
// whether or not it is there. A link is followed where this user or root made it, and
// nobody else can put another in its place; it is refused otherwise. Where the file system
// is mounted so that nothing can be written, nobody can, whatever the directory's mode says:
// Kubernetes mounts a ConfigMap so, with the mode 0777.
func Resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err //nolint:wrapcheck // it names the path
	}
	for range mostLinks {
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 { // what is wrong with it is said when it is opened
			return inRealDir(path)
		}
		dir, err := os.Stat(filepath.Dir(path))
		if err != nil {
			return "", err //nolint:wrapcheck // it names the path
		}
		if !trusted(info) || !trusted(dir) || shared(filepath.Dir(path), dir) {
			return "", fmt.Errorf("%s is a link that another user made, or can replace: give the path of the file itself", path)
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err //nolint:wrapcheck // it names the path
		}
		if !filepath.IsAbs(target) {
			// ".." is that of the directory itself, not of a link to it.
			home, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err //nolint:wrapcheck // it names the path
			}
			target = filepath.Join(home, target)
		}
		path = target
	}
	return "", fmt.Errorf("%s leads through more than %d links", path, mostLinks)
}

// shared says that others can take away what is in a directory.
func shared(path string, dir fs.FileInfo) bool {
	return runtime.GOOS != "windows" && dir.Mode().Perm()&0o022 != 0 && dir.Mode()&fs.ModeSticky == 0 && !readOnly(Writable(path))
}

func inRealDir(path string) (string, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil // it is made later
	}
	if err != nil {
		return "", err //nolint:wrapcheck // it names the path
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

func wasLinked(path string) error {
	return fmt.Errorf("%s has become a link since it was opened first: put the file itself back", path)
}
