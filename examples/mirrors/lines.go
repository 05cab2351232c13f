package mirrors

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"
)

// giveUp is how long a target may take for one event.
const giveUp = 5 * time.Second

// A linesHandler encodes each record as slog.JSONHandler does and sends it.
type linesHandler struct {
	json slog.Handler
	out  *output
	send func(ctx context.Context, r slog.Record, line []byte) error
}

// An output is what the JSON handler of a linesHandler writes to, and those that are made
// of it by WithAttrs and WithGroup.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// eachLine returns a handler that gives each record to send as JSON, without an end of
// line. What send returns, Handle returns.
func eachLine(send func(ctx context.Context, r slog.Record, line []byte) error) slog.Handler {
	out := new(output)
	return linesHandler{json: slog.NewJSONHandler(&out.buffer, nil), out: out, send: send}
}

func (h linesHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.json.Enabled(ctx, level)
}

func (h linesHandler) Handle(ctx context.Context, r slog.Record) error {
	line, err := h.encode(ctx, r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, giveUp)
	defer cancel()
	return h.send(ctx, r, line)
}

func (h linesHandler) encode(ctx context.Context, r slog.Record) ([]byte, error) {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.buffer.Reset()
	if err := h.json.Handle(ctx, r); err != nil {
		return nil, err
	}
	return bytes.Clone(bytes.TrimSuffix(h.out.buffer.Bytes(), []byte("\n"))), nil
}

func (h linesHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.json = h.json.WithAttrs(attrs)
	return h
}

func (h linesHandler) WithGroup(name string) slog.Handler {
	h.json = h.json.WithGroup(name)
	return h
}
