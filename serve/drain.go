package serve

import (
	"context"
	"io"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// How a connection ends: nothing more is read, and what was delivered is answered.

// errGone is what a handler's question is answered with when nobody can answer it.
var errGone = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the client can no longer answer"}

// errMalformed is what it is answered with when the client's answer is malformed.
var errMalformed = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the client's answer is malformed"}

// drained waits until what was delivered has been answered, and then says that the
// input has ended. Questions to the client, which can no longer answer, fail
// meanwhile.
func (c *conn) drained(ctx context.Context) (jsonrpc.Message, error) {
	c.end()
	for {
		c.mu.Lock()
		left := len(c.running) + c.answering
		var ask jsonrpc.ID
		if len(c.asking) > 0 {
			ask, c.asking = c.asking[0], c.asking[1:]
		}
		c.mu.Unlock()
		if ask.IsValid() {
			return &jsonrpc.Response{ID: ask, Error: errGone}, nil
		}
		if left == 0 {
			return nil, io.EOF
		}
		select {
		case <-c.change:
		case <-c.gone:
			return nil, io.EOF
		case <-ctx.Done():
			return nil, ctx.Err() //nolint:wrapcheck // the SDK's own
		}
	}
}

// end makes the connection read no more, and drain. It does not wait for Read, which
// may be held up in an answer that the client does not take.
func (c *conn) end() {
	c.stopped.Do(func() {
		close(c.stop)
		close(c.ending)
		time.AfterFunc(c.drain, func() { _ = c.Close() })
	})
}
