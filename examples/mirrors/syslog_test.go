package mirrors_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/safemcp/safemcp/examples/mirrors"
)

func dialTo(network, address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, address) }
}

// isMessage reads a message with somebody else's parser.
func isMessage(t *testing.T, message []byte) {
	t.Helper()
	parsed, err := rfc5424.NewParser().Parse(message)
	if err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	m := parsed.(*rfc5424.SyslogMessage)
	if *m.Facility != 13 || *m.Severity != 4 || *m.Appname != "weather" || *m.MsgID != "audit" || m.StructuredData != nil || m.Timestamp.IsZero() {
		t.Errorf("got %s", message)
	}
	holds(t, []byte(*m.Message))
}

func TestAnEventArrivesInADatagramOfSyslog(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // its names are longer than a socket's may be
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for network, address := range map[string]string{"udp": "127.0.0.1:0", "unixgram": filepath.Join(dir, "log")} {
		if network == "unixgram" && runtime.GOOS == "windows" {
			continue // has none
		}
		l, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		arrives(t, mirrors.Syslog("weath er", dialTo(network, l.LocalAddr().String())))
		buffer := make([]byte, 64<<10)
		n, _, err := l.ReadFrom(buffer)
		if err != nil {
			t.Fatal(err)
		}
		isMessage(t, buffer[:n])
		_ = l.Close()
		if network == "unixgram" { // that a UDP datagram was lost is not told, or later
			isLost(t, mirrors.Syslog("weather", dialTo(network, address)))
		}
	}
}

func TestAnEventArrivesInAStreamOfSyslogAndAfterItsEndInAnother(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	messages := make(chan []byte, 2)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r := bufio.NewReader(conn)
			length, _ := r.ReadString(' ')
			n, _ := strconv.Atoi(strings.TrimSpace(length))
			message := make([]byte, n)
			_, _ = io.ReadFull(r, message)
			messages <- message
			_ = conn.Close()
		}
	}()
	h := mirrors.Syslog("weather", dialTo("tcp", l.Addr().String()))
	arrives(t, h)
	isMessage(t, <-messages)
	for arrived := false; !arrived; { // what is written into a connection that ended may be lost, once
		s := through(t, h, 1)
		select {
		case message := <-messages:
			isMessage(t, message)
			arrived = true
		default:
			if s.Failed == 0 && s.Taken == 0 {
				t.Fatalf("%+v", s)
			}
		}
	}
}

func TestASyslogThatIsDownOrHangsIsCounted(t *testing.T) {
	t.Parallel()
	isLost(t, mirrors.Syslog("weather", dialTo("tcp", nobody(t))))
	isLost(t, mirrors.Syslog("weather", func(context.Context) (net.Conn, error) {
		here, there := net.Pipe() // nobody reads
		t.Cleanup(func() { _ = there.Close() })
		return here, nil
	}))
}
