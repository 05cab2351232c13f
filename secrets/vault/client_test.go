package vault

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// What "localhost" leads to is said by the resolver, and plain secrets go to no other
// machine.
func TestPlainSecretsStayOnThisMachine(t *testing.T) {
	t.Parallel()
	for address, here := range map[string]bool{
		"127.0.0.1:8200": true, "127.9.9.9:8200": true, "[::1]:8200": true,
		"192.0.2.1:8200": false, "[2001:db8::1]:8200": false, "0.0.0.0:8200": false, "localhost:8200": false, "": false,
	} {
		if err := onlyHere("tcp", address, nil); (err == nil) != here {
			t.Errorf("%s: %v", address, err)
		}
	}
	o := &Options{Timeout: time.Second}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	c, err := newClient("http://localhost:8200", o)
	if err != nil {
		t.Fatal(err)
	}
	c.base = "http://192.0.2.1:8200/v1/" // as if the resolver had said so
	if _, err := c.do(t.Context(), "GET", "x", secrets.Secret{}, nil); err == nil || !strings.Contains(err.Error(), "another machine") {
		t.Error(err)
	}
}

// What answers there cannot hold a request open by dripping, or fill the memory with
// headers.
func TestAnAnswerThatDripsOrFloodsEnds(t *testing.T) {
	t.Parallel()
	const drop = "X-Drop: 1\r\n"
	for name, begin := range map[string]string{
		"a body":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"headers":          "HTTP/1.1 200 OK\r\n",
		"early hints":      strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000),
		"a flood of names": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-"+strings.Repeat("y", 1<<10)+": 1\r\n", 2<<10),
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() {
					defer func() { _ = conn.Close() }()
					if _, err := conn.Read(make([]byte, 4<<10)); err != nil { // the request
						return
					}
					if _, err := io.WriteString(conn, begin); err != nil {
						return
					}
					for {
						<-time.After(10 * time.Millisecond)
						text := drop
						if name == "a body" {
							text = "1\r\n \r\n"
						}
						if _, err := io.WriteString(conn, text); err != nil {
							return
						}
					}
				}()
			}
		}()
		o := &Options{Timeout: 300 * time.Millisecond}
		if err := o.complete(); err != nil {
			t.Fatal(err)
		}
		c, err := newClient("http://"+listener.Addr().String(), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err = c.do(ctx, "GET", "x", secrets.Secret{}, nil); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}
