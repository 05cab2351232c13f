package audit

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A guardedRun is calls that are recorded as a guarded server does it, on a disk that fails.
type guardedRun struct {
	log     *Log
	witness *witness
	ran     []string // handlers
	refused []string
}

// call is a call: its handler runs if its intent is recorded, and says so. It returns why
// the call was refused, or its answer withheld.
func (g *guardedRun) call(t *testing.T, call string, ends bool) error {
	t.Helper()
	if err := g.log.Record(t.Context(), &Event{Phase: PhaseIntent, Call: call, MCP: MCP{Tool: "act"}}); err != nil {
		g.refused = append(g.refused, call)
		if g.log.Healthy() == nil {
			t.Error("a call was refused and the log says that it is well")
		}
		_ = g.log.Record(t.Context(), &Event{Phase: PhaseRefused, Call: call}) // the refusal stands either way
		return err
	}
	g.acknowledged(PhaseIntent, call)
	if !g.witness.holds(PhaseIntent, call) {
		t.Errorf("the handler of %s runs, and its intent is not on disk", call)
	}
	g.ran = append(g.ran, call)
	if !ends {
		return nil
	}
	if err := g.log.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: call}); err != nil {
		return err
	}
	g.acknowledged(PhaseOutcome, call)
	if !g.witness.holds(PhaseOutcome, call) {
		t.Errorf("%s is answered, and its outcome is not on disk", call)
	}
	return nil
}

func (g *guardedRun) acknowledged(phase Phase, call string) {
	g.witness.left.acknowledged = append(g.witness.left.acknowledged, call+string(phase))
}

// play opens a log, has calls made on it while its disk fails and after it was mended, and
// closes it.
func (g *guardedRun) play(t *testing.T, d *failingDisk) {
	t.Helper()
	o := &Options{SegmentBytes: 1200, reserve: 8} // some segments
	l, err := openOn(d, d.dir, o)
	if err != nil { // the server does not start; it does when the disk is well
		d.mend()
		if l, err = openOn(d, d.dir, o); err != nil {
			t.Fatalf("opening it again: %v", err)
		}
	}
	g.log = l
	_ = g.call(t, "long", false)
	for i := range 5 {
		_ = g.call(t, fmt.Sprint("call-", i), true)
		time.Sleep(400 * time.Millisecond) // checkpoints are made in between
	}
	d.mend()
	const tries = 3
	for try := range tries {
		err := g.call(t, fmt.Sprint("after-", try), true)
		if err == nil {
			break
		}
		if try == tries-1 {
			t.Errorf("the disk is mended, and calls are refused: %v", err)
		}
		time.Sleep(checkpointEvery)
	}
	if err := l.Healthy(); err != nil {
		t.Errorf("the disk is mended, and the log says %v", err)
	}
	g.witness.look() // a crash comes now
	if err := l.Close(); err != nil {
		t.Errorf("closing it: %v", err)
	}
}

// ended is wrong with a log that was closed and is opened again.
func (g *guardedRun) ended(t *testing.T, dir string) {
	t.Helper()
	if err := opened(t, dir, &Options{reserve: 8}).Close(); err != nil {
		t.Fatal(err)
	}
	begun := map[string]bool{}
	for e, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Phase == PhaseIntent {
			if begun[e.Call] || slices.Contains(g.refused, e.Call) {
				t.Errorf("%s was refused, and its intent is in the log; or it is there twice", e.Call)
			}
			begun[e.Call] = true
		}
	}
	if len(begun) != len(g.ran) {
		t.Errorf("%d handlers ran, and the log has %d intents", len(g.ran), len(begun))
	}
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil || r.Unfinished != 0 {
		t.Errorf("%v, %v, %d calls without an end", r.Bad, err, r.Unfinished)
	}
}

// Whichever call to the system fails, how, and for how long: no handler runs whose intent
// would not be there after a crash, nothing that was refused is in the log, calls are taken
// again when the disk is mended, and each that began has an end.
func TestNoHandlerRunsWithoutASyncedIntentWhateverFails(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		for _, lasts := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, lasting %v", f.name, lasts), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(uint64(len(f.name)), 9))
				runs, refused := 0, 0
				for at := 1; ; at++ {
					base := t.TempDir()
					d := &failingDisk{simDisk: &simDisk{}, fault: f, at: at, lasts: lasts, dir: filepath.Join(base, "log")}
					g := &guardedRun{witness: newWitness(d)}
					synctest.Test(t, func(t *testing.T) { g.play(t, d) })
					if !d.hasStruck() {
						break // there is no such call
					}
					if t.Failed() {
						t.Fatalf("with the fault at call %d of those that it hits", at)
					}
					err := g.witness.left.survives(t, random)
					g.ended(t, d.dir)
					if err != nil || t.Failed() {
						t.Fatalf("with the fault at call %d of those that it hits: %v", at, err)
					}
					runs, refused = runs+1, refused+len(g.refused)
				}
				if runs < 3 || (refused == 0 && len(f.hits) > 1) {
					t.Errorf("%d runs, in which %d calls were refused", runs, refused)
				}
				t.Logf("%d runs, in which %d calls were refused", runs, refused)
			})
		}
	}
}
