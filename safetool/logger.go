package safetool

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"github.com/safemcp/safemcp/secrets"
)

// A redactingHandler takes issued secrets out of what is logged.
type redactingHandler struct {
	inner  slog.Handler
	broker *secrets.Broker
	call   *Call                   // whose it is, nil where it is of none
	stray  func(bindings []string) // tells of what no call can tell of
}

// of returns the handler of a call's own logger: what it finds goes on record.
func (h *redactingHandler) of(c *Call) *redactingHandler {
	return &redactingHandler{h.inner, h.broker, c, h.stray}
}

func (h *redactingHandler) text(s string) string {
	clean, found := h.broker.RedactString(s)
	if found != nil && (h.call == nil || !h.call.leaks.add("the log", found...)) {
		h.stray(found)
	}
	return clean
}

func (h *redactingHandler) Enabled(ctx context.Context, l slog.Level) bool {
	enabled, err := shielded(func() (bool, error) { return h.inner.Enabled(ctx, l), nil })
	return enabled && err == nil
}

func (h *redactingHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.text(r.Message), r.PC)
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
	return &redactingHandler{h.inner.WithAttrs(clean), h.broker, h.call, h.stray}
}

func (h *redactingHandler) WithGroup(name string) slog.Handler {
	return &redactingHandler{h.inner.WithGroup(h.text(name)), h.broker, h.call, h.stray}
}

// attr returns a with its name and its text redacted. A value of any other type is
// formatted here: what it would print later could not be looked at any more.
func (h *redactingHandler) attr(a slog.Attr) slog.Attr {
	key, value := h.text(a.Key), a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		return slog.String(key, h.text(value.String()))
	case slog.KindGroup:
		group := value.Group()
		clean := make([]slog.Attr, len(group))
		for i, member := range group {
			clean[i] = h.attr(member)
		}
		return slog.Attr{Key: key, Value: slog.GroupValue(clean...)}
	case slog.KindAny:
		return slog.String(key, h.text(printed(value.Any())))
	}
	if h.broker == nil {
		return slog.Attr{Key: key, Value: value}
	}
	texts := []string{value.String()} // a number may be a secret
	if value.Kind() == slog.KindFloat64 {
		texts = append(texts, strconv.FormatFloat(value.Float64(), 'f', -1, 64))
	}
	for _, text := range texts {
		if clean := h.text(text); clean != text {
			return slog.String(key, strings.Trim(clean, `"`))
		}
	}
	return slog.Attr{Key: key, Value: value}
}
