package audit

import (
	"context"
	"log/slog"
	"slices"
)

// A Route says which events a handler of a [Router] gets: those for which each of Tools,
// Effects and If that is given holds. At least one is given.
type Route struct {
	To      slog.Handler
	Tools   []string          // names, exactly as declared
	Effects []Effect          // what was decided
	If      func(*Event) bool // anything else; it does not change the event
}

// matches says whether an event is for the route. Without an event there is nothing that
// could match.
func (r *Route) matches(e *Event) bool {
	return e != nil &&
		(len(r.Tools) == 0 || slices.Contains(r.Tools, e.MCP.Tool)) &&
		(len(r.Effects) == 0 || slices.Contains(r.Effects, e.Decision.Effect)) &&
		(r.If == nil || r.If(e))
}

func (r *Route) check() {
	switch {
	case r.To == nil:
		panic("audit: a route leads to no handler")
	case len(r.Tools) == 0 && len(r.Effects) == 0 && r.If == nil:
		panic("audit: a route says neither Tools nor Effects nor If: give what is for every event to Options.Mirrors")
	}
	for _, e := range r.Effects {
		if !slices.Contains([]Effect{EffectPermit, EffectDeny, EffectAsk, EffectObserve}, e) {
			panic("audit: a route is for the effect " + string(e) + ", which no decision has")
		}
	}
}

// A routed handler passes on what its route is not for. It stands in a part, so that a
// panic of If has failed.
type routed struct {
	slog.Handler

	route *Route
}

func (h routed) Handle(ctx context.Context, r slog.Record) error {
	if !h.route.matches(EventFrom(ctx)) {
		return errPassed
	}
	return h.Handler.Handle(ctx, r)
}

func (h routed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return routed{h.Handler.WithAttrs(attrs), h.route}
}

func (h routed) WithGroup(name string) slog.Handler {
	return routed{h.Handler.WithGroup(name), h.route}
}

// A router is a fanout of its routes, and what gets the rest.
type router struct {
	routes    *fanout
	otherwise []part // one, or none
}

// Router returns a handler that gives each event to every route that is for it and whose
// handler is enabled for its level, and the events that no route takes to otherwise. A
// nil otherwise makes each of those an error, which the log counts and reports;
// [slog.DiscardHandler] says that they are not wanted.
//
// Routes look at the event of [EventFrom], so they hold under WithGroup and WithAttrs, and
// only in a log's mirror: what comes by another way goes to otherwise. Router panics
// without routes, and for a route that no event could be for.
func Router(otherwise slog.Handler, routes ...Route) slog.Handler {
	handlers := make([]slog.Handler, len(routes))
	for i, r := range routes {
		r.check()
		r.Tools, r.Effects = slices.Clone(r.Tools), slices.Clone(r.Effects)
		handlers[i] = routed{r.To, &r}
	}
	made := router{routes: fanoutOf(partsOf("Router", handlers))}
	if otherwise != nil {
		made.otherwise = partsOf("Router", []slog.Handler{otherwise})
	}
	return made
}

func (h router) Enabled(ctx context.Context, level slog.Level) bool {
	return len(h.otherwise) == 0 || anyWants(ctx, level, h.otherwise) || h.routes.Enabled(ctx, level)
}

func (h router) Handle(ctx context.Context, r slog.Record) error {
	err := h.routes.Handle(ctx, r)
	if !passed(err) {
		return err
	}
	if len(h.otherwise) == 0 {
		return errUnrouted
	}
	return h.otherwise[0].Handle(ctx, r.Clone())
}

func (h router) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(slices.Clone(attrs)) })
}

func (h router) WithGroup(name string) slog.Handler {
	return h.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (h router) with(f func(slog.Handler) slog.Handler) slog.Handler {
	return router{routes: fanoutOf(with(h.routes.parts, f)), otherwise: with(h.otherwise, f)}
}
