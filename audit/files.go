package audit

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
)

// A disk is what the log does to files, so that a test can make each step fail, or lose
// what was not synced.
type disk interface {
	// create makes a segment that does not exist, 0600.
	create(path string) (segment, error)
	// reopen opens a segment to append to it.
	reopen(path string) (segment, error)
	// cut shortens a file, for good when it returns.
	cut(path string, size int64) error
	// renew writes what is in a file from an offset on again, as it is. A kernel that could
	// not write a page may take it for written all the same: syncing it would do nothing.
	renew(path string, from int64) error
	// remove removes a file.
	remove(path string) error
	// rename gives a file another name, in the place of what has it.
	rename(from, to string) error
	// mkdir makes a directory, 0700, and those that it is in.
	mkdir(dir string) error
	// syncDir makes the names in a directory durable.
	syncDir(dir string) error
}

// A segment is a file of the log that is open for writing.
type segment interface {
	Write(b []byte) (int, error)
	Sync() error
	Close() error
}

// osDisk is the operating system's.
type osDisk struct{}

func (osDisk) create(path string) (segment, error) {
	return open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND)
}

func (osDisk) reopen(path string) (segment, error) { return open(path, os.O_WRONLY|os.O_APPEND) }

func open(path string, flags int) (segment, error) {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil { // a nil *os.File in an interface is not nil
		return nil, err //nolint:wrapcheck // names the path
	}
	return f, nil
}

func (osDisk) cut(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err //nolint:wrapcheck // names the path
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func (osDisk) renew(path string, from int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err //nolint:wrapcheck // names the path
	}
	content, err := io.ReadAll(io.NewSectionReader(f, from, math.MaxInt64-from))
	if err == nil {
		_, err = f.WriteAt(content, from)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func (osDisk) remove(path string) error { return os.Remove(path) } //nolint:wrapcheck // names the path

func (osDisk) rename(from, to string) error { return os.Rename(from, to) } //nolint:wrapcheck // names the paths

func (osDisk) mkdir(dir string) error { return os.MkdirAll(dir, 0o700) } //nolint:wrapcheck // names the path

func (osDisk) syncDir(dir string) error { return syncDir(dir) }

// syncDir syncs a directory where that is possible; Windows does it with the file.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err //nolint:wrapcheck // names the path
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// A segmentFile is a segment by its number.
type segmentFile struct {
	number int
	path   string
}

// lastSegment is the highest number that a name has room for.
const lastSegment = 99_999_999

// notesPath is where the checkpoints of a segment are.
func notesPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("audit-%08d.checkpoints", number))
}

// signedBefore says that there are checkpoints in a directory.
func signedBefore(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("audit: %w", err)
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) == ".checkpoints" }), nil
}

var segmentName = regexp.MustCompile(`^audit-([0-9]{8})\.(jsonl|checkpoints)$`)

func segmentPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("audit-%08d.jsonl", number))
}

// segmentsOf lists the segments of a log, in order.
func segmentsOf(dir string) ([]segmentFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var all []segmentFile
	for _, entry := range entries {
		m := segmentName.FindStringSubmatch(entry.Name())
		if m != nil && !entry.Type().IsRegular() {
			return nil, fmt.Errorf("audit: %s in %s is no regular file, and so not of the log: move it away", entry.Name(), dir)
		}
		if m != nil && m[2] == "jsonl" {
			n, _ := strconv.Atoi(m[1])
			all = append(all, segmentFile{n, filepath.Join(dir, entry.Name())})
		}
	}
	slices.SortFunc(all, func(a, b segmentFile) int { return a.number - b.number })
	return all, nil
}
