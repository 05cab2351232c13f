package safetool

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/safemcp/safemcp/secrets"
)

// A redactingHandler takes issued secrets out of what is logged.
type redactingHandler struct {
	inner  slog.Handler
	broker *secrets.Broker
}

func (h *redactingHandler) Enabled(ctx context.Context, l slog.Level) bool {
	enabled, err := shielded(func() (bool, error) { return h.inner.Enabled(ctx, l), nil })
	return enabled && err == nil
}

func (h *redactingHandler) Handle(ctx context.Context, r slog.Record) error {
	message, _ := h.broker.RedactString(r.Message)
	clean := slog.NewRecord(r.Time, r.Level, message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	// Trouble is logged where nothing recovers any more, as of a recorder that fails.
	_, err := shielded(func() (struct{}, error) { return struct{}{}, h.inner.Handle(ctx, clean) })
	return err
}

func (h *redactingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return &redactingHandler{h.inner.WithAttrs(clean), h.broker}
}

func (h *redactingHandler) WithGroup(name string) slog.Handler {
	return &redactingHandler{h.inner.WithGroup(name), h.broker}
}

// attr returns a with its text redacted. A value of any other type is formatted
// here: what it would print later could not be looked at any more.
func (h *redactingHandler) attr(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		text, _ := h.broker.RedactString(value.String())
		return slog.String(a.Key, text)
	case slog.KindGroup:
		group := value.Group()
		clean := make([]any, len(group))
		for i, member := range group {
			clean[i] = h.attr(member)
		}
		return slog.Group(a.Key, clean...)
	case slog.KindAny:
		text, _ := h.broker.RedactString(printed(value.Any()))
		return slog.String(a.Key, text)
	default:
		return slog.Attr{Key: a.Key, Value: value}
	}
}

func printed(v any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a %T that panics when printed", v)
		}
	}()
	return fmt.Sprint(v)
}
