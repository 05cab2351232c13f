package safetool

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// lookEvery is how often a server that is connected looks whether what it lists has
// changed. The sources of allowlists are asked as seldom as their caches say.
const lookEvery = time.Second

// A schemaNow is an input schema in which allowlists are that may change.
type schemaNow struct {
	current func(context.Context) json.RawMessage

	mu   sync.Mutex
	last json.RawMessage // as it was seen by whoever looked last
}

// look returns the schema and whether it is another than whoever looked before has seen:
// somebody may have been told of that one. Where ctx ended meanwhile it is nobody's, and says
// of lists that were not waited for that they cannot be looked up.
func (n *schemaNow) look(ctx context.Context) (schema json.RawMessage, changed bool) {
	schema = n.current(ctx)
	if ctx.Err() != nil {
		return schema, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	changed = n.last != nil && !bytes.Equal(n.last, schema)
	n.last = schema
	return schema, changed
}

// now returns a tool as it is listed at this moment, and tells the clients if that is
// something else than before. A caller who lacks its scope is not told what is allowed.
func (t *tool) now(ctx context.Context, f *flight) *mcp.Tool {
	listed := t.definition
	if f.legacy {
		listed = t.legacy
	}
	if t.live == nil || f.lacksScope(&t.feature) {
		return listed
	}
	schema, changed := t.live.look(ctx)
	if changed {
		f.server.toolsChanged()
	}
	current := *listed
	current.InputSchema = schema
	return &current
}

// toolsChanged has the SDK tell every client that listens that tools/list has another
// answer, as it does when a tool is added: notifications/tools/list_changed to sessions,
// and to the streams of subscriptions/listen that asked for it.
func (s *Server) toolsChanged() {
	s.sdk.AddTool(&mcp.Tool{Name: innerTool, InputSchema: innerSchema}, s.serveTool)
}

// A lookout looks whether what is listed has changed, while the server serves and offers
// something that may.
type lookout struct {
	mu      sync.Mutex
	serving int  // transports
	live    bool // there is a tool whose schema may change
	stop    context.CancelFunc
	ended   chan struct{}
}

// serve counts a transport that begins to serve, or ends.
func (l *lookout) serve(s *Server, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serving += n
	l.settle(s)
}

// offer says that there is something whose schema may change.
func (l *lookout) offer(s *Server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = true
	l.settle(s)
}

// settle starts or stops looking.
func (l *lookout) settle(s *Server) {
	switch wanted := l.serving > 0 && l.live; {
	case wanted && l.stop == nil:
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		l.stop, l.ended = stop, ended
		go func() {
			defer close(ended)
			s.lookOut(ctx)
		}()
	case !wanted && l.stop != nil:
		l.stop()
		<-l.ended // it waits for no source longer than its context
		l.stop = nil
	}
}

// lookOut looks until ctx ends.
func (s *Server) lookOut(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.heard() {
			s.lookAround(ctx)
		}
	}
}

// heard says that there is anybody to be told.
func (s *Server) heard() bool {
	for range s.sdk.Sessions() {
		return true
	}
	return false
}

func (s *Server) lookAround(ctx context.Context) {
	another := false
	for _, t := range sorted(&s.catalogue.mu, &s.catalogue.tools, "") {
		if t.live == nil {
			continue
		}
		_, changed := t.live.look(ctx)
		another = another || changed
	}
	if another && ctx.Err() == nil {
		s.toolsChanged()
	}
}
