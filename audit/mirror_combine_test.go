package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/slogtest"
)

// given hands a handler an event as the log does.
func given(h slog.Handler, e *Event) error {
	r := slog.NewRecord(e.Time, e.level(), "audit", 0)
	return part{h}.Handle(context.WithValue(context.Background(), eventKey{}, e), r)
}

func every(*Event) bool { return true }

// at is a handler of a level and above.
func at(level slog.Level, h *heard) slog.Handler { return levelled{h.handler(), level} }

type levelled struct {
	slog.Handler

	level slog.Level
}

func (l levelled) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }
func (l levelled) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l levelled) WithGroup(string) slog.Handler                    { return l }

var panics = mirrorFunc(func(context.Context, slog.Record) error { panic("mirror") })

func TestAFanoutGivesEachEventToEveryHandlerWhateverTheOthersDo(t *testing.T) {
	t.Parallel()
	one, loud := new(heard), new(heard)
	h := Fanout(down, panics, badHandler{func() { panic("enabled") }, func() {}}, one.handler(), at(slog.LevelError, loud))
	err := given(h, &Event{Call: "a"})
	if err == nil || strings.Count(err.Error(), "\n") != 2 || !slices.Equal(one.calls, []string{"a"}) || loud.calls != nil {
		t.Errorf("%v; %v, %v", err, one.calls, loud.calls)
	}
	if err := given(Fanout(one.handler(), at(slog.LevelError, loud)), &Event{Call: "b"}); err != nil {
		t.Error(err)
	}
	if err := given(Fanout(at(slog.LevelError, loud), at(slog.LevelError, loud)), &Event{}); !passed(err) {
		t.Errorf("an event for nobody: %v", err)
	}
	if err := Fanout(at(slog.LevelError, loud)).Handle(t.Context(), slog.Record{}); err == nil {
		t.Error("an event for nobody was taken")
	}
}

func TestAFailoverLosesNothingInSilence(t *testing.T) {
	t.Parallel()
	first, second := new(heard), new(heard)
	for _, h := range []slog.Handler{
		Failover(first.handler(), second.handler()), Failover(down, first.handler()), Failover(panics, down, first.handler(), second.handler()),
		Failover(at(slog.LevelError, second), first.handler()),
	} {
		if err := given(h, &Event{Call: "a"}); err != nil {
			t.Error(err)
		}
	}
	if len(first.calls) != 4 || second.calls != nil {
		t.Errorf("the first that could has %v, the others %v", first.calls, second.calls)
	}
	err := given(Failover(down, at(slog.LevelError, second)), &Event{})
	if !errors.Is(err, errNobodyHas) || !strings.Contains(err.Error(), "down") || passed(err) {
		t.Errorf("none took it: %v", err)
	}
	if err := Failover(at(slog.LevelError, second)).Handle(t.Context(), slog.Record{}); err == nil {
		t.Error("an event that no handler is enabled for was taken")
	}
}

func TestARouterGivesEachEventToItsRoutesAndLosesNoneInSilence(t *testing.T) {
	t.Parallel()
	denials, deletions, acme, rest := new(heard), new(heard), new(heard), new(heard)
	routes := []Route{
		{To: at(slog.LevelWarn, denials), Effects: []Effect{EffectDeny, EffectAsk}},
		{To: deletions.handler(), Tools: []string{"delete_document"}},
		{To: acme.handler(), Tools: []string{"search"}, If: func(e *Event) bool { return e.Caller.Tenant == "acme" }},
	}
	events := []*Event{
		{Call: "denied", Phase: PhaseRefused, MCP: MCP{Tool: "delete_document"}, Decision: Decision{Effect: EffectDeny}},
		{Call: "deleted", MCP: MCP{Tool: "delete_document"}, Decision: Decision{Effect: EffectPermit}},
		{Call: "quietly asked", MCP: MCP{Tool: "search"}, Decision: Decision{Effect: EffectAsk}},
		{Call: "acme's", MCP: MCP{Tool: "search"}, Caller: Caller{Tenant: "acme"}},
		{Call: "acme's other", MCP: MCP{Tool: "other"}, Caller: Caller{Tenant: "acme"}},
	}
	h := Router(rest.handler(), routes...)
	for _, h := range []slog.Handler{h, h.WithGroup("audit").WithAttrs([]slog.Attr{slog.String("tool", "x")})} {
		denials.calls, deletions.calls, acme.calls, rest.calls = nil, nil, nil, nil
		for _, e := range events {
			if err := given(h, e); err != nil {
				t.Error(err)
			}
		}
		for name, x := range map[string]struct{ got, want []string }{
			"denials":   {denials.calls, []string{"denied"}},
			"deletions": {deletions.calls, []string{"denied", "deleted"}},
			"acme":      {acme.calls, []string{"acme's"}},
			"the rest":  {rest.calls, []string{"quietly asked", "acme's other"}},
		} {
			if !slices.Equal(x.got, x.want) {
				t.Errorf("%s: %q, not %q", name, x.got, x.want)
			}
		}
	}
	if err := given(Router(nil, routes...), events[4]); !errors.Is(err, errUnrouted) {
		t.Errorf("an event without a route: %v", err)
	}
	if err := given(Router(slog.DiscardHandler, routes...), events[4]); !passed(err) {
		t.Errorf("an event that is not wanted: %v", err)
	}
	if err := given(Router(slog.DiscardHandler, Route{To: down, If: every}), events[0]); err == nil {
		t.Error("a route that fails took an event")
	}
	if err := given(Router(rest.handler(), Route{To: deletions.handler(), If: func(*Event) bool { panic("if") }}, Route{To: acme.handler(), If: every}), events[0]); err == nil || acme.calls[1] != "denied" {
		t.Errorf("a rule that panics: %v, %v", err, acme.calls)
	}
	rest.calls = nil
	if err := Router(mirrorFunc(func(context.Context, slog.Record) error { rest.calls = append(rest.calls, "stray"); return nil }), routes...).
		Handle(t.Context(), slog.Record{}); err != nil || len(rest.calls) != 1 {
		t.Errorf("what is no event goes to %v, %v", rest.calls, err)
	}
}

// Two routers from one slice of routes keep their own.
func TestARouterKeepsItsRoutes(t *testing.T) {
	t.Parallel()
	one, two := new(heard), new(heard)
	routes := append(make([]Route, 0, 4), Route{To: one.handler(), Tools: []string{"a"}})
	first := Router(nil, append(routes, Route{To: one.handler(), Tools: []string{"b"}})...)
	second := Router(nil, append(routes, Route{To: two.handler(), Tools: []string{"b"}})...)
	routes[0].Tools[0] = "changed"
	for _, h := range []slog.Handler{first, second} {
		for _, tool := range []string{"a", "b"} {
			if err := given(h, &Event{Call: tool, MCP: MCP{Tool: tool}}); err != nil {
				t.Error(err)
			}
		}
	}
	if !slices.Equal(one.calls, []string{"a", "b", "a"}) || !slices.Equal(two.calls, []string{"b"}) {
		t.Errorf("%v, %v", one.calls, two.calls)
	}
}

func TestWiringMistakesOfMirrorsPanic(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"no handlers of a Fanout":       func() { Fanout() },
		"a nil handler of a Fanout":     func() { Fanout(down, nil) },
		"no handlers of a Failover":     func() { Failover() },
		"a nil handler of a Failover":   func() { Failover(nil) },
		"no routes":                     func() { Router(down) },
		"a route to nowhere":            func() { Router(down, Route{If: every}) },
		"a route without a condition":   func() { Router(down, Route{To: down}) },
		"a route for an unknown effect": func() { Router(down, Route{To: down, Effects: []Effect{"denied"}}) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "audit: ") {
					t.Errorf("%s: no sentence says that it is wrong", name)
				}
			}()
			f()
		}()
	}
}

// The standard library's own tests of handlers: no attribute and no group is lost, whether
// it comes with the record or before.
func TestCombinationsAreHandlersAsSlogDescribesThem(t *testing.T) {
	t.Parallel()
	for name, combine := range map[string]func(slog.Handler) slog.Handler{
		"Fanout":               func(h slog.Handler) slog.Handler { return Fanout(h, slog.DiscardHandler) },
		"Fanout of one":        func(h slog.Handler) slog.Handler { return Fanout(h) },
		"Failover":             func(h slog.Handler) slog.Handler { return Failover(slog.DiscardHandler, h) },
		"Router, by a route":   func(h slog.Handler) slog.Handler { return routing{Router(nil, Route{To: h, If: every})} },
		"Router, for the rest": func(h slog.Handler) slog.Handler { return Router(h, Route{To: down, If: every}) },
		"Mirror":               func(h slog.Handler) slog.Handler { return Mirror{Handler: h, Name: "x"} },
	} {
		var out bytes.Buffer
		err := slogtest.TestHandler(combine(slog.NewJSONHandler(&out, nil)), func() []map[string]any {
			var lines []map[string]any
			for line := range strings.Lines(out.String()) {
				var m map[string]any
				if err := json.Unmarshal([]byte(line), &m); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, m)
			}
			return lines
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// routing adds an event, so that routes can look at it.
type routing struct{ slog.Handler }

func (r routing) Handle(ctx context.Context, record slog.Record) error {
	return r.Handler.Handle(context.WithValue(ctx, eventKey{}, new(Event)), record)
}
func (r routing) WithAttrs(a []slog.Attr) slog.Handler { return routing{r.Handler.WithAttrs(a)} }
func (r routing) WithGroup(name string) slog.Handler   { return routing{r.Handler.WithGroup(name)} }
