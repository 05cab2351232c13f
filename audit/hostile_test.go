package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func opened(t *testing.T, dir string, o *Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Whatever an event holds, a log that took it can be read, verified and opened again,
// and says what the event said.
func TestWhatIsRecordedCanBeRead(t *testing.T) {
	t.Parallel()
	many := func(n int) (e []Egress) {
		for range n {
			e = append(e, Egress{Host: strings.Repeat("h", 1000)})
		}
		return e
	}
	fields := make([]Field, 9000)
	for i := range fields {
		fields[i] = Field{Name: fmt.Sprintf("%04d", i) + strings.Repeat("n", 996), Len: -1}
	}
	asClear := func(value string) *Event {
		return &Event{Args: Args{Fields: []Field{{Name: "a", Clear: value}}}}
	}
	for name, e := range map[string]*Event{
		"a year of five digits":          {Credentials: []Credential{{Name: "n", Expires: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}},
		"milliseconds taken for seconds": {Credentials: []Credential{{Name: "n", Expires: time.Unix(1_790_000_000_000, 0)}}},
		"before the years":               {Credentials: []Credential{{Name: "n", Expires: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)}}},
		"thousands of hosts":             {Egress: many(9000)},
		"more than a line holds":         {Args: Args{Fields: fields}},
		"nothing as clear":               asClear(""),
		"lines as clear":                 asClear("[1,\n2]"),
		"a way out of clear":             asClear(`1}}},"phase":"outcome","x":{"y":{"z":{"q":1`),
		"what is no UTF-8 as clear":      asClear("\"\xff\""),
		"good JSON as clear":             asClear("{ \"b\" : [1.50, \"\u2028\", \"\\u0000\"] }"),
	} {
		e.Phase = PhaseIntent
		dir := t.TempDir()
		l := opened(t, dir, nil)
		err := l.Record(t.Context(), e)
		if (err != nil) != (name == "more than a line holds") {
			t.Errorf("%s: %v", name, err)
		}
		if err := l.Record(t.Context(), &Event{Phase: PhaseOutcome}); err != nil {
			t.Errorf("%s: the log goes on: %v", name, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		for got, err := range Read(dir) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got.Seq == 1 && got.Phase != PhaseIntent && err == nil && name != "more than a line holds" {
				t.Errorf("%s: the phase became %s", name, got.Phase)
			}
		}
		if r, err := Verify(dir, nil); err != nil || r.Bad != nil {
			t.Errorf("%s: %v %v", name, r.Bad, err)
		}
		if err := opened(t, dir, nil).Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing in a line moves a terminal's cursor, hides or reorders what follows.
func TestNoLineHoldsWhatIsNotSeen(t *testing.T) {
	t.Parallel()
	const unseenText = "a\u009b2Jb\u0085c\u202ed\u2028e\u200bf\U000e0041g\x7fh"
	r, err := NewRedactor(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{"a": unseenText})
	if err != nil {
		t.Fatal(err)
	}
	e := &Event{Phase: PhaseIntent, Caller: Caller{Subject: unseenText}, Args: r.Args(raw, Rules{{Name: "a", Rule: RuleClear}}, true)}
	line, err := e.MarshalJSON()
	if err != nil || bytes.ContainsAny(line, "\u009b\u0085\u202e\u2028\u200b\U000e0041\x7f") {
		t.Errorf("%q %v", line, err)
	}
	var back Event
	if err := json.Unmarshal(line, &back); err != nil || back.Caller.Subject != unseenText {
		t.Errorf("%q %v", back.Caller.Subject, err)
	}
	var value string
	if err := json.Unmarshal([]byte(back.Args.Fields[0].Clear), &value); err != nil || value != unseenText {
		t.Errorf("%q %v", value, err)
	}
}

func TestListsSayWhatTheyLeaveOut(t *testing.T) {
	t.Parallel()
	e := &Event{Phase: PhaseIntent}
	for i := range 100 {
		e.Caller.Roles = append(e.Caller.Roles, fmt.Sprint("r", i))
		e.Egress = append(e.Egress, Egress{Host: fmt.Sprint("h", i)})
		e.Credentials = append(e.Credentials, Credential{Name: fmt.Sprint("c", i)})
	}
	line, err := e.MarshalJSON()
	if err != nil || bytes.Count(line, []byte("… and 36 more")) != 3 || !json.Valid(line) {
		t.Errorf("%s %v", line, err)
	}
}

func TestATableShowsLongCalls(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Microsecond, 99 * time.Second, 100 * time.Second, 1000 * time.Hour} {
		events := iter.Seq2[*Event, error](func(yield func(*Event, error) bool) {
			yield(&Event{Phase: PhaseOutcome, Duration: d, Outcome: Outcome{Status: StatusOK}}, nil)
		})
		var b strings.Builder
		if err := WriteTable(&b, events, nil); err != nil {
			t.Error(err)
		}
	}
}

// An intent from before two failures of the disk, each of which left a segment behind.
func TestAnIntentIsOrphanedOverSmallSegments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &faultyDisk{}
	l, err := openOn(d, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "lost"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d.fail, d.until = d.step+1, d.step+2
		if err := l.Record(t.Context(), &Event{Phase: PhaseNotice}); err == nil {
			t.Fatal("taken")
		}
		if err := l.Record(t.Context(), &Event{Phase: PhaseNotice}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := opened(t, dir, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(dir, nil); err != nil || r.Segments < 3 || r.Phases[PhaseOrphaned] != 1 || r.Unfinished != 0 {
		t.Errorf("%+v %v", r, err)
	}
}

// One process writes: who finds its lock gone stops, since another may have begun.
func TestALockThatIsTakenAwayEndsTheWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := opened(t, dir, nil)
	if err := a.Record(t.Context(), &Event{Phase: PhaseNotice}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, lockFile)); err != nil {
		t.Skip("a lock that is held cannot be removed here")
	}
	b := opened(t, dir, nil)
	if err := a.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "a"}); err == nil || a.Healthy() == nil {
		t.Errorf("both write: %v", err)
	}
	if err := b.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "b"}); err != nil {
		t.Error(err)
	}
	_, _ = a.Close(), b.Close()
	if r, err := Verify(dir, nil); err != nil || r.Bad != nil {
		t.Errorf("%v %v", r.Bad, err)
	}
}

func TestADirectoryThatIsNotTheLogsAloneIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes")
	}
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
	dir = t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious without an end of line"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{segmentPath(dir, 1), notesPath(dir, 1)} {
		if err := os.Symlink(victim, path); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("got %v", err)
		}
		if _, err := Verify(dir, nil); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("got %v", err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if content, err := os.ReadFile(victim); err != nil || string(content) != "precious without an end of line" {
		t.Errorf("%s %v", content, err)
	}
	if _, err := Verify(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "there is no log") {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestSegmentsHaveNoGapsAndANumberThatCanBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	if err := l.Record(t.Context(), &Event{Phase: PhaseNotice}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segmentPath(dir, 3), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), "segment 2 is missing") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(segmentPath(dir, 3)); err != nil {
		t.Fatal(err)
	}
	l = opened(t, dir, nil)
	l.most, l.number = 1, lastSegment
	if err := l.Record(t.Context(), &Event{Phase: PhaseNotice}); err == nil {
		t.Error("recorded where nobody reads")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// A key is there as a whole or not at all, whenever the process dies.
func TestAKeyIsNeverHalfThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, keyFile+".new"), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := opened(t, dir, nil).Close(); err != nil {
		t.Error(err)
	}
	if _, err := ReadKey(filepath.Join(dir, keyFile)); err != nil {
		t.Error(err)
	}
}

// What Verify keeps of a log does not grow with what somebody wrote into it.
func TestVerifyingAHostileLogTakesLittleMemory(t *testing.T) {
	for _, what := range []string{"call", "phase"} {
		dir := t.TempDir()
		c, err := newChain(bytes.Repeat([]byte{9}, 32))
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		for i := range 20 {
			long := fmt.Sprint(i) + strings.Repeat("x", 4<<20)
			phase, call := "intent", long
			if what == "phase" {
				phase, call = long, ""
			}
			line, m := sealOld(c, fmt.Appendf(nil, `{"v":1,"seq":%d,"time":"2026-01-01T00:00:00Z","phase":%q,"call":%q`, i+1, phase, call))
			c.prev = m
			text = append(text, line...)
		}
		if err := os.WriteFile(segmentPath(dir, 1), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, lockFile), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		text = nil
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Verify(dir, nil)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 || err != nil || (r.Bad == nil) != (what == "call") {
			t.Errorf("%s: %d MB are kept of a log of 80 MB (%v %v)", what, grown>>20, r.Bad, err)
		}
		runtime.KeepAlive(r)
	}
}

type countingDisk struct {
	osDisk
	synced int
}

func (d *countingDisk) syncDir(dir string) error { d.synced++; return d.osDisk.syncDir(dir) }

// A process that died may have made names that are not on disk yet.
func TestTheNameOfASegmentThatIsGoneOnInIsDurable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, dir, nil)
	if err := errors.Join(l.Record(t.Context(), &Event{Phase: PhaseNotice}), l.Close()); err != nil {
		t.Fatal(err)
	}
	d := &countingDisk{}
	l, err := openOn(d, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.synced == 0 {
		t.Error("the directory was not synced")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// sealOld ends a line as version 1 did.
func sealOld(c *chain, body []byte) ([]byte, mac) {
	m := c.next(body)
	line := fmt.Appendf(body, "%s%s%s%s%s\n", tailOpen, c.prev, tailMid, m, tailClose)
	return line, m
}
