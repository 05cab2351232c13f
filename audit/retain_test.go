package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Segments go oldest first, once they are kept elsewhere and not before, and what is left
// verifies; what somebody else removed does not.
func TestOnlyWhatIsKeptElsewhereGoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		elsewhere, asked := 0, []string{}
		l, err := Open(dir, &Options{SegmentBytes: 1 << 10, Retention: &Retention{MaxBytes: 3 << 10, Shipped: func(_ context.Context, path string) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			if asked = append(asked, filepath.Base(path)); len(asked) == 2 {
				panic("shipped")
			}
			return elsewhere > 0 && segmentNumber(t, path) <= elsewhere, nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			if err := l.Record(t.Context(), &Event{Phase: PhaseNotice}); err != nil {
				t.Fatal(err)
			}
		}
		since := l.Stats()
		time.Sleep(5 * time.Minute)
		before, err := segmentsOf(dir)
		if err != nil || before[0].number != 1 || len(before) < 6 {
			t.Fatalf("something went that is nowhere else: %v, %v", before, err)
		}
		mu.Lock()
		if len(asked) < 4 || slices.Max(asked) != "audit-00000001.jsonl" {
			t.Errorf("asked for %v", asked)
		}
		elsewhere = 4
		mu.Unlock()
		time.Sleep(2 * time.Minute)
		after, err := segmentsOf(dir)
		if err != nil || after[0].number != 5 {
			t.Errorf("left are %v, %v", after, err)
		}
		if exists(notesPath(dir, 4)) || exists(notesPath(dir, 1)) {
			t.Error("checkpoints are left")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if since.Retention != "" {
			t.Errorf("retention says %q", since.Retention)
		}
	})
	r, err := Verify(dir, nil)
	if err != nil || r.Bad != nil || r.Removed == 0 || r.Covered != r.Removed+uint64(r.Events) || !strings.Contains(strings.Join(r.CannotKnow, " "), "are not here") {
		t.Errorf("%+v, %v", r, err)
	}
	l := opened(t, dir, nil) // and it goes on
	if err := errors.Join(l.Record(t.Context(), &Event{Phase: PhaseNotice}), l.Close()); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil {
		t.Errorf("%v, %v", r.Bad, err)
	}
	if err := errors.Join(os.Remove(segmentPath(dir, 5)), os.Remove(notesPath(dir, 5))); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(dir, nil); err != nil || r.Bad == nil || !strings.Contains(r.Bad.Reason, "does not say") {
		t.Errorf("a segment that somebody removed: %v, %v", r.Bad, err)
	}
}

func segmentNumber(t *testing.T, path string) int {
	t.Helper()
	all, err := segmentsOf(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.path == path {
			return s.number
		}
	}
	t.Fatalf("no segment at %s", path)
	return 0
}

func TestASegmentIsFollowedByTheNextWhenItIsOld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for run := range 3 {
		l, err := Open(dir, &Options{SegmentAge: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		l.now = func() time.Time { return now }
		if err := errors.Join(l.Record(t.Context(), &Event{Phase: PhaseNotice}), l.Close()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(40 * time.Minute)
		if segments, err := segmentsOf(dir); err != nil || len(segments) != 1+run/2 {
			t.Errorf("run %d: %v, %v", run, segments, err)
		}
	}
}

func TestARetentionThatLosesSomethingIsRefused(t *testing.T) {
	t.Parallel()
	shipped := func(context.Context, string) (bool, error) { return true, nil }
	for says, r := range map[string]*Retention{
		"no bound":   {Shipped: shipped},
		"no Shipped": {MaxAge: time.Hour},
		"negative":   {MaxBytes: -1, Shipped: shipped},
	} {
		if _, err := Open(t.TempDir(), &Options{Retention: r}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
