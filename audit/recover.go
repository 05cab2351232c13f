package audit

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
)

// maxOrphans bounds how many unfinished calls a start looks after, so that a strange
// log cannot exhaust memory. More calls than this never run at once.
const maxOrphans = 100_000

// recover finds out where the log stands: it reads the last segments, as much as two
// full ones hold, cuts off what a crash has torn at the very end, and opens the last
// segment to go on in it.
func (l *Log) recover() error {
	if err := l.keepReserve(); err != nil && !isFull(err) {
		return fmt.Errorf("audit: %w", err)
	} else if err != nil {
		l.spend(err)
	}
	segments, err := l.whole()
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		l.origin, l.former, l.running = newOrigin(), nil, newRunning()
		return l.unbegun(&reader{dir: l.dir, trust: trusting(l.verifier)}, 1)
	}
	if !exists(notesPath(l.dir, segments[0].number)) && startsOld(segments[0].path) {
		return fmt.Errorf("audit: the log in %s is of version 1, which verifies and is not written on: begin another in another directory", l.dir)
	}
	from, err := l.lookBack(segments)
	if err != nil {
		return err
	}
	begun := newUnfinished()
	r, torn, err := l.reread(segments[from:], begun, l.verifier)
	if l.former != nil && otherKey(err) { // the log has not gone on to the new key yet
		begun = newUnfinished()
		r, torn, err = l.reread(segments[from:], begun, l.formerVerifier)
	}
	if err != nil {
		return err
	}
	next := l.signer
	switch {
	case sameKey(r.trust.verifier, l.verifier):
	case l.former != nil && sameKey(r.trust.verifier, l.formerVerifier):
		l.signer = l.former // until goOnTo
	default:
		return fmt.Errorf("audit: the log in %s is signed with the key %s by now, and this one is %s: put the newer key in its place", l.dir, r.trust.verifier.Name(), l.verifier.Name())
	}
	l.former = nil
	l.tree, l.previous, l.covered, l.number = r.tree, r.previous, r.covered, r.number
	l.origin, l.before = r.origin, r.before
	l.running = begun.running()
	last := *r
	if err := l.unbegun(&last, r.number+1); err != nil {
		return err
	}
	if err := l.mend(r, torn); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if next != l.signer {
		if err := l.goOnTo(next); err != nil {
			return fmt.Errorf("audit: going on to another signing key: %w", err)
		}
	}
	if err := l.named(begun.key); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return l.orphan(begun)
}

// mend cuts off what is torn, opens the last segment to go on in it, and says so.
func (l *Log) mend(r *reader, torn int) error {
	l.begun = r.since
	notesTorn := r.notes.torn()
	l.lines = tape{path: r.path, size: r.at, beyond: torn > 0}
	l.notes = tape{path: r.notes.path, size: r.notes.at, beyond: notesTorn > 0}
	var kept string
	if torn > 0 {
		var err error
		if kept, err = l.keepTorn(); err != nil {
			return err
		}
	}
	if err := l.goOn(r.coveredAt); err != nil {
		return err
	}
	if torn > 0 {
		if err := l.record(&Event{Phase: PhaseNotice, Decision: Decision{
			By: "log", Rule: "torn_line", Reason: fmt.Sprintf("%d bytes that were not whole were removed from the end of segment %d, behind event %d, of which the last checkpoint covers %d; they are in the file %s", torn, r.number, r.tree.size, r.covered, kept),
		}}); err != nil {
			return err
		}
	}
	if notesTorn > 0 {
		if err := l.record(&Event{Phase: PhaseNotice, Decision: Decision{
			By: "log", Rule: "torn_checkpoint", Reason: fmt.Sprintf("%d bytes of a checkpoint that was not whole were removed from the end of segment %d; the one before covers event %d", notesTorn, r.number, r.covered),
		}}); err != nil {
			return err
		}
	}
	return nil
}

// reread reads segments to the end of the log, and says how many bytes a crash has torn there.
func (l *Log) reread(segments []segmentFile, begun *unfinished, verifier note.Verifier) (r *reader, torn int, err error) {
	r = &reader{dir: l.dir, trust: trusting(verifier)}
	r.see = func(e *Event) error { begun.see(e, r.number); return nil }
	for _, s := range segments {
		if torn > 0 {
			return nil, 0, notLeft(r.bad(errTorn))
		}
		if torn, err = r.segment(s); err != nil {
			return nil, 0, notLeft(err)
		}
	}
	if err := r.trust.settled(); err != nil {
		return nil, 0, notLeft(err)
	}
	return r, torn, nil
}

// unbegun removes the checkpoints of a segment that was not begun yet.
func (l *Log) unbegun(r *reader, number int) error {
	if err := r.beyond(number); err != nil {
		return notLeft(err)
	}
	if err := l.gone(notesPath(l.dir, number)); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// startsOld says that the first line of a file is one of version 1.
func startsOld(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(oldHead))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == oldHead
}

func newOrigin() string {
	var id [8]byte
	rand.Read(id[:])
	return originPrefix + hex.EncodeToString(id[:])
}

// otherKey says that a log is not written by the key that it was held against.
func otherKey(err error) bool {
	bad, ok := errors.AsType[*BadRecord](err)
	return ok && errors.Is(bad.cause, errSignature)
}

func notLeft(err error) error {
	if bad, ok := errors.AsType[*BadRecord](err); ok {
		return fmt.Errorf("audit: the log was not left like this: %w. Run safetool audit verify on it, move the directory away to look into it, and begin another", bad)
	}
	return err
}

// segment reads a segment to its end, and says how many bytes a crash has torn there: the
// lines that were written last, of which no checkpoint knows.
func (r *reader) segment(s segmentFile) (torn int, err error) {
	if err := r.open(s); err != nil {
		return 0, err
	}
	torn, err = r.read()
	bad, isBad := errors.AsType[*BadRecord](err)
	if isBad && r.notes.next == nil && bad.Line > 0 && !errors.Is(bad.cause, errRewritten) {
		info, err := os.Stat(r.path)
		if err != nil {
			return 0, fmt.Errorf("audit: %w", err)
		}
		behind := info.Size() - r.at
		if behind > batchBytes+maxLine { // more than is ever written at once
			return 0, bad
		}
		return int(behind), nil
	}
	if err != nil {
		return 0, err
	}
	if r.notes.next != nil {
		return 0, r.removed()
	}
	if r.notes.torn() > maxCheckpoint {
		return 0, r.badNote(errTorn)
	}
	return torn, nil
}

// keepTorn keeps what is about to be cut off the last segment: there may be whole lines
// behind a damaged one.
func (l *Log) keepTorn() (name string, err error) {
	file, err := os.Open(l.lines.path)
	if err != nil {
		return "", fmt.Errorf("what was torn: %w", err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.NewSectionReader(file, l.lines.size, batchBytes+2*maxLine))
	if err != nil {
		return "", fmt.Errorf("what was torn: %w", err)
	}
	name = fmt.Sprintf("audit-%08d.torn-%d", l.number, l.tree.size)
	return name, writeWhole(l.disk, filepath.Join(l.dir, name), content)
}

// goOn opens the last segment to write more into it, after it has been cut back to what is
// whole. What a killed process wrote may not be on disk yet.
func (l *Log) goOn(covered int64) error {
	if err := errors.Join(l.lines.cutBack(l.disk), l.notes.cutBack(l.disk)); err != nil {
		return err
	}
	if err := l.lines.reopen(l.disk, covered); err != nil {
		return err
	}
	return l.notes.reopen(l.disk, max(0, l.notes.size-maxCheckpoint))
}

// whole lists the segments, after those have been removed from the end that a crash left
// before they had anything in them.
func (l *Log) whole() ([]segmentFile, error) {
	segments, err := segmentsOf(l.dir)
	if err != nil {
		return nil, err
	}
	if err := withoutGaps(segments); err != nil {
		return nil, err
	}
	for len(segments) > 0 {
		last := segments[len(segments)-1]
		unborn, err := unborn(last)
		if err != nil {
			return nil, err
		}
		if !unborn {
			break
		}
		if err := l.disk.remove(last.path); err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		segments = segments[:len(segments)-1]
	}
	if len(segments) > 0 {
		if err := l.disk.syncDir(l.dir); err != nil { // what a killed process made may not be on disk yet
			return nil, fmt.Errorf("audit: %w", err)
		}
	}
	return segments, nil
}

// unborn says that a segment has no event and no whole checkpoint: the process ended
// before it said that it was there.
func unborn(s segmentFile) (bool, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return false, fmt.Errorf("audit: %w", err)
	}
	if info.Size() > 0 {
		return false, nil
	}
	file, err := os.Open(notesPath(filepath.Dir(s.path), s.number))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	} else if err != nil {
		return false, fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	signed, err := io.ReadAll(io.LimitReader(file, maxCheckpoint))
	if err != nil {
		return false, fmt.Errorf("audit: %w", err)
	}
	whole, _ := cutNote(signed)
	return whole == nil, nil
}

func withoutGaps(segments []segmentFile) error {
	for i := 1; i < len(segments); i++ {
		if segments[i].number != segments[i-1].number+1 {
			return fmt.Errorf("audit: the log was not left like this: segment %d is missing. Run safetool audit verify on it, move the directory away to look into it, and begin another", segments[i-1].number+1)
		}
	}
	return nil
}

// lookBack says from which segment on the log is read: as much as two full ones hold, and the
// last three with anything in them, of which the newest may be torn. A call that may still
// have been running is named there, be it again.
func (l *Log) lookBack(segments []segmentFile) (from int, err error) {
	for from, size, filled := len(segments)-1, int64(0), 0; ; from-- {
		info, err := os.Stat(segments[from].path)
		if err != nil {
			return 0, fmt.Errorf("audit: %w", err)
		}
		if size += info.Size(); info.Size() > 0 {
			filled++
		}
		if from == 0 || (size >= 2*l.most && filled >= 3) {
			return from, nil
		}
	}
}

// orphan records that calls of the process before have begun and never ended.
func (l *Log) orphan(begun *unfinished) error {
	for _, call := range begun.order {
		b, open := begun.calls[call]
		if !open {
			continue
		}
		e := b.event
		delete(begun.calls, call)
		err := l.record(&Event{
			Phase: PhaseOrphaned, Call: e.Call, Server: e.Server, Caller: e.Caller, MCP: e.MCP, Trace: e.Trace,
			Decision: Decision{By: "log", Rule: "no_outcome", Reason: "the process ended before the outcome was recorded: the call may have happened"},
		})
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return nil
}
