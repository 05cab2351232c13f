package audit

import (
	"bytes"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
)

// A fault is a way in which a disk fails.
type fault struct {
	name string
	hits []string // what it makes fail
	err  error
	half bool // of a write is done
	away bool // nothing fails by itself: the directory is not where it was
}

var everyCall = []string{"create", "reopen", "write", "sync", "cut", "renew", "remove", "rename", "mkdir", "syncDir"}

var faults = []fault{
	{name: "no room", hits: []string{"create", "write", "renew", "rename", "mkdir"}, err: syscall.ENOSPC, half: true},
	{name: "no room when syncing", hits: []string{"sync", "syncDir"}, err: syscall.ENOSPC},
	{name: "EIO when writing", hits: []string{"write", "renew"}, err: syscall.EIO},
	{name: "EIO when syncing", hits: []string{"sync", "syncDir", "cut"}, err: syscall.EIO},
	{name: "short write", hits: []string{"write"}, half: true},
	{name: "read-only", hits: []string{"create", "reopen", "write", "cut", "renew", "remove", "rename", "mkdir"}, err: syscall.EROFS},
	{name: "directory removed", hits: everyCall, away: true},
}

// A failingDisk is a simDisk of which one call fails, or all from one on until it is mended.
// What was written before a sync that failed is lost, whatever later syncs say.
type failingDisk struct {
	*simDisk
	fault fault
	at    int // which of the calls that the fault hits fails first
	lasts bool
	dir   string

	guard  sync.Mutex
	seen   int // calls that it hits
	struck bool
	mended bool
	moved  bool
}

// do does a call, or fails it. broken is what the fault leaves of it.
func (d *failingDisk) do(kind, path string, really, broken func() error) error {
	d.guard.Lock()
	defer d.guard.Unlock()
	if d.mended || !slices.Contains(d.fault.hits, kind) {
		return really()
	}
	if d.seen++; d.seen < d.at || (d.seen > d.at && !d.lasts) {
		return really()
	}
	d.struck = true
	if !d.fault.away {
		if err := broken(); err != nil {
			return err
		}
		if d.fault.err == nil {
			return nil
		}
		return &os.PathError{Op: kind, Path: path, Err: d.fault.err}
	}
	d.move()
	if !d.lasts {
		defer d.putBack()
	}
	return really()
}

func (d *failingDisk) move() {
	if !d.moved && os.Rename(d.dir, d.dir+".away") == nil {
		d.moved = true
	}
}

func (d *failingDisk) putBack() {
	if d.moved && os.Rename(d.dir+".away", d.dir) == nil {
		d.moved = false
	}
}

// mend ends the fault.
func (d *failingDisk) mend() {
	d.guard.Lock()
	defer d.guard.Unlock()
	d.mended = true
	d.putBack()
}

func (d *failingDisk) hasStruck() bool {
	d.guard.Lock()
	defer d.guard.Unlock()
	return d.struck
}

func (d *failingDisk) create(path string) (s segment, err error) {
	err = d.do("create", path, func() error { s, err = d.simDisk.create(path); return err }, nothing)
	return d.wrap(s, path), err
}

func (d *failingDisk) reopen(path string) (s segment, err error) {
	err = d.do("reopen", path, func() error { s, err = d.simDisk.reopen(path); return err }, nothing)
	return d.wrap(s, path), err
}

func (d *failingDisk) wrap(s segment, path string) segment {
	if s == nil {
		return nil
	}
	return &failingSegment{s, path, d}
}

func (d *failingDisk) cut(path string, size int64) error {
	return d.do("cut", path, func() error { return d.simDisk.cut(path, size) }, nothing)
}

func (d *failingDisk) renew(path string, from int64) error {
	return d.do("renew", path, func() error { return d.simDisk.renew(path, from) }, nothing)
}

func (d *failingDisk) remove(path string) error {
	return d.do("remove", path, func() error { return d.simDisk.remove(path) }, nothing)
}

func (d *failingDisk) rename(from, to string) error {
	return d.do("rename", from, func() error { return d.simDisk.rename(from, to) }, nothing)
}

func (d *failingDisk) mkdir(dir string) error {
	return d.do("mkdir", dir, func() error { return d.simDisk.mkdir(dir) }, nothing)
}

func (d *failingDisk) syncDir(dir string) error {
	return d.do("syncDir", dir, func() error {
		if !exists(dir) {
			return &os.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
		}
		return d.simDisk.syncDir(dir)
	}, nothing)
}

type failingSegment struct {
	segment
	path string
	disk *failingDisk
}

func (s *failingSegment) Write(b []byte) (n int, err error) {
	err = s.disk.do("write", s.path, func() error { n, err = s.segment.Write(b); return err }, func() error {
		if s.disk.fault.half {
			n, err = s.segment.Write(b[:len(b)/2])
			return err
		}
		return nil
	})
	return n, err
}

func (s *failingSegment) Sync() error {
	return s.disk.do("sync", s.path, s.segment.Sync, func() error {
		return s.disk.simDisk.do(step{kind: "lost", path: s.path}, nothing)
	})
}

// A witness follows what is on disk for good.
type witness struct {
	disk  *failingDisk
	left  *crashable
	taken int
}

func newWitness(d *failingDisk) *witness {
	return &witness{disk: d, left: &crashable{dir: d.dir, now: map[string]*inode{}, kept: map[string]*inode{}, named: true}}
}

// look takes the steps since the last look.
func (w *witness) look() {
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	for ; w.taken < len(w.disk.steps); w.taken++ {
		w.left.take(w.disk.steps[w.taken])
	}
}

// holds says that an event would be there after the worst of crashes.
func (w *witness) holds(phase Phase, call string) bool {
	w.look()
	for _, f := range w.left.kept {
		if w.left.named && bytes.Contains(f.durable, []byte(`"phase":"`+string(phase)+`","call":"`+call+`"`)) {
			return true
		}
	}
	return false
}
