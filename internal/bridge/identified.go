package bridge

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Identified returns a transport on which every request is the caller's, as a front
// door would have it: for tests that want no door in between.
func Identified(inner mcp.Transport, caller Caller) mcp.Transport {
	return &identified{inner, caller}
}

type identified struct {
	inner  mcp.Transport
	caller Caller
}

func (t *identified) Connect(ctx context.Context) (mcp.Connection, error) {
	conn, err := t.inner.Connect(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // plumbing adds nothing
	}
	return &identifiedConn{conn, t.caller}, nil
}

type identifiedConn struct {
	mcp.Connection
	caller Caller
}

func (c *identifiedConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	msg, err := c.Connection.Read(ctx)
	if req, ok := msg.(*jsonrpc.Request); ok && err == nil {
		caller := c.caller
		if req.IsCall() {
			caller.Request = idText(req.ID)
		}
		req.Extra = caller.Extra()
	}
	return msg, err //nolint:wrapcheck // the SDK looks for io.EOF
}

// idText is a request's id in its JSON form.
func idText(id jsonrpc.ID) string {
	if n, is := id.Raw().(int64); is {
		return strconv.FormatInt(n, 10)
	}
	raw, err := json.Marshal(id.Raw())
	if err != nil { // a string always marshals
		return ""
	}
	return string(raw)
}
