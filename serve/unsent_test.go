package serve

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
)

// listening runs HTTP itself on a free port, with short patience, and returns where.
func listening(t *testing.T, s *safetool.Server) string {
	t.Helper()
	const short = 300 * time.Millisecond
	at, done := make(chan net.Addr, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	o := &HTTPOptions{
		Authenticators: []access.Authenticator{newDirectory(who("ada"))}, Address: "127.0.0.1:0", IgnoreSignals: true,
		HeaderTimeout: short, BodyTimeout: short, WriteTimeout: short, IdleTimeout: short, Drain: time.Second,
		Listening: func(a net.Addr) { at <- a },
	}
	go func() { done <- HTTP(ctx, s, o) }()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case a := <-at:
		return a.String()
	case err := <-done:
		t.Fatal(err)
	}
	return ""
}

func dialled(t *testing.T, at string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	tcp, _ := c.(*net.TCPConn)
	return tcp
}

// muchLonger than any patience of the server's in these tests, and shorter than go test's.
const muchLonger = 30 * time.Second

// A stranger who announces a small body and never sends it does not hold a connection:
// net/http waits for it before it answers, whoever else has given up on it.
func TestABodyThatDoesNotComeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	at := listening(t, s)
	for _, head := range []string{"POST /mcp", "GET /mcp", "DELETE /mcp", "GET /healthz", "GET /readyz", "POST /elsewhere", "OPTIONS /mcp", "GET /.well-known/oauth-protected-resource/mcp"} {
		for _, length := range []string{"Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{"} {
			c := dialled(t, at)
			fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s", head, length)
			_ = c.SetReadDeadline(time.Now().Add(muchLonger))
			for {
				if _, err := c.Read(make([]byte, 1024)); os.IsTimeout(err) {
					t.Errorf("%s, %.17s: neither an answer nor an end", head, length)
					break
				} else if err != nil {
					break
				}
			}
		}
	}
}

// narrow makes connections that hold few bytes on the way.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(4096)
	}
	return c, err
}

// A stranger who takes no answers does not hold a connection either.
func TestAnswersThatAreNotTakenAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	options, err := (&HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}, WriteTimeout: 300 * time.Millisecond}).complete()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEndpoint(bridge.Open(s), options)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: e, ReadHeaderTimeout: time.Second}
	go func() { _ = h.Serve(narrow{l}) }()
	t.Cleanup(func() { _ = h.Close() })
	at := l.Addr().String()
	good := callOf("ada", "open")
	for name, request := range map[string]string{
		"probe":     "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"refusal":   "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
		"no page":   "GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"preflight": "OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"call": "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ada\r\nContent-Type: application/json\r\nAccept: */*\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: open\r\n" +
			fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(good.body), good.body),
	} {
		c := dialled(t, at)
		_ = c.SetReadBuffer(4096)
		_ = c.SetWriteDeadline(time.Now().Add(muchLonger))
		batch := []byte(strings.Repeat(request, 64))
		for {
			if _, err := c.Write(batch); os.IsTimeout(err) {
				t.Errorf("%s: the server waits on", name)
				break
			} else if err != nil { // it has ended the connection
				break
			}
		}
	}
}

// Somebody who waits for a handler that does not end need not: a second signal is heard.
func TestASecondSignalIsHeardWhileCallsAreWaitedFor(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	running, stop := make(chan struct{}), make(chan struct{})
	defer close(stop)
	safetool.AddRawTool(s, &mcp.Tool{Name: "deaf", InputSchema: []byte(`{"type":"object"}`)}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			close(running)
			<-stop
			return &mcp.CallToolResult{}, nil
		})
	options, err := (&HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}, Drain: time.Hour}).complete()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEndpoint(bridge.Open(s), options)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: e, ReadHeaderTimeout: time.Second}
	ended, signals, out := make(chan error, 1), make(chan os.Signal), make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	go func() { out <- e.until(t.Context(), h, ended, signals) }()
	call := callOf("ada", "deaf")
	call.body = strings.Replace(call.body, `"arguments":{"city":"Paris"}`, `"arguments":{}`, 1)
	go func() { _, _ = call.try(t.Context(), "http://"+l.Addr().String()) }()
	<-running
	signals <- os.Interrupt
	signals <- os.Interrupt
	select {
	case err := <-out:
		if err == nil {
			t.Error("nothing says that calls were cut off")
		}
	case <-time.After(muchLonger):
		t.Error("the second signal is not heard")
	}
}

// A gateway that reads JSON as Go's encoding/json does would see another value.
func TestNamesThatFoldToAnotherAreRefused(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}})
	for _, other := range []string{"argumentſ", "ARGUMENTS", "Arguments"} {
		call := callOf("ada", "open")
		call.body = strings.Replace(call.body, `"arguments":`, `"`+other+`":{"city":"London"},"arguments":`, 1)
		if g := call.to(t, url); g.status == http.StatusOK {
			t.Errorf("%s: %+v", other, g)
		}
	}
	if !miscased([]byte("progre\u017f\u017fTo\u212aen")) || miscased([]byte("progressToken")) || miscased([]byte("größe")) {
		t.Error("folding is not that of encoding/json")
	}
}

// A header that is there is compared, also where it is empty and the client is older.
func TestHeadersThatAreEmptyAreCompared(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	addZoned(s)
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}})
	session := begun(t, url, "ada")
	call := func(city string, header map[string]string) int {
		return sent{
			token: "ada", session: session, version: "2025-11-25", header: header,
			body: `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"zoned","arguments":{"city":"` + city + `"}}}`,
		}.to(t, url).status
	}
	for _, c := range []struct {
		city   string
		header map[string]string
		status int
	}{
		{"Paris", nil, http.StatusOK},
		{"Paris", map[string]string{"Mcp-Param-Zone": "Paris"}, http.StatusOK},
		{"Paris", map[string]string{"Mcp-Param-Zone": ""}, http.StatusBadRequest},
		{"", map[string]string{"Mcp-Param-Zone": ""}, http.StatusOK},
	} {
		if got := call(c.city, c.header); got != c.status {
			t.Errorf("%q beside %v: %d", c.city, c.header, got)
		}
	}
	response := sent{token: "ada", session: session, version: "2025-11-25", body: `{"jsonrpc":"2.0","id":1,"result":{}}`, header: map[string]string{"Mcp-Method": "tools/list"}}
	if g := response.to(t, url); g.status != http.StatusBadRequest {
		t.Errorf("a response under the name of a request: %+v", g)
	}
	for given, same := range map[string]bool{"16": true, "16.0": true, "+16": false, "0x10": false, "0x10p0": false, " 16": false, "1_6": false, "": false} {
		if sameValue(given, []byte("16")) != same {
			t.Errorf("%q beside 16", given)
		}
	}
}
