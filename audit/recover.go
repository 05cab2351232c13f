package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// maxOrphans bounds how many unfinished calls a start looks after, so that a strange
// log cannot exhaust memory. More calls than this never run at once.
const maxOrphans = 100_000

// recover finds out where the log stands: it checks the last segments, as much as two
// full ones hold, cuts off a torn last line, and opens the last segment to go on in it.
func (l *Log) recover() error {
	segments, err := segmentsOf(l.dir)
	if err != nil || len(segments) == 0 {
		return err
	}
	if err := withoutGaps(segments); err != nil {
		return err
	}
	if err := l.disk.syncDir(l.dir); err != nil { // what a killed process made may not be on disk yet
		return fmt.Errorf("audit: %w", err)
	}
	last := segments[len(segments)-1]
	l.number = last.number
	from, err := l.lookBack(segments)
	if err != nil {
		return err
	}
	var begun *unfinished
	// A process that died, or a disk that was full, may have left segments in which
	// no event is: the chain goes on from before them.
	for ; ; from-- {
		l.seq, l.chain.prev, begun = 0, mac{}, newUnfinished()
		for i, s := range segments[from:] {
			if err := l.read(s, i == 0, begun); err != nil {
				return err
			}
		}
		if l.seq > 0 || from == 0 {
			break
		}
	}
	torn, err := l.cutTorn(last)
	if err != nil {
		return err
	}
	if l.size < l.most {
		if l.file, err = l.disk.reopen(last.path); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		if err := l.file.Sync(); err != nil { // what a killed process wrote may not be on disk yet
			return fmt.Errorf("audit: %w", err)
		}
	}
	if torn > 0 {
		if err := l.write(&Event{Phase: PhaseNotice, Decision: Decision{
			By: "log", Rule: "torn_line", Reason: fmt.Sprintf("%d bytes of a line that was not whole were removed from the end of segment %d", torn, last.number),
		}}); err != nil {
			return err
		}
	}
	return l.orphan(begun)
}

// cutTorn removes a line of the last segment that is not whole, and says how long it was.
func (l *Log) cutTorn(last segmentFile) (torn int64, err error) {
	info, err := os.Stat(last.path)
	if err != nil {
		return 0, fmt.Errorf("audit: %w", err)
	}
	if torn = info.Size() - l.size; torn > 0 {
		if err := l.disk.cut(last.path, l.size); err != nil {
			return 0, fmt.Errorf("audit: removing a line that was cut off: %w", err)
		}
	}
	return torn, nil
}

func withoutGaps(segments []segmentFile) error {
	for i := 1; i < len(segments); i++ {
		if segments[i].number != segments[i-1].number+1 {
			return fmt.Errorf("audit: the log was not left like this: segment %d is missing. Run safetool audit verify on it, move the directory away to look into it, and begin another", segments[i-1].number+1)
		}
	}
	return nil
}

// lookBack says from which segment on the log is read: two full ones hold every call
// that may still have been running, however many small ones trouble has left since.
func (l *Log) lookBack(segments []segmentFile) (from int, err error) {
	for from, size := len(segments)-1, int64(0); ; from-- {
		info, err := os.Stat(segments[from].path)
		if err != nil {
			return 0, fmt.Errorf("audit: %w", err)
		}
		if size += info.Size(); size >= 2*l.most || from == 0 {
			return from, nil
		}
	}
}

// read follows the chain through a segment. The first one that is read is where the
// chain is taken from.
func (l *Log) read(s segmentFile, first bool, begun *unfinished) error {
	l.size = 0
	return eachLine(s.path, func(number int, line []byte, whole bool) error {
		if !whole { // only the last line of a segment can be
			return nil
		}
		if first && number == 1 {
			if _, prev, _, err := split(line); err == nil {
				l.chain.prev = prev
			}
		}
		var e Event
		err := l.chain.take(line)
		if err == nil {
			err = e.UnmarshalJSON(line)
		}
		if err == nil && l.seq != 0 && e.Seq != l.seq+1 {
			err = errors.New("its number does not follow the one before")
		}
		if err != nil {
			return fmt.Errorf("audit: the log was not left like this: %s, line %d: %w. Run safetool audit verify on it, move the directory away to look into it, and begin another", filepath.Base(s.path), number, err)
		}
		l.seq = e.Seq
		l.size += int64(len(line)) + 1
		begun.see(&e)
		return nil
	})
}

// unfinished are the calls that have begun and not ended.
type unfinished struct {
	calls map[string]*Event
	order []string
}

func newUnfinished() *unfinished { return &unfinished{calls: map[string]*Event{}} }

func (u *unfinished) see(e *Event) {
	switch e.Phase {
	case PhaseIntent:
		if len(u.calls) < maxOrphans {
			if u.calls[e.Call] == nil {
				u.order = append(u.order, e.Call)
			}
			u.calls[e.Call] = e
		}
	case PhaseOutcome, PhaseOrphaned:
		delete(u.calls, e.Call)
	}
}

// orphan records that calls of the process before have begun and never ended.
func (l *Log) orphan(begun *unfinished) error {
	for _, call := range begun.order {
		e := begun.calls[call]
		if e == nil {
			continue
		}
		delete(begun.calls, call)
		err := l.write(&Event{
			Phase: PhaseOrphaned, Call: e.Call, Server: e.Server, Caller: e.Caller, MCP: e.MCP, Trace: e.Trace,
			Decision: Decision{By: "log", Rule: "no_outcome", Reason: "the process ended before the outcome was recorded: the call may have happened"},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
