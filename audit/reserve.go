package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The reserve is a file beside the segments that holds nothing but room. When the disk is
// full it is given up, so that what has happened can still be recorded, and that nothing
// more was let happen: outcomes, refusals and notices, some thousand of them. Intents are
// refused until there is room again, and the reserve with it.
const (
	reserveFile  = "reserve"
	reserveBytes = 1 << 20
)

// ErrDiskFull is returned by Record for an intent while the disk is full.
var ErrDiskFull = errors.New("audit: the disk is full: nothing is begun until there is room")

// A reserve is what a writer knows of it.
type reserve struct {
	bytes int       // its size
	kept  bool      // it is there
	since time.Time // it has been given up; zero if not
	lost  int       // intents that were refused since
}

func (w *writer) reservePath() string { return filepath.Join(w.dir, reserveFile) }

// keepReserve makes the reserve, if it is not there.
func (w *writer) keepReserve() error {
	if w.reserve.kept {
		return nil
	}
	path := w.reservePath()
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() == int64(w.reserve.bytes) {
		w.reserve.kept = true
		return nil
	}
	if err := writeWhole(w.disk, path, make([]byte, w.reserve.bytes)); err != nil {
		return fmt.Errorf("the reserve: %w", err)
	}
	w.reserve.kept = true
	return nil
}

// spend gives the reserve up where an error says that the disk is full.
func (w *writer) spend(err error) {
	if !isFull(err) {
		return
	}
	if w.reserve.since.IsZero() {
		w.reserve.since, w.reserve.lost = w.now(), 0
	}
	if removing := w.disk.remove(w.reservePath()); removing == nil || errors.Is(removing, fs.ErrNotExist) {
		w.reserve.kept = false
	}
}

// full says that the disk was full, and that there is no reserve yet for when it is again.
func (w *writer) full() bool { return !w.reserve.since.IsZero() }

// refill looks whether there is room again, and says in the log for how long there was none.
func (w *writer) refill() error {
	if !w.full() {
		return nil
	}
	if err := w.keepReserve(); err != nil {
		return errors.Join(ErrDiskFull, err)
	}
	since, lost := w.reserve.since, w.reserve.lost
	w.reserve.since = time.Time{}
	return w.record(&Event{Phase: PhaseNotice, Decision: Decision{
		By: "log", Rule: "disk_full", Reason: fmt.Sprintf("the disk was full from %s on; %d calls were refused for it", since.UTC().Format(time.RFC3339), lost),
	}})
}
