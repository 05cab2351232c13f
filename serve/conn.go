package serve

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/bridge"
)

// A conn is one client's connection. It withholds the end of its input from the SDK,
// which would cancel what runs and throw its answers away, until every request that
// was delivered has been answered, or the drain is over.
type conn struct {
	caller  bridge.Caller
	depth   int
	drain   time.Duration
	lines   *lineReader
	out     io.Writer
	flood   *flood
	arrived chan arrival  // from the goroutine that reads
	stop    chan struct{} // closed to read no more
	ending  chan struct{} // closed when the input has ended, or been left
	gone    chan struct{} // closed when the SDK closes the connection
	closing sync.Once
	stopped sync.Once

	writing sync.Mutex
	buf     []byte

	mu       sync.Mutex
	running  map[jsonrpc.ID]struct{} // requests that have been delivered and not answered
	listens  map[jsonrpc.ID]struct{} // subscriptions, which are answered when they end
	asking   []jsonrpc.ID            // requests to the client that it has not answered
	draining bool
	change   chan struct{} // has an element when the above have changed
}

// An arrival is a line that has been parsed, or the end of the input.
type arrival struct {
	msg      jsonrpc.Message
	envelope *envelope
	fault    *fault
	bytes    int
	err      error
}

func newConn(in io.Reader, out io.Writer, caller bridge.Caller, gate bridge.Gate, o *StdioOptions) *conn {
	return &conn{
		caller: caller, depth: o.Depth, drain: o.Drain, lines: newLineReader(in, o.FrameBytes), out: out, flood: newFlood(gate),
		arrived: make(chan arrival), stop: make(chan struct{}), ending: make(chan struct{}), gone: make(chan struct{}),
		running: map[jsonrpc.ID]struct{}{}, listens: map[jsonrpc.ID]struct{}{}, change: make(chan struct{}, 1),
	}
}

// Connect implements mcp.Transport.
func (c *conn) Connect(context.Context) (mcp.Connection, error) {
	go c.read()
	return c, nil
}

// read reads lines until there are no more, or nobody wants them. It may outlast the
// connection in a read that nothing interrupts.
func (c *conn) read() {
	for {
		line, err := c.lines.next()
		a := arrival{bytes: len(line), err: err}
		switch {
		case errors.Is(err, errLong):
			a.err, a.fault = nil, faultLong.of(line)
		case err == nil && blank(line):
			continue
		case err == nil:
			a.msg, a.envelope, a.fault = parse(line, c.depth)
		}
		select {
		case c.arrived <- a:
		case <-c.stop:
			return
		case <-c.gone:
			return
		}
		if err != nil && a.err != nil {
			return
		}
	}
}

// Read implements mcp.Connection.
func (c *conn) Read(ctx context.Context) (jsonrpc.Message, error) {
	for {
		var a arrival
		select {
		case a = <-c.arrived:
		case <-c.stop:
			return c.drained(ctx)
		case <-c.gone:
			return nil, io.EOF
		case <-ctx.Done():
			return nil, ctx.Err() //nolint:wrapcheck // the SDK's own
		}
		switch {
		case a.err != nil && !errors.Is(a.err, io.EOF):
			return nil, a.err
		case a.err != nil:
			return c.drained(ctx)
		case a.fault != nil:
			if err := c.refuse(a.fault, a.bytes); err != nil {
				return nil, err
			}
			continue
		}
		if f := c.deliver(a.msg, a.envelope); f != nil {
			if err := c.refuse(f, a.bytes); err != nil {
				return nil, err
			}
			continue
		}
		return a.msg, nil
	}
}

// deliver notes a message that the SDK is about to get, and names its caller.
func (c *conn) deliver(msg jsonrpc.Message, e *envelope) *fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m := msg.(type) {
	case *jsonrpc.Request:
		caller := c.caller
		caller.Request = e.id.json
		m.Extra = caller.Extra()
		if !m.IsCall() {
			return nil
		}
		_, running := c.running[m.ID]
		_, listening := c.listens[m.ID]
		if running || listening {
			f := faultInUse
			f.method = known(m.Method) // without the id: the answer would be taken for the other's
			return &f
		}
		if m.Method == "subscriptions/listen" {
			c.listens[m.ID] = struct{}{}
		} else {
			c.running[m.ID] = struct{}{}
		}
	case *jsonrpc.Response:
		for i, id := range c.asking {
			if id == m.ID {
				c.asking = append(c.asking[:i], c.asking[i+1:]...)
				break
			}
		}
	}
	return nil
}

// refuse answers a line that is no message of ours, and records it.
func (c *conn) refuse(f *fault, size int) error {
	caller := c.caller
	c.flood.refused(bridge.Refusal{
		Caller: &caller, Method: f.method, Request: f.id.json, Rule: f.rule, Reason: f.message, Code: f.problem().Code, Bytes: size,
	})
	return c.send(f.answer())
}

// Write implements mcp.Connection.
func (c *conn) Write(_ context.Context, msg jsonrpc.Message) error {
	switch m := msg.(type) {
	case *jsonrpc.Response:
		if m.Error != nil {
			wire, ours := reworded(m.Error)
			if !ours {
				caller := c.caller
				c.flood.refused(bridge.Refusal{Caller: &caller, Rule: "sdk", Reason: wire.Message, Code: "malformed"})
			}
			m = &jsonrpc.Response{ID: m.ID, Error: wire}
			msg = m
		}
		defer c.answered(m.ID)
	case *jsonrpc.Request:
		if m.IsCall() {
			c.mu.Lock()
			c.asking = append(c.asking, m.ID)
			c.mu.Unlock()
			c.changed()
		}
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	line, err := appendMessage(c.buf[:0], msg)
	if err != nil {
		return err
	}
	if c.buf = line; cap(line) > largeBuffer {
		c.buf = nil
	}
	_, err = c.out.Write(line)
	return err //nolint:wrapcheck // the SDK closes the connection on it
}

func (c *conn) send(line []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.out.Write(line)
	return err //nolint:wrapcheck // the SDK closes the connection on it
}

func (c *conn) answered(id jsonrpc.ID) {
	c.mu.Lock()
	delete(c.running, id)
	delete(c.listens, id)
	c.mu.Unlock()
	c.changed()
}

func (c *conn) changed() {
	select {
	case c.change <- struct{}{}:
	default:
	}
}

// errGone is what a handler's question is answered with when nobody can answer it.
var errGone = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the client can no longer answer"}

// drained waits until what was delivered has been answered, and then says that the
// input has ended. Questions to the client, which can no longer answer, fail
// meanwhile.
func (c *conn) drained(ctx context.Context) (jsonrpc.Message, error) {
	c.mu.Lock()
	if !c.draining {
		c.draining = true
		close(c.ending)
		time.AfterFunc(c.drain, func() { _ = c.Close() })
	}
	c.mu.Unlock()
	for {
		c.mu.Lock()
		left := len(c.running)
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

// end makes the connection read no more, and drain.
func (c *conn) end() { c.stopped.Do(func() { close(c.stop) }) }

// Close implements mcp.Connection.
func (c *conn) Close() error {
	c.closing.Do(func() { close(c.gone) })
	return nil
}

// SessionID implements mcp.Connection: there is one session.
func (*conn) SessionID() string { return "" }
