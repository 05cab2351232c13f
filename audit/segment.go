package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Bounds of the checkpoints of one segment, in bytes: where it is followed by the next, and
// how much of them is held at once, which is at least two.
const (
	mostNotes   = 16 << 20
	notesWindow = 8 * maxCheckpoint
)

// notes are the checkpoints of a segment, read one after the other.
type notes struct {
	path   string
	trust  *trust
	rest   []byte      // as much of them as is held
	limit  int64       // where the file ended when it was opened
	at     int64       // how far they have been taken
	next   *checkpoint // not taken yet; nil if there is none, or none that is whole
	signed []byte      // next, as it stands
	fault  func(error) error
}

// load reads what there is by now, behind what has been taken, and looks at the first.
func (n *notes) load() error {
	info, err := os.Stat(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	n.limit = info.Size()
	if err := n.fill(); errors.Is(err, fs.ErrNotExist) { // retention has removed it meanwhile
		return nil
	} else if err != nil {
		return err
	}
	return n.look()
}

// fill reads on from where they have been taken. What was appended meanwhile is left for
// another load: it may cover lines that are not read any more.
func (n *notes) fill() error {
	file, err := os.Open(n.path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	n.rest, err = io.ReadAll(io.NewSectionReader(file, n.at, min(n.limit-n.at, notesWindow)))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// look looks at the next checkpoint. One that is none is a fault, if it is not the end of
// the file: that may be under way, or have been torn.
func (n *notes) look() error {
	n.next, n.signed = nil, nil
	signed, rest := cutNote(n.rest)
	if signed == nil {
		return nil
	}
	c, err := n.trust.open(signed, n.fault)
	if err != nil {
		if whole, _ := cutNote(rest); whole == nil && errors.Is(err, errCheckpoint) && oneNote(n.rest) {
			return nil
		}
		return err
	}
	n.next, n.signed = c, signed
	return nil
}

// oneNote says that bytes are of no more than one checkpoint: two are not torn at once.
func oneNote(b []byte) bool {
	most := 1
	if bytes.Contains(b, []byte("\nkey "+originPrefix)) {
		most = 2
	}
	return bytes.Count(b, []byte("— "+originPrefix)) <= most
}

// take takes the next checkpoint.
func (n *notes) take() error {
	n.at += int64(len(n.signed))
	n.rest = n.rest[len(n.signed):]
	if len(n.rest) < 2*maxCheckpoint && n.at+int64(len(n.rest)) < n.limit {
		if err := n.fill(); err != nil {
			return err
		}
	}
	return n.look()
}

// torn says how many bytes are at the end that are no checkpoint; of a great many no more
// than the window.
func (n *notes) torn() int {
	if n.next != nil {
		return 0
	}
	return len(n.rest)
}

// A reader follows a log through its segments: the tree over its lines, the checkpoints,
// the checksums, the numbers. It is for one goroutine at a time.
type reader struct {
	dir     string
	trust   trust
	chain   *chain // of lines of version 1; nil where there are to be none
	see     func(*Event) error
	brief   bool // events that checkpoints cover are only glanced at, and see does not keep them
	glanced Event

	tree     tree
	begun    bool // it is known where the log stands
	old      bool // only lines of version 1 so far
	origin   string
	previous root   // of the last checkpoint
	covered  uint64 // events that checkpoints have covered

	coveredRoot root  // of their tree
	coveredAt   int64 // where they end in the segment
	before      before

	// of the segment that is read
	segmentFile
	notes notes
	since time.Time // when it was begun
	line  int       // how many have been read
	at    int64     // and how many bytes they are
}

// A BadRecord is a line or a checkpoint that is not what was written.
type BadRecord struct {
	File   string // within the directory
	Line   int    // from 1; 0 for a file as a whole
	Seq    uint64 // what its number should be
	Reason string

	cause error
}

// Error implements error.
func (b *BadRecord) Error() string { return b.String() }

func (r *reader) bad(cause error) error {
	return &BadRecord{File: filepath.Base(r.path), Line: r.line + 1, Seq: r.tree.size + 1, Reason: cause.Error(), cause: cause}
}

func (r *reader) badNote(cause error) error {
	return &BadRecord{File: filepath.Base(r.notes.path), Seq: r.tree.size + 1, Reason: fmt.Sprintf("the checkpoint at byte %d: %v", r.notes.at, cause), cause: cause}
}

// Faults of checkpoints.
var (
	errNoNotes   = errors.New("its checkpoints are missing")
	errOrder     = errors.New("it does not follow the one before: checkpoints were added, removed or moved")
	errOtherLog  = errors.New("it is of another log")
	errRemoved   = errors.New("lines were removed")
	errRewritten = errors.New("lines were changed, added, removed or moved, with their checksums made to fit")
)

// open begins to read a segment.
func (r *reader) open(s segmentFile) error {
	r.segmentFile, r.line, r.at = s, 0, 0
	r.openNotes()
	if err := r.notes.load(); err != nil {
		return r.noteFault(err)
	}
	first := r.notes.next
	if first == nil {
		if r.chain == nil || (r.begun && !r.old) {
			return r.badNote(errNoNotes)
		}
		r.begun, r.old = true, true
		return nil
	}
	r.since = first.time
	if first.segment != s.number || (s.number == 1 && first.size > 0) {
		return r.badNote(errOrder)
	}
	if !r.begun { // what was before is not read
		r.origin = first.origin
		if err := r.tree.settle(first.size, first.edge); err != nil {
			return r.badNote(err)
		}
		r.previous, r.begun = first.previous, true
	}
	if r.old {
		return r.badNote(errOrder)
	}
	r.before = before{r.previous, r.covered}
	return r.checkpoint()
}

// openNotes begins to read the checkpoints of the segment.
func (r *reader) openNotes() {
	r.notes = notes{path: notesPath(r.dir, r.number), trust: &r.trust}
	r.notes.fault = r.badNote
}

func (r *reader) noteFault(err error) error {
	if errors.Is(err, errCheckpoint) || errors.Is(err, errSignature) {
		return r.badNote(err)
	}
	return err
}

// checkpoint holds the next checkpoint against the tree, and takes it.
func (r *reader) checkpoint() error {
	c := r.notes.next
	switch {
	case c.origin != r.origin:
		return r.badNote(errOtherLog)
	case c.previous != r.previous || c.size < r.covered || (c.segment > 0 && r.notes.at > 0):
		return r.badNote(errOrder)
	case c.segment > 0 && c.size > r.tree.size:
		return r.removed()
	case c.size != r.tree.size:
		return r.badNote(errOrder)
	case c.root != r.tree.root():
		return r.rewritten()
	}
	r.previous, r.covered, r.coveredRoot, r.coveredAt = hashOfNote(r.notes.signed), c.size, c.root, r.at
	if err := r.notes.take(); err != nil {
		return r.noteFault(err)
	}
	return nil
}

// rewritten says between which events something was changed by somebody who knows the form
// of a line: only the tree shows it, and not where.
func (r *reader) rewritten() error {
	covered := r.tree.size - r.covered
	b := &BadRecord{File: filepath.Base(r.path), Line: max(r.line-int(covered), 0) + 1, Seq: r.covered + 1, cause: errRewritten}
	b.Reason = fmt.Sprintf("this event, or one of the %d after it, is not what was written: the checkpoint over them is of others", covered-min(covered, 1))
	return b
}

// read reads the lines that are there by now, and the checkpoints over them. It says how
// many bytes are behind the last whole line.
func (r *reader) read() (torn int, err error) {
	if err := r.notes.load(); err != nil { // before the lines: what they cover is there by then
		return 0, r.noteFault(err)
	}
	file, err := os.Open(r.path)
	if err != nil {
		return 0, fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(r.at, io.SeekStart); err != nil {
		return 0, fmt.Errorf("audit: %w", err)
	}
	err = linesOf(file, filepath.Base(r.path), func(_ int, line []byte, whole bool) error {
		if err := r.due(); err != nil {
			return err
		}
		if !whole {
			torn = len(line)
			return nil
		}
		return r.take(line)
	})
	if err == nil {
		err = r.due()
	}
	if errors.Is(err, errLongLine) {
		err = r.bad(errLongLine)
	}
	return torn, err
}

// due takes the checkpoints of the tree as it is now.
func (r *reader) due() error {
	for n := r.notes.next; n != nil && n.size <= r.tree.size; n = r.notes.next {
		if err := r.checkpoint(); err != nil {
			return err
		}
	}
	return nil
}

// take takes a line.
func (r *reader) take(line []byte) error {
	e := &r.glanced
	if !r.brief {
		e = new(Event)
	}
	*e = Event{}
	if bytes.HasPrefix(line, []byte(oldHead)) && r.old {
		if err := r.chain.take(line); err != nil {
			return r.bad(err)
		}
	} else if err := checkSum(line); err != nil {
		return r.bad(err)
	} else if r.old {
		return r.badNote(errNoNotes)
	}
	if !r.brief || r.notes.next == nil || !glance(line, e) || e.Phase == PhaseNotice {
		if *e = (Event{}); e.UnmarshalJSON(line) != nil {
			return r.bad(errForm)
		}
	}
	switch {
	case !known(e.Phase):
		return r.bad(errForm)
	case e.Seq != r.tree.size+1:
		return r.bad(fmt.Errorf("its number is %d, and should be %d: lines were added, removed or moved", e.Seq, r.tree.size+1))
	}
	r.tree.add(line)
	r.line++
	r.at += int64(len(line)) + 1
	return r.see(e)
}

// end says whether the segment is whole: nothing torn, and nothing covered that is not
// there.
func (r *reader) end(torn int) error {
	switch {
	case torn > 0:
		return r.bad(errTorn)
	case r.notes.next != nil:
		return r.removed()
	case r.notes.torn() > 0:
		return r.badNote(errTorn)
	}
	return nil
}

// removed says that a checkpoint covers more than there is.
func (r *reader) removed() error {
	return r.bad(fmt.Errorf("%w: the segment ends at event %d, and a checkpoint covers %d", errRemoved, r.tree.size, r.notes.next.size))
}

// beyond says that checkpoints of a segment are there whose lines are not. Only what a
// process left that was just beginning it is as it should be.
func (r *reader) beyond(number int) error {
	r.segmentFile = segmentFile{number: number, path: segmentPath(r.dir, number)}
	r.line, r.at = 0, 0
	r.openNotes()
	if err := r.notes.load(); err != nil {
		return r.noteFault(err)
	}
	c := r.notes.next
	if c == nil {
		return nil
	}
	if r.begun && (c.segment != number || c.size != r.tree.size || c.previous != r.previous || len(r.notes.rest) > len(r.notes.signed)) {
		return r.badNote(fmt.Errorf("%w: there are checkpoints of the segment, and the segment is not there", errRemoved))
	}
	if !r.begun && (c.segment != 1 || c.size > 0 || len(r.notes.rest) > len(r.notes.signed)) {
		return r.badNote(fmt.Errorf("%w: there are checkpoints of the segment, and the segment is not there", errRemoved))
	}
	return nil
}

// errTorn says of the end of a file that it is not whole.
var errTorn = errors.New("it is not whole: it was cut off while it was written, which the server puts in order at its next start, or it was changed")
