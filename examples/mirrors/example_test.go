package mirrors_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/examples/mirrors"
)

func Example_text() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	stderr := os.Stdout // an example shows nothing else
	text := slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: short})
	trail, err := audit.Open(dir+"/log", &audit.Options{
		Mirrors: []slog.Handler{audit.Mirror{Name: "stderr", Handler: text}},
	})
	if err != nil {
		panic(err)
	}
	for _, phase := range []audit.Phase{audit.PhaseIntent, audit.PhaseRefused} {
		if err := trail.Record(context.Background(), &audit.Event{Phase: phase, MCP: audit.MCP{Tool: "delete_document"}}); err != nil {
			panic(err)
		}
	}
	if err := trail.Close(); err != nil {
		panic(err)
	}
	// Output: level=WARN msg=audit v=2 seq=2 phase=refused mcp.tool=delete_document
}

// short leaves out what differs from run to run.
func short(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == "time" || a.Key == "id") || len(groups) == 1 && groups[0] == "integrity" {
		return slog.Attr{}
	}
	return a
}

func Example_json() { //nolint:testableexamples // there is no such file
	file, err := os.OpenFile("/var/log/weather/audit.json", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	_ = audit.Options{Mirrors: []slog.Handler{
		slog.NewJSONHandler(file, nil).WithGroup("audit"),
	}}
}

func Example_syslog() { //nolint:testableexamples // it needs its target; the handler is tested against one
	local := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unixgram", "/dev/log")
	}
	remote := func(ctx context.Context) (net.Conn, error) {
		d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12}}
		return d.DialContext(ctx, "tcp", "syslog.example.com:6514")
	}
	_ = audit.Options{Mirrors: []slog.Handler{
		audit.Mirror{Name: "syslog", Handler: audit.Failover(mirrors.Syslog("weather", remote), mirrors.Syslog("weather", local))},
	}}
}

func Example_otlp() { //nolint:testableexamples // it needs its target; the handler is tested against one
	exporter, err := otlploghttp.New(context.Background(),
		otlploghttp.WithEndpointURL("http://127.0.0.1:4318/v1/logs"),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: time.Second, MaxElapsedTime: 3 * time.Second}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = audit.Options{Mirrors: []slog.Handler{
		audit.Mirror{Name: "otlp", Handler: mirrors.OTLP("weather", exporter)},
	}}
}

func Example_kafka() { //nolint:testableexamples // it needs its target; the handler is tested against one
	client, err := mirrors.KafkaClient("kafka-1.example.com:9092", "kafka-2.example.com:9092")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close() // after the log's Close
	_ = audit.Options{Mirrors: []slog.Handler{
		audit.Mirror{Name: "kafka", Handler: mirrors.Kafka(client, "audit")},
	}}
}

func Example_jetStream() { //nolint:testableexamples // it needs its target; the handler is tested against one
	conn, err := mirrors.NATS("nats://nats.example.com:4222")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close() // after the log's Close
	js, err := jetstream.New(conn)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = audit.Options{Mirrors: []slog.Handler{
		audit.Mirror{Name: "nats", Handler: mirrors.JetStream(js, "audit.weather")},
	}}
}

// mirrorsOf combines: everything goes to the collector, or to a file while that is down;
// refusals and deletions go to those who are on call.
func mirrorsOf(collector, file, pager slog.Handler) []slog.Handler {
	return []slog.Handler{
		audit.Mirror{Name: "collector", Handler: audit.Failover(collector, file)},
		audit.Mirror{Name: "on call", Handler: audit.Router(slog.DiscardHandler,
			audit.Route{To: pager, Effects: []audit.Effect{audit.EffectDeny}},
			audit.Route{To: pager, Tools: []string{"delete_document"}, If: func(e *audit.Event) bool { return e.Phase == audit.PhaseOutcome }},
		)},
	}
}

func Example_combined() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	gone, err := os.Open(os.DevNull) // cannot be written to
	if err != nil {
		panic(err)
	}
	to := func(f *os.File, name string) slog.Handler {
		return slog.NewTextHandler(f, &slog.HandlerOptions{ReplaceAttr: short}).WithAttrs([]slog.Attr{slog.String("to", name)})
	}
	trail, err := audit.Open(dir+"/log", &audit.Options{Mirrors: mirrorsOf(to(gone, "collector"), slog.DiscardHandler, to(os.Stdout, "pager"))})
	if err != nil {
		panic(err)
	}
	for _, e := range []*audit.Event{
		{Phase: audit.PhaseRefused, MCP: audit.MCP{Tool: "search"}, Decision: audit.Decision{Effect: audit.EffectDeny}},
		{Phase: audit.PhaseIntent, MCP: audit.MCP{Tool: "delete_document"}},
		{Phase: audit.PhaseOutcome, MCP: audit.MCP{Tool: "delete_document"}},
	} {
		if err := trail.Record(context.Background(), e); err != nil {
			panic(err)
		}
	}
	if err := trail.Close(); err != nil {
		panic(err)
	}
	for _, m := range trail.Stats().Mirrors {
		fmt.Println(m.Name, m.Taken, "taken,", m.Skipped, "skipped,", m.Failed, "failed")
	}
	// Output:
	// level=WARN msg=audit to=pager v=2 seq=1 phase=refused mcp.tool=search decision.effect=deny
	// level=INFO msg=audit to=pager v=2 seq=3 phase=outcome mcp.tool=delete_document
	// collector 0 taken, 0 skipped, 3 failed
	// on call 2 taken, 1 skipped, 0 failed
}
