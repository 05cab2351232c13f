package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// VerifyOptions say what a log is held against. Nil is the zero value.
type VerifyOptions struct {
	// PublicKey verifies the checkpoints; without it the one in the log's directory is used
	// if it is there. See [ReadPublicKey].
	PublicKey string
	// Since is a checkpoint that was taken to another place: a signed one, or the short form
	// in which Report gives it. The log must still hold the events that it covers, unchanged.
	Since string
	// Key is the key of the log, for lines of version 1; without it the one in the log's
	// directory is used if it is there.
	Key []byte
}

// A Report is what Verify found.
type Report struct {
	Segments, Events int
	First, Last      time.Time // of the first and the last event
	Phases           map[Phase]int
	Unfinished       int        // calls with an intent and no outcome
	Removed          uint64     // events that were before the first one: their segments were removed
	Covered          uint64     // events that checkpoints cover
	Checkpoint       string     // the last one, to keep elsewhere, in short: the number of events that it covers and the root of their tree; empty if there is none
	Bad              *BadRecord // the first record that is wrong, nil if none is
	// CannotKnow says, in sentences, what this verification can therefore not
	// know.
	CannotKnow []string
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

// Verify holds the log in dir against its checkpoints, in memory that does not grow with
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
	v.reader = reader{dir: dir, see: v.event, brief: true}
	if err := v.keys(&options); err != nil {
		return v.report, err
	}
	segments, err := segmentsOf(dir)
	if err != nil {
		return v.report, err
	}
	if len(segments) == 0 && !exists(filepath.Join(dir, keyFile)) && !exists(filepath.Join(dir, lockFile)) {
		return v.report, fmt.Errorf("audit: there is no log in %s", dir)
	}
	err = v.segments(segments)
	if bad, ok := errors.AsType[*BadRecord](err); ok {
		v.report.Bad = bad
	} else if err != nil {
		return v.report, err
	}
	v.conclude(options)
	return v.report, nil
}

// keys makes ready what the log is held against.
func (v *verifier) keys(o *VerifyOptions) (err error) {
	if o.PublicKey == "" {
		public, err := ReadPublicKey(filepath.Join(v.dir, publicFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		v.beside, o.PublicKey = true, public
	}
	if o.PublicKey != "" {
		verifier, err := verifierOf(o.PublicKey)
		if err != nil {
			return err
		}
		v.trust, v.signed = trusting(verifier), true
	}
	if o.Since != "" {
		if v.sinceSize, v.sinceRoot, v.sinceOrigin, err = parseSince(o.Since, v.trust.verifier); err != nil {
			return err
		}
	}
	key := o.Key
	if key == nil {
		if key, err = ReadKey(filepath.Join(v.dir, keyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if len(key) < minKey {
		return fmt.Errorf("audit: a key has at least %d bytes", minKey)
	}
	v.chain, err = newChain(key)
	return err
}

// parseSince reads a checkpoint that was kept elsewhere, in either form. It may have been
// signed with a key that the log had before.
func parseSince(s string, verifier note.Verifier) (size uint64, _ root, origin string, err error) {
	if !strings.Contains(s, "\n") {
		size, root, err := parseBrief(s)
		return size, root, "", err
	}
	c, err := openCheckpoint([]byte(s), nil)
	if err == nil && verifier != nil {
		if _, wrong := note.Open([]byte(s), note.VerifierList(verifier)); wrong != nil {
			if _, other := errors.AsType[*note.UnverifiedNoteError](wrong); !other {
				err = errSignature
			}
		}
	}
	if err != nil {
		return 0, root{}, "", fmt.Errorf("audit: the checkpoint that the log is held against: %w", err)
	}
	return c.size, c.root, c.origin, nil
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
	reader
	report      Report
	signed      bool                  // there is a public key
	beside      bool                  // and it is the one beside the log
	open        map[callHash]struct{} // calls that have begun and not ended
	first       int                   // number of a segment
	removed     int                   // the last segment that the log says it removes
	sinceSize   uint64
	sinceRoot   root
	sinceOrigin string // empty where it is not known
	pause       func() // before looking again
}

// known says that there is such a phase.
func known(p Phase) bool { return slices.Contains(phases, p) }

var phases = []Phase{PhaseIntent, PhaseOutcome, PhaseRefused, PhaseOrphaned, PhaseNotice}

func (v *verifier) segments(all []segmentFile) error {
	if len(all) > 0 {
		v.first = all[0].number
	}
	for i, s := range all {
		if s.number != v.first+i {
			return &BadRecord{File: filepath.Base(s.path), Reason: fmt.Sprintf("segment %d is missing before it", v.first+i)}
		}
		if i == len(all)-1 {
			return v.rest(s)
		}
		if err := v.segment(s); err != nil {
			return err
		}
	}
	return v.rest(segmentFile{number: 1, path: segmentPath(v.dir, 1)})
}

// rest reads the last segment, and says what is wrong with the end of the log. A writer may
// be at it: what is wrong is looked at again, from the beginning of the segment.
func (v *verifier) rest(last segmentFile) error {
	saved := v.save()
	for try := 0; ; try++ {
		err := v.ending(last)
		if err == nil || try == tornTries || v.pause == nil {
			return err
		}
		v.pause()
		v.restore(saved)
		saved = v.save()
	}
}

// ending reads the last segment, those that have been begun meanwhile, and what is behind
// them.
func (v *verifier) ending(s segmentFile) error {
	for ; ; s = (segmentFile{number: s.number + 1, path: segmentPath(v.dir, s.number+1)}) {
		there, err := unborn(s)
		switch {
		case errors.Is(err, fs.ErrNotExist) || (err == nil && there): // or it is being begun
			if err := v.beyond(s.number); err != nil {
				return err
			}
			if v.first > 0 && v.removed < v.first-1 {
				return &BadRecord{File: filepath.Base(segmentPath(v.dir, v.first)), Reason: fmt.Sprintf("segment %d is missing before it, and the log does not say that it was to be removed", v.first-1)}
			}
			if err := v.settled(); err != nil {
				return err
			}
			if v.old && v.signed && v.tree.size > 0 {
				return &BadRecord{File: filepath.Base(segmentPath(v.dir, v.first)), Line: 1, Seq: 1, Reason: "no checkpoint covers this event, or any other: the log is not one that was signed"}
			}
			return nil
		case err != nil:
			return err
		}
		if err := v.segment(s); err != nil {
			return err
		}
	}
}

// settled says whether the key that was given has signed.
func (v *verifier) settled() error {
	err := v.trust.settled()
	if bad, is := errors.AsType[*BadRecord](err); is && v.first > 1 {
		bad.Reason += ", nor does what is here go on to that key: if the log did before, where its segments were removed, verify it with the newer key"
	}
	return err
}

func (v *verifier) segment(s segmentFile) error {
	if err := v.reader.open(s); err != nil {
		return err
	}
	torn, err := v.read()
	if err != nil {
		return err
	}
	if err := v.end(torn); err != nil {
		return err
	}
	v.report.Segments++
	return nil
}

// save returns the verifier as it is, to be restored.
func (v *verifier) save() *verifier {
	saved := *v
	saved.tree.edge, saved.tree.leaf = slices.Clone(v.tree.edge), nil
	chain := *v.chain
	saved.chain = &chain
	saved.report.Phases, saved.open = maps.Clone(v.report.Phases), maps.Clone(v.open)
	return &saved
}

func (v *verifier) restore(saved *verifier) {
	*v = *saved
	v.see = v.event
}

// event counts an event, which is in the tree.
func (v *verifier) event(e *Event) error {
	if v.sinceSize == v.tree.size && v.sinceRoot != v.tree.root() {
		return &BadRecord{
			File: filepath.Base(v.path), Line: v.line, Seq: v.tree.size,
			Reason: "the events up to this one are not those that the checkpoint was taken of: the log was rewritten",
		}
	}
	v.removed = max(v.removed, removedBy(e))
	if v.report.Events == 0 {
		v.report.Removed = e.Seq - 1
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

func (v *verifier) conclude(o VerifyOptions) {
	r := &v.report
	r.Unfinished, r.Covered = len(v.open), v.covered
	if v.covered > 0 {
		r.Checkpoint = brief(v.covered, v.coveredRoot)
	}
	if r.Bad == nil && v.sinceSize > v.tree.size {
		r.Bad = &BadRecord{File: "the log", Reason: fmt.Sprintf("it ends at event %d, but the checkpoint was taken at event %d: what followed was removed", v.tree.size, v.sinceSize)}
	}
	if r.Bad == nil && v.sinceOrigin != "" && v.origin != "" && v.sinceOrigin != v.origin {
		r.Bad = &BadRecord{File: "the log", Reason: "it is another log than the one that the checkpoint was taken of"}
	}
	if o.Since != "" && v.sinceSize == 0 {
		r.CannotKnow = append(r.CannotKnow, "The checkpoint covers no event, so that it shows nothing of this log: take a newer one.")
	}
	switch {
	case !v.signed:
		r.CannotKnow = append(r.CannotKnow, "Without the public key nothing shows who signed the checkpoints: whoever could write the log could have made them.")
	case v.beside:
		r.CannotKnow = append(r.CannotKnow, "The public key is the one beside the log: whoever could write there could have signed a log of their own. Keep the file signer.pub elsewhere and give it here.")
	}
	if v.old && v.chain.hash == nil && r.Events > 0 {
		r.CannotKnow = append(r.CannotKnow, "Without the key of the log nothing shows whether its lines of version 1 are what was written; only their order was checked.")
	}
	if behind := v.tree.size - v.covered; behind > 0 && r.Bad == nil && !v.old {
		r.CannotKnow = append(r.CannotKnow, fmt.Sprintf("No checkpoint covers %s yet: that they were changed would not show. A log that runs makes one within %s of each event, and when it is closed; one that was killed, at its next start.", lastOf(behind), checkpointEvery))
	}
	if r.Removed > 0 {
		r.CannotKnow = append(r.CannotKnow, fmt.Sprintf("The first %s are not here: their segments were removed, as the log says. Verify them where they are kept.", count(int(r.Removed), "event")))
	}
	if v.sinceSize > 0 && v.sinceSize <= r.Removed {
		r.CannotKnow = append(r.CannotKnow, "The checkpoint is of events that are not here any more: take a newer one.")
	}
	if o.Since == "" {
		r.CannotKnow = append(r.CannotKnow, "Without a checkpoint from elsewhere nothing shows whether events are missing from the end, or the whole was put back to an earlier state, or is another log that was signed with the same key.")
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

func lastOf(n uint64) string {
	if n == 1 {
		return "the last event"
	}
	return fmt.Sprintf("the last %d events", n)
}
