package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
)

// A client that does not take the answer to a line that was refused holds up neither
// an end by signal nor the end of the input.
func TestAClientThatDoesNotReadDoesNotKeepTheServer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*wire) error{
		"signal": func(w *wire) error { w.signals <- syscall.SIGTERM; return nil },
		"EOF":    func(w *wire) error { return w.in.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := initialized(t, newServer(t, &recorder{}, nil), &StdioOptions{Drain: time.Millisecond})
			w.send("rubbish\n")
			if err := end(w); err != nil {
				t.Fatal(err)
			}
			if err := <-w.done; err != nil { // the test's own deadline is the only other way out
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// pings is a client that sends without an end, and counts.
type pings struct{ lines atomic.Int64 }

func (p *pings) Read(b []byte) (int, error) {
	const head = `{"jsonrpc":"2.0","id":"`
	if p.lines.Load() == 0 {
		p.lines.Add(1)
		return copy(b, handshake), nil
	}
	id := p.lines.Add(1)
	return copy(b, head+strings.Repeat("i", int(id%7))+time.Duration(id).String()+`","method":"ping"}`+"\n"), nil
}

// A deaf output takes nothing until it is closed.
type deaf struct{ closed chan struct{} }

func (d *deaf) Write([]byte) (int, error) {
	<-d.closed
	return 0, errors.New("closed")
}

// A client that sends without an end and reads no answers is no longer read from: what
// waits for it in memory is bounded. Without the bound, the lines read run away.
func TestWhatWaitsForAClientThatDoesNotReadIsBounded(t *testing.T) {
	t.Parallel()
	options, err := (&StdioOptions{Drain: time.Millisecond}).complete()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	in, out, done := &pings{}, &deaf{make(chan struct{})}, make(chan error, 1)
	go func() {
		done <- run(ctx, bridge.Open(newServer(t, &recorder{}, nil)), in, out, options, nil)
	}()
	const bound = mostRunning + 8 // and what is on its way to the count
	for in.lines.Load() < mostUnwritten {
		runtime.Gosched()
	}
	for range 200_000 {
		runtime.Gosched()
		if n := in.lines.Load(); n > bound {
			t.Errorf("%d lines were read from a client that reads none", n)
			break
		}
	}
	cancel()
	close(out.closed)
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// What was read before a signal is answered, though the SDK had not seen it.
func TestLinesThatWereReadBeforeASignalAreAnswered(t *testing.T) {
	t.Parallel()
	w := initialized(t, newServer(t, &recorder{}, nil), nil)
	ping := func(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,"method":"ping"}` + "\n" }
	w.send(ping("1") + ping("2") + ping("3") + "rubbish\n" + ping("4"))
	w.receive() // one write is one read: all five are in
	w.signals <- syscall.SIGTERM
	rest, err := io.ReadAll(w.out)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(rest), "\n"); got != 4 {
		t.Errorf("%d answers after the signal: %s", got, rest)
	}
	if err := <-w.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// A notification is never answered, whatever is wrong with it, and what is wrong with
// it is recorded.
func TestANotificationIsNeverAnswered(t *testing.T) {
	t.Parallel()
	trail := &recorder{}
	w := initialized(t, newServer(t, trail, nil), nil)
	w.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":"x"}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1.5}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}` + "\n" +
		`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":9,"method":"ping"}` + "\n")
	if r := w.receive(); string(r.ID) != "9" {
		t.Errorf("a notification was answered: %s", r.line)
	}
	var rules []string
	for _, e := range trail.Events() {
		if e.Decision.By == "door" {
			rules = append(rules, e.MCP.Method+" "+e.Decision.Rule)
		}
	}
	want := "notifications/progress params,notifications/cancelled params,notifications/cancelled params,tools/call envelope"
	if got := strings.Join(rules, ","); got != want {
		t.Errorf("recorded %s", got)
	}
}

// The SDK says which version it does not know; the door keeps to what looks like one.
func TestAVersionThatIsNoneIsNotEchoed(t *testing.T) {
	t.Parallel()
	w := initialized(t, newServer(t, &recorder{}, nil), nil)
	for version, echoed := range map[string]bool{canary: false, "2099-01-01": true, "zzzz-zz-zz": false, "9999999999" + canary: false} {
		w.send(`{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"` + version + `","io.modelcontextprotocol/clientCapabilities":{}}}}` + "\n")
		r := w.receive()
		if r.Error == nil || r.Error.Code != mcp.CodeUnsupportedProtocolVersion || !strings.Contains(r.line, `"supported":["`) {
			t.Errorf("%s: %s", version, r.line)
		}
		if strings.Contains(r.line, version) != echoed {
			t.Errorf("%s: %s", version, r.line)
		}
	}
}

// A malformed answer to a question fails the question at once. The client is told of
// its mistake without the id, which is the server's: it would take the error for the
// answer to its own request of that id.
func TestAMalformedAnswerFailsTheQuestion(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		`"result":{},"error":{"code":1,"message":"m"}`, `"error":{"code":"` + canary + `"}`, `"error":null`, `"result":{},"` + canary + `":1`, `"result":{},"params":{}`,
	} {
		w := wired(t, newServer(t, &recorder{}, asks), nil)
		w.send(strings.Replace(handshake, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
		w.receive()
		w.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}` + "\n")
		q := w.receive()
		if q.Method != "elicitation/create" {
			t.Fatalf("got %s", q.line)
		}
		w.send(`{"jsonrpc":"2.0","id":` + string(q.ID) + `,` + bad + "}\n")
		if r := w.receive(); string(r.ID) != "null" || r.Error == nil || strings.Contains(r.line, canary) {
			t.Errorf("%s: got %s", bad, r.line)
		}
		if r := w.receive(); string(r.ID) != "1" || !strings.Contains(r.line, "Nobody answered.") {
			t.Errorf("%s: got %s", bad, r.line)
		}
	}
}

// asks adds a tool that waits for the client's user.
func asks(s *safetool.Server) {
	safetool.AddTool(s, &mcp.Tool{Name: "ask"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
		func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			if _, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "Sure?", RequestedSchema: map[string]any{"type": "object"}}); err != nil {
				return nil, nil, safetool.Say("Nobody answered.")
			}
			return nil, nil, nil
		})
}

// Subscriptions stay for days, so a client has so many and no more; what it ends gives
// its place back.
func TestSubscriptionsAreBounded(t *testing.T) {
	t.Parallel()
	w := initialized(t, newServer(t, &recorder{}, nil), nil)
	listen := func(id int) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},%s}}`+"\n", id, attackMeta)
	}
	refused := func(id int) bool {
		for {
			r := w.receive()
			if string(r.ID) == fmt.Sprint(id) {
				return r.Error != nil
			}
			if r.Method == "notifications/subscriptions/acknowledged" {
				return false
			}
		}
	}
	for id := range mostListens {
		w.send(listen(100 + id))
		if refused(100 + id) {
			t.Fatalf("subscription %d is refused", id)
		}
	}
	w.send(listen(500))
	if !refused(500) {
		t.Error("one more is taken")
	}
	w.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":100}}` + "\n" + `{"jsonrpc":"2.0","id":900,"method":"ping"}` + "\n")
	for ended, pinged := false, false; !ended || !pinged; {
		r := w.receive()
		ended, pinged = ended || string(r.ID) == "100", pinged || string(r.ID) == "900"
	}
	w.send(listen(501))
	if refused(501) {
		t.Error("a place that was given back is not used again")
	}
}
