package audit

import (
	"fmt"
	"log/slog"
	"time"
)

// segmentAge is the age at which a segment is followed by the next.
const segmentAge = 24 * time.Hour

// Sizes at which a segment is followed by the next, in bytes.
const (
	segmentBytes    = 16 << 20
	minSegmentBytes = 1 << 10
)

// checkpointEvery is how long an event stays without a checkpoint at most.
const checkpointEvery = time.Second

// A Commit says when Record returns, of an event that is not Buffered.
type Commit int

// The ways to commit. Single calls that change nothing may go on before, see
// [Event].Buffered.
const (
	// GroupCommit returns when the event is on disk, written and synced together with those
	// that were recorded meanwhile.
	GroupCommit Commit = iota
	// SyncEach writes and syncs every event by itself.
	SyncEach
)

// Options change how a log is opened. Nil is the zero value.
type Options struct {
	// Key makes the HMACs of arguments; at least 32 bytes. Without it the log keeps a key of
	// its own in the file "key" beside the segments, made on first use: whoever can read the
	// directory can then check guesses of what was typed. A file "key.next", see [NextKeys],
	// takes its place when the log is opened. Events name the key, and a notice says when
	// it is another than before.
	Key []byte
	// SigningKey signs the checkpoints, see [GenerateKey]. Without it the log keeps a key of
	// its own in the file "signer" beside the segments, made on first use: whoever can read
	// the directory can then sign a log of their own. The public key is in "signer.pub". A
	// file "signer.next", see [NextKeys], takes its place when the log is opened.
	SigningKey string
	// FormerSigningKey is what SigningKey takes the place of. The log goes on to the new key
	// with a checkpoint that both sign, and a notice. Remove it then: whoever has it could
	// write a log that this one would go on from. The new public key verifies all of the log.
	FormerSigningKey string
	// Commit says when Record returns; the zero value is GroupCommit.
	Commit Commit
	// SegmentBytes is the size at which a segment is followed by the next, at least 1 KiB;
	// zero is 16 MiB. A batch is never divided, so that segments are up to 1 MiB longer.
	SegmentBytes int64
	// SegmentAge is how long after its beginning a segment is followed by the next, with the
	// first event that comes then; zero is a day.
	SegmentAge time.Duration
	// Retention says which segments may go; nil is none.
	Retention *Retention
	// Mirrors are given a copy of each event, redacted as in the log and without
	// stacks, after it has been recorded. Each has a queue of its own, of 1,024 events
	// and 16 MiB. One that fails, panics or blocks holds nothing up: its losses are
	// counted in Stats and reported in the log, five seconds after the first, then at
	// most once a minute, and when it is closed. [Mirror] gives one a name; [Fanout],
	// [Failover] and [Router] make one of several.
	Mirrors []slog.Handler
	// Sinks are given each checkpoint, to keep it in another place. One that fails is tried
	// again with the newest; Stats says so. See [FileSink], [HTTPSink] and [SlogSink].
	Sinks []Sink

	reserve int // bytes, for tests
}

// check says what is wrong with the options.
func (o *Options) check() error {
	for i, s := range o.Sinks {
		if s == nil {
			return fmt.Errorf("audit: sink %d is nil", i+1)
		}
	}
	if err := checkMirrors(o.Mirrors); err != nil {
		return err
	}
	if err := o.Retention.check(); err != nil {
		return err
	}
	if o.Commit < GroupCommit || o.Commit > SyncEach {
		return fmt.Errorf("audit: there is no way to commit of the number %d", o.Commit)
	}
	if o.SegmentBytes != 0 && o.SegmentBytes < minSegmentBytes {
		return fmt.Errorf("audit: segments of %d bytes are too small: at least %d", o.SegmentBytes, minSegmentBytes)
	}
	if o.SegmentAge < 0 {
		return fmt.Errorf("audit: a segment cannot end before it begins, %s", o.SegmentAge)
	}
	return nil
}
