package audit

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A simulated crash: what was written is lost unless it was synced, wholly or in part,
// later parts before earlier ones; and so are names until their directory was.

// An inode is a file whose last steps a crash may undo.
type inode struct {
	durable []byte
	pending []step // writes and cuts since the last sync
}

// with is what the file holds with some of what is pending.
func (f *inode) with(pending []step) []byte {
	b := slices.Clone(f.durable)
	for _, s := range pending {
		if s.kind == "cut" {
			b = b[:min(int(s.size), len(b))]
		} else {
			b = append(b, s.data...)
		}
	}
	return b
}

// torn is the file as a crash leaves it.
func (f *inode) torn(random *rand.Rand) []byte {
	all := f.with(f.pending)
	if len(f.pending) == 0 {
		return all
	}
	from := min(len(f.durable), len(all))
	switch random.IntN(5) {
	case 0:
		return f.durable
	case 1:
		return all
	case 2: // some of it, the last of that not whole
		n := random.IntN(len(f.pending))
		data := f.pending[n].data
		return append(f.with(f.pending[:n]), data[:random.IntN(len(data)+1)]...)
	case 3: // its size, and nothing in it
		clear(all[from:])
		return all
	}
	for at := from; at < len(all); { // sectors without order
		end := min(at+512-at%512, len(all))
		if random.IntN(2) == 0 {
			clear(all[at:end])
		}
		at = end
	}
	return all
}

// A naming is a change of names that a crash may undo, as a whole.
type naming map[string]*inode // nil: the name is gone

func (n naming) apply(names map[string]*inode) {
	for path, node := range n {
		if names[path] = node; node == nil {
			delete(names, path)
		}
	}
}

// A crashable is a directory as it is, and as a crash may leave it.
type crashable struct {
	dir          string
	now, kept    map[string]*inode
	changes      []naming
	acknowledged []string
	named        bool // the directory itself is durable
}

func (c *crashable) name(n naming) {
	c.changes = append(c.changes, n)
	n.apply(c.now)
}

func (c *crashable) take(s step) {
	switch s.kind {
	case "create":
		c.name(naming{s.path: {}})
	case "remove":
		c.name(naming{s.path: nil})
	case "rename":
		c.name(naming{s.to: c.now[s.path], s.path: nil})
	case "write", "cut":
		c.now[s.path].pending = append(c.now[s.path].pending, s)
	case "sync":
		f := c.now[s.path]
		f.durable, f.pending = f.with(f.pending), nil
	case "lost": // the kernel gave up writing it, and takes it for written
		c.now[s.path].pending = nil
	case "mkdir":
		c.named = false
	case "syncDir":
		if s.path == c.dir {
			c.kept, c.changes = maps.Clone(c.now), nil
		} else {
			c.named = true
		}
	case "ack":
		c.acknowledged = append(c.acknowledged, s.call)
	}
}

// crash returns the files that a crash leaves; none where the directory is lost.
func (c *crashable) crash(random *rand.Rand) map[string][]byte {
	if !c.named && random.IntN(2) == 0 {
		return nil
	}
	names := maps.Clone(c.kept)
	for _, change := range c.changes {
		if random.IntN(2) == 0 {
			change.apply(names)
		}
	}
	files := map[string][]byte{}
	for path, f := range names {
		files[path] = f.torn(random)
	}
	return files
}

// survives makes the directory that a crash has left, opens the log in it, and returns
// what is wrong with it.
func (c *crashable) survives(t *testing.T, random *rand.Rand) error {
	t.Helper()
	base, err := os.MkdirTemp(filepath.Dir(c.dir), "crash") //nolint:usetesting // there are thousands
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	dir := filepath.Join(base, "log")
	if files := c.crash(random); files != nil {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for path, content := range files {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if exists(segmentPath(dir, 1)) { // whoever looks at it first can read it
		if _, err := verify(dir, nil, nil); err != nil {
			return fmt.Errorf("it cannot be verified before it is taken up: %w", err)
		}
	}
	l, err := openOn(&simDisk{}, dir, &Options{SegmentBytes: 1500, reserve: 8})
	if err != nil {
		return fmt.Errorf("it is not taken up: %w", err)
	}
	if err := errors.Join(l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "afterwards"}), l.Close()); err != nil {
		return fmt.Errorf("it does not go on: %w", err)
	}
	found := map[string]bool{}
	last := ""
	for e, err := range Read(dir) {
		if err != nil {
			return err
		}
		found[e.Call+string(e.Phase)], last = true, e.Call
	}
	for _, call := range c.acknowledged {
		if !found[call] {
			return fmt.Errorf("%s was acknowledged and is not there", call)
		}
	}
	if last != "afterwards" {
		return errors.New("what came last is not last")
	}
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil {
		return errors.Join(errors.New("it does not verify"), err, fmt.Errorf("%v", r.Bad)) //nolint:errorlint // nil, maybe
	} else if r.Unfinished > 0 {
		return fmt.Errorf("%d calls have begun, and nothing says what became of them", r.Unfinished)
	}
	return nil
}

// work records what several writers want, with rotation and checkpoints in between, on a
// disk that may die at some step.
func work(t *testing.T, d *simDisk, dir string, run, events int) {
	t.Helper()
	l, err := openOn(d, dir, &Options{SegmentBytes: 1500, reserve: 8}) // some segments
	if err != nil {
		if d.dies+d.fails == 0 {
			t.Fatal(err)
		}
		return
	}
	var group sync.WaitGroup
	for w := range 3 {
		group.Go(func() {
			for i := range events {
				call := fmt.Sprintf("r%d-w%d-%d", run, w, i)
				for _, phase := range []Phase{PhaseIntent, PhaseOutcome} {
					if err := l.Record(t.Context(), &Event{Phase: phase, Call: call}); err == nil {
						d.ack(call + string(phase))
					} else if d.dies+d.fails == 0 {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if err := l.Close(); err != nil && d.dies+d.fails == 0 {
		t.Error(err)
	}
}

// A life of a log ends in a crash, at any of its steps.
type life struct {
	drop   string // the site whose syncs are left out
	rounds int    // crashes after each step
	random *rand.Rand
}

// lead lives it, once: the disk fails at some step, or the first process dies there and
// another one goes on. It returns the steps, and the first thing that is wrong after a
// crash.
func (l *life) lead(t *testing.T, trouble int, fatal bool) ([]step, error) {
	t.Helper()
	base, err := os.MkdirTemp(t.TempDir(), "life") //nolint:usetesting // there are thousands
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	dir := filepath.Join(base, "log")
	d := &simDisk{drop: l.drop, tear: l.random.IntN(2) == 0}
	if fatal {
		d.dies = trouble
	} else {
		d.fails = trouble
	}
	work(t, d, dir, 1, 4)
	from := 0
	if fatal {
		from = len(d.steps)
		d.dies = 0
		work(t, d, dir, 2, 1)
	}
	c := &crashable{dir: dir, now: map[string]*inode{}, kept: map[string]*inode{}, named: true}
	for i, s := range d.steps {
		if c.take(s); i < from || (l.drop != "" && !soonAfter(d.left, i)) {
			continue
		}
		for range l.rounds {
			if err := c.survives(t, l.random); err != nil {
				return d.steps, fmt.Errorf("trouble at step %d (fatal: %v), crashed after step %d, %s %s: %w", trouble, fatal, i, s.kind, filepath.Base(s.path), err)
			}
		}
	}
	return d.steps, nil
}

// soonAfter says that a step comes soon after one before which a sync was left out: a later
// sync of the same file does for it.
func soonAfter(left []int, step int) bool {
	return slices.ContainsFunc(left, func(at int) bool { return step >= at && step < at+20 })
}

// explore lives many lives.
func explore(t *testing.T, drop string, seed uint64, rounds int) ([]step, error) {
	t.Helper()
	l := &life{drop: drop, rounds: rounds, random: rand.New(rand.NewPCG(seed, 7))}
	all, err := l.lead(t, 0, false)
	for step := range all {
		if err == nil && l.random.IntN(3) == 0 {
			steps, wrong := l.lead(t, step+1, l.random.IntN(3) > 0)
			all, err = append(all, steps...), wrong
		}
	}
	return all, err
}

// Whatever a crash leaves of what was not synced: what was acknowledged is there, the log
// goes on, and it verifies.
func TestACrashLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	seeds := uint64(3)
	if raceDetector {
		seeds = 1
	}
	for seed := range seeds {
		if _, err := explore(t, "", seed, 2); err != nil {
			t.Fatal(err)
		}
	}
}

// And without any one of the syncs that would not be so.
func TestNoSyncIsOneTooMany(t *testing.T) {
	t.Parallel()
	steps, err := explore(t, "", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	sites := map[string]bool{}
	for _, s := range steps {
		if s.site != "" && !strings.Contains(s.site, ".torn-") { // what is kept there was never acknowledged
			sites[s.site] = true
		}
	}
	for s := range sites {
		t.Run(s, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(40) {
				if _, err := explore(t, s, seed, 2); err != nil {
					t.Log(err)
					return
				}
			}
			t.Error("it could be left out, and nobody would notice")
		})
	}
}
