package audit

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/mod/sumdb/note"
)

// A writer puts events into segments and signs what is there. It is for one goroutine at a
// time.
//
// A segment is two files: the lines, and the checkpoints that were made while it was
// written, the first of which has the edge of the tree as it was when the segment began.
// After an error in either, both are closed for good, cut back to what is durable, and the
// next event begins another segment.
type writer struct {
	dir      string
	disk     disk
	now      func() time.Time
	most     int64         // bytes of a segment
	age      time.Duration // of a segment
	lock     *flock.Flock
	held     os.FileInfo // of the lock
	stats    *counters
	signer   note.Signer
	former   note.Signer // signs the beginning of the next segment as well; nil if none does
	formerly string      // its public key
	verifier note.Verifier
	public   string // key of the signer
	origin   string
	emit     func(line []byte)              // is given every line that is durable
	signed   func(size uint64, note []byte) // is given every checkpoint that is durable

	tree     tree // of the durable lines
	covered  uint64
	previous root // of the last checkpoint

	number int       // of the last segment
	lines  tape      // of the last segment
	notes  tape      // its checkpoints
	before before    // the segment
	begun  time.Time // the last segment
	broken error     // why the last segment was sealed, until the next one is there
	buf    []byte
	ends   []int  // of the lines in buf
	stamp  []byte // the time of a batch
	random []byte // of IDs to come, in drawn
	drawn  [1 << 10]byte

	reserve reserve
	running running
}

// What the checkpoints were before a segment was begun.
type before struct {
	previous root
	covered  uint64
}

// A tape is a file that is appended to, up to its first error.
type tape struct {
	path   string
	file   segment // nil when it is closed
	size   int64   // durable
	beyond bool    // it may hold more
}

// write appends b and syncs it.
func (t *tape) write(b []byte) error {
	n, err := t.file.Write(b)
	if err == nil && n < len(b) {
		err = fmt.Errorf("only %d of %d bytes were written", n, len(b))
	}
	if err == nil {
		err = t.file.Sync()
	}
	if err != nil {
		t.beyond = true
		return err
	}
	t.size += int64(len(b))
	return nil
}

// reopen opens a file of a process before. What that wrote from an offset on may not be on
// disk yet.
func (t *tape) reopen(d disk, from int64) (err error) {
	if err := d.renew(t.path, min(from, t.size)); err != nil {
		return err
	}
	if t.file, err = d.reopen(t.path); err != nil {
		return err
	}
	return t.file.Sync()
}

func (t *tape) close() error {
	if t.file == nil {
		return nil
	}
	f := t.file
	t.file = nil
	return f.Close()
}

// cutBack cuts the tape back to what is durable: what is beyond was refused to whoever
// asked for it.
func (t *tape) cutBack(d disk) error {
	if !t.beyond {
		return nil
	}
	if err := d.cut(t.path, t.size); err != nil && (t.size > 0 || !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	t.beyond = false
	return nil
}

// An id is the ID of an event: 128 random bits, as text.
const idSize = 26

var idText = base32.StdEncoding.WithPadding(base32.NoPadding)

// commit writes a batch of events' bodies, and returns when they are on disk. After an
// error nothing of them is in the log.
func (w *writer) commit(batch []*entry) error {
	if err := w.ready(); err != nil {
		return err
	}
	return w.put(batch)
}

// put writes a batch to the open segment.
func (w *writer) put(batch []*entry) error {
	w.lay(batch)
	if err := w.lines.write(w.buf); err != nil {
		w.seal(err)
		return err
	}
	w.stats.synced()
	w.follow(batch)
	return nil
}

// lay makes lines of a batch of events' bodies, in buf.
func (w *writer) lay(batch []*entry) {
	var id [idSize]byte
	w.stamp = appendTime(w.stamp[:0], w.now())
	w.buf, w.ends = w.buf[:0], w.ends[:0]
	for i, e := range batch {
		if len(w.random) == 0 {
			w.random = w.drawn[:]
			rand.Read(w.random)
		}
		idText.Encode(id[:], w.random[:16])
		w.random = w.random[16:]
		from := len(w.buf)
		w.buf = appendHead(w.buf, version, string(id[:]), w.tree.size+uint64(i)+1, w.stamp)
		w.buf = appendSum(append(w.buf, e.body...), from)
		w.buf = append(w.buf, '\n')
		w.ends = append(w.ends, len(w.buf))
	}
}

// ready sees that there is a segment to write to.
func (w *writer) ready() error {
	if err := w.alone(); err != nil {
		return err
	}
	if w.lines.file != nil && (w.lines.size >= w.most || w.notes.size >= mostNotes || w.now().Sub(w.begun) >= w.age) {
		w.finish()
	}
	if w.lines.file == nil {
		return w.begin()
	}
	return nil
}

// alone says that the lock is still where another process would look for it.
func (w *writer) alone() error {
	if now, err := os.Stat(w.lock.Path()); err != nil || !os.SameFile(now, w.held) {
		return fmt.Errorf("the lock of the log in %s was removed, so that another process may write there: restart this one", w.dir)
	}
	return nil
}

// settle adds the batch that was committed last to the tree and hands it on.
func (w *writer) settle() {
	from := 0
	for _, end := range w.ends {
		w.tree.add(w.buf[from : end-1])
		w.emit(w.buf[from:end])
		from = end
	}
	w.ends = w.ends[:0]
	if cap(w.buf) > 4*batchBytes {
		w.buf = nil
	}
}

// record commits one event of the log's own.
func (w *writer) record(e *Event) error {
	if err := w.commit([]*entry{{body: appendBody(nil, e), phase: e.Phase, call: e.Call}}); err != nil {
		return err
	}
	w.settle()
	return nil
}

// seal gives the open segment up.
func (w *writer) seal(err error) {
	w.spend(err)
	w.broken = err
	w.lines.beyond, w.notes.beyond = true, true
	_, _ = w.lines.close(), w.notes.close() // there is nothing more to lose in them
	_ = w.cutBack()                         // it is tried again before the next segment, which is not begun without
}

// cutBack cuts a sealed segment back to what is durable. One without any event goes, or a
// full disk would gather empty files for each event that it refuses.
func (w *writer) cutBack() error {
	if !w.lines.beyond && !w.notes.beyond {
		return nil
	}
	if w.lines.size == 0 {
		// The lines first, for good: without them the checkpoints are of nothing, and not the
		// other way round.
		if err := w.gone(w.lines.path); err != nil {
			return err
		}
		if err := w.disk.syncDir(w.dir); err != nil {
			return err
		}
		if err := w.gone(w.notes.path); err != nil {
			return err
		}
		w.lines, w.notes = tape{}, tape{}
		w.number--
		w.previous, w.covered = w.before.previous, w.before.covered
		return nil
	}
	return errors.Join(w.lines.cutBack(w.disk), w.notes.cutBack(w.disk))
}

// gone removes a file, if it is there.
func (w *writer) gone(path string) error {
	if err := w.disk.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// begin begins the next segment.
func (w *writer) begin() error {
	if err := w.cutBack(); err != nil {
		return err
	}
	if w.number >= lastSegment {
		return fmt.Errorf("there are %d segments, and no name is left for another: begin a log in another directory", w.number)
	}
	w.number++
	w.lines, w.notes = tape{path: segmentPath(w.dir, w.number)}, tape{path: notesPath(w.dir, w.number)}
	w.begun = w.now()
	w.before = before{w.previous, w.covered}
	if err := w.create(); err != nil {
		w.seal(err)
		return err
	}
	if err := w.carry(); err != nil {
		return err
	}
	was := w.broken
	w.broken = nil
	if was != nil {
		return w.record(&Event{Phase: PhaseNotice, Decision: Decision{
			By: "log", Rule: "segment_sealed", Reason: fmt.Sprintf("the segment before was given up after an error: %v", was),
		}})
	}
	return nil
}

// create makes the files of a segment, durable.
func (w *writer) create() (err error) {
	if w.notes.file, err = w.disk.create(w.notes.path); err != nil {
		return err
	}
	if err := w.checkpoint(true); err != nil {
		return err
	}
	if w.lines.file, err = w.disk.create(w.lines.path); err != nil {
		return err
	}
	return w.disk.syncDir(w.dir)
}

// checkpoint signs the tree as it is.
func (w *writer) checkpoint(begins bool) error {
	c := &checkpoint{origin: w.origin, size: w.tree.size, root: w.tree.root(), time: w.now(), previous: w.previous}
	if begins {
		c.segment, c.edge = w.number, w.tree.edge
	}
	signers := []note.Signer{w.signer}
	if begins && w.former != nil {
		c.key, c.former, signers = w.public, w.formerly, []note.Signer{w.former, w.signer}
	}
	signed, err := c.sign(signers...)
	if err != nil {
		return err
	}
	if err := w.notes.write(signed); err != nil {
		return err
	}
	w.stats.synced()
	w.previous, w.covered = hashOfNote(signed), w.tree.size
	w.signed(c.size, signed)
	return nil
}

// cover makes a checkpoint of what has none.
func (w *writer) cover() error {
	if w.covered == w.tree.size {
		return nil
	}
	if w.lines.file == nil {
		return w.begin() // whose first checkpoint covers what was before it
	}
	if err := w.checkpoint(false); err != nil {
		w.seal(err)
		return err
	}
	return nil
}

// finish ends the open segment.
func (w *writer) finish() {
	err := w.cover()
	if w.lines.file == nil {
		return // sealed
	}
	if err = errors.Join(err, w.lines.close(), w.notes.close()); err != nil {
		w.seal(err)
	}
}
