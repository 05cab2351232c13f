package audit

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
)

// A handler of each bad kind.
type badHandler struct{ enabled, handle func() }

func (b badHandler) Enabled(context.Context, slog.Level) bool  { b.enabled(); return true }
func (b badHandler) Handle(context.Context, slog.Record) error { b.handle(); return nil }
func (b badHandler) WithAttrs([]slog.Attr) slog.Handler        { return b }
func (b badHandler) WithGroup(string) slog.Handler             { return b }

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
		l := opened(t, t.TempDir(), &Options{Mirrors: []slog.Handler{h}})
		for range 3 {
			if err := l.Record(t.Context(), &Event{Phase: PhaseNotice}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if s := l.Stats(); s.MirrorFailed != 3 || s.MirrorDropped != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if _, err := Open(t.TempDir(), &Options{Mirrors: []slog.Handler{nil}}); err == nil {
		t.Error("a mirror that is nil is taken")
	}
}
