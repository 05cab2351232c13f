package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	slogmulti "github.com/samber/slog-multi"
)

var (
	// errPassed is what a handler's part returns, as it is, for an event that is not for
	// that handler: no failure, and no success either.
	errPassed    = errors.New("audit: no handler is enabled for the event's level")
	errUnrouted  = errors.New("audit: no route is for this event, and the router has nothing for the others")
	errGoexit    = errors.New("audit: a mirror ended its goroutine")
	errNobodyHas = errors.New("audit: no handler of the failover took the event")
)

// passed says that an error is errPassed and nothing else: what wraps or joins it failed.
func passed(err error) bool {
	return err == errPassed //nolint:errorlint // as above
}

// A part is a handler behind a mirror. slog-multi passes over a handler that is not
// enabled, reads its silence as success, and asks Enabled outside of its recover; so a
// part is always enabled, and its error says what became of the event.
type part struct{ handler slog.Handler }

func (p part) Enabled(context.Context, slog.Level) bool { return true }

// Handle does what the handler's does if that is enabled. A panic is an error.
func (p part) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("audit: a mirror panicked: %v", v)
		}
	}()
	if !p.handler.Enabled(ctx, r.Level) {
		return errPassed
	}
	return p.handler.Handle(ctx, r)
}

func (p part) WithAttrs(attrs []slog.Attr) slog.Handler {
	return part{p.handler.WithAttrs(slices.Clone(attrs))}
}

func (p part) WithGroup(name string) slog.Handler { return part{p.handler.WithGroup(name)} }

// wants says whether the handler would be given an event; one that panics is, to fail.
func (p part) wants(ctx context.Context, level slog.Level) (enabled bool) {
	defer func() {
		if recover() != nil {
			enabled = true
		}
	}()
	return p.handler.Enabled(ctx, level)
}

func partsOf(of string, handlers []slog.Handler) []part {
	if len(handlers) == 0 || slices.Contains(handlers, nil) {
		panic("audit: " + of + " needs handlers, and none of them nil")
	}
	parts := make([]part, len(handlers))
	for i, h := range handlers {
		parts[i] = part{h}
	}
	return parts
}

// with returns what f makes of each.
func with(parts []part, f func(slog.Handler) slog.Handler) []part {
	made := make([]part, len(parts))
	for i, p := range parts {
		made[i] = part{f(p.handler)}
	}
	return made
}

func anyWants(ctx context.Context, level slog.Level, parts []part) bool {
	return slices.ContainsFunc(parts, func(p part) bool { return p.wants(ctx, level) })
}

// A fanout is slog-multi's, over parts.
type fanout struct {
	parts []part
	all   slog.Handler
}

// Fanout returns a handler that gives each event to every one of handlers that is enabled
// for its level. What they fail with is joined; one that panics has failed, and the others
// get the event all the same. It panics without handlers.
//
// Each mirror of Options.Mirrors has its own queue, and is not held up by another; the
// handlers of a Fanout share one. It is for use in [Failover] and [Router].
func Fanout(handlers ...slog.Handler) slog.Handler { return fanoutOf(partsOf("Fanout", handlers)) }

func fanoutOf(parts []part) *fanout {
	handlers := make([]slog.Handler, len(parts))
	for i, p := range parts {
		handlers[i] = p
	}
	return &fanout{parts: parts, all: slogmulti.Fanout(handlers...)}
}

func (f *fanout) Enabled(ctx context.Context, level slog.Level) bool {
	return anyWants(ctx, level, f.parts)
}

func (f *fanout) Handle(ctx context.Context, r slog.Record) error {
	err := f.all.Handle(ctx, r)
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(f.parts) == 1 { // one part's own error, which is not slog-multi's to join
		return err
	}
	all := joined.Unwrap()
	failed := slices.DeleteFunc(slices.Clone(all), passed)
	if len(failed) == 0 && len(all) == len(f.parts) {
		return errPassed
	}
	return errors.Join(failed...)
}

func (f *fanout) WithAttrs(attrs []slog.Attr) slog.Handler {
	return fanoutOf(with(f.parts, func(h slog.Handler) slog.Handler { return h.WithAttrs(slices.Clone(attrs)) }))
}

func (f *fanout) WithGroup(name string) slog.Handler {
	return fanoutOf(with(f.parts, func(h slog.Handler) slog.Handler { return h.WithGroup(name) }))
}

// A failover is a loop of our own: slog-multi's returns nil where no handler is enabled,
// and the last handler's error alone.
type failover []part

// Failover returns a handler that gives each event to the first of handlers that takes
// it: one that fails, panics or is not enabled for its level is followed by the next. If
// none takes it, Handle returns what all of them failed with. It panics without handlers.
//
// It waits for each as long as that takes: give the first ones a bound on time.
func Failover(handlers ...slog.Handler) slog.Handler { return failover(partsOf("Failover", handlers)) }

func (f failover) Enabled(ctx context.Context, level slog.Level) bool {
	return anyWants(ctx, level, f)
}

func (f failover) Handle(ctx context.Context, r slog.Record) error {
	errs := []error{errNobodyHas}
	for _, p := range f {
		err := p.Handle(ctx, r.Clone())
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (f failover) WithAttrs(attrs []slog.Attr) slog.Handler {
	return failover(with(f, func(h slog.Handler) slog.Handler { return h.WithAttrs(slices.Clone(attrs)) }))
}

func (f failover) WithGroup(name string) slog.Handler {
	return failover(with(f, func(h slog.Handler) slog.Handler { return h.WithGroup(name) }))
}
