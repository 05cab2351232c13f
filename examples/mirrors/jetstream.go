package mirrors

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/safemcp/safemcp/audit"
)

// NATS connects to a server, now or as soon as it is there. What is published while it is
// not fails at once: the events that were lost are counted, and not sent later as well.
func NATS(url string) (*nats.Conn, error) {
	return nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
}

// JetStream returns a handler that publishes each event as JSON and waits until the
// stream has stored it. The event's ID is the message's, so that a stream drops one that
// comes twice.
func JetStream(js jetstream.JetStream, subject string) slog.Handler {
	return eachLine(func(ctx context.Context, _ slog.Record, line []byte) error {
		var options []jetstream.PublishOpt
		if e := audit.EventFrom(ctx); e != nil {
			options = append(options, jetstream.WithMsgID(e.ID))
		}
		_, err := js.Publish(ctx, subject, line, options...)
		return err
	})
}
