package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/mod/sumdb/note"
)

const lockFile = "lock"

// A Log is an audit log in a directory. It is safe for concurrent use by one
// process; another one that opens the directory is refused.
type Log struct {
	options  Options
	redactor *Redactor
	mirrors  *mirrors
	sinks    *sinks
	stats    counters

	queue    chan *entry
	arriving atomic.Int64 // on their way into the queue
	entries  sync.Pool
	closing  chan struct{} // closed to record no more
	ended    chan struct{} // closed when the writer has ended
	once     sync.Once
	err      error // of the end

	nextSigner     bool          // the signer is "signer.next" still
	formerVerifier note.Verifier // of the key that the signer takes the place of; nil if there is none

	// What follows belongs to the goroutine that writes.
	writer
	batch   []*entry
	carried *entry      // had no room in the batch before
	lost    loss        // not said in the log yet
	clock   *time.Timer // of the next checkpoint; nil while there is none to make
}

// ErrClosed is returned by Record after Close.
var ErrClosed = errors.New("audit: the log is closed")

// Open opens the log in dir, making the directory (0700) and the log where there is
// none. What a killed process left is put in order: what was torn at the very end, beyond
// the last checkpoint, is removed, calls that began and never ended get an event of the phase
// orphaned, and notices say so. It reads as much as two full segments hold: calls that began
// before are named there again, up to 1,024 of them in each segment. Anything else that is
// wrong in what it reads is an error that names the line: the log is not written on top of
// it. Close it.
func Open(dir string, o *Options) (*Log, error) { return openOn(osDisk{}, dir, o) }

func openOn(d disk, dir string, o *Options) (_ *Log, err error) {
	l := &Log{queue: make(chan *entry, queueLength), closing: make(chan struct{}), ended: make(chan struct{})}
	if o != nil {
		l.options = *o
	}
	if err := l.options.check(); err != nil {
		return nil, err
	}
	if err := makeDir(d, dir); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(filepath.Join(dir, lockFile)); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("audit: %s in %s is no regular file, and so not of the log: move it away", lockFile, dir)
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	if held, err := lock.TryLock(); err != nil {
		return nil, fmt.Errorf("audit: locking %s: %w", dir, err)
	} else if !held {
		return nil, fmt.Errorf("audit: another process writes the log in %s: give each process a directory of its own", dir)
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
		}
	}()
	held, err := os.Stat(lock.Path())
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l.writer = writer{dir: dir, disk: d, now: time.Now, most: cmp.Or(l.options.SegmentBytes, segmentBytes), age: cmp.Or(l.options.SegmentAge, segmentAge), lock: lock, held: held, stats: &l.stats, emit: l.recorded, signed: l.signed, reserve: reserve{bytes: cmp.Or(l.options.reserve, reserveBytes)}}
	if err := l.keys(); err != nil {
		return nil, err
	}
	l.mirrors = newMirrors(l.options.Mirrors, &l.stats)
	l.sinks = newSinks(l.options.Sinks)
	err = l.recover()
	if err == nil {
		err = l.keysTaken()
	}
	if err != nil {
		l.mirrors.close(0)
		l.sinks.close(0)
		return nil, errors.Join(err, l.lines.close(), l.notes.close())
	}
	if l.full() {
		l.stats.unhealthy(ErrDiskFull)
	}
	l.schedule()
	go l.serve()
	if l.options.Retention != nil {
		go l.retain()
	}
	l.mirrors.report(l.Record)
	return l, nil
}

// Redactor returns the redactor whose key is derived from the log's, so that HMACs
// can be joined over restarts.
func (l *Log) Redactor() *Redactor { return l.redactor }

// Record writes e and returns when it is on disk. It sets the version, the ID, the
// number and the time of what it writes and leaves e alone. It waits for its turn, behind at
// most 1,024 others, no longer than ctx allows; once the writing has begun it ends whatever
// becomes of ctx. After an error nothing of e is in the log, unless the process ends before
// what was written of it has been cut off again.
//
// Of an event that is Buffered it returns when its turn is kept, and at once with an error
// where the log is not healthy. It is written and synced as soon as the others are; where
// that fails, or the process ends before, it is lost. What failed is counted in Stats, and
// told in the log when that is well again.
func (l *Log) Record(ctx context.Context, e *Event) error {
	if ctx.Err() != nil {
		return fmt.Errorf("audit: not recorded: %w", context.Cause(ctx))
	}
	if !known(e.Phase) {
		return fmt.Errorf("audit: not recorded: an event has no phase %q", e.Phase)
	}
	n := l.newEntry(e)
	if size := len(n.body) + headRoom; size > maxLine {
		l.free(n)
		return fmt.Errorf("audit: not recorded: it has %d bytes, and an event has at most %d: declare fewer arguments", size, maxLine)
	}
	buffered := n.buffered
	if err := l.stats.health(); buffered && err != nil {
		l.free(n)
		return fmt.Errorf("audit: not recorded: %w", err)
	}
	if err := l.enqueue(ctx, n); err != nil {
		l.free(n)
		if errors.Is(err, ErrClosed) {
			return err
		}
		return fmt.Errorf("audit: not recorded, the log is busy: %w", context.Cause(ctx))
	}
	if buffered {
		return nil
	}
	select {
	case err := <-n.done:
		l.free(n)
		return err
	case <-ctx.Done():
	}
	if n.state.CompareAndSwap(entryWaiting, entryWithdrawn) { // whoever finds it in the queue frees it
		return fmt.Errorf("audit: not recorded, the log is busy: %w", context.Cause(ctx))
	}
	err := <-n.done
	l.free(n)
	return err
}

// headRoom is more than what the log adds to an event.
const headRoom = 256

// serve writes what is recorded, until the log is closed.
func (l *Log) serve() {
	defer close(l.ended)
	for {
		if n := l.carried; n != nil {
			l.carried = nil
			l.commitAll(l.take(n))
			continue
		}
		var tick <-chan time.Time
		if l.clock != nil {
			tick = l.clock.C
		}
		select {
		case n := <-l.queue:
			l.commitAll(l.take(n))
		case <-tick:
			l.clock = nil
			l.tick()
		case <-l.closing:
			l.end()
			return
		}
	}
}

// commitAll commits a batch and tells whoever waits for it.
func (l *Log) commitAll(batch []*entry) {
	batch = l.mayBegin(batch)
	if len(batch) == 0 {
		return
	}
	reserved := l.reserve.kept
	err := l.commit(batch)
	if isFull(err) && reserved && !l.reserve.kept { // what has happened has room now
		l.stats.unhealthy(ErrDiskFull) // before anybody is told
		if batch = l.mayBegin(batch); len(batch) > 0 {
			err = l.commit(batch)
		}
	}
	l.found(err)
	if err != nil {
		err = fmt.Errorf("audit: not recorded: %w", err)
	}
	for i, n := range batch {
		l.answer(n, err)
		batch[i] = nil // it is its caller's again
	}
	if err == nil {
		l.settle()
	}
	l.schedule()
}

// mayBegin is what of a batch may be recorded: where the disk is full, nothing that begins.
func (l *Log) mayBegin(batch []*entry) []*entry {
	if !l.full() {
		return batch
	}
	return slices.DeleteFunc(batch, func(n *entry) bool {
		if n.phase != PhaseIntent {
			return false
		}
		l.reserve.lost++
		l.answer(n, ErrDiskFull)
		return true
	})
}

// recorded hands on a line that is durable.
func (l *Log) recorded(line []byte) {
	l.stats.recorded()
	l.mirrors.offer(line)
}

// signed hands on a checkpoint that is durable.
func (l *Log) signed(size uint64, note []byte) {
	l.stats.signed(size, string(note))
	l.sinks.offer(size, note)
}

// schedule sees that there will be a checkpoint, or another try to be well.
func (l *Log) schedule() {
	if l.clock == nil && (l.covered != l.tree.size || l.broken != nil || l.full() || l.lost.events > 0) {
		l.clock = time.NewTimer(checkpointEvery)
	}
}

// tick makes the checkpoint that is due. A log that cannot is not well: nothing would show
// what becomes of its events.
func (l *Log) tick() {
	err := l.alone()
	if err == nil {
		err = l.cover()
	}
	if err == nil && l.broken != nil {
		err = l.begin()
	}
	if err == nil {
		err = l.refill()
	}
	if err == nil {
		err = l.confess()
	}
	l.found(err)
	l.schedule()
}

// found says whether the log is well, after what it did. It is not while the disk is full,
// be it that it was found full by a checkpoint, and the event had room.
func (l *Log) found(err error) {
	switch {
	case err != nil:
		l.stats.unhealthy(err)
	case l.full():
		l.stats.unhealthy(ErrDiskFull)
	default:
		l.stats.healthy()
	}
}

// makeDir makes the directory of a log, or refuses one in which others could put what
// the log would read or write. Its name is durable: a process that died may have made it.
func makeDir(d disk, dir string) error {
	info, err := os.Stat(dir)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("audit: others can write to the directory %s: chmod 700 it, or give a directory in it that is not there yet", dir)
	}
	var made []string // innermost first
	for at := filepath.Clean(dir); err != nil && !exists(at); at = filepath.Dir(at) {
		made = append(made, at)
	}
	if err != nil {
		if err := d.mkdir(dir); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	if len(made) == 0 {
		made = []string{filepath.Clean(dir)}
	}
	for _, at := range made {
		if err := d.syncDir(filepath.Dir(at)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return nil
}

// Healthy returns why the log does not take events at the moment, or nil. It does
// not wait.
func (l *Log) Healthy() error { return l.stats.health() }

// Stats returns what the log has done since it was opened. It does not wait.
func (l *Log) Stats() Stats {
	s := l.stats.read()
	s.Sinks = l.sinks.read()
	return s
}

// closeBudget is how long Close waits for mirrors.
const closeBudget = 2 * time.Second

// Close ends the log: it writes what has been queued, gives the mirrors two seconds for
// what is in their queues, then ends the context that their handlers were given, records
// what they lost, and makes the last checkpoint. A second Close waits for the first, and
// returns what it did.
func (l *Log) Close() error {
	l.once.Do(func() { close(l.closing) })
	<-l.ended
	return l.err
}

// end is the last that the writer's goroutine does.
func (l *Log) end() {
	l.drain()
	l.mirrors.close(closeBudget)
	var err error
	if lost := l.mirrors.notice(); lost != nil {
		err = l.record(lost)
	}
	if err == nil {
		err = l.confess()
	}
	if err == nil {
		err = l.alone()
	}
	if err == nil {
		err = errors.Join(l.cover(), l.cover(), l.cutBack()) // twice: what says that a segment was given up is an event as well
	}
	l.sinks.close(closeBudget)
	err = errors.Join(err, l.lines.close(), l.notes.close(), l.lock.Close())
	if err != nil {
		l.err = fmt.Errorf("audit: closing the log: %w", err)
	}
	l.stats.unhealthy(ErrClosed)
}
