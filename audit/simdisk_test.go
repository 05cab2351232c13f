package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// A step is something that was done to the disk, or an event that was acknowledged.
type step struct {
	kind string // create, write, sync, lost, cut, remove, rename, mkdir, syncDir, ack
	path string
	to   string // rename
	data []byte // write
	size int64  // cut
	site string // where in the code, of what syncs
	call string // ack
}

// A simDisk does everything to real files, which the log reads, syncs none of them, and
// keeps the steps, of which a crash is made afterwards.
type simDisk struct {
	osDisk
	mu     sync.Mutex
	steps  []step
	dies   int    // at this step: nothing has an effect any more; 0 never
	fails  int    // at this step alone; 0 never
	tear   bool   // a write that fails, or dies, has half of its effect
	counts int    // steps but acknowledgements
	drop   string // the site whose syncs are left out
	left   []int  // before these steps
}

var errDied = errors.New("the process has died, or the disk has failed")

func (d *simDisk) do(s step, really func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.kind != "ack" {
		d.counts++
		if dies := d.dies > 0 && d.counts >= d.dies; dies || d.counts == d.fails {
			if s.kind != "write" || !d.tear || d.counts > max(d.dies, d.fails) {
				return errDied
			}
			s.data = s.data[:len(s.data)/2]
			d.steps = append(d.steps, s)
			return errors.Join(errDied, half(s))
		}
	}
	if s.kind == "sync" || s.kind == "syncDir" {
		if s.site = site(s.path); s.site == d.drop {
			d.left = append(d.left, len(d.steps))
			return nil
		}
	}
	if err := really(); err != nil {
		return err
	}
	d.steps = append(d.steps, s)
	return nil
}

// half does a write that is not whole.
func half(s step) error {
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(s.data)
	return errors.Join(err, f.Close())
}

func nothing() error { return nil }

// site names the place in the code from which a sync is called, and what kind of file it
// is of.
func site(path string) string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasSuffix(f.File, "_test.go") || !more {
			name := f.Function[strings.LastIndexByte(f.Function, '.')+1:]
			return fmt.Sprintf("%s:%d %s %s", filepath.Base(f.File), f.Line, name, filepath.Ext(strings.TrimSuffix(path, ".new")))
		}
	}
}

func (d *simDisk) create(path string) (s segment, err error) {
	err = d.do(step{kind: "create", path: path}, func() error { s, err = d.osDisk.create(path); return err })
	if err != nil {
		return nil, err
	}
	return &simSegment{s, path, d}, nil
}

func (d *simDisk) reopen(path string) (segment, error) {
	s, err := d.osDisk.reopen(path)
	if err != nil {
		return nil, err
	}
	return &simSegment{s, path, d}, nil
}

func (d *simDisk) cut(path string, size int64) error {
	if err := d.do(step{kind: "cut", path: path, size: size}, func() error { return os.Truncate(path, size) }); err != nil {
		return err
	}
	return d.do(step{kind: "sync", path: path}, nothing)
}

func (d *simDisk) remove(path string) error {
	return d.do(step{kind: "remove", path: path}, func() error { return os.Remove(path) })
}

func (d *simDisk) rename(from, to string) error {
	return d.do(step{kind: "rename", path: from, to: to}, func() error { return os.Rename(from, to) })
}

func (d *simDisk) mkdir(dir string) error {
	return d.do(step{kind: "mkdir", path: dir}, func() error { return os.MkdirAll(dir, 0o700) })
}

func (d *simDisk) syncDir(dir string) error { return d.do(step{kind: "syncDir", path: dir}, nothing) }

func (d *simDisk) ack(call string) { _ = d.do(step{kind: "ack", call: call}, nothing) }

type simSegment struct {
	segment
	path string
	disk *simDisk
}

func (s *simSegment) Write(b []byte) (n int, err error) {
	err = s.disk.do(step{kind: "write", path: s.path, data: slices.Clone(b)}, func() error { n, err = s.segment.Write(b); return err })
	return n, err
}

func (s *simSegment) Sync() error { return s.disk.do(step{kind: "sync", path: s.path}, nothing) }
