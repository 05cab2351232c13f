package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
)

func opened(t *testing.T, dir string, o *audit.Options) *audit.Log {
	t.Helper()
	l, err := audit.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func event(phase audit.Phase, call string) *audit.Event {
	return &audit.Event{Phase: phase, Call: call, MCP: audit.MCP{Method: "tools/call", Tool: "t"}}
}

func record(t *testing.T, l *audit.Log, events ...*audit.Event) {
	t.Helper()
	for _, e := range events {
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func all(t *testing.T, dir string) []*audit.Event {
	t.Helper()
	var events []*audit.Event
	for e, err := range audit.Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func verified(t *testing.T, dir string, o *audit.VerifyOptions) audit.Report {
	t.Helper()
	r, err := audit.Verify(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEventsAreNumberedChainedAndReadBack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l := opened(t, dir, nil)
	record(t, l, event(audit.PhaseIntent, "a"), event(audit.PhaseOutcome, "a"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), event(audit.PhaseIntent, "b")); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if l.Healthy() == nil {
		t.Error("a closed log says that it is well")
	}
	l = opened(t, dir, nil)
	record(t, l, event(audit.PhaseRefused, "c"))
	events := all(t, dir)
	for i, e := range events {
		if e.Seq != uint64(i)+1 || e.Version != 2 || e.Integrity.Sum == "" || e.ID == "" || e.Time.IsZero() {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	r := verified(t, dir, nil)
	if r.Bad != nil || r.Events != 3 || r.Segments != 1 || r.Unfinished != 0 || r.Covered != 2 || len(r.CannotKnow) != 3 || !strings.Contains(r.CannotKnow[1], "the last event") {
		t.Errorf("got %+v", r)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir, nil); r.Bad != nil || r.Covered != 3 || l.Stats().Covered != 3 || len(r.CannotKnow) != 2 {
		t.Errorf("got %+v", r)
	}
}

func TestOnlyTheOwnerReadsTheLog(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps permissions elsewhere")
	}
	dir := filepath.Join(t.TempDir(), "log")
	l := opened(t, dir, nil)
	record(t, l, event(audit.PhaseNotice, ""))
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(dir, nil); err == nil || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a key that others can read: %v", err)
	}
}

func TestASecondWriterIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened(t, dir, nil)
	if _, err := audit.Open(dir, nil); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
}

func TestALogWithoutItsKeyIsNotContinued(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	record(t, l, event(audit.PhaseNotice, ""))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(dir, nil); err == nil || !strings.Contains(err.Error(), "key") {
		t.Errorf("got %v", err)
	}
}

func TestWhatACancelledCallerWantedIsNotRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Record(ctx, event(audit.PhaseIntent, "a")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(all(t, dir)); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestManyWritersMakeOneChain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 25 {
				call := fmt.Sprintf("%d-%d", i, n)
				if err := l.Record(context.Background(), event(audit.PhaseIntent, call)); err != nil {
					t.Error(err)
				}
				if err := l.Record(context.Background(), event(audit.PhaseOutcome, call)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if r := verified(t, dir, nil); r.Bad != nil || r.Events != 400 || r.Unfinished != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestACallThatNeverEndedIsOrphanedAtTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	record(t, l, event(audit.PhaseIntent, "ended"), event(audit.PhaseIntent, "lost"), event(audit.PhaseOutcome, "ended"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second start finds nothing more to do
		l = opened(t, dir, nil)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	events := all(t, dir)
	if len(events) != 4 || events[3].Phase != audit.PhaseOrphaned || events[3].Call != "lost" || events[3].MCP.Tool != "t" {
		t.Errorf("got %d events, the last %+v", len(events), events[len(events)-1])
	}
}

func TestATornLineIsCutOffAndSaidSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	record(t, l, event(audit.PhaseNotice, "one"), event(audit.PhaseNotice, "two"))
	notes := filepath.Join(dir, "audit-00000001.checkpoints")
	begun, err := os.ReadFile(notes) // before anything is covered
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "audit-00000001.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(dir, nil); err == nil || !strings.Contains(err.Error(), "lines were removed") {
		t.Errorf("a line that a checkpoint covers was cut off: %v", err)
	}
	for cut := 1; cut < len(whole)/3; cut += 7 {
		if err := errors.Join(os.WriteFile(path, whole[:len(whole)-cut], 0o600), os.WriteFile(notes, begun, 0o600)); err != nil {
			t.Fatal(err)
		}
		if r := verified(t, dir, nil); r.Bad == nil || r.Bad.Line != 2 {
			t.Errorf("cut by %d: verification says %+v", cut, r.Bad)
		}
		l := opened(t, dir, nil)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		events := all(t, dir)
		if len(events) != 2 || events[0].Call != "one" || events[1].Decision.Rule != "torn_line" {
			t.Fatalf("cut by %d: %d events, %+v", cut, len(events), events[len(events)-1])
		}
		if r := verified(t, dir, nil); r.Bad != nil {
			t.Fatalf("cut by %d: %v", cut, r.Bad)
		}
	}
}

func TestACorruptLogIsNotContinued(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	record(t, l, event(audit.PhaseNotice, "one"), event(audit.PhaseNotice, "two"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "audit-00000001.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[strings.Index(string(whole), "one")] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(dir, nil); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(whole) {
		t.Error("opening changed it")
	}
}

// A handler that keeps what it is given, as mirrors do.
type kept struct {
	slog.Handler
	mu      sync.Mutex
	records []slog.Record
	handle  func() error
}

func (k *kept) Enabled(context.Context, slog.Level) bool { return true }

func (k *kept) Handle(_ context.Context, r slog.Record) error {
	if k.handle != nil {
		if err := k.handle(); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, r)
	return nil
}

func (k *kept) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.records)
}

func TestMirrorsGetWhatTheLogGetsWithoutStacks(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	one, two := &kept{}, slog.NewJSONHandler(&text, nil)
	dir := t.TempDir()
	l := opened(t, dir, &audit.Options{Mirrors: []slog.Handler{one, two}})
	e := event(audit.PhaseOutcome, "call-1")
	e.Outcome = audit.Outcome{Status: audit.StatusPanic, Stack: "stack-canary", Cause: "cause"}
	e.Caller.Roles = []string{"r"}
	record(t, l, e)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if one.count() != 1 || !strings.Contains(text.String(), `"call":"call-1"`) || !strings.Contains(text.String(), `"outcome":{"status":"panic","cause":"cause"}`) ||
		!strings.Contains(text.String(), `"level":"ERROR"`) || strings.Contains(text.String(), "stack-canary") {
		t.Errorf("got %d records, %s", one.count(), text.String())
	}
}

// Whatever a mirror does, the log goes on, the other mirrors too, and the losses
// are counted and in the log.
func TestAMirrorThatFailsPanicsOrBlocksHoldsNothingUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	good := &kept{}
	mirrors := []slog.Handler{
		&kept{handle: func() error { return errors.New("down") }},
		&kept{handle: func() error { panic("mirror") }},
		&kept{handle: func() error { <-release; return nil }},
		good,
	}
	dir := t.TempDir()
	l := opened(t, dir, &audit.Options{Mirrors: mirrors})
	const events = 3
	for range events {
		record(t, l, event(audit.PhaseNotice, ""))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := l.Stats()
	if good.count() != events || s.MirrorFailed != 2*events || s.MirrorDropped != events-1 {
		t.Errorf("the good one has %d, stats %+v", good.count(), s)
	}
	recorded := all(t, dir)
	if last := recorded[len(recorded)-1]; len(recorded) != events+1 || last.Decision.Rule != "mirrors" {
		t.Errorf("%d events, the last %+v", len(recorded), last)
	}
}

func TestReadStopsWhereItsReaderDoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	record(t, l, event(audit.PhaseNotice, "a"), event(audit.PhaseNotice, "b"))
	for e, err := range audit.Read(dir) {
		if err != nil || e.Call != "a" {
			t.Errorf("%v, %v", e, err)
		}
		break
	}
	for _, err := range audit.Read(filepath.Join(dir, "nowhere")) {
		if err == nil {
			t.Error("a log that is not there was read")
		}
	}
}

func TestTheTimeOfAnEventIsInUTC(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	record(t, l, event(audit.PhaseNotice, ""))
	e := all(t, dir)[0]
	if _, offset := e.Time.Zone(); offset != 0 || time.Since(e.Time) > time.Hour {
		t.Errorf("got %v", e.Time)
	}
}
