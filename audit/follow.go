package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"
)

// followEvery is how often Follow looks for more.
const followEvery = 200 * time.Millisecond

// Follow yields the events of the log in dir as Read does, and then those that are
// written while it waits. It ends with ctx, whose error is the last thing that it
// yields.
func Follow(ctx context.Context, dir string) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		ticker := time.NewTicker(followEvery)
		defer ticker.Stop()
		f := follower{dir: dir, number: 1, yield: yield}
		for {
			err := f.catchUp()
			if errors.Is(err, errStop) {
				return
			}
			if err == nil {
				select {
				case <-ticker.C:
					continue
				case <-ctx.Done():
					err = context.Cause(ctx)
				}
			}
			yield(nil, err)
			return
		}
	}
}

type follower struct {
	dir    string
	number int   // of the segment that is read
	at     int64 // how far
	yield  func(*Event, error) bool

	last  []byte              // the line that was read last; it ends at at
	given map[string]struct{} // the IDs of those of this segment
}

// catchUp yields what there is by now: whole lines, of this segment and of those
// that follow.
func (f *follower) catchUp() error {
	for {
		segments, err := segmentsOf(f.dir)
		if err != nil {
			return err
		}
		more := false
		for _, s := range segments {
			switch {
			case s.number == f.number:
				if err := f.read(s.path); err != nil {
					return err
				}
			case s.number > f.number:
				more = true
			}
		}
		if !more {
			return nil
		}
		f.number, f.at, f.given = f.number+1, 0, nil
	}
}

// read yields what is new in a segment. A segment whose first write failed is removed
// and begun again: where what comes does not follow what was yielded, it is read from
// its beginning.
func (f *follower) read(path string) error {
	err := f.readOn(path, f.at > 0)
	if errors.Is(err, errAnother) {
		f.at = 0
		err = f.readOn(path, false)
	}
	return err
}

var errAnother = errors.New("it is another segment")

func (f *follower) readOn(path string, continued bool) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	if continued { // the line before is read again
		again := make([]byte, len(f.last)+1)
		if n, err := file.ReadAt(again, f.at-int64(len(again))); n < len(again) || !bytes.Equal(again, append(f.last, '\n')) {
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("audit: %w", err)
			}
			return errAnother
		}
	}
	if _, err := file.Seek(f.at, io.SeekStart); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return linesOf(file, filepath.Base(path), func(_ int, line []byte, whole bool) error {
		if !whole {
			return nil
		}
		e := new(Event)
		if err := json.Unmarshal(line, e); err != nil {
			return fmt.Errorf("%s at byte %d: %w", filepath.Base(path), f.at, err)
		}
		f.at += int64(len(line)) + 1
		f.last = append(f.last[:0], line...)
		if _, twice := f.given[e.ID]; twice {
			return nil
		}
		if f.given == nil {
			f.given = map[string]struct{}{}
		}
		f.given[e.ID] = struct{}{}
		if !f.yield(e, nil) {
			return errStop
		}
		return nil
	})
}
