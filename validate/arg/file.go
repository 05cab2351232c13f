package arg

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// What the methods of a [Path] refuse, beside what the file system does, whose errors
// name paths below the directory alone.
var (
	// ErrKind refuses a device, pipe or socket, and a directory where a file is wanted.
	ErrKind = errors.New("it is neither a file nor a directory, or not the one that is wanted")
	// ErrHardLink refuses a file that has another name, see PathOptions.HardLinks.
	ErrHardLink = errors.New("the file has more than one name, of which one may be outside of the directory")
	// ErrTooLarge refuses a file or directory above its bound.
	ErrTooLarge = errors.New("there is more in it than may be read")
	// ErrReadOnly refuses to write, see PathOptions.Writable.
	ErrReadOnly = errors.New("nothing is written in the directory")
)

// names is how many names a file has, and when its names, its mode or what is in it last
// changed, where the system says so, in nanoseconds.
type names struct {
	links   uint64
	changed int64
}

// settling is how long a look-up may still find a file by a name that was taken from it,
// since its names are counted before the name is gone for everybody. It is generous.
const settling = 50 * time.Millisecond

// unsettled says that a name may have been taken from a file, or given to it, just now.
// What is in it has changed then no more recently than the file itself. A clock that is
// far ahead is another machine's.
func (n names) unsettled(info fs.FileInfo) bool {
	age := time.Since(time.Unix(0, n.changed))
	return n.changed != 0 && n.changed != info.ModTime().UnixNano() && age > -time.Second && age < settling
}

// A File is an open regular file. It says no name by which it could be opened again.
// Its methods are those of [os.File]; close it.
type File struct{ f *os.File }

// Read implements [io.Reader].
func (f *File) Read(b []byte) (int, error) {
	n, err := f.f.Read(b)
	return n, nameless(err)
}

// ReadAt implements [io.ReaderAt].
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(b, off)
	return n, nameless(err)
}

// Write implements [io.Writer]; it fails on a file that was opened to be read.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.f.Write(b)
	return n, nameless(err)
}

// Seek implements [io.Seeker].
func (f *File) Seek(offset int64, whence int) (int64, error) {
	n, err := f.f.Seek(offset, whence)
	return n, nameless(err)
}

// Stat describes the file that is open.
func (f *File) Stat() (fs.FileInfo, error) {
	info, err := f.f.Stat()
	return info, nameless(err)
}

// Sync waits until what was written is on disk.
func (f *File) Sync() error { return nameless(f.f.Sync()) }

// Close closes the file.
func (f *File) Close() error { return nameless(f.f.Close()) }

// nameless takes the name out of an error of an open file, which has the whole path.
func nameless(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", at.Op, at.Err)
	}
	return err
}

// Open opens the file to be read.
func (p Path[B]) Open() (*File, error) {
	if p.in == nil {
		return nil, ErrUnset
	}
	return p.in.file(p.name, os.O_RDONLY)
}

// ReadFile returns what is in the file, [PathOptions].MaxBytes at most.
func (p Path[B]) ReadFile() ([]byte, error) {
	f, err := p.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, p.in.MaxBytes))
	if err != nil {
		return nil, nameless(err)
	}
	var more [1]byte
	if n, _ := f.Read(more[:]); n > 0 {
		return nil, ErrTooLarge
	}
	return data, nil
}

// Create opens the file to be read and written, empty; it makes one, with the mode 0600,
// where there is none. Directories are not made. It takes PathOptions.Writable.
func (p Path[B]) Create() (*File, error) {
	switch {
	case p.in == nil:
		return nil, ErrUnset
	case !p.in.Writable:
		return nil, ErrReadOnly
	}
	f, err := p.in.file(p.name, os.O_RDWR|os.O_CREATE) // and emptied once it is known what it is
	if err != nil {
		return nil, err
	}
	if err := f.f.Truncate(0); err != nil {
		_ = f.Close()
		return nil, nameless(err)
	}
	return f, nil
}

// errChanged says that a file was changed, or its name given to another, while it was
// opened.
var errChanged = errors.New("the file was changed or replaced while it was opened: try again")

// file opens a regular file; again where it was replaced meanwhile, as who writes a file
// whole does.
func (o *PathOptions) file(name string, flag int) (f *File, err error) {
	for range 16 {
		if f, err = o.fileOnce(name, flag); !errors.Is(err, errChanged) {
			return f, err
		}
	}
	return nil, err
}

// fileOnce looks at a file before it is opened, since opening a device can be all that it
// takes, and afterwards, since it may have become another.
func (o *PathOptions) fileOnce(name string, flag int) (*File, error) {
	before, err := o.Root.Stat(name)
	switch {
	case err == nil && !before.Mode().IsRegular():
		return nil, ErrKind
	case err != nil && (flag&os.O_CREATE == 0 || !errors.Is(err, fs.ErrNotExist)):
		return nil, err //nolint:wrapcheck // it names the path as it was sent
	}
	f, err := o.Root.OpenFile(name, flag|withoutWaiting, 0o600)
	if err != nil {
		return nil, err //nolint:wrapcheck // the same
	}
	if err := o.admit(f, name); err != nil {
		_ = f.Close()
		return nil, err
	}
	return &File{f}, nil
}

// admit looks at a file that was opened. That it has one name does not say which: one
// outside may be left of two by now. So its name is looked up once more, and the file must
// be the one there, with one name and without a change from before to after that.
func (o *PathOptions) admit(f *os.File, name string) error {
	before, err := f.Stat()
	if err != nil {
		return nameless(err)
	}
	if !before.Mode().IsRegular() {
		return ErrKind
	}
	if o.HardLinks {
		return nil
	}
	first, err := namesOf(f, before)
	if err != nil {
		return err
	}
	if first.links > 1 {
		return ErrHardLink
	}
	if first.unsettled(before) {
		time.Sleep(settling)
		return errChanged
	}
	named, err := o.Root.Stat(name)
	if err != nil || !os.SameFile(before, named) {
		return errChanged
	}
	after, err := f.Stat()
	if err != nil {
		return nameless(err)
	}
	if second, err := namesOf(f, after); err != nil || second != first {
		return errChanged
	}
	return nil
}

// Stat describes what is there, links followed. Devices, pipes and sockets are refused,
// and so are files of several names, where the system says so without opening them
// (all but Windows).
func (p Path[B]) Stat() (fs.FileInfo, error) {
	if p.in == nil {
		return nil, ErrUnset
	}
	info, err := p.in.Root.Stat(p.name)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the path as it was sent
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, ErrKind
	}
	if n, known := namesIn(info); known && n.links > 1 && !info.IsDir() && !p.in.HardLinks {
		return nil, ErrHardLink
	}
	return info, nil
}

// List describes what is in the directory, sorted by name, links themselves and not what
// they lead to. More than PathOptions.MaxEntries fails with [ErrTooLarge]. Names are
// those that the file system has: others than this package would take may be among
// them.
func (p Path[B]) List() ([]fs.FileInfo, error) {
	if p.in == nil {
		return nil, ErrUnset
	}
	before, err := p.in.Root.Stat(p.name)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the path as it was sent
	}
	if !before.IsDir() {
		return nil, ErrKind
	}
	f, err := p.in.Root.OpenFile(p.name, os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return nil, err //nolint:wrapcheck // the same
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		return nil, ErrKind
	}
	names, err := f.Readdirnames(p.in.MaxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nameless(err)
	}
	if len(names) > p.in.MaxEntries {
		return nil, ErrTooLarge
	}
	entries := make([]fs.FileInfo, 0, len(names))
	for _, name := range names {
		// By the directory's root, since a directory entry describes itself by a whole path.
		if info, err := p.in.Root.Lstat(p.name + "/" + name); err == nil { // else it is gone, or nobody may look at it
			entries = append(entries, info)
		}
	}
	slices.SortFunc(entries, func(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}
