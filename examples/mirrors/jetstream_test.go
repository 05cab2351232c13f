package mirrors_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/safemcp/safemcp/examples/mirrors"
)

func natsServer(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	return s
}

func jetStreamOf(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	conn, err := mirrors.NATS(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestAnEventArrivesInAStreamOfJetStream(t *testing.T) {
	t.Parallel()
	s := natsServer(t)
	js := jetStreamOf(t, s.ClientURL())
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "AUDIT", Subjects: []string{"audit.>"}})
	if err != nil {
		t.Fatal(err)
	}
	h := mirrors.JetStream(js, "audit.weather")
	arrives(t, h)
	m, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, m.Data)
	if len(m.Header.Get(jetstream.MsgIDHeader)) < 20 || m.Subject != "audit.weather" {
		t.Errorf("%v, %s", m.Header, m.Subject)
	}
	isLost(t, mirrors.JetStream(js, "elsewhere")) // which no stream stores
	s.Shutdown()
	s.WaitForShutdown()
	isLost(t, h)
}

// Somebody takes the message and nobody says that it was stored.
func TestAJetStreamThatIsDownOrHangsIsCounted(t *testing.T) {
	t.Parallel()
	js := jetStreamOf(t, natsServer(t).ClientURL())
	if _, err := js.Conn().SubscribeSync("hangs"); err != nil {
		t.Fatal(err)
	}
	if err := js.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	isLost(t, mirrors.JetStream(js, "hangs"))
	isLost(t, mirrors.JetStream(jetStreamOf(t, "nats://"+nobody(t)), "audit.weather"))
}
