package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A handler of each bad kind.
type badHandler struct{ enabled, handle func() }

func (b badHandler) Enabled(context.Context, slog.Level) bool  { b.enabled(); return true }
func (b badHandler) Handle(context.Context, slog.Record) error { b.handle(); return nil }
func (b badHandler) WithAttrs([]slog.Attr) slog.Handler        { return b }
func (b badHandler) WithGroup(string) slog.Handler             { return b }

// A mirrorFunc is a handler of every level.
type mirrorFunc func(context.Context, slog.Record) error

func (mirrorFunc) Enabled(context.Context, slog.Level) bool          { return true }
func (f mirrorFunc) Handle(ctx context.Context, r slog.Record) error { return f(ctx, r) }
func (f mirrorFunc) WithAttrs([]slog.Attr) slog.Handler              { return f }
func (f mirrorFunc) WithGroup(string) slog.Handler                   { return f }

var down = mirrorFunc(func(context.Context, slog.Record) error { return errors.New("down") })

// A heard handler keeps the calls that it hears of.
type heard struct {
	mu    sync.Mutex
	calls []string
}

func (h *heard) handler() slog.Handler {
	return mirrorFunc(func(ctx context.Context, _ slog.Record) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.calls = append(h.calls, EventFrom(ctx).Call)
		return nil
	})
}

func mirrored(t *testing.T, mirrors ...slog.Handler) *Log {
	t.Helper()
	l, err := Open(filepath.Join(t.TempDir(), "log"), &Options{Mirrors: mirrors})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func recorded(t *testing.T, l *Log, e *Event) {
	t.Helper()
	if err := l.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// notices returns the reasons of a log's notices of losses.
func notices(t *testing.T, l *Log) []string {
	t.Helper()
	var reasons []string
	for e, err := range Read(l.dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Phase == PhaseNotice && e.Decision.Rule == ruleMirrors {
			reasons = append(reasons, e.Decision.Reason)
		}
	}
	return reasons
}

func TestABadMirrorHoldsNothingUpAndIsCounted(t *testing.T) {
	t.Parallel()
	fine := func() {}
	var none map[string]int
	for name, h := range map[string]slog.Handler{
		"Enabled panics":              badHandler{func() { panic("enabled") }, fine},
		"Handle panics":               badHandler{fine, func() { none["x"] = 1 }},
		"Handle panics with no error": badHandler{fine, func() { panic(struct{ x []int }{}) }},
		"Handle ends its goroutine":   badHandler{fine, runtime.Goexit},
		"Enabled ends its goroutine":  badHandler{runtime.Goexit, fine},
	} {
		for how, mirror := range map[string]slog.Handler{
			"alone": h, "named": Mirror{Handler: h, Name: "bad"}, "in a Fanout": Fanout(h), "in a Failover": Failover(h),
			"behind a route": Router(nil, Route{To: h, If: func(*Event) bool { return true }}), "for the rest": Router(h, Route{To: h, Tools: []string{"t"}}),
		} {
			l := mirrored(t, mirror)
			for range 3 {
				recorded(t, l, &Event{Phase: PhaseNotice})
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if s := l.Stats().Mirrors[0]; s.Failed != 3 || s.Taken+s.Skipped+s.Dropped+s.Waiting != 0 || s.Err == nil {
				t.Errorf("%s, %s: %+v", name, how, s)
			}
		}
	}
}

func TestNoMirrorIsTakenThatCouldNotWork(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]slog.Handler{
		{nil}, {Mirror{Name: "x"}}, {&Mirror{Name: "x"}}, {Mirror{Handler: down, Name: "x"}, &Mirror{Handler: down, Name: "x"}},
	} {
		if _, err := Open(filepath.Join(t.TempDir(), "log"), &Options{Mirrors: bad}); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	l := mirrored(t, down, Mirror{Handler: down, Name: "siem"}, Mirror{Handler: down})
	var names []string
	for _, m := range l.Stats().Mirrors {
		names = append(names, m.Name)
	}
	if got := strings.Join(names, ", "); got != "mirror 1 (audit.mirrorFunc), siem, mirror 3 (audit.mirrorFunc)" {
		t.Error(got)
	}
}

// A mirror that blocks for ever costs its own queue, and every event that it did not get
// is counted.
func TestABlockedMirrorSlowsNoRecordAndLosesNothingUncounted(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	good := new(heard)
	l := mirrored(t, mirrorFunc(func(context.Context, slog.Record) error { <-release; return nil }), good.handler())
	const events = mirrorQueue + 100
	for i := range events {
		recorded(t, l, &Event{Phase: PhaseIntent, Call: fmt.Sprint(i)})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := l.Stats().Mirrors
	if s[0].Waiting != 1 || s[0].Dropped != events-1 || s[1].Taken < events || len(good.calls) < events {
		t.Errorf("%+v", s)
	}
	told := notices(t, l)
	if last := told[len(told)-1]; !strings.Contains(last, "mirror 1 (audit.mirrorFunc) failed to take 0 events and dropped") || !strings.Contains(last, "has not answered for 1") || strings.Contains(last, "mirror 2") {
		t.Error(told)
	}
}

// What waits is bounded in bytes too: 1,024 events can be as many mebibytes.
func TestALargeEventDoesNotFillTheMemoryThroughAMirror(t *testing.T) {
	t.Parallel()
	var stats counters
	release := make(chan struct{})
	m := newMirrors([]slog.Handler{mirrorFunc(func(context.Context, slog.Record) error { <-release; return nil })}, &stats)
	line := []byte(`{"v":1,"call":"` + strings.Repeat("x", 1<<20) + `"}`)
	for range 100 {
		m.offer(line)
	}
	if s := stats.read().Mirrors[0]; s.Dropped < 83 || s.Dropped > 85 || m.each[0].bytes.Load() > mirrorBytes {
		t.Errorf("%+v, %d bytes wait", s, m.each[0].bytes.Load())
	}
	m.close(time.Millisecond)
	m.offer(line)
	m.close(time.Millisecond)
	if s := stats.read().Mirrors[0]; s.Waiting != 1 || s.Dropped != 99 {
		t.Errorf("%+v", s)
	}
	close(release)
	m.done.Wait()
	if s := stats.read().Mirrors[0]; s.Waiting != 0 || s.Taken != 1 || s.Dropped != 99 {
		t.Errorf("%+v", s)
	}
}

// Losses are told while the log is in use: soon, then once a minute at most, and not for
// ever: the notice that a mirror loses is no reason for another one.
func TestLossesAreToldAtMostOnceAMinuteAndOnlyWhileThereAreAny(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := mirrored(t, slog.DiscardHandler, Mirror{Handler: down, Name: "siem"})
		recorded(t, l, &Event{Phase: PhaseIntent, Call: "a"})
		time.Sleep(noticeAfter - time.Nanosecond)
		synctest.Wait()
		if told := notices(t, l); len(told) != 0 {
			t.Errorf("at once: %v", told)
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if told := notices(t, l); len(told) != 1 || told[0] != "since the last notice: siem failed to take 1 events and dropped 0 that it had no room for" {
			t.Errorf("after %v: %v", noticeAfter, told)
		}
		for range 18 {
			time.Sleep(10 * time.Second)
			recorded(t, l, &Event{Phase: PhaseIntent, Call: "b"})
		}
		if told := notices(t, l); len(told) != 3 && len(told) != 4 {
			t.Errorf("after three minutes: %v", told)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		told := notices(t, l)
		if len(told) != 4 && len(told) != 5 {
			t.Errorf("after an hour of peace: %v", told)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s := l.Stats().Mirrors
		if s[0].Skipped != s[1].Failed || s[1].Failed != uint64(19+len(told)) {
			t.Errorf("%+v", s)
		}
		last := notices(t, l)[len(told)]
		if want := fmt.Sprintf("since the log was opened: siem failed to take %d events and dropped 0 that it had no room for", s[1].Failed); last != want {
			t.Errorf("got %q, want %q", last, want)
		}
	})
}

// A mirror that hangs drops the notice of what it dropped.
func TestTheNoticeThatIsDroppedIsNoReasonForAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := mirrorFunc(func(ctx context.Context, _ slog.Record) error { <-ctx.Done(); return ctx.Err() })
		l := mirrored(t, hangs)
		synctest.Wait()
		for range mirrorQueue + 2 {
			recorded(t, l, &Event{Phase: PhaseIntent})
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		s := l.Stats().Mirrors[0]
		if told := notices(t, l); len(told) != 1 || !strings.Contains(told[0], "dropped 1 that") || s.Dropped != 2 || s.Waiting != mirrorQueue+1 {
			t.Errorf("%v, %+v", told, s)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A log that cannot take the notice is asked again, with what was lost meanwhile.
func TestALossIsToldLaterWhenTheLogIsNotWell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stats counters
		var told []string
		var healthy atomic.Bool
		m := newMirrors([]slog.Handler{Mirror{Handler: down, Name: "siem"}}, &stats)
		m.report(func(_ context.Context, e *Event) error {
			told = append(told, e.Decision.Reason)
			if !healthy.Load() {
				return errors.New("full")
			}
			return nil
		})
		m.offer([]byte(`{"v":1}`))
		time.Sleep(30 * time.Second)
		m.offer([]byte(`{"v":1}`))
		synctest.Wait()
		healthy.Store(true)
		time.Sleep(time.Hour)
		m.close(time.Second)
		if len(told) != 2 || !strings.Contains(told[0], "take 1 events") || !strings.Contains(told[1], "take 2 events") {
			t.Error(told)
		}
	})
}

// Close does not wait for what the notice waits for, and a handler that heeds its context
// is waited for.
func TestCloseEndsTheReporterAndTheContextOfHandlers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stats counters
		heeds := mirrorFunc(func(ctx context.Context, _ slog.Record) error { <-ctx.Done(); return ctx.Err() })
		m := newMirrors([]slog.Handler{heeds}, &stats)
		m.report(func(ctx context.Context, _ *Event) error { <-ctx.Done(); return ctx.Err() })
		for range mirrorQueue + 2 {
			m.offer([]byte(`{"v":1}`))
		}
		time.Sleep(time.Minute)
		m.close(closeBudget)
		if s := stats.read().Mirrors[0]; s.Failed != 1 || s.Dropped != mirrorQueue+1 || s.Waiting != 0 || !errors.Is(s.Err, context.Canceled) {
			t.Errorf("%+v", s)
		}
	})
}

// full is an event with every member.
func full() *Event {
	e := &Event{
		Phase: PhaseOutcome, Call: "call-1", Caller: Caller{Roles: []string{"r"}, Scopes: []string{"s"}}, Duration: 1500 * time.Microsecond,
		Args: Args{Digest: "d", Bytes: 9007199254740993, Unknown: 2, Fields: []Field{
			{Name: "stack", Clear: `{"time":[1,2.5,1e400,12345678901234567890]}`}, {Name: "query", HMAC: "h", Len: 3},
		}},
		Credentials: []Credential{{Name: "key", Expires: time.Unix(1, 0)}}, Egress: []Egress{{Host: "h", Bytes: 7}},
	}
	for _, group := range []any{&e.Server, &e.Caller, &e.MCP, &e.Decision, &e.Approval, &e.Outcome, &e.Trace, &e.Credentials[0]} {
		v := reflect.ValueOf(group).Elem()
		for i := range v.NumField() {
			switch field := v.Field(i); field.Kind() {
			case reflect.String:
				field.SetString("some-" + strings.ToLower(v.Type().Field(i).Name))
			case reflect.Int:
				field.SetInt(42)
			}
		}
	}
	return e
}

// What a mirror gets is what the log has: the same names, and kinds that a handler which
// tells them apart can use.
func TestNoMemberOfAnEventIsMissingFromItsRecordOrUndocumented(t *testing.T) {
	t.Parallel()
	var got slog.Record
	var from *Event
	l := mirrored(t, mirrorFunc(func(ctx context.Context, r slog.Record) error { got, from = r, EventFrom(ctx); return nil }))
	recorded(t, l, full())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	flat := map[string]slog.Value{}
	var walk func(path string, a slog.Attr)
	walk = func(path string, a slog.Attr) {
		if a.Value.Kind() == slog.KindGroup {
			for _, inner := range a.Value.Group() {
				walk(path+a.Key+".", inner)
			}
			return
		}
		flat[path+a.Key] = a.Value
	}
	got.Attrs(func(a slog.Attr) bool { walk("", a); return true })
	for name, want := range map[string]any{
		"v": int64(2), "seq": int64(1), "call": "call-1", "mcp.tool": "some-tool", "duration_us": int64(1500), "args.bytes": int64(9007199254740993),
		"args.fields.query.hmac": "h", "args.fields.query.len": int64(3), "trace.trace_id": "some-traceid", "outcome.bytes": int64(42),
		"args.fields.stack.clear.time": "[1 2.5 1e400 12345678901234567890]",
	} {
		value := flat[name].Any()
		if list, ok := value.([]any); ok {
			value = fmt.Sprint(list)
		}
		if value != want {
			t.Errorf("%s is %v (%T), not %v (%T)", name, value, value, want, want)
		}
	}
	if _, there := flat["outcome.stack"]; there || from.Outcome.Stack != "" {
		t.Error("the stack leaves the log")
	}
	if _, there := flat["time"]; there || !got.Time.Equal(from.Time) || got.Time.IsZero() || got.Message != "audit" {
		t.Errorf("the time stands twice, or is not the event's: %v, %q", got, got.Message)
	}
	if from.Call != "call-1" || from.Seq != 1 || EventFrom(t.Context()) != nil {
		t.Errorf("EventFrom returns %+v", from)
	}
	document, err := os.ReadFile("../docs/mirrors.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range flat {
		if strings.HasPrefix(name, "args.fields.") || strings.HasPrefix(name, "answer.fields.") {
			name, _, _ = strings.Cut(name, ".fields")
			name += ".fields"
		}
		if strings.HasPrefix(name, "integrity.") {
			continue // belongs to the log's own chain
		}
		if !strings.Contains(string(document), "`"+name+"`") {
			t.Errorf("docs/mirrors.md does not name the attribute %s", name)
		}
	}
}

func TestTheLevelOfAnEventSaysWhetherItIsTrouble(t *testing.T) {
	t.Parallel()
	for want, events := range map[slog.Level][]*Event{
		slog.LevelError: {{Phase: PhaseOrphaned}, {Phase: PhaseOutcome, Outcome: Outcome{Status: StatusPanic}}, {Phase: PhaseOutcome, Outcome: Outcome{Status: StatusWithheld}}},
		slog.LevelWarn: {
			{Phase: PhaseRefused, Decision: Decision{Effect: EffectDeny}},
			{Phase: PhaseIntent, Decision: Decision{Effect: EffectObserve}},
			{Phase: PhaseOutcome, Outcome: Outcome{Status: StatusTimeout}},
			mirrorNotice("now", []string{"x"}),
		},
		slog.LevelInfo: {
			{Phase: PhaseIntent, Decision: Decision{Effect: EffectPermit}},
			{Phase: PhaseOutcome, Outcome: Outcome{Status: StatusOK}},
			{Phase: PhaseOutcome, Outcome: Outcome{Status: StatusToolError}},
			{Phase: PhaseNotice, Decision: Decision{By: "server"}},
		},
	} {
		for _, e := range events {
			if got := e.level(); got != want {
				t.Errorf("%+v is of the level %v, not %v", e, got, want)
			}
		}
	}
}
