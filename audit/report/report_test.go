package report

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/tally"
)

// logged writes events to a log of their own.
func logged(t *testing.T, events ...*audit.Event) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func someCalls() []*audit.Event {
	mcp := audit.MCP{Method: "tools/call", Tool: "get_weather"}
	anna := audit.Caller{ID: "i|anna", Issuer: "i", Subject: "anna"}
	return []*audit.Event{
		{Phase: audit.PhaseIntent, Call: "c1", MCP: mcp, Caller: anna},
		{Phase: audit.PhaseOutcome, Call: "c1", MCP: mcp, Caller: anna, Outcome: audit.Outcome{Status: audit.StatusOK}, Duration: 12 * time.Millisecond},
		{Phase: audit.PhaseRefused, Call: "c2", MCP: mcp, Caller: anna, Decision: audit.Decision{Effect: audit.EffectDeny, By: "policy", Rule: "scopes", Reason: "The scope weather:read is needed."}, Outcome: audit.Outcome{Status: audit.StatusRefused}},
		{Phase: audit.PhaseIntent, Call: "c3", MCP: mcp, Caller: anna},
	}
}

func TestWriteMakesThePageOfALog(t *testing.T) {
	t.Parallel()
	dir := logged(t, someCalls()...)
	var b bytes.Buffer
	found, err := Write(t.Context(), &b, dir, &Options{Title: "Weather & co"})
	if err != nil || found.Bad != nil || found.Events != 4 {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, want := range []string{"<title>Weather &amp; co</title>", "anna", "get_weather", "policy", "scopes", "The scope weather:read is needed.", "12 ms", "No fault was found", "Without a checkpoint from elsewhere", found.Checkpoint, "1 open"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// A log that somebody changed has a page: it says so, and how much of what it shows
// nothing vouches for.
func TestWriteMakesThePageOfALogThatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(lines [][]byte) [][]byte
		says   []string
	}{
		"a word was changed": {
			func(l [][]byte) [][]byte { l[2] = bytes.Replace(l[2], []byte("scopes"), []byte("scopez"), 1); return l },
			[]string{"line 3, event 3", "2 events before it are as written", "counts 2 events from there on", "scopez"},
		},
		"a line is no event": {
			func(l [][]byte) [][]byte { l[2] = []byte("<b>nonsense</b>"); return l },
			[]string{"line 3, event 3", "2 events before it are as written", "could not be read and is not on this page"},
		},
	} {
		dir := logged(t, someCalls()...)
		path := filepath.Join(dir, "audit-00000001.jsonl")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Join(c.change(bytes.Split(content, []byte("\n"))), []byte("\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		found, err := Write(t.Context(), &b, dir, nil)
		if err != nil || found.Bad == nil {
			t.Fatalf("%s: %+v, %v", name, found, err)
		}
		for _, want := range append(c.says, "<title>WRONG: Audit report</title>", "The log is wrong") {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, b.String())
			}
		}
	}
}

func TestWriteWritesNothingWhenItFails(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	full := logged(t, someCalls()...)
	for name, c := range map[string]struct {
		ctx context.Context
		dir string
		o   *Options
	}{
		"there is no log":       {t.Context(), t.TempDir(), nil},
		"there is no directory": {t.Context(), filepath.Join(t.TempDir(), "x"), nil},
		"no such checkpoint":    {t.Context(), full, &Options{Verify: audit.VerifyOptions{Since: "x"}}},
		"nobody waits":          {ended, full, nil},
	} {
		var b bytes.Buffer
		if _, err := Write(c.ctx, &b, c.dir, c.o); err == nil || b.Len() > 0 {
			t.Errorf("%s: %v, and %d bytes", name, err, b.Len())
		}
	}
	if _, err := Write(t.Context(), failing{}, full, nil); !errors.Is(err, errFull) {
		t.Errorf("the disk is full: %v", err)
	}
}

var errFull = errors.New("no space left")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

// The page shows what was verified: no more, and no less.
func TestReadTakesTheEventsThatWereVerified(t *testing.T) {
	t.Parallel()
	events := someCalls()
	trouble := errors.New("an I/O error")
	for name, c := range map[string]struct {
		found audit.Report
		err   error
		want  int // events; -1 for an error
	}{
		"all":                        {audit.Report{Events: 4}, nil, 4},
		"some came later":            {audit.Report{Events: 3}, nil, 3},
		"the later cannot be read":   {audit.Report{Events: 4}, trouble, -1},
		"some are gone":              {audit.Report{Events: 5}, nil, -1},
		"a wrong log, as far as can": {audit.Report{Events: 1, Bad: &audit.BadRecord{}}, trouble, 4},
		"a wrong log that is gone":   {audit.Report{Events: 5, Bad: &audit.BadRecord{}}, nil, -1},
	} {
		f, err := read(t.Context(), given(events, c.err), c.found, nil)
		if (err != nil) != (c.want < 0) || err == nil && f.events != c.want {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

func TestProgressIsTold(t *testing.T) {
	t.Parallel()
	events := make([]*audit.Event, 2*progressEvery+1)
	for i := range events {
		events[i] = &audit.Event{Phase: audit.PhaseNotice}
	}
	var told []int
	if _, err := read(t.Context(), given(events, nil), audit.Report{Events: len(events)}, func(n int) { told = append(told, n) }); err != nil || !slices.Equal(told, []int{progressEvery, 2 * progressEvery}) {
		t.Errorf("%v, %v", told, err)
	}
}

func TestCallsAreCountedOnceByHowTheyEnded(t *testing.T) {
	t.Parallel()
	f := newFigures()
	for _, e := range []*audit.Event{
		{Phase: audit.PhaseIntent},
		{Phase: audit.PhaseNotice, Decision: audit.Decision{By: "server", Rule: "start"}},
		{Phase: "unheard of"},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: audit.StatusOK}},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: audit.StatusInputRequired}},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: audit.StatusRefused}},
		{Phase: audit.PhaseRefused, Outcome: audit.Outcome{Status: audit.StatusRefused}, Decision: audit.Decision{By: "door", Rule: "flood"}},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: audit.StatusToolError}},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: audit.StatusPanic}},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: audit.StatusTimeout}},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: audit.StatusCancelled}},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: audit.StatusWithheld}},
		{Phase: audit.PhaseOutcome, Outcome: audit.Outcome{Status: "made up"}},
		{Phase: audit.PhaseOrphaned},
	} {
		f.add(e, true)
	}
	if want := (tally.Counts{2, 7, 2}); f.ends != want || f.floods != 1 {
		t.Errorf("%v, %d floods", f.ends, f.floods)
	}
	for _, way := range failures {
		if f.failures[way.status] != 1 {
			t.Errorf("%s: %d", way.status, f.failures[way.status])
		}
	}
	if n := f.notices.by(all); len(n) != 1 || n[0].name.of != "start" {
		t.Errorf("%v", n)
	}
	var sum tally.Counts
	for _, l := range f.callers.by(all) {
		sum.Add(l.counts)
	}
	if sum != f.ends {
		t.Errorf("callers have %v of %v", sum, f.ends)
	}
}
