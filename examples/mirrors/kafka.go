package mirrors

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/safemcp/safemcp/audit"
)

// KafkaClient returns a client that gives an event up after some seconds. What it is
// given is acknowledged by all replicas that are in sync, which is its default.
func KafkaClient(brokers ...string) (*kgo.Client, error) {
	return kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.RecordDeliveryTimeout(giveUp),
		kgo.ProduceRequestTimeout(giveUp),
		kgo.RetryTimeout(giveUp),
	)
}

// Kafka returns a handler that writes each event to a topic as JSON and waits until the
// brokers have it. The key is the call, so that the events of one stay in order.
func Kafka(client *kgo.Client, topic string) slog.Handler {
	return eachLine(func(ctx context.Context, r slog.Record, line []byte) error {
		record := &kgo.Record{Topic: topic, Value: line, Timestamp: r.Time}
		if e := audit.EventFrom(ctx); e != nil {
			record.Key = []byte(e.Call)
		}
		return client.ProduceSync(ctx, record).FirstErr()
	})
}
