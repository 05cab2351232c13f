package serve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
)

// An Endpoint serves a guarded server over HTTP, for a mux of one's own. It takes
// every path that it is given: its own, /healthz, /readyz and those under
// /.well-known/oauth-protected-resource. It is safe for concurrent use.
type Endpoint struct {
	o        *HTTPOptions
	gate     bridge.Gate
	older    http.Handler // the SDK's, for clients with sessions, older than 2026-07-28
	sessions *sessions
	flood    *flood
	bodies   *bodies
	metadata *access.ResourceMetadata // nil where no authenticator has it
	shed     []string                 // the headers that credentials are in

	askAgain time.Duration // whether the caller of an open stream is still known

	requests limit.Gauge
	callers  limit.Slots // requests by principal
	running  limit.Tally
	draining atomic.Bool
	ready    readiness
	stopping sync.Once
	stopped  error
}

// Handler returns the endpoint of a server, for a mux of one's own; [HTTP] runs one
// with a listener. What HTTPOptions says of listening, connections and signals is not
// read. That it serves is recorded, and so is its end by [Endpoint.Shutdown], which
// the program has to call before the http.Server's.
func Handler(server *safetool.Server, o *HTTPOptions) (*Endpoint, error) {
	if server == nil {
		return nil, errors.New("serve: Handler needs a server")
	}
	options, err := o.complete()
	if err != nil {
		return nil, err
	}
	return newEndpoint(bridge.Open(server), options)
}

func newEndpoint(gate bridge.Gate, o *HTTPOptions) (*Endpoint, error) {
	e := &Endpoint{o: o, gate: gate, flood: newFlood(gate), bodies: newBodies(o.Bodies), sessions: newSessions(o, gate.SDK), askAgain: askAgain}
	for _, a := range o.Authenticators {
		e.shed = append(e.shed, a.CredentialHeaders()...)
		if m, ok := a.(interface {
			ResourceMetadata() access.ResourceMetadata
		}); ok && e.metadata == nil {
			metadata := m.ResourceMetadata()
			e.metadata = &metadata
		}
	}
	e.shed = append(e.shed, "Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Forwarded-Client-Cert")
	for i, name := range e.shed {
		e.shed[i] = http.CanonicalHeaderKey(name)
	}
	if e.metadata != nil && len(e.metadata.ScopesSupported) == 0 {
		e.metadata.ScopesSupported = gate.Scopes()
	}
	one := func(*http.Request) *mcp.Server { return gate.SDK }
	e.older = e.identified(mcp.NewStreamableHTTPHandler(one, &mcp.StreamableHTTPOptions{
		DisableLocalhostProtection: true, // Host has been checked, and not over loopback alone
		MaxRequestBodyBytes:        int64(o.BodyBytes), EventStore: mcp.NewMemoryEventStore(nil),
	}))
	if err := e.start(context.Background()); err != nil {
		return nil, err
	}
	return e, nil
}

// start records that the server serves, and which of its defences are off.
func (e *Endpoint) start(ctx context.Context) error {
	if err := e.gate.Start(ctx, "http"); err != nil {
		return fmt.Errorf("serve: nothing is served, since the start could not be recorded: %w", err)
	}
	off := map[string]string{}
	for _, a := range e.o.Authenticators {
		if says, ok := a.(interface{ OptOuts() map[string]string }); ok {
			maps.Copy(off, says.OptOuts())
		}
	}
	if e.o.InsecureAnonymous != "" {
		off["InsecureAnonymous"] = e.o.InsecureAnonymous
	}
	for _, name := range slices.Sorted(maps.Keys(off)) {
		if err := e.gate.Notice(ctx, name, "opt_out", off[name]); err != nil {
			return fmt.Errorf("serve: nothing is served, since the opt-out %s could not be recorded: %w", name, err)
		}
	}
	return nil
}

// askAgain is how long a key that was revoked may still keep a stream open.
const askAgain = 30 * time.Second

// callerKey carries the caller from the door to the SDK's own middleware, which alone
// can put a TokenInfo where the SDK looks for it.
type callerKey struct{}

// identified hands a request to the SDK as the caller's, without credentials.
func (e *Endpoint) identified(inner http.Handler) http.Handler {
	verify := func(_ context.Context, _ string, r *http.Request) (*auth.TokenInfo, error) {
		caller, ok := r.Context().Value(callerKey{}).(*bridge.Caller)
		if !ok {
			return nil, auth.ErrInvalidToken
		}
		return caller.Extra().TokenInfo, nil
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		delete(r.Header, "Authorization")
		inner.ServeHTTP(w, r)
	})
	return auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(bare)
}

// shorn returns a request for the SDK: the caller in its context, and its headers
// without credentials.
func (v *visit) shorn(ctx context.Context) *http.Request {
	out := v.r.WithContext(context.WithValue(ctx, callerKey{}, &v.caller))
	out.Header = v.header()
	out.Header["Authorization"] = vouched
	return out
}

// header is the request's without credentials: what a handler may read.
func (v *visit) header() http.Header {
	out := maps.Clone(v.r.Header)
	for _, name := range v.shed {
		delete(out, name)
	}
	return out
}

// vouched is what the SDK's middleware finds where it wants a token. The caller stands
// in the context, where no request can put one, and it is gone before a handler looks.
var vouched = []string{"Bearer verified"}

// ServeHTTP implements http.Handler.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := visit{Endpoint: e, r: r, w: &responder{ResponseWriter: w, control: http.NewResponseController(w), timeout: e.o.WriteTimeout}}
	v.caller.Transport = "http"
	v.deadlines()
	// What net/http still has to send when the handler is done is waited for no longer
	// than an answer is.
	defer func() { _ = v.w.control.SetWriteDeadline(time.Now().Add(e.o.WriteTimeout)) }()
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // a panic's value
			panic(p)
		}
		t := turn(http.StatusInternalServerError, "panic", "The request could not be answered.").
			because(fmt.Errorf("a panic at the door: %v", p))
		t.category, t.problem = safetool.CategoryServer, safetool.CodeInternal
		v.turnAway(t)
	}()
	if t := v.serve(); t != nil {
		v.turnAway(t)
	}
}

// Shutdown ends serving: new requests are refused with a 503, calls that run are
// waited for, within ctx, then sessions and streams end and the end is recorded. It is
// called before the http.Server's own Shutdown, which would wait for open streams.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	return e.stop(ctx, "the program ended it")
}

func (e *Endpoint) stop(ctx context.Context, reason string) error {
	e.stopping.Do(func() {
		e.draining.Store(true)
		e.running.Wait(ctx)
		e.sessions.endAll(ctx)
		e.flood.flush()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		if err := e.gate.Stop(ending, "http", reason); err != nil {
			e.stopped = fmt.Errorf("serve: the end could not be recorded: %w", err)
		}
	})
	return e.stopped
}

// readiness is what /readyz last found: it is asked by strangers, and asking costs.
type readiness struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

const readyFor = time.Second

func (e *Endpoint) readyNow(ctx context.Context) error {
	if e.draining.Load() {
		return errors.New("the server is ending")
	}
	r := &e.ready
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.at.IsZero() || now.Sub(r.at) >= readyFor {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		r.at, r.err = now, e.gate.Ready(asking)
	}
	return r.err
}
