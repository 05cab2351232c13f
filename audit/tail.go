package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// followEvery is how often FollowLines looks for more.
const followEvery = 200 * time.Millisecond

// FollowLines yields the lines of the log in dir as Lines does, and then those that are
// written while it waits; it looks five times a second. It ends with ctx, whose error is
// the last thing that it yields. What a writer takes back, since its sync failed, may have
// been yielded; what is then written in its place is yielded too.
func FollowLines(ctx context.Context, dir string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		ticker := time.NewTicker(followEvery)
		defer ticker.Stop()
		t := tail{ctx: ctx, dir: dir, seed: maphash.MakeSeed(), yield: yield}
		for {
			err := t.catchUp()
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
			yield(Line{}, err)
			return
		}
	}
}

// A tail is how far a log was followed.
type tail struct {
	ctx    context.Context //nolint:containedctx // a tail lives no longer than the call that it is made in
	dir    string
	number int    // of the segment that is read; 0 before the first
	at     int64  // how far
	last   []byte // the line before that, with its end
	seed   maphash.Seed
	given  []uint64 // hashes of the lines of this segment that were yielded, in order
	yield  func(Line, error) bool
}

// catchUp yields what there is by now: whole lines, of this segment and of those that
// follow.
func (t *tail) catchUp() error {
	for {
		segments, err := segmentsOf(t.dir) // first, so that one that has a successor is read to its end
		if err != nil {
			return err
		}
		i := slices.IndexFunc(segments, func(s segmentFile) bool { return s.number >= t.number })
		if i < 0 { // not there yet, or about to be begun again
			return nil
		}
		if segments[i].number > t.number {
			t.begin(segments[i].number)
		}
		if err := t.read(segments[i].path); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if i+1 == len(segments) {
			return nil
		}
		t.begin(segments[i+1].number)
	}
}

func (t *tail) begin(number int) {
	t.number, t.at, t.last, t.given = number, 0, t.last[:0], t.given[:0]
}

// read yields what is new in a segment. One whose end was cut off, or that was removed
// and begun again, is read from its beginning, and what was yielded of it is left out.
func (t *tail) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	same, err := t.same(file)
	if err != nil {
		return err
	}
	n := len(t.given)
	if !same {
		n, t.at = 0, 0
	}
	if _, err := file.Seek(t.at, io.SeekStart); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return linesOf(file, filepath.Base(path), func(_ int, line []byte, whole bool) error {
		if !whole {
			return nil
		}
		if t.ctx.Err() != nil {
			return context.Cause(t.ctx)
		}
		hash := maphash.Bytes(t.seed, line)
		known := n < len(t.given) && t.given[n] == hash
		var e *Event
		if !known {
			e = new(Event)
			if err := e.UnmarshalJSON(line); err != nil {
				return fmt.Errorf("%s at byte %d: %w", filepath.Base(path), t.at, err)
			}
			t.given = append(t.given[:n], hash)
		}
		n++
		t.at += int64(len(line)) + 1
		t.last = append(append(t.last[:0], line...), '\n')
		if !known && !t.yield(Line{Event: e, Raw: line}, nil) {
			return errStop
		}
		return nil
	})
}

// same says whether what was read last still stands where it stood.
func (t *tail) same(file *os.File) (bool, error) {
	if t.at == 0 {
		return len(t.given) == 0, nil
	}
	now := make([]byte, len(t.last))
	_, err := file.ReadAt(now, t.at-int64(len(now)))
	if errors.Is(err, io.EOF) { // it was cut shorter
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("audit: %w", err)
	}
	return bytes.Equal(now, t.last), nil
}
