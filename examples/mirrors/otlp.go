package mirrors

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/safemcp/safemcp/audit"
)

// An otlpHandler returns what became of each event. otelslog's own handler returns nil
// whatever happens, and a batch processor drops what it has no room for without a word to
// whoever logs.
type otlpHandler struct{ slog.Handler }

// OTLP returns a handler that exports each event as a log record of the service, in the
// trace that the client sent, and waits for the receiver's answer: one request an event,
// so the receiver is best a collector on the same host.
func OTLP(service string, exporter sdklog.Exporter) slog.Handler {
	provider := sdklog.NewLoggerProvider(
		sdklog.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
		sdklog.WithProcessor(sdklog.NewSimpleProcessor(outcomes{exporter})),
	)
	return otlpHandler{otelslog.NewHandler("github.com/safemcp/safemcp/audit", otelslog.WithLoggerProvider(provider))}
}

type outcomeKey struct{}

// outcomes notes what Export returned where the handler finds it.
type outcomes struct{ sdklog.Exporter }

func (o outcomes) Export(ctx context.Context, records []sdklog.Record) error {
	err := o.Exporter.Export(ctx, records)
	if outcome, ok := ctx.Value(outcomeKey{}).(*error); ok {
		*outcome = err
		return nil // it is told there, and not to OpenTelemetry's global handler of errors
	}
	return err
}

func (h otlpHandler) Handle(ctx context.Context, r slog.Record) error {
	var outcome error
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, outcomeKey{}, &outcome), giveUp)
	defer cancel()
	if err := h.Handler.Handle(inTrace(ctx), r); err != nil {
		return err
	}
	return outcome
}

// inTrace puts the event's trace into the context, which is where OpenTelemetry's records
// have theirs from.
func inTrace(ctx context.Context) context.Context {
	e := audit.EventFrom(ctx)
	if e == nil {
		return ctx
	}
	traceID, err := trace.TraceIDFromHex(e.Trace.TraceID)
	if err != nil {
		return ctx
	}
	spanID, _ := trace.SpanIDFromHex(e.Trace.SpanID)
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, Remote: true}))
}

func (h otlpHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return otlpHandler{h.Handler.WithAttrs(attrs)}
}

func (h otlpHandler) WithGroup(name string) slog.Handler {
	return otlpHandler{h.Handler.WithGroup(name)}
}
