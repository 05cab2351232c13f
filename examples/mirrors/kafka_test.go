package mirrors_test

import (
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/safemcp/safemcp/examples/mirrors"
)

func kafkaTo(t *testing.T, brokers ...string) slog.Handler {
	t.Helper()
	client, err := mirrors.KafkaClient(brokers...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return mirrors.Kafka(client, "audit")
}

func TestAnEventArrivesInATopicOfKafka(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.SeedTopics(3, "audit"), kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	h := kafkaTo(t, cluster.ListenAddrs()...)
	arrives(t, h)
	consumer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("audit"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	fetched := consumer.PollFetches(t.Context())
	if err := fetched.Err(); err != nil || fetched.NumRecords() != 1 {
		t.Fatalf("%v, %d records", err, fetched.NumRecords())
	}
	r := fetched.Records()[0]
	if string(r.Key) != "call-1" {
		t.Errorf("the key is %q", r.Key)
	}
	holds(t, r.Value)
	cluster.Close()
	isLost(t, h)
}

func TestAKafkaThatIsDownOrHangsIsCounted(t *testing.T) {
	t.Parallel()
	isLost(t, kafkaTo(t, nobody(t)))
	isLost(t, kafkaTo(t, tarpit(t)))
}
