package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var errFault = errors.New("input/output error")

// A faultyDisk fails at its n-th step, and at those after it as far as it is told.
type faultyDisk struct {
	osDisk
	step, fail, until int
	short             bool // a failing write writes half first
}

func (d *faultyDisk) broken() bool {
	d.step++
	return d.step >= d.fail && d.step < d.until
}

func (d *faultyDisk) create(path string) (segment, error) {
	if d.broken() {
		return nil, errFault
	}
	s, err := d.osDisk.create(path)
	return &faultySegment{s, d}, err
}

func (d *faultyDisk) cut(path string, size int64) error {
	if d.broken() {
		return errFault
	}
	return d.osDisk.cut(path, size)
}

func (d *faultyDisk) syncDir(dir string) error {
	if d.broken() {
		return errFault
	}
	return d.osDisk.syncDir(dir)
}

func (d *faultyDisk) remove(path string) error {
	if d.broken() {
		return errFault
	}
	return d.osDisk.remove(path)
}

type faultySegment struct {
	segment
	disk *faultyDisk
}

func (s *faultySegment) Write(b []byte) (int, error) {
	if s.disk.broken() {
		if s.disk.short {
			n, err := s.segment.Write(b[:len(b)/2])
			return n, errors.Join(errFault, err)
		}
		return 0, errFault
	}
	return s.segment.Write(b)
}

func (s *faultySegment) Sync() error {
	if s.disk.broken() {
		return errFault
	}
	return s.segment.Sync()
}

// Whichever step fails, and for how long: what Record said yes to is there, in
// order; what it said no to is not; the log says that it is not well, and is well
// again when the disk is; the chain holds.
func TestNothingAcknowledgedIsLostWhateverFails(t *testing.T) {
	t.Parallel()
	for _, length := range []int{1, 2, 5} {
		for fail := 1; fail < 40; fail++ {
			for _, short := range []bool{false, true} {
				t.Run(fmt.Sprintf("step %d for %d, short %v", fail, length, short), func(t *testing.T) {
					t.Parallel()
					dir := t.TempDir()
					d := &faultyDisk{short: short}
					l, err := openOn(d, dir, nil)
					if err != nil {
						t.Fatal(err)
					}
					d.step, d.fail, d.until = 0, fail, fail+length
					l.most = 1200 // some segments
					var acknowledged []string
					for i := range 14 {
						call := fmt.Sprint("c", i)
						if err := l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: call}); err == nil {
							acknowledged = append(acknowledged, call)
						} else if l.Healthy() == nil {
							t.Error("an event was refused and the log says that it is well")
						}
					}
					d.until = 0
					if fail%2 == 0 { // half of the logs end without being used again
						if err := l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "last"}); err != nil || l.Healthy() != nil {
							t.Errorf("the disk works again and the log says %v, %v", err, l.Healthy())
						}
						acknowledged = append(acknowledged, "last")
					}
					if len(acknowledged) < 14-length-1 {
						t.Errorf("%d of 14 events were taken", len(acknowledged))
					}
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
					holds(t, dir, acknowledged)
					l, err = Open(dir, nil) // and a restart goes on from there
					if err != nil {
						t.Fatal(err)
					}
					if err := errors.Join(l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "restarted"}), l.Close()); err != nil {
						t.Fatal(err)
					}
					holds(t, dir, append(acknowledged, "restarted"))
				})
			}
		}
	}
}

// holds says that a log holds exactly these calls, in this order, and that its chain
// is whole.
func holds(t *testing.T, dir string, calls []string) {
	t.Helper()
	var got []string
	for e, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Call != "" {
			got = append(got, e.Call)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(calls) {
		t.Errorf("the log holds %v, acknowledged were %v", got, calls)
	}
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil {
		t.Errorf("%v, %v", r.Bad, err)
	}
}

// A segment is never written again after it failed.
func TestASealedSegmentIsNotWrittenAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &faultyDisk{}
	l, err := openOn(d, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func() error { return l.Record(t.Context(), &Event{Phase: PhaseNotice}) }
	if err := write(); err != nil {
		t.Fatal(err)
	}
	d.fail, d.until = d.step+2, d.step+3 // the next sync
	if err := write(); !errors.Is(err, errFault) {
		t.Fatalf("got %v", err)
	}
	first := filepath.Join(dir, "audit-00000001.jsonl")
	if err := write(); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.Stat(first)
	if err != nil || after.Size() != before.Size() || l.number != 2 {
		t.Errorf("the sealed segment changed: %v, %v, %v", before.Size(), after.Size(), err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var rules []string
	for e, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, e.Decision.Rule)
	}
	if fmt.Sprint(rules) != "[ segment_sealed    ]" {
		t.Errorf("got %q", rules)
	}
}

func TestVerifyWaitsForALineUnderWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), &Event{Phase: PhaseNotice}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "audit-00000001.jsonl")
	line, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, line[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	looks := 0
	r, err := verify(dir, nil, func() {
		if looks++; looks == 2 { // the writer is slower than the first look
			if err := os.WriteFile(path, line, 0o600); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || r.Bad != nil || r.Events != 1 || looks != 2 {
		t.Errorf("%+v, %v after %d looks", r, err, looks)
	}
}

// A disk that stays full refuses events one after the other. It gathers no files, and
// neither a restart meanwhile nor one afterwards breaks the chain.
func TestAFullDiskGathersNothingAndBreaksNothing(t *testing.T) {
	t.Parallel()
	for _, also := range []string{"", "removing fails too"} {
		dir := t.TempDir()
		d := &faultyDisk{}
		l, err := openOn(d, dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		record := func(call string) error { return l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: call}) }
		if err := record("before"); err != nil {
			t.Fatal(err)
		}
		full := true
		l.disk = &fullDisk{full: &full, removing: also != ""}
		l.lines.file = &fullSegment{l.lines.file, &full}
		for range 6 {
			if err := record("refused"); err == nil {
				t.Error("a full disk took an event")
			}
		}
		segments, err := segmentsOf(dir)
		if err != nil || len(segments) > 2 {
			t.Errorf("%s: %d segments, %v", also, len(segments), err)
		}
		_ = l.Close() // a disk that is full may say so once more
		if l, err = Open(dir, nil); err != nil {
			t.Fatalf("%s: %v", also, err)
		}
		if err := errors.Join(record("after"), l.Close()); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, []string{"before", "after"})
	}
}

// Segments without an event, as a process leaves that dies when it has just begun
// one, do not hide those before.
func TestEmptySegmentsDoNotHideTheChain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for run := range 3 {
		l, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: fmt.Sprint("c", run)}), l.Close()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(segmentPath(dir, l.number+1), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil || r.Phases[PhaseIntent] != 3 || r.Phases[PhaseOrphaned] != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A fullDisk makes files and writes nothing into them.
type fullDisk struct {
	osDisk
	full     *bool
	removing bool // fails
}

func (d *fullDisk) create(path string) (segment, error) {
	s, err := d.osDisk.create(path)
	return &fullSegment{s, d.full}, err
}

func (d *fullDisk) remove(path string) error {
	if d.removing {
		return errFault
	}
	return d.osDisk.remove(path)
}

type fullSegment struct {
	segment
	full *bool
}

func (s *fullSegment) Write(b []byte) (int, error) {
	if *s.full {
		return 0, errFault
	}
	return s.segment.Write(b)
}
