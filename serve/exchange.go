package serve

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// An exchange is one request of a client without sessions: a connection of the SDK's
// server that delivers one message and takes what is said to it. The answer is JSON,
// or a stream of events where something was said before it.
//
// The SDK's own handler for such clients does the same, and reads the body six times
// for what the door knows already.
type exchange struct {
	v       *visit
	gone    <-chan struct{} // closed when the client is gone, or may stay no longer
	message jsonrpc.Message
	call    bool

	delivered bool                 // Read has returned the message; Read alone looks
	failures  chan jsonrpc.Message // answers to questions that nobody can be asked
	answered  chan struct{}        // closed when the answer has been written
	over      chan struct{}        // closed by Close
	closing   sync.Once

	mu     sync.Mutex
	stream bool // events have been written
	done   bool // nothing more is written
	buf    []byte
}

// exchange serves a message that belongs to no session.
func (v *visit) exchange(ctx context.Context, e *envelope) *turned {
	extra := v.caller.Extra()
	extra.Header = v.header()
	message, _ := e.message().(*jsonrpc.Request)
	message.Extra = extra
	x := &exchange{
		v: v, gone: ctx.Done(), message: message, call: message.IsCall(),
		failures: make(chan jsonrpc.Message), answered: make(chan struct{}), over: make(chan struct{}),
	}
	defer x.end()
	session, err := v.gate.SDK.Connect(context.WithoutCancel(v.r.Context()), x, nil)
	if err != nil {
		return turn(http.StatusInternalServerError, "sdk", sdkMessage(jsonrpc.CodeInternalError)).because(fmt.Errorf("connecting: %w", err))
	}
	ended := make(chan struct{})
	go func() {
		_ = session.Wait()
		close(ended)
	}()
	select {
	case <-x.answered:
	case <-ended: // the client is gone, or it was a notification
	}
	_ = session.Close()
	if !x.call {
		v.w.WriteHeader(http.StatusAccepted)
	}
	return nil
}

// end makes what comes late go nowhere: the request's writer is no longer there.
func (x *exchange) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done = true
}

// Connect implements mcp.Transport.
func (x *exchange) Connect(context.Context) (mcp.Connection, error) { return x, nil }

// Read implements mcp.Connection. The end of a connection makes the SDK cancel what
// runs in it: a client that is gone gets no answer.
func (x *exchange) Read(ctx context.Context) (jsonrpc.Message, error) {
	if !x.delivered {
		x.delivered = true
		return x.message, nil
	}
	if !x.call {
		return nil, io.EOF
	}
	select {
	case failure := <-x.failures:
		return failure, nil
	case <-x.gone:
	case <-x.over:
	case <-ctx.Done():
	}
	return nil, io.EOF
}

// Write implements mcp.Connection.
func (x *exchange) Write(ctx context.Context, msg jsonrpc.Message) error {
	switch m := msg.(type) {
	case *jsonrpc.Request:
		if m.IsCall() { // there is nobody to ask: this version has questions in results
			select {
			case x.failures <- &jsonrpc.Response{ID: m.ID, Error: errGone}:
			case <-x.gone:
			case <-x.over:
			case <-ctx.Done():
			}
			return nil
		}
		return x.write(msg, http.StatusOK, false)
	case *jsonrpc.Response:
		status := http.StatusOK
		if m.Error != nil {
			wire := x.v.worded(m.Error)
			status = statusOf(wire.Code)
			msg = &jsonrpc.Response{ID: m.ID, Error: wire}
		}
		return x.write(msg, status, true)
	}
	return nil
}

// statusOf is the HTTP status of an error (SEP-2575).
func statusOf(code int64) int {
	switch code {
	case jsonrpc.CodeMethodNotFound:
		return http.StatusNotFound
	case jsonrpc.CodeInvalidParams, mcp.CodeUnsupportedProtocolVersion, mcp.CodeMissingRequiredClientCapabilities, mcp.CodeHeaderMismatch:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// write writes a message, the answer or an event before it. That the client does not
// take it is no fault of the connection.
func (x *exchange) write(msg jsonrpc.Message, status int, answer bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done {
		return nil
	}
	x.done = answer
	if answer {
		defer close(x.answered)
	}
	w, h := x.v.w, x.v.w.Header()
	h.Set("Cache-Control", "no-store")
	if answer && !x.stream {
		line, err := appendMessage(nil, msg)
		if err != nil {
			return err
		}
		h.Set("Content-Type", "application/json")
		h.Set("X-Content-Type-Options", "nosniff")
		w.begin(status)
		_, _ = w.Write(line)
		return nil
	}
	if !x.stream {
		x.stream = true
		h.Set("Content-Type", "text/event-stream")
		w.begin(http.StatusOK)
	}
	line, err := appendMessage(append(x.buf[:0], "event: message\ndata: "...), msg)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	x.buf = line
	_, _ = w.Write(line)
	_ = w.FlushError()
	return nil
}

// Close implements mcp.Connection.
func (x *exchange) Close() error {
	x.closing.Do(func() { close(x.over) })
	return nil
}

// SessionID implements mcp.Connection: there is none.
func (*exchange) SessionID() string { return "" }
