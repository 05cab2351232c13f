package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
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
	ending  chan struct{} // closed when the input has ended, or been left: the drain begins
	gone    chan struct{} // closed when the SDK closes the connection
	closing sync.Once
	stopped sync.Once

	unwritten atomic.Int32 // messages that wait to be written, or are being
	broken    atomic.Bool  // a write has failed: nobody reads
	writing   sync.Mutex
	buf       []byte

	mu        sync.Mutex
	filling   bool                    // the reader waits for input: what it read before has arrived
	running   map[jsonrpc.ID]struct{} // requests that have been delivered and not answered
	listens   map[jsonrpc.ID]struct{} // subscriptions, which are answered when they end
	answering int                     // answers that are being written
	asking    []jsonrpc.ID            // requests to the client that it has not answered
	change    chan struct{}           // has an element when the above have changed
}

// An arrival is a line that has been parsed, or the end of the input.
type arrival struct {
	msg      jsonrpc.Message
	envelope *envelope
	fault    *fault
	bytes    int
	err      error
}

// The SDK would take requests without a bound from a client that reads no answers, or
// sends faster than they are made. Beyond these nothing more is read for a while.
const (
	mostUnwritten = 256  // messages that wait to be written
	mostRunning   = 4096 // requests that have not been answered; calls beyond their limits are, at once
	mostListens   = 64   // subscriptions, each of which may stay for days: one more is refused
)

func newConn(in io.Reader, out io.Writer, caller bridge.Caller, gate bridge.Gate, o *StdioOptions) *conn {
	c := &conn{
		caller: caller, depth: o.Depth, drain: o.Drain, out: out, flood: newFlood(gate),
		arrived: make(chan arrival), stop: make(chan struct{}), ending: make(chan struct{}), gone: make(chan struct{}),
		running: map[jsonrpc.ID]struct{}{}, listens: map[jsonrpc.ID]struct{}{}, change: make(chan struct{}, 1),
	}
	c.lines = newLineReader(&input{c, in}, o.FrameBytes)
	return c
}

// An input is what the reader reads from. It says when the reader waits in it, and
// ends when the connection reads no more.
type input struct {
	c      *conn
	source io.Reader
}

func (i *input) Read(p []byte) (int, error) {
	select {
	case <-i.c.stop:
		return 0, io.EOF
	default:
	}
	i.c.fills(true)
	defer i.c.fills(false)
	return i.source.Read(p) //nolint:wrapcheck // a reader's error is its own
}

func (c *conn) fills(now bool) {
	c.mu.Lock()
	c.filling = now
	c.mu.Unlock()
	c.changed()
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
		if errors.Is(a.err, io.EOF) {
			c.end() // here, since Read may be held up
		}
		select {
		case c.arrived <- a:
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
		a, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case a.err != nil && !errors.Is(a.err, io.EOF):
			return nil, a.err
		case a.err != nil:
			return c.drained(ctx)
		case a.fault != nil:
			if !c.asked(a.fault.failed) {
				c.refuse(a.fault, a.bytes)
				continue
			}
			a.msg = a.fault.failed
			a.fault.id = id{} // it is one of ours, and the client would take it for its own
			c.refuse(a.fault, a.bytes)
		}
		if f := c.deliver(a.msg, a.envelope); f != nil {
			c.refuse(f, a.bytes)
			continue
		}
		return a.msg, nil
	}
}

// next waits for an arrival, while the client takes what it is sent. Told to read no
// more, it says that the input has ended once everything that was read has arrived.
func (c *conn) next(ctx context.Context) (arrival, error) {
	stop, stopped := c.stop, false
	for {
		arrived := c.arrived
		if !stopped && c.crowded() {
			arrived = nil
		}
		if stopped && c.idle() {
			return arrival{err: io.EOF}, nil
		}
		select {
		case a := <-arrived:
			return a, nil
		case <-stop:
			stop, stopped = nil, true
		case <-c.change:
		case <-c.gone:
			return arrival{}, io.EOF
		case <-ctx.Done():
			return arrival{}, ctx.Err() //nolint:wrapcheck // the SDK's own
		}
	}
}

// crowded says that the client has to take, or wait for, what it has asked for before
// it is read from again.
func (c *conn) crowded() bool {
	if c.unwritten.Load() >= mostUnwritten {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.running) >= mostRunning
}

func (c *conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.filling
}

// asked reports whether a response is one to a question that the client has been
// asked.
func (c *conn) asked(m *jsonrpc.Response) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return m != nil && slices.Contains(c.asking, m.ID)
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
			if len(c.listens) >= mostListens {
				f := faultListens
				f.id, f.method = e.id, m.Method
				return &f
			}
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

// refuse records a line that is no message of ours, and answers it unless it is a
// notification, which is never answered (JSON-RPC 2.0 section 4.1).
func (c *conn) refuse(f *fault, size int) {
	caller := c.caller
	c.flood.refused(bridge.Refusal{
		Caller: &caller, Method: f.method, Request: f.id.json, Rule: f.rule, Reason: f.message, Code: f.problem().Code, Bytes: size,
	})
	if !f.silent {
		c.send(f.answer())
	}
}

// Write implements mcp.Connection.
func (c *conn) Write(_ context.Context, msg jsonrpc.Message) error {
	switch m := msg.(type) {
	case *jsonrpc.Response:
		if m.Error != nil {
			wire, ours := reworded(m.Error)
			if !ours {
				caller := c.caller
				if request, err := json.Marshal(m.ID.Raw()); err == nil && m.ID.IsValid() {
					caller.Request = string(request)
				}
				c.flood.refused(bridge.Refusal{Caller: &caller, Request: caller.Request, Rule: "sdk", Reason: wire.Message, Code: safetool.CodeMalformed})
			}
			m = &jsonrpc.Response{ID: m.ID, Error: wire}
			msg = m
		}
		c.answers(m.ID)
		defer c.answered()
	case *jsonrpc.Request:
		if m.IsCall() {
			c.mu.Lock()
			c.asking = append(c.asking, m.ID)
			c.mu.Unlock()
			c.changed()
		}
	}
	defer c.waits()()
	c.writing.Lock()
	defer c.writing.Unlock()
	line, err := appendMessage(c.buf[:0], msg)
	if err != nil {
		return err
	}
	if c.buf = line; cap(line) > largeBuffer {
		c.buf = nil
	}
	c.write(line)
	return nil
}

func (c *conn) send(line []byte) {
	defer c.waits()()
	c.writing.Lock()
	defer c.writing.Unlock()
	c.write(line)
}

// waits counts a message as waiting to be written until the function that it returns
// is called.
func (c *conn) waits() func() {
	c.unwritten.Add(1)
	return func() {
		if c.unwritten.Add(-1) == mostUnwritten-1 {
			c.changed()
		}
	}
}

// write writes a line. When that fails the client is gone, which is an end like that
// of the input: the SDK, told of it, would cancel the calls that still run, though
// they have begun and are to end as they would have.
func (c *conn) write(line []byte) {
	if c.broken.Load() {
		return
	}
	if _, err := c.out.Write(line); err != nil {
		c.broken.Store(true)
		c.end()
	}
}

// answers frees an id before its answer is written: the client may use it again at
// once. The answer keeps the end back until answered is called.
func (c *conn) answers(id jsonrpc.ID) {
	c.mu.Lock()
	delete(c.running, id)
	delete(c.listens, id)
	c.answering++
	c.mu.Unlock()
}

func (c *conn) answered() {
	c.mu.Lock()
	c.answering--
	c.mu.Unlock()
	c.changed()
}

func (c *conn) changed() {
	select {
	case c.change <- struct{}{}:
	default:
	}
}

// Close implements mcp.Connection.
func (c *conn) Close() error {
	c.closing.Do(func() { close(c.gone) })
	return nil
}

// SessionID implements mcp.Connection: there is one session.
func (*conn) SessionID() string { return "" }
