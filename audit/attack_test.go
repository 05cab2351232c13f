package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// filled is a log of some segments that was closed.
func filled(t *testing.T, dir string, o *Options, events int) {
	t.Helper()
	l := opened(t, dir, o)
	for i := range events {
		for _, p := range []Phase{PhaseIntent, PhaseOutcome} {
			if err := l.Record(t.Context(), &Event{Phase: p, Call: fmt.Sprint("c", i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

func publicIn(t *testing.T, dir string) string {
	t.Helper()
	public, err := ReadPublicKey(filepath.Join(dir, publicFile))
	must(t, err)
	return public
}

// ---- what is changed and not noticed

// The oldest segments are removed and the others take their names.
func TestTheOldestSegmentsRemovedAndTheRestRenamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filled(t, dir, &Options{SegmentBytes: 1500}, 12)
	before := look(t, dir)
	if before.Bad != nil || before.Segments < 3 {
		t.Fatalf("%+v", before)
	}
	first, _ := os.ReadFile(segmentPath(dir, 1))
	var kept tree // a checkpoint taken elsewhere, of the events that will be removed
	for line := range bytes.Lines(first) {
		kept.add(bytes.TrimSuffix(line, []byte("\n")))
	}
	since := brief(kept.size, kept.root())
	for n := 1; exists(segmentPath(dir, n+1)); n++ {
		must(t, os.Rename(segmentPath(dir, n+1), segmentPath(dir, n)))
		must(t, os.Rename(notesPath(dir, n+1), notesPath(dir, n)))
	}
	for name, o := range map[string]*VerifyOptions{"alone": {PublicKey: publicIn(t, dir)}, "since": {PublicKey: publicIn(t, dir), Since: since}} {
		r, err := verify(dir, o, func() {})
		if err != nil || r.Bad == nil {
			t.Errorf("%s: %d of %d events are gone from the beginning, and it says well: %v, %v", name, before.Events-r.Events, before.Events, r.CannotKnow, err)
		}
	}
}

// The lines of the last segment are removed; its signed checkpoints are still there.
func TestTheLastSegmentRemovedBesideItsCheckpoints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filled(t, dir, &Options{SegmentBytes: 1500}, 12)
	before := look(t, dir)
	last := before.Segments
	must(t, os.Remove(segmentPath(dir, last)))
	if r := look(t, dir); r.Bad == nil {
		t.Errorf("%d of %d events are gone, signed checkpoints over them are in the directory, and it says well", before.Events-r.Events, before.Events)
	}
	l, err := Open(dir, &Options{SegmentBytes: 1500})
	if err == nil {
		t.Errorf("and it is taken up, and the checkpoints that show it are removed: still there: %v", exists(notesPath(dir, last)))
		must(t, l.Close())
	}
}

// Somebody without the signing key, but with the key of HMACs that is beside the log,
// writes the whole anew as lines of version 1, and removes the checkpoints.
func TestALogIsRewrittenInVersion1(t *testing.T) {
	t.Parallel()
	signing, public, err := GenerateKey()
	must(t, err)
	dir := t.TempDir()
	o := &Options{SigningKey: signing} // kept elsewhere
	filled(t, dir, o, 3)
	key, err := ReadKey(filepath.Join(dir, keyFile))
	must(t, err)
	c, err := newChain(key)
	must(t, err)
	var out []byte
	for seq := range 2 {
		body := appendHead(nil, 1, "AAAAAAAAAAAAAAAAAAAAAAAAAA", uint64(seq)+1, appendTime(nil, time.Now()))
		body = appendBody(body, &Event{Phase: PhaseNotice, Call: "forged"})
		m := c.next(body)
		out = append(out, body...)
		out = append(out, tailOpen+c.prev.String()+tailMid+m.String()+tailClose+"\n"...)
		c.prev = m
	}
	must(t, os.WriteFile(segmentPath(dir, 1), out, 0o600))
	must(t, os.Remove(notesPath(dir, 1)))
	r, err := verify(dir, &VerifyOptions{PublicKey: public}, func() {})
	must(t, err)
	if r.Bad == nil {
		t.Errorf("the public key is given, nothing is signed, and it says well: %d events, %d covered; all it says it cannot know: %q", r.Events, r.Covered, r.CannotKnow)
	}
	if l, err := Open(dir, o); err == nil {
		t.Error("and the writer takes the forged lines up and signs them")
		must(t, l.Close())
	}
}

// ---- what recovery does to a log

// A log of version 1 that is opened with another key, or whose first line was changed,
// is cut to nothing.
func TestALogOfVersion1IsCutToNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"another key", "a line changed", "own key lost"} {
		dir := t.TempDir()
		must(t, os.CopyFS(dir, os.DirFS("testdata/v1")))
		must(t, os.Chmod(segmentPath(dir, 1), 0o600))
		content := contentOf(t, segmentPath(dir, 1))
		key := bytes.Repeat([]byte{7}, 32)
		switch name {
		case "another key":
			key[0] = 8
		case "a line changed":
			content = bytes.Replace(content, []byte("Paris"), []byte("Pakis"), 1)
			must(t, os.WriteFile(segmentPath(dir, 1), content, 0o600))
		default:
			continue
		}
		l, err := Open(dir, &Options{Key: key})
		if err == nil {
			must(t, l.Close())
			after, _ := os.ReadFile(segmentPath(dir, 1))
			t.Errorf("%s: taken up; of %d bytes in %d whole lines %d are left", name, len(content), bytes.Count(content, []byte("\n")), len(after))
		}
	}
}

// Checkpoints that are missing are corruption; with one damaged line they are a reason to
// cut the log to nothing.
func TestALogWithoutCheckpointsIsCutToNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filled(t, dir, nil, 50)
	must(t, os.Remove(notesPath(dir, 1)))
	content := contentOf(t, segmentPath(dir, 1))
	content[60] ^= 1
	must(t, os.WriteFile(segmentPath(dir, 1), content, 0o600))
	if l, err := Open(dir, nil); err == nil {
		must(t, l.Close())
		after, _ := os.ReadFile(segmentPath(dir, 1))
		t.Errorf("taken up; of 100 lines, %d bytes, %d bytes are left", len(content), len(after))
	}
}

// A segment that was begun and not written to is reopened, and its first write fails.
func TestAReopenedEmptySegmentThatFailsBreaksTheCheckpoints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "a"}))
	must(t, l.Close())
	l = opened(t, dir, nil)
	must(t, l.Close())
	// The process dies just when it has begun segment 2.
	w := l.writer
	w.notes.file, w.lines.file = nil, nil
	must(t, w.begin())
	must(t, errors.Join(w.lines.close(), w.notes.close()))
	d := &gatedDisk{}
	l, err := openOn(d, dir, nil)
	must(t, err)
	d.gate(func(segment) error { return errFault }) // one sync
	if err := l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "refused"}); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	d.gate(nil)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "b"}))
	must(t, l.Close())
	if r := look(t, dir); r.Bad != nil {
		t.Errorf("nobody changed anything: %v", r.Bad)
	}
	if l, err := Open(dir, nil); err != nil {
		t.Errorf("and it is not taken up any more: %v", err)
	} else {
		must(t, l.Close())
	}
}

// A batch that power loss has left as zeros, or without its first sector, is as large as
// the writer may make one.
func TestALargeTornBatchIsNotTakenUp(t *testing.T) {
	t.Parallel()
	many := make([]*entry, 0, batchEntries)
	for range batchEntries {
		many = append(many, &entry{body: bytes.Repeat([]byte{'x'}, batchBytes/batchEntries-headRoom)})
	}
	one := []*entry{{body: bytes.Repeat([]byte{'x'}, maxLine-headRoom)}}
	for i, name := range []string{"zeros", "first sector", "zeros", "first sector"} {
		bodies := many
		if i >= 2 {
			bodies = one
		}
		dir := t.TempDir()
		filled(t, dir, nil, 1)
		l := opened(t, dir, nil)
		must(t, l.Close())
		w := l.writer
		must(t, w.lines.reopen(w.disk, 0))
		from := w.lines.size
		must(t, w.commit(bodies))
		must(t, w.lines.close())
		content := contentOf(t, segmentPath(dir, 1))
		if name == "zeros" {
			clear(content[from:])
		} else {
			clear(content[from : from+100])
		}
		must(t, os.WriteFile(segmentPath(dir, 1), content, 0o600))
		if l, err := Open(dir, nil); err != nil {
			t.Errorf("%s: one batch of %d bytes was torn, and the log is not taken up: %v", name, int64(len(content))-from, err)
		} else {
			must(t, l.Close())
		}
	}
}

// An event that the log takes and cannot read makes the log one that is not taken up again.
func TestAnEventPoisonsTheLog(t *testing.T) {
	t.Parallel()
	deep := bytes.Repeat([]byte("["), 9999)
	deep = append(deep, bytes.Repeat([]byte("]"), 9999)...)
	for name, e := range map[string]*Event{
		"no phase":      {Call: "a"},
		"another phase": {Phase: "started", Call: "a"},
		"deep":          {Phase: PhaseNotice, Args: Args{Fields: []Field{{Name: "a", Clear: string(deep)}}}},
	} {
		dir := t.TempDir()
		l := opened(t, dir, nil)
		err := l.Record(t.Context(), e)
		err2 := l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "after"})
		must(t, errors.Join(err2, l.Close()))
		if err != nil {
			continue // refused: well
		}
		if r := look(t, dir); r.Bad != nil {
			t.Errorf("%s: Record returned nil, and nobody changed anything: %v", name, r.Bad)
		}
		if l, err := Open(dir, nil); err != nil {
			t.Errorf("%s: and it is not taken up any more: %v", name, err)
		} else {
			must(t, l.Close())
		}
	}
}

// More checkpoints than are read at once: the log is slow and its segments are large.
func TestManyCheckpointsInASegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := &Options{SegmentBytes: 1 << 30}
	l, err := openOn(unsynced{}, dir, o)
	must(t, err)
	must(t, l.Close())
	w := l.writer
	must(t, w.begin())
	events := 0
	for ; w.notes.size < 4*notesWindow; events++ { // an event a second, for some time
		must(t, w.record(&Event{Phase: PhaseNotice}))
		must(t, w.cover())
	}
	size := w.notes.size
	must(t, errors.Join(w.lines.close(), w.notes.close()))
	t.Logf("%d events, %d bytes of lines, %d of checkpoints", events, w.lines.size, size)
	if r := look(t, dir); r.Bad != nil {
		t.Errorf("nobody changed anything: %v", r.Bad)
	}
	l, err = Open(dir, o)
	if err != nil {
		t.Errorf("it is not taken up: %v", err)
		return
	}
	must(t, l.Close())
	if info, err := os.Stat(notesPath(dir, 1)); err != nil || info.Size() < size {
		t.Errorf("opening it cut its checkpoints from %d to %d bytes", size, info.Size())
	}
}

type unsynced struct{ osDisk }

func (unsynced) create(path string) (segment, error) {
	s, err := osDisk{}.create(path)
	return unsyncedSegment{s}, err
}
func (unsynced) syncDir(string) error { return nil }

type unsyncedSegment struct{ segment }

func (unsyncedSegment) Sync() error { return nil }

// Opening with a wrong key fails, and leaves another public key beside the log.
func TestAFailedOpenReplacesThePublicKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filled(t, dir, nil, 2)
	before := publicIn(t, dir)
	other, _, err := GenerateKey()
	must(t, err)
	if _, err := Open(dir, &Options{SigningKey: other}); err == nil {
		t.Error("a log of another key was taken up")
	}
	if publicIn(t, dir) != before {
		t.Errorf("Open refused the log, and signer.pub is another: now it verifies as %v", look(t, dir).Bad)
	}
}

// All the directories that Open makes are durable.
func TestTheDirectoriesAboveAreSynced(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	d := &simDisk{}
	l, err := openOn(d, filepath.Join(base, "a", "b", "log"), nil)
	must(t, err)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice}))
	must(t, l.Close())
	for _, parent := range []string{base, filepath.Join(base, "a"), filepath.Join(base, "a", "b")} {
		if !slices.ContainsFunc(d.steps, func(s step) bool { return s.kind == "syncDir" && s.path == parent }) {
			t.Errorf("Record returned nil, and the name in %s may not be on disk", parent)
		}
	}
}

// ---- Close and Record

// Close ends while callers go on calling.
func TestCloseEndsUnderLoad(t *testing.T) {
	t.Parallel()
	l := opened(t, t.TempDir(), &Options{Commit: SyncEach}) // with GroupCommit it is for luck to end it
	var group sync.WaitGroup
	var recorded, after atomic.Int64
	var closing, stop atomic.Bool
	for range 256 {
		group.Go(func() {
			for !stop.Load() && l.Record(context.Background(), &Event{Phase: PhaseNotice}) == nil {
				recorded.Add(1)
				if closing.Load() {
					after.Add(1)
				}
			}
		})
	}
	for recorded.Load() < 100 {
		runtime.Gosched()
	}
	done := make(chan error)
	go func() { closing.Store(true); done <- l.Close() }()
	select {
	case err := <-done:
		must(t, err)
		t.Logf("%d events were recorded after Close was called", after.Load())
	case <-time.After(5 * time.Second):
		t.Errorf("it did not end within 5 s: callers keep the queue filled; %d events were recorded after Close was called", after.Load())
		stop.Store(true)
		must(t, <-done)
	}
	stop.Store(true)
	group.Wait()
}

// After Close every event is covered.
func TestCloseCoversAllEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &faultyDisk{}
	l, err := openOn(d, dir, nil)
	must(t, err)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice}))
	d.fail, d.until = d.step+2, d.step+3
	if l.Record(t.Context(), &Event{Phase: PhaseNotice}) == nil {
		t.Fatal("recorded")
	}
	must(t, l.Close())
	if r := look(t, dir); r.Covered != uint64(r.Events) {
		t.Errorf("after Close checkpoints cover %d of %d events", r.Covered, r.Events)
	}
}

// ---- Verify beside a writer, where nobody changed anything

// A checkpoint is made while the lines are read, and the last line is under way.
func TestVerifyBesideAWriterThatMakesACheckpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	record := func(n int) {
		t.Helper()
		for range n {
			must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: strings.Repeat("x", 900)}))
		}
	}
	record(200) // more than is read at once
	v := &verifier{report: Report{Phases: map[Phase]int{}}, open: map[callHash]struct{}{}}
	first := true
	var half *os.File
	v.reader = reader{dir: dir, brief: true, see: func(e *Event) error {
		if first { // while the first lines are looked at, the writer goes on
			first = false
			record(1)
			for l.Stats().Covered < 201 { // its checkpoint, within a second
				time.Sleep(time.Millisecond)
			}
			record(3)
			var err error
			if half, err = os.OpenFile(segmentPath(dir, 1), os.O_WRONLY|os.O_APPEND, 0); err != nil {
				return err
			}
			if _, err = half.WriteString(`{"v":2,`); err != nil { // it writes the next
				return err
			}
		}
		return v.event(e)
	}}
	v.pause = func() {
		if half != nil { // its sync failed, say
			info, err := half.Stat()
			must(t, err)
			must(t, half.Truncate(info.Size()-7))
			must(t, half.Close())
			half = nil
		}
	}
	must(t, v.keys(&VerifyOptions{}))
	segments, err := segmentsOf(dir)
	must(t, err)
	if err := v.segments(segments); err != nil {
		t.Errorf("nobody changed anything: %v", err)
	}
	must(t, l.Close())
	if r := look(t, dir); r.Bad != nil {
		t.Errorf("afterwards: %v", r.Bad)
	}
}

// A checkpoint that Verify gives to be kept elsewhere covers what the writer then takes
// back, and accuses the log ever after.
func TestTheCheckpointOfAReportIsOfDurableLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &gatedDisk{}
	l, err := openOn(d, dir, nil)
	must(t, err)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "a"}))
	var since string
	d.gate(func(s segment) error { // the next sync fails; Verify runs meanwhile
		r, err := verify(dir, nil, func() {})
		must(t, err)
		since = r.Checkpoint
		return errFault
	})
	if l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "refused"}) == nil {
		t.Fatal("recorded")
	}
	d.gate(nil)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "b"}))
	must(t, l.Close())
	r, err := verify(dir, &VerifyOptions{Since: since}, func() {})
	must(t, err)
	if r.Bad != nil {
		t.Errorf("nobody changed anything: %v", r.Bad)
	}
}

// A segment whose first sync fails is removed while Verify reads the one before.
func TestVerifyBesideASegmentThatIsRemoved(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		dir := t.TempDir()
		d := &gatedDisk{}
		l, err := openOn(d, dir, &Options{SegmentBytes: 1 << 10})
		must(t, err)
		event := &Event{Phase: PhaseNotice, Call: strings.Repeat("x", 200)}
		for range 3 { // segment 1 is full
			must(t, l.Record(t.Context(), event))
		}
		inSync, goOn, refused := make(chan struct{}), make(chan struct{}), make(chan struct{})
		d.gate(func(segment) error {
			d.gate(nil)
			close(inSync)
			<-goOn
			return errFault
		})
		go func() {
			defer close(refused)
			if l.Record(context.Background(), event) == nil {
				t.Error("recorded")
			}
			if again {
				if err := l.Record(context.Background(), event); err != nil {
					t.Error(err)
				}
			}
		}()
		<-inSync
		v := &verifier{report: Report{Phases: map[Phase]int{}}, open: map[callHash]struct{}{}, pause: func() {}}
		first := true
		v.reader = reader{dir: dir, brief: true, see: func(e *Event) error {
			if first {
				first = false
				close(goOn)
				<-refused
			}
			return v.event(e)
		}}
		must(t, v.keys(&VerifyOptions{}))
		segments, err := segmentsOf(dir)
		must(t, err)
		if len(segments) != 2 {
			t.Fatal(segments)
		}
		if err := v.segments(segments); err != nil {
			t.Errorf("begun again %v, nobody changed anything: %v", again, err)
		}
		must(t, l.Close())
		if r := look(t, dir); r.Bad != nil {
			t.Errorf("afterwards: %v", r.Bad)
		}
	}
}

// The same while it reads that segment, and its last line is not whole.
func TestVerifyBesideASegmentThatIsBegunAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &gatedDisk{}
	l, err := openOn(d, dir, &Options{SegmentBytes: 1 << 10})
	must(t, err)
	event := &Event{Phase: PhaseNotice, Call: strings.Repeat("x", 200)}
	for range 3 {
		must(t, l.Record(t.Context(), event))
	}
	inWrite, goOn, refused := make(chan struct{}), make(chan struct{}), make(chan struct{})
	d.half = func() error {
		d.half = nil
		close(inWrite)
		<-goOn
		return errFault
	}
	go func() {
		defer close(refused)
		if l.Record(context.Background(), event) == nil {
			t.Error("recorded")
		}
		if err := errors.Join(l.Record(context.Background(), event), l.Close()); err != nil {
			t.Error(err)
		}
	}()
	<-inWrite
	once := sync.OnceFunc(func() { close(goOn); <-refused })
	r, err := verify(dir, nil, once)
	if err != nil || r.Bad != nil {
		t.Errorf("nobody changed anything: %v, %v", r.Bad, err)
	}
	if r := look(t, dir); r.Bad != nil {
		t.Errorf("afterwards: %v", r.Bad)
	}
}

// A gatedDisk asks before it syncs lines, or writes half of them.
type gatedDisk struct {
	osDisk
	mu   sync.Mutex
	ask  func(segment) error
	half func() error // of the next write of lines
}

func (d *gatedDisk) gate(ask func(segment) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ask = ask
}

func (d *gatedDisk) create(path string) (segment, error) {
	s, err := d.osDisk.create(path)
	if err != nil || filepath.Ext(path) != ".jsonl" {
		return s, err
	}
	return &gatedSegment{s, d}, nil
}

func (d *gatedDisk) reopen(path string) (segment, error) {
	s, err := d.osDisk.reopen(path)
	return &gatedSegment{s, d}, err
}

type gatedSegment struct {
	segment
	disk *gatedDisk
}

func (s *gatedSegment) Write(b []byte) (int, error) {
	if s.disk.half == nil {
		return s.segment.Write(b)
	}
	n, err := s.segment.Write(b[:len(b)/2])
	return n, errors.Join(err, s.disk.half())
}

func (s *gatedSegment) Sync() error {
	s.disk.mu.Lock()
	ask := s.disk.ask
	s.disk.mu.Unlock()
	if ask != nil {
		if err := ask(s.segment); err != nil {
			return err
		}
	}
	return s.segment.Sync()
}

// Verify beside a writer under load, whose syncs fail now and then.
func TestVerifyBesideAWriterUnderLoad(t *testing.T) {
	t.Parallel()
	for _, failing := range []bool{false, true} {
		dir := t.TempDir()
		d := &gatedDisk{}
		if failing {
			d.gate(func(segment) error {
				if rand.IntN(4) == 0 {
					return errFault
				}
				return nil
			})
		}
		l, err := openOn(d, dir, &Options{SegmentBytes: 4 << 10})
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		var group sync.WaitGroup
		var mu sync.Mutex
		yes, no := map[string]bool{}, map[string]bool{}
		for w := range 8 {
			group.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					call := fmt.Sprintf("%d-%d", w, i)
					short, stop := context.WithTimeout(ctx, time.Duration(rand.IntN(3000))*time.Microsecond)
					err := l.Record(short, &Event{Phase: PhaseIntent, Call: call})
					stop()
					mu.Lock()
					if err == nil {
						yes[call] = true
					} else {
						no[call] = true
					}
					mu.Unlock()
					time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
				}
			})
		}
		looks, wrong := 0, map[string]int{}
		for ; ctx.Err() == nil; looks++ {
			r, err := Verify(dir, nil)
			if err != nil || r.Bad != nil {
				what := fmt.Sprint(err)
				if r.Bad != nil {
					what = r.Bad.Reason
				}
				what = strings.Map(func(r rune) rune {
					if r >= '0' && r <= '9' {
						return '#'
					}
					return r
				}, strings.ReplaceAll(what, dir, "DIR"))
				wrong[what]++
			}
		}
		group.Wait()
		d.gate(nil)
		must(t, l.Close())
		for what, n := range wrong {
			t.Errorf("failing %v: nobody changed anything; %d of %d looks say: %s", failing, n, looks, what)
		}
		t.Logf("failing %v: %d looks, %d recorded, %d refused", failing, looks, len(yes), len(no))
		seen := map[string]bool{}
		for e, err := range Read(dir) {
			must(t, err)
			if e.Phase != PhaseIntent {
				continue
			}
			if seen[e.Call] || no[e.Call] {
				t.Errorf("%s is there: twice %v, refused %v", e.Call, seen[e.Call], no[e.Call])
			}
			seen[e.Call] = true
		}
		for call := range yes {
			if !seen[call] {
				t.Errorf("%s was acknowledged and is not there", call)
			}
		}
		if r := look(t, dir); r.Bad != nil {
			t.Errorf("afterwards: %v", r.Bad)
		}
	}
}

// ---- hostile directories

// apart runs one test in a process of its own, which is ended after some seconds.
func apart(t *testing.T, do func()) {
	t.Helper()
	if os.Getenv("REFUTE_APART") == t.Name() {
		do()
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), "REFUTE_APART="+t.Name())
	out, err := c.CombinedOutput()
	if ctx.Err() != nil {
		t.Errorf("it did not return within 10 s")
	} else if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// A checkpoint that nobody signed has Prove run for ever.
func TestProveEndsOnAHostileCheckpoint(t *testing.T) {
	t.Parallel()
	apart(t, func() {
		dir := t.TempDir()
		filled(t, dir, nil, 1)
		b := contentOf(t, notesPath(dir, 1))
		at := bytes.LastIndex(b, []byte("\n2\n"))
		b = slices.Concat(b[:at], []byte("\n9223372036854775807\n"), b[at+3:])
		must(t, os.WriteFile(notesPath(dir, 1), b, 0o600))
		if _, err := Prove(dir, 1); err == nil {
			t.Error("proved")
		}
	})
}

// Files that are read as a whole have no bound.
func TestVerifyHasBoundedMemory(t *testing.T) { //nolint:paralleltest // it measures memory
	const size = 512 << 20
	for _, name := range []string{publicFile, keyFile, "audit-00000001.checkpoints"} {
		dir := t.TempDir()
		filled(t, dir, nil, 1)
		must(t, os.Truncate(segmentPath(dir, 1), 0))
		if filepath.Ext(name) == ".checkpoints" {
			must(t, os.Truncate(filepath.Join(dir, name), 0))
		}
		must(t, os.Truncate(filepath.Join(dir, name), size))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = verify(dir, nil, func() {})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s, a sparse file of %d MiB: %d MiB were allocated", name, size>>20, n>>20)
		}
	}
}

// A line that is too long is a wrong record, not a log that cannot be read.
func TestALineThatIsTooLongIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filled(t, dir, nil, 1)
	must(t, os.Truncate(segmentPath(dir, 1), maxLine+(1<<20)))
	r, err := verify(dir, nil, func() {})
	if err != nil || r.Bad == nil {
		t.Errorf("%v, %v", err, r.Bad)
	}
}

// Open does not make files outside of the directory.
func TestOpenDoesNotFollowTheLock(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "log")
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Symlink(filepath.Join(base, "elsewhere"), filepath.Join(dir, lockFile)))
	l, err := Open(dir, nil)
	if err == nil {
		must(t, l.Close())
	}
	if exists(filepath.Join(base, "elsewhere")) {
		t.Error("the lock is a link, and a file was made where it leads")
	}
}

// ---- glance

// Where glance says true, the fields are those of full decoding.
func TestGlance(t *testing.T) {
	t.Parallel()
	var e Event
	for _, line := range []string{
		`{"v":2,"id":"a","seq":1,"time":"2026-01-02T03:04:05Z","phase":"intent","call":"a","Seq":7}`,
		`{"v":2,"id":"a","seq":1,"time":"2026-01-02T03:04:05Z","phase":"intent","PHASE":"notice"}`,
		`{"v":2,"id":"a","seq":1,"time":"2026-01-02T3:04:05Z","phase":"intent"}`,
		`{"v":2,"id":"a","seq":1,"time":"2026-01-02T03:04:05,5Z","phase":"intent"}`,
	} {
		differs(t, []byte(line), &e)
	}
}

func differs(t *testing.T, line []byte, e *Event) {
	t.Helper()
	*e = Event{}
	if !glance(line, e) {
		return
	}
	var full Event
	err := full.UnmarshalJSON(line)
	if !known(full.Phase) {
		full.Phase = "" // whichever it is, it is refused
	}
	if err != nil || full.Seq != e.Seq || full.Phase != e.Phase || full.Call != e.Call || !full.Time.Equal(e.Time) {
		t.Errorf("%s: glanced seq %d phase %q call %q, full %d %q %q, %v", line, e.Seq, e.Phase, e.Call, full.Seq, full.Phase, full.Call, err)
	}
}

// Of lines without names that stand twice, or are another's in other letters.
func FuzzGlance(f *testing.F) {
	for _, e := range []*Event{
		{Version: 2, ID: "a", Seq: 5, Phase: PhaseIntent, Call: "é", Server: Server{Name: "\\"}, Args: Args{Digest: "d", Fields: []Field{{Name: "a", Len: -1}, {Name: "b", Clear: "{}"}}}},
		{Version: 2, ID: "a", Seq: 6, Phase: PhaseOutcome, Egress: []Egress{{Host: "h"}}, Duration: time.Second},
	} {
		b, err := e.MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var e Event
		if !glance(line, &e) {
			return
		}
		if json.Unmarshal(line, new(Event)) != nil {
			return // a known fault: of another form behind what is glanced at
		}
		lower := strings.ToLower(string(line))
		for _, n := range []string{`"seq"`, `"phase"`, `"call"`, `"time"`, `"v"`, `"id"`} {
			if strings.Count(lower, n) > 1 || (e.Call == "" && strings.Contains(lower, `"call"`)) || strings.Contains(lower, "\\u") || strings.ContainsRune(lower, 'ſ') {
				return // a known fault
			}
		}
		differs(t, line, &e)
	})
}

// After kill -9 one damaged line takes all that were acknowledged after it with it.
func TestAcknowledgedLinesBehindADamagedOneAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filled(t, dir, nil, 1)
	l := opened(t, dir, nil)
	must(t, l.Close())
	w := l.writer
	must(t, w.lines.reopen(w.disk, 0))
	from := w.lines.size
	for i := range 20 { // each synced by itself
		must(t, w.record(&Event{Phase: PhaseNotice, Call: fmt.Sprint("acknowledged", i)}))
	}
	must(t, w.lines.close())
	content := contentOf(t, segmentPath(dir, 1))
	content[from+40] ^= 1
	must(t, os.WriteFile(segmentPath(dir, 1), content, 0o600))
	if l, err := Open(dir, nil); err == nil {
		must(t, l.Close())
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, path := range paths {
		if bytes.Contains(contentOf(t, path), []byte("acknowledged19")) {
			return
		}
	}
	t.Error("one bit of one line is wrong, and 19 whole lines of acknowledged events behind it are nowhere any more")
}

// A checkpoint that is not whole is removed, and a notice says so.
func TestARemovedCheckpointIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	filled(t, dir, nil, 3)
	content := contentOf(t, notesPath(dir, 1))
	at := bytes.LastIndex(content, []byte("\ntime ")) + 1
	content[at] = 'x'
	must(t, os.WriteFile(notesPath(dir, 1), content, 0o600))
	lines := bytes.SplitAfter(contentOf(t, segmentPath(dir, 1)), []byte("\n"))
	last := bytes.Replace(lines[5][:len(lines[5])-1-sumSize], []byte(`"c2"`), []byte(`"cX"`), 1)
	lines[5] = append(appendSum(slices.Clone(last), 0), '\n') // what it covered is changed
	must(t, os.WriteFile(segmentPath(dir, 1), bytes.Join(lines, nil), 0o600))
	l, err := Open(dir, nil)
	if err != nil {
		return
	}
	must(t, l.Close())
	for e, err := range Read(dir) {
		must(t, err)
		if e.Phase == PhaseNotice {
			return
		}
	}
	t.Errorf("a checkpoint was removed without a word, what it covered was changed, and it verifies: %v", look(t, dir).Bad)
}

// A kernel that could not write a page says so once, and takes the page for written: the
// next process reads it, syncs with success, and it is not on disk.
func TestWhatAFailedSyncLeftIsWrittenAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &gatedDisk{}
	l, err := openOn(uncut{d}, dir, nil)
	must(t, err)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "a"}))
	from := l.lines.size
	d.gate(func(segment) error { return errFault })
	if l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "refused"}) == nil {
		t.Fatal("recorded")
	}
	info, err := os.Stat(segmentPath(dir, 1))
	must(t, err)
	_ = l.Close() // as good as killed: it could not cut
	k := &rewriting{}
	l, err = openOn(k, dir, nil)
	must(t, err)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "b"}))
	if k.rewrote { // or it went on elsewhere, which this does not look at
		must(t, l.Close())
		return
	}
	must(t, l.Close())
	content := contentOf(t, segmentPath(dir, 1)) // power loss
	clear(content[from:info.Size()])
	must(t, os.WriteFile(segmentPath(dir, 1), content, 0o600))
	l, err = Open(dir, nil)
	if err != nil {
		t.Errorf("%q was acknowledged and synced; after power loss the log is not taken up: %v", "b", err)
		return
	}
	must(t, l.Close())
}

type uncut struct{ *gatedDisk }

func (uncut) cut(string, int64) error { return errFault }

// A rewriting disk sees whether a process cut off or wrote again what it found.
type rewriting struct {
	osDisk
	rewrote bool
}

func (d *rewriting) renew(path string, from int64) error {
	d.rewrote = true
	return d.osDisk.renew(path, from)
}

func (d *rewriting) cut(path string, size int64) error {
	d.rewrote = true
	return d.osDisk.cut(path, size)
}

// A log that has just survived a crash survives one at each step of its recovery.
func TestCrashesOfARecovery(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	base := t.TempDir()
	begin := func(files map[string][]byte, acknowledged []string) (dies int, err error) {
		for dies = range 200 {
			dir := filepath.Join(base, fmt.Sprint(random.Uint64()), "log")
			must(t, os.MkdirAll(dir, 0o700))
			c := &crashable{dir: dir, now: map[string]*inode{}, kept: map[string]*inode{}, named: true}
			for name, content := range files {
				path := filepath.Join(dir, name)
				must(t, os.WriteFile(path, content, 0o600))
				c.now[path] = &inode{durable: content}
				c.kept[path] = c.now[path]
			}
			c.acknowledged = slices.Clone(acknowledged)
			d := &simDisk{dies: dies + 1, tear: random.IntN(2) == 0}
			if l, err := openOn(d, dir, &Options{SegmentBytes: 1500}); err == nil {
				if l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "n"}) == nil {
					d.ack("n" + string(PhaseNotice))
				}
				_ = l.Close()
			}
			for _, s := range d.steps {
				c.take(s)
			}
			for range 4 {
				if err := c.survives(t, random); err != nil {
					return dies, err
				}
			}
			if d.counts <= dies {
				break
			}
		}
		return dies, nil
	}
	for range 10 { // what a crash has left
		dir := filepath.Join(base, fmt.Sprint(random.Uint64()), "log")
		must(t, os.MkdirAll(filepath.Dir(dir), 0o700))
		d := &simDisk{dies: 20 + random.IntN(60), tear: true}
		work(t, d, dir, 1, 3)
		c := &crashable{dir: dir, now: map[string]*inode{}, kept: map[string]*inode{}, named: true}
		for _, s := range d.steps {
			c.take(s)
		}
		c.named = true
		left := map[string][]byte{}
		for path, content := range c.crash(random) {
			left[filepath.Base(path)] = content
		}
		if steps, err := begin(left, c.acknowledged); err != nil {
			t.Errorf("after a crash, and one at step %d of the recovery: %v", steps+1, err)
			return
		}
	}
}
