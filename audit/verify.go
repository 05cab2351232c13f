package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// VerifyOptions say what a log is held against. Nil is the zero value.
type VerifyOptions struct {
	// Key is the key of the log; without it the one in the log's directory is used
	// if it is there.
	Key []byte
	// Since is a checkpoint that was taken to another place, as Report and Stats
	// give it: "12:" and a MAC. The log must still hold that event, unchanged.
	Since string
}

// A Report is what Verify found.
type Report struct {
	Segments, Events int
	First, Last      time.Time // of the first and the last event
	Phases           map[Phase]int
	Unfinished       int        // calls with an intent and no outcome
	Checkpoint       string     // of the last event, to keep elsewhere; empty in an empty log
	Bad              *BadRecord // the first record that is wrong, nil if none is
	// CannotKnow says, in sentences, what this verification can therefore not
	// know.
	CannotKnow []string
}

// A BadRecord is a line that is not what was written.
type BadRecord struct {
	File   string // within the directory
	Line   int    // from 1; 0 for a file as a whole
	Seq    uint64 // what its number should be
	Reason string
}

// String names the record in one line.
func (b *BadRecord) String() string {
	if b.Line == 0 {
		return fmt.Sprintf("%s: %s", b.File, b.Reason)
	}
	return fmt.Sprintf("%s, line %d, event %d: %s", b.File, b.Line, b.Seq, b.Reason)
}

// tornWait is how often and how long Verify looks again at a last line that is not
// whole: it may be under way.
const (
	tornTries = 20
	tornWait  = 10 * time.Millisecond
)

// Verify holds the log in dir against its chain, in memory that does not grow with
// it. What is wrong with the log is in the report; the error says that it could not
// be read or that the options make no sense. It may run beside the log's writer.
func Verify(dir string, o *VerifyOptions) (Report, error) {
	return verify(dir, o, func() { time.Sleep(tornWait) })
}

func verify(dir string, o *VerifyOptions, pause func()) (Report, error) {
	var options VerifyOptions
	if o != nil {
		options = *o
	}
	v := &verifier{report: Report{Phases: map[Phase]int{}}, open: map[callHash]struct{}{}, pause: pause}
	if options.Since != "" {
		var err error
		if v.sinceSeq, v.since, err = parseCheckpoint(options.Since); err != nil {
			return v.report, err
		}
	}
	key := options.Key
	if key == nil {
		var err error
		if key, err = ReadKey(filepath.Join(dir, keyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return v.report, err
		}
	} else if len(key) < minKey {
		return v.report, fmt.Errorf("audit: a key has at least %d bytes", minKey)
	}
	var err error
	if v.chain, err = newChain(key); err != nil {
		return v.report, err
	}
	segments, err := segmentsOf(dir)
	if err != nil {
		return v.report, err
	}
	if len(segments) == 0 && !exists(filepath.Join(dir, keyFile)) && !exists(filepath.Join(dir, lockFile)) {
		return v.report, fmt.Errorf("audit: there is no log in %s", dir)
	}
	if err := v.segments(segments); err != nil {
		return v.report, err
	}
	v.conclude(key == nil, options)
	return v.report, nil
}

// A callHash stands for a call, whose key may be of any size in a log that somebody else
// wrote.
type callHash [16]byte

func hashOf(call string) (h callHash) {
	sum := sha256.Sum256([]byte(call))
	return callHash(sum[:len(h)])
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

type verifier struct {
	report   Report
	chain    *chain
	seq      uint64
	open     map[callHash]struct{} // calls that have begun and not ended
	sinceSeq uint64
	since    mac
	seen     bool   // the checkpoint's event
	pause    func() // before looking again
}

var phases = []Phase{PhaseIntent, PhaseOutcome, PhaseRefused, PhaseOrphaned, PhaseNotice}

func (v *verifier) segments(all []segmentFile) error {
	for i, s := range all {
		if s.number != i+1 {
			v.report.Bad = &BadRecord{File: filepath.Base(s.path), Reason: fmt.Sprintf("segment %d is missing before it", i+1)}
			return nil
		}
		v.report.Segments++
		err := v.segment(s, i == len(all)-1, tornTries)
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// segment follows the chain through a file. Where the last line of the last file is
// not whole, it looks again.
func (v *verifier) segment(s segmentFile, last bool, tries int) error {
	torn := false
	events := v.report.Events
	skip := 0
	for {
		torn = false
		err := eachLine(s.path, func(number int, line []byte, whole bool) error {
			if number <= skip {
				return nil
			}
			if !whole {
				torn = true
				if last && tries > 0 {
					return nil
				}
				return v.bad(s, number, "it is not whole: it was cut off while it was written, which the server puts in order at its next start, or it was changed")
			}
			return v.line(s, number, line)
		})
		if err != nil || !torn {
			return err
		}
		skip = v.report.Events - events
		tries--
		v.pause()
	}
}

func (v *verifier) bad(s segmentFile, number int, reason string) error {
	v.report.Bad = &BadRecord{File: filepath.Base(s.path), Line: number, Seq: v.seq + 1, Reason: reason}
	return errStop
}

func (v *verifier) line(s segmentFile, number int, line []byte) error {
	if err := v.chain.take(line); err != nil {
		return v.bad(s, number, err.Error())
	}
	var e Event
	if err := e.UnmarshalJSON(line); err != nil {
		return v.bad(s, number, errForm.Error())
	}
	if !slices.Contains(phases, e.Phase) {
		return v.bad(s, number, errForm.Error())
	}
	if e.Seq != v.seq+1 {
		return v.bad(s, number, fmt.Sprintf("its number is %d", e.Seq))
	}
	v.seq++
	if v.sinceSeq == v.seq {
		if v.chain.prev != v.since {
			return v.bad(s, number, "it is not the event that the checkpoint was taken of: the log was rewritten")
		}
		v.seen = true
	}
	if v.report.Events == 0 {
		v.report.First = e.Time
	}
	v.report.Last = e.Time
	v.report.Events++
	v.report.Phases[e.Phase]++
	switch e.Phase {
	case PhaseIntent:
		if len(v.open) < maxOrphans {
			v.open[hashOf(e.Call)] = struct{}{}
		}
	case PhaseOutcome, PhaseOrphaned:
		delete(v.open, hashOf(e.Call))
	case PhaseRefused, PhaseNotice:
	}
	return nil
}

func (v *verifier) conclude(keyless bool, o VerifyOptions) {
	r := &v.report
	r.Unfinished = len(v.open)
	if v.seq > 0 {
		r.Checkpoint = checkpoint(v.seq, v.chain.prev)
	}
	if r.Bad == nil && v.sinceSeq > 0 && !v.seen {
		r.Bad = &BadRecord{File: "the log", Reason: fmt.Sprintf("it ends at event %d, but the checkpoint was taken at event %d: what followed was removed", v.seq, v.sinceSeq)}
	}
	switch {
	case keyless:
		r.CannotKnow = append(r.CannotKnow, "Without the key nothing shows whether the events are what was written; only their order was checked.")
	case o.Key == nil:
		r.CannotKnow = append(r.CannotKnow, "The key is the one beside the log: whoever could write there could have written a chain of their own. Keep the key elsewhere (Options.Key) and give it here.")
	}
	if o.Since == "" {
		r.CannotKnow = append(r.CannotKnow, "Without a checkpoint from elsewhere nothing shows whether events are missing from the end, or the whole was put back to an earlier state, or is another log that was written with the same key.")
	}
}

// Fprint writes the report for people: what was checked, the first record that is
// wrong, and what cannot be known.
func (r Report) Fprint(w io.Writer) error {
	var b strings.Builder
	if r.Bad != nil {
		fmt.Fprintf(&b, "WRONG  %s\n       %d events before it are as they were written.\n", r.Bad, r.Events)
	} else {
		fmt.Fprintf(&b, "OK     %s in %s\n", count(r.Events, "event"), count(r.Segments, "segment"))
	}
	if r.Events > 0 {
		fmt.Fprintf(&b, "from   %s\nto     %s\n", r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
		var parts []string
		for _, p := range phases {
			if n := r.Phases[p]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, p))
			}
		}
		fmt.Fprintf(&b, "of     %s\n", strings.Join(parts, ", "))
	}
	if r.Unfinished > 0 {
		fmt.Fprintf(&b, "open   %s without an outcome: running now, or cut off\n", count(r.Unfinished, "call"))
	}
	if r.Checkpoint != "" && r.Bad == nil {
		fmt.Fprintf(&b, "checkpoint %s\n", r.Checkpoint)
	}
	for _, s := range r.CannotKnow {
		fmt.Fprintf(&b, "note   %s\n", s)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("audit: writing the report: %w", err)
	}
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
