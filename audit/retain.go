package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// A Retention says which segments of a log may go. The oldest goes first, and the one that
// is written never.
type Retention struct {
	// MaxBytes is how much the segments may hold together before the oldest goes; zero is
	// any amount.
	MaxBytes int64
	// MaxAge is how long after its last write a segment goes; zero is never.
	MaxAge time.Duration
	// Shipped says whether a segment, by the path of its file, is kept elsewhere. One that is
	// not stays, and so do those after it. It is asked by one goroutine, again after a minute.
	// The segment's checkpoints are beside it, with the extension ".checkpoints".
	Shipped func(ctx context.Context, segment string) (bool, error)
}

// retainEvery is how often a log looks whether a segment may go.
const retainEvery = time.Minute

func (r *Retention) check() error {
	switch {
	case r == nil:
		return nil
	case r.MaxBytes < 0 || r.MaxAge < 0:
		return errors.New("audit: a bound of Options.Retention is negative")
	case r.MaxBytes == 0 && r.MaxAge == 0:
		return errors.New("audit: Options.Retention has no bound: give MaxBytes or MaxAge")
	case r.Shipped == nil:
		return errors.New("audit: Options.Retention has no Shipped, so that segments would go that are nowhere else")
	}
	return nil
}

// retain removes what may go, until the log is closed.
func (l *Log) retain() {
	ticker := time.NewTicker(retainEvery)
	defer ticker.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-l.closing
		cancel()
	}()
	for {
		err := l.retainOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		l.stats.retained(err)
		select {
		case <-ticker.C:
		case <-l.closing:
			return
		}
	}
}

// retainOnce removes the segments that may go now.
func (l *Log) retainOnce(ctx context.Context) error {
	segments, err := segmentsOf(l.dir)
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		return nil
	}
	if err := l.sweep(segments[0].number); err != nil { // what a crash left
		return err
	}
	sizes, total := make([]int64, len(segments)), int64(0)
	infos := make([]os.FileInfo, len(segments))
	for i, s := range segments {
		if infos[i], err = os.Stat(s.path); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		sizes[i] = infos[i].Size()
		total += sizes[i]
	}
	for i := range len(segments) - 1 {
		r := l.options.Retention
		large := r.MaxBytes > 0 && total > r.MaxBytes
		old := r.MaxAge > 0 && l.now().Sub(infos[i].ModTime()) > r.MaxAge
		if !large && !old {
			return nil
		}
		shipped, err := l.shipped(ctx, segments[i].path)
		if err != nil || !shipped {
			return err
		}
		if err := l.removeSegment(ctx, segments[i]); err != nil {
			return err
		}
		total -= sizes[i]
	}
	return nil
}

func (l *Log) shipped(ctx context.Context, path string) (yes bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			yes, err = false, fmt.Errorf("audit: Shipped panicked: %v", p)
		}
	}()
	return l.options.Retention.Shipped(ctx, path)
}

// removeSegment removes a segment, after the log has said that it will: Verify takes a log
// whose beginning is missing only where the log says why.
func (l *Log) removeSegment(ctx context.Context, s segmentFile) error {
	err := l.Record(ctx, &Event{Phase: PhaseNotice, Decision: Decision{
		By: "log", Rule: ruleRemoved, Reason: fmt.Sprintf(removedForm, s.number),
	}})
	if err != nil {
		return err
	}
	if err := l.gone(s.path); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return l.sweep(s.number + 1)
}

// sweep removes the checkpoints of segments before the first that is left. The lines go
// before them, for good: a segment without its checkpoints would be wrong.
func (l *Log) sweep(first int) error {
	if !exists(notesPath(l.dir, first-1)) {
		return nil
	}
	if err := l.disk.syncDir(l.dir); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	for number := first - 1; exists(notesPath(l.dir, number)); number-- {
		if err := l.gone(notesPath(l.dir, number)); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return nil
}

// How the log says that a segment is about to be removed.
const (
	ruleRemoved = "segment_removed"
	removedForm = "segment %d is kept elsewhere, and is removed here"
)

// removedBy returns the segment that an event says is removed, or 0.
func removedBy(e *Event) (number int) {
	if e.Phase != PhaseNotice || e.Decision.By != "log" || e.Decision.Rule != ruleRemoved {
		return 0
	}
	if _, err := fmt.Sscanf(e.Decision.Reason, removedForm, &number); err != nil {
		return 0
	}
	return number
}
