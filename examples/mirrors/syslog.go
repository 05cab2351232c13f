package mirrors

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// facilityAudit is "log audit" (RFC 5424, section 6.2.1).
const facilityAudit = 13

// A syslogConn is the connection to a syslog daemon, made when it is needed.
type syslogConn struct {
	dial func(context.Context) (net.Conn, error)
	head string // HOSTNAME APP-NAME PROCID

	mu   sync.Mutex
	conn net.Conn
}

// Syslog returns a handler that sends each event as a message of RFC 5424 whose text is
// the event as JSON. A datagram socket gets a message a datagram (RFC 5426), a stream
// gets messages with their length before them (RFC 6587, and RFC 5425 over TLS).
func Syslog(app string, dial func(context.Context) (net.Conn, error)) slog.Handler {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	c := &syslogConn{dial: dial, head: fmt.Sprintf("%s %s %d", syslogName(host, 255), syslogName(app, 48), os.Getpid())}
	return eachLine(c.send)
}

func (c *syslogConn) send(ctx context.Context, r slog.Record, line []byte) error {
	priority := facilityAudit*8 + severity(r.Level)
	message := fmt.Sprintf("<%d>1 %s %s audit - %s", priority, r.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), c.head, line)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		conn, err := c.dial(ctx)
		if err != nil {
			return err
		}
		c.conn = conn
	}
	if network := c.conn.RemoteAddr().Network(); network != "udp" && network != "unixgram" {
		message = fmt.Sprintf("%d %s", len(message), message)
	}
	deadline, _ := ctx.Deadline()
	err := c.conn.SetWriteDeadline(deadline)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { _ = c.conn.SetWriteDeadline(time.Unix(1, 0)) })
		defer stop()
		_, err = c.conn.Write([]byte(message))
	}
	if err != nil { // part of the message may be on its way: the next one begins anew
		_ = c.conn.Close()
		c.conn = nil
	}
	return err
}

// severity is RFC 5424's for a level of slog.
func severity(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	}
	return 7
}

// syslogName makes a text a field of the header: ASCII that is seen, no longer than most.
func syslogName(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}
