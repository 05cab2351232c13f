package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

const lockFile = "lock"

// segmentBytes is the size at which a segment is followed by the next.
const segmentBytes = 16 << 20

// Options change how a log is opened. Nil is the zero value.
type Options struct {
	// Key makes the chain's MACs and the HMACs of arguments; at least 32 bytes.
	// Without it the log keeps a key of its own in the file "key" beside the
	// segments, made on first use: whoever can read the directory can then write a
	// chain of their own.
	Key []byte
	// Mirrors are given a copy of each event, redacted as in the log and without
	// stacks, after it has been recorded. Each has a queue of its own, of 1,024 events
	// and 16 MiB. One that fails, panics or blocks holds nothing up: its losses are
	// counted in Stats and reported in the log, five seconds after the first, then at
	// most once a minute, and when it is closed. [Mirror] gives one a name; [Fanout],
	// [Failover] and [Router] make one of several.
	Mirrors []slog.Handler
}

// A Log is an audit log in a directory. It is safe for concurrent use by one
// process; another one that opens the directory is refused.
type Log struct {
	dir      string
	disk     disk
	now      func() time.Time
	most     int64 // bytes of a segment
	lock     *flock.Flock
	held     os.FileInfo // of the lock
	redactor *Redactor
	mirrors  *mirrors

	// turn is held by whoever writes. It is a channel so that waiting for it ends
	// with a caller's context: the order of the chain is the order of the disk, so
	// this one lock has to be held across I/O.
	turn   chan struct{}
	chain  *chain
	seq    uint64
	number int     // of the last segment
	file   segment // nil when the next event begins a segment
	size   int64   // of the last segment, durable
	broken error   // why the last segment was sealed, until the next one is there
	beyond bool    // it may hold more than its durable events
	vacant bool    // it was sealed before it had any
	closed bool
	buf    []byte
	stats  counters
}

// ErrClosed is returned by Record after Close.
var ErrClosed = errors.New("audit: the log is closed")

// Open opens the log in dir, making the directory (0700) and the log where there is
// none. What a killed process left is put in order: a line that was cut off at the
// very end is removed, calls that began and never ended get an event of the phase
// orphaned, as far back as two full segments go, and notices say so. Anything else that is wrong in the last segments is
// an error that names the line: the log is not written on top of it. Close it.
func Open(dir string, o *Options) (*Log, error) { return openOn(osDisk{}, dir, o) }

func openOn(d disk, dir string, o *Options) (_ *Log, err error) {
	var options Options
	if o != nil {
		options = *o
	}
	if err := checkMirrors(options.Mirrors); err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
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
	key := options.Key
	if key == nil {
		if key, err = ownKey(dir); err != nil {
			return nil, err
		}
	}
	held, err := os.Stat(lock.Path())
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	l := &Log{dir: dir, disk: d, held: held, now: time.Now, most: segmentBytes, lock: lock, turn: make(chan struct{}, 1)}
	if l.redactor, err = NewRedactor(key); err != nil {
		return nil, err
	}
	if l.chain, err = newChain(key); err != nil {
		return nil, err
	}
	l.mirrors = newMirrors(options.Mirrors, &l.stats)
	if err := l.recover(); err != nil {
		l.mirrors.close(0)
		return nil, errors.Join(err, l.closeFile())
	}
	l.mirrors.report(l.Record)
	return l, nil
}

// Redactor returns the redactor whose key is derived from the log's, so that HMACs
// can be joined over restarts.
func (l *Log) Redactor() *Redactor { return l.redactor }

// Record writes e and returns when it is on disk. It sets the version, the ID, the
// number and the time of what it writes and leaves e alone. It waits for its turn
// no longer than ctx allows; once the writing has begun it ends whatever becomes of
// ctx. After an error nothing of e is in the log.
func (l *Log) Record(ctx context.Context, e *Event) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	if l.closed {
		return ErrClosed
	}
	return l.write(e)
}

func (l *Log) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("audit: not recorded: %w", context.Cause(ctx))
	}
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("audit: not recorded, the log is busy: %w", context.Cause(ctx))
	}
}

func (l *Log) give() { <-l.turn }

// makeDir makes the directory of a log, or refuses one in which others could put what
// the log would read or write.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("audit: others can write to the directory %s: chmod 700 it, or give a directory in it that is not there yet", dir)
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := syncDir(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// alone says that the lock is still where another process would look for it.
func (l *Log) alone() error {
	if now, err := os.Stat(l.lock.Path()); err != nil || !os.SameFile(now, l.held) {
		return fmt.Errorf("audit: the lock of the log in %s was removed, so that another process may write there: restart this one", l.dir)
	}
	return nil
}

// write records e, in a new segment where the last one is full or sealed.
func (l *Log) write(e *Event) error {
	if err := l.alone(); err != nil {
		l.stats.unhealthy(err)
		return err
	}
	if l.file != nil && l.size >= l.most {
		if err := l.closeFile(); err != nil {
			l.seal(err)
		}
	}
	if l.file == nil {
		if err := l.begin(); err != nil {
			l.stats.unhealthy(err)
			return fmt.Errorf("audit: not recorded: %w", err)
		}
	}
	if err := l.append(e); err != nil {
		return fmt.Errorf("audit: not recorded: %w", err)
	}
	return nil
}

// append writes e to the open segment and syncs it. A failure seals the segment:
// what it left on disk is not known.
func (l *Log) append(e *Event) error {
	copied := *e
	copied.Version, copied.ID, copied.Seq, copied.Time = version, rand.Text(), l.seq+1, l.now()
	line, m := l.chain.seal(appendEvent(l.buf[:0], &copied))
	l.buf = line
	if len(line) > maxLine {
		return fmt.Errorf("it has %d bytes, and an event has at most %d: declare fewer arguments", len(line), maxLine)
	}
	n, err := l.file.Write(line)
	if err == nil && n < len(line) {
		err = fmt.Errorf("only %d of %d bytes were written", n, len(line))
	}
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		l.seal(err)
		return err
	}
	l.chain.prev = m
	l.seq++
	l.size += int64(len(line))
	l.stats.recorded(copied.Seq, m)
	l.mirrors.offer(line)
	return nil
}

// seal gives the open segment up.
func (l *Log) seal(err error) {
	l.broken = err
	l.stats.unhealthy(err)
	_ = l.closeFile() // there is nothing more to lose in it
	l.beyond, l.vacant = true, l.size == 0
	_ = l.cutBack() // it is tried again before the next segment, which is not begun without
}

// cutBack cuts a sealed segment back to its last durable event: what is beyond was
// refused to whoever asked for it. One without any goes, or a full disk would gather
// an empty file for each event that it refuses.
func (l *Log) cutBack() error {
	path := segmentPath(l.dir, l.number)
	if l.beyond {
		if err := l.disk.cut(path, l.size); err != nil && (!l.vacant || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		l.beyond = false
	}
	if l.vacant {
		if err := l.disk.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		l.vacant = false
		l.number--
	}
	return nil
}

func (l *Log) closeFile() error {
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}

// begin begins the next segment.
func (l *Log) begin() error {
	if err := l.cutBack(); err != nil {
		return err
	}
	if l.number >= lastSegment {
		return fmt.Errorf("there are %d segments, and no name is left for another: begin a log in another directory", l.number)
	}
	file, err := l.disk.create(segmentPath(l.dir, l.number+1))
	if err != nil {
		return err
	}
	l.number++
	if err := l.disk.syncDir(l.dir); err != nil {
		l.vacant = true // to be removed, now or before the next one
		return errors.Join(err, file.Close(), l.cutBack())
	}
	was := l.broken
	l.file, l.size, l.broken = file, 0, nil
	if was != nil {
		err := l.append(&Event{Phase: PhaseNotice, Decision: Decision{
			By: "log", Rule: "segment_sealed", Reason: fmt.Sprintf("the segment before was given up after an error: %v", was),
		}})
		if err != nil {
			return err
		}
	}
	l.stats.healthy()
	return nil
}

// Healthy returns why the log does not take events at the moment, or nil. It does
// not wait.
func (l *Log) Healthy() error { return l.stats.health() }

// Stats returns what the log has done since it was opened. It does not wait.
func (l *Log) Stats() Stats { return l.stats.read() }

// closeBudget is how long Close waits for mirrors.
const closeBudget = 2 * time.Second

// Close ends the log: it waits for the writer, gives the mirrors two seconds for
// what is in their queues, then ends the context that their handlers were given, and
// records what they lost. A second Close does nothing.
func (l *Log) Close() error {
	l.turn <- struct{}{}
	defer l.give()
	if l.closed {
		return nil
	}
	l.closed = true
	l.mirrors.close(closeBudget)
	var err error
	if lost := l.mirrors.notice(); lost != nil {
		err = l.write(lost)
	}
	l.stats.unhealthy(ErrClosed)
	return errors.Join(err, l.cutBack(), l.closeFile(), l.lock.Close())
}
