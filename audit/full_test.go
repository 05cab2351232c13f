package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A smallDisk has room for so many bytes in a directory.
type smallDisk struct {
	osDisk
	dir  string
	room atomic.Int64
}

func (d *smallDisk) left() int64 {
	left := d.room.Load()
	entries, _ := os.ReadDir(d.dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			left -= info.Size()
		}
	}
	return max(left, 0)
}

func (d *smallDisk) create(path string) (segment, error) {
	s, err := d.osDisk.create(path)
	if err != nil {
		return nil, err
	}
	return &smallSegment{s, d}, nil
}

func (d *smallDisk) reopen(path string) (segment, error) {
	s, err := d.osDisk.reopen(path)
	if err != nil {
		return nil, err
	}
	return &smallSegment{s, d}, nil
}

type smallSegment struct {
	segment
	disk *smallDisk
}

func (s *smallSegment) Write(b []byte) (int, error) {
	if left := s.disk.left(); int64(len(b)) > left {
		n, err := s.segment.Write(b[:left])
		return n, errors.Join(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, err)
	}
	return s.segment.Write(b)
}

// When the disk is full nothing begins any more, and what has begun, and that it was full,
// is still recorded. When there is room again the log says for how long there was none.
func TestAFullDiskBeginsNothingAndRecordsWhatHasHappened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &smallDisk{dir: dir}
		d.room.Store(60 << 10)
		l, err := openOn(d, dir, &Options{reserve: 20 << 10, SegmentBytes: 4 << 10})
		if err != nil {
			t.Fatal(err)
		}
		taken, outcomes := 0, 0
		for ; ; taken++ {
			if err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "c"}); err != nil {
				break
			}
			if taken > 1000 {
				t.Fatal("the disk is never full")
			}
		}
		if l.Healthy() == nil {
			t.Error("the log says that it is well")
		}
		for range 20 {
			if err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "refused"}); !errors.Is(err, ErrDiskFull) {
				t.Errorf("an intent: %v", err)
			}
			if err := l.Record(t.Context(), &Event{Phase: PhaseRefused, Call: "refused"}); err != nil {
				t.Errorf("that it was refused: %v", err)
			}
			if err := l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "c"}); err == nil {
				outcomes++
			}
			if l.Healthy() == nil {
				t.Error("the log says that it is well")
			}
			time.Sleep(time.Second) // it looks for room, and finds none
		}
		if outcomes != 20 {
			t.Errorf("%d of 20 outcomes", outcomes)
		}
		d.room.Store(1 << 20)
		time.Sleep(5 * time.Second)
		if err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "again"}); err != nil || l.Healthy() != nil {
			t.Errorf("with room again: %v, %v", err, l.Healthy())
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var said string
		n := 0
		for e, err := range Read(dir) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Phase == PhaseIntent && e.Call == "c" {
				n++
			}
			if e.Decision.Rule == "disk_full" {
				said = e.Decision.Reason
			}
		}
		if n != taken || !strings.Contains(said, "21 calls were refused") { // the one that found it full, too
			t.Errorf("%d of %d intents; %q", n, taken, said)
		}
		if info, err := os.Stat(filepath.Join(dir, reserveFile)); err != nil || info.Size() != 20<<10 {
			t.Errorf("the reserve: %v, %v", info, err)
		}
	})
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil {
		t.Errorf("%v, %v", r.Bad, err)
	}
}

// A log can be opened on a full disk, and refuses calls until there is room.
func TestALogOpensOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, &Options{reserve: 1 << 10})
	if err := errors.Join(l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "lost"}), l.Close()); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		d := &smallDisk{dir: dir}
		d.room.Store(1 << 20)
		d.room.Add(600 - d.left()) // the rest of it
		l, err := openOn(d, dir, &Options{reserve: 16 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Record(t.Context(), &Event{Phase: PhaseIntent}); !errors.Is(err, ErrDiskFull) || l.Healthy() == nil {
			t.Errorf("got %v, %v", err, l.Healthy())
		}
		d.room.Store(1 << 20)
		time.Sleep(2 * time.Second)
		if err := l.Record(context.Background(), &Event{Phase: PhaseIntent}); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil || r.Phases[PhaseOrphaned] != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whoever finds the disk full with what has happened is the first to use the reserve; an
// intent in the same batch is refused.
func TestWhatFindsTheDiskFullIsRecordedIfItHasHappened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := &smallDisk{dir: dir}
		d.room.Store(1 << 20)
		l, err := openOn(d, dir, &Options{reserve: 20 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "c"}); err != nil {
			t.Fatal(err)
		}
		d.room.Add(10 - d.left()) // no event has room
		outcome, intent := l.newEntry(&Event{Phase: PhaseOutcome, Call: "c"}), l.newEntry(&Event{Phase: PhaseIntent, Call: "d"})
		l.queue <- intent
		l.queue <- outcome
		if err := <-outcome.done; err != nil {
			t.Errorf("the outcome: %v", err)
		}
		if err := <-intent.done; !errors.Is(err, ErrDiskFull) || l.Healthy() == nil {
			t.Errorf("the intent: %v; the log says %v", err, l.Healthy())
		}
		d.room.Store(1 << 20)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil || r.Phases[PhaseIntent] != 1 || r.Phases[PhaseOutcome] != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
