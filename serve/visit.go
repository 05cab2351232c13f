package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
)

// A visit is one request at the HTTP door: the cheapest refusals first, nothing kept
// for a stranger, and the body only for somebody who is known.
type visit struct {
	*Endpoint
	r      *http.Request
	w      *responder
	caller bridge.Caller
	body   body
	method string // the MCP method, if it is a known one
	id     id
}

const (
	healthPath    = "/healthz"
	readyPath     = "/readyz"
	wellKnownPath = "/.well-known/oauth-protected-resource"
	mostHeaders   = 100
)

// serve answers, or says why not.
func (v *visit) serve() *turned {
	v.caller.Address = v.o.address(v.r)
	if v.r.URL.Path == healthPath || v.r.URL.Path == readyPath {
		return v.health() // by whatever name: a probe goes by the address
	}
	if !v.o.hostAllowed(v.r) {
		return turn(http.StatusForbidden, "host", "The request is for another host than this server.").
			ofPolicy(safetool.CodeDenied).hinted("Use a name by which the server knows itself; whoever runs it sets them in HTTPOptions.Hosts.")
	}
	if tooLarge(v.r.Header) {
		return turn(http.StatusRequestHeaderFieldsTooLarge, "headers", "The request has too many headers, or too long ones.")
	}
	if v.metadata != nil && strings.HasPrefix(v.r.URL.Path, wellKnownPath) {
		return v.describe()
	}
	if v.r.URL.Path != v.o.Path {
		return nothingHere()
	}
	if !v.o.originAllowed(v.r) {
		return turn(http.StatusForbidden, "origin", "The request comes from a web page that may not use this server.").
			ofPolicy(safetool.CodeDenied).hinted("Whoever runs the server says which pages may, in HTTPOptions.Origins.")
	}
	if v.o.cors(v.w, v.r) {
		return nil
	}
	switch v.r.Method {
	case http.MethodPost, http.MethodGet, http.MethodDelete:
	default:
		t := turn(http.StatusMethodNotAllowed, "method", "This HTTP method is not taken here.")
		t.allow = "GET, POST, DELETE"
		return t
	}
	if !once(v.r.Header) {
		return turn(http.StatusBadRequest, "headers", "A header is given twice that may be given once.")
	}
	if v.draining.Load() {
		return v.ending()
	}
	if t := v.identify(); t != nil {
		return t
	}
	return v.within()
}

// deadlines ends the connection of whoever announces a body and does not send it: also
// where nobody reads it, net/http wants to have it before it answers. What the request
// before has left is taken off.
func (v *visit) deadlines() {
	_ = v.w.control.SetWriteDeadline(time.Time{})
	if v.r.ContentLength != 0 {
		_ = v.w.control.SetReadDeadline(time.Now().Add(v.o.BodyTimeout)) // where there is none, the server's own holds
	}
}

// ending turns away what comes while the server ends.
func (v *visit) ending() *turned {
	v.w.Header().Set("Connection", "close")
	return turn(http.StatusServiceUnavailable, "ending", "The server is ending.").
		later(safetool.CodeBusy, safetool.CategoryServer, v.o.Drain)
}

// tooLarge says whether headers are more than anybody needs. The http.Server of HTTP
// bounds their bytes as they arrive; one of the program's own may not.
func tooLarge(h http.Header) bool {
	if len(h) > mostHeaders {
		return true
	}
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n > mostHeaderBytes
}

func nothingHere() *turned {
	t := turn(http.StatusNotFound, "path", "There is nothing at this path.")
	t.problem = safetool.CodeNotFound
	return t
}

// within serves somebody who is known, within what one caller may take.
func (v *visit) within() *turned {
	who := v.caller.Principal.ID
	wait, err := v.o.Limiter.Take(v.r.Context(), "requests|"+who, v.o.CallerRate)
	switch {
	case err != nil:
		return turn(http.StatusServiceUnavailable, "limiter", "Requests cannot be counted at the moment.").
			later(safetool.CodeBusy, safetool.CategoryServer, time.Second).because(err)
	case wait > 0:
		return turn(http.StatusTooManyRequests, "caller_rate", "You have made too many requests in a short time.").
			later(safetool.CodeRateLimited, safetool.CategoryPolicy, wait)
	}
	if !v.callers.Acquire(who, v.o.CallerRequests) {
		return turn(http.StatusTooManyRequests, "caller_requests", "You have too many requests running at once.").
			later(safetool.CodeBusy, safetool.CategoryPolicy, time.Second)
	}
	defer v.callers.Release(who)
	if !v.requests.Acquire(v.o.Requests) {
		return turn(http.StatusServiceUnavailable, "requests", "The server has as many requests running as it takes.").
			later(safetool.CodeBusy, safetool.CategoryServer, time.Second)
	}
	defer v.requests.Release()
	if v.r.Method == http.MethodPost {
		return v.post()
	}
	if _, without := version(v.r.Header); without {
		t := turn(http.StatusMethodNotAllowed, "method", "This protocol version has POST alone.")
		t.allow = http.MethodPost
		return t
	}
	return v.inSession(v.r.Context())
}

// post serves a message.
func (v *visit) post() *turned {
	if t := acceptable(v.r.Header); t != nil {
		return t
	}
	v.body = body{bodies: v.bodies, who: v.caller.Principal.ID}
	defer v.body.free()
	if t := v.read(); t != nil {
		return t
	}
	e, f := readEnvelope(v.body.bytes, v.o.Depth)
	if f != nil {
		v.method, v.id = f.method, f.id
		return ofFault(f)
	}
	v.method, v.id, v.caller.Request = known(e.method), e.id, e.id.json
	if t := agree(v.r.Header, e); t != nil {
		return t
	}
	_, without := version(v.r.Header)
	if without && !e.hasMethod {
		return turn(http.StatusBadRequest, "envelope", "The message answers a question that nobody has asked.")
	}
	if !without && (e.method == "server/discover" || e.method == "subscriptions/listen") {
		t := turn(http.StatusBadRequest, "method", "This protocol version does not have this method.")
		t.code, t.problem = jsonrpc.CodeMethodNotFound, safetool.CodeNotFound
		return t
	}
	if t := v.needs(e, without); t != nil {
		return t
	}
	ctx := v.r.Context()
	if e.method == "subscriptions/listen" {
		var cancel context.CancelFunc
		ctx, cancel = v.stream(time.Now().Add(v.o.SessionLifetime))
		defer cancel()
	} else {
		v.running.Begin()
		defer v.running.End()
		if v.draining.Load() { // it began while the body was read, and may have waited already
			return v.ending()
		}
	}
	if without {
		return v.exchange(ctx, e)
	}
	v.r.Body = io.NopCloser(bytes.NewReader(v.body.bytes)) // for the SDK, which reads it again
	v.r.ContentLength = int64(len(v.body.bytes))
	switch {
	case v.r.Header.Get(headerSession) != "":
		return v.inSession(ctx)
	case e.method == "initialize":
		return v.initialize(ctx)
	}
	return turn(http.StatusBadRequest, "session", "The request belongs to no session.").
		hinted("Begin one with initialize, and send its Mcp-Session-Id with each request.")
}

// acceptable says whether a message and its answer are of the media types that the
// protocol has.
func acceptable(h http.Header) *turned {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || kind != "application/json" || (charset != "" && charset != "utf-8") {
		return turn(http.StatusUnsupportedMediaType, "media_type", "The body has to be of the type application/json, in UTF-8.")
	}
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return turn(http.StatusUnsupportedMediaType, "media_type", "The body must not be compressed.")
	}
	one, other := false, false
	for _, line := range h["Accept"] {
		for item := range strings.SplitSeq(line, ",") {
			kind, _, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/json", "application/*":
				one = true
			case "text/event-stream", "text/*":
				other = true
			case "*/*":
				one, other = true, true
			}
		}
	}
	if !one || !other {
		return turn(http.StatusNotAcceptable, "media_type", "The client has to accept both application/json and text/event-stream.")
	}
	return nil
}

// read reads the body, within its bounds.
func (v *visit) read() *turned {
	if v.r.ContentLength != 0 {
		_ = v.w.control.SetReadDeadline(time.Now().Add(v.o.BodyTimeout)) // from now: who it is has been found out
	}
	err := v.body.read(v.r.Body, v.r.ContentLength, v.o.BodyBytes)
	switch {
	case err == nil && len(bytes.TrimLeft(v.body.bytes, " \t\r\n")) == 0:
		return turn(http.StatusBadRequest, "json", "The request has no body.")
	case err == nil:
		_ = v.w.control.SetReadDeadline(time.Time{})
		return nil
	}
	v.w.Header().Set("Connection", "close") // what is left of the body is nobody's message
	switch {
	case errors.Is(err, errBodyLong):
		t := ofFault(faultLong.of(v.body.bytes))
		t.hint = fmt.Sprintf("At most %d bytes are taken.", v.o.BodyBytes)
		return t
	case errors.Is(err, errBodyRoom):
		return turn(http.StatusServiceUnavailable, "bodies", "The server has no room for the message at the moment.").
			later(safetool.CodeBusy, safetool.CategoryServer, time.Second)
	}
	return turn(http.StatusRequestTimeout, "body", "The body did not arrive whole, or in time.").because(err)
}

// needs is the server's predicate for what only HTTP can say: a scope that the
// caller could go and get, and headers that repeat arguments.
func (v *visit) needs(e *envelope, without bool) *turned {
	name, ok := e.feature()
	if !ok {
		return nil
	}
	n := v.gate.Needs(&v.caller.Principal, e.method, name)
	if n.Scopes != nil {
		t := turn(http.StatusForbidden, "scope", fmt.Sprintf("Using %s needs the scope %s, which you do not have.", n.Name, n.Missing)).
			ofPolicy(safetool.CodeMissingScope).hinted("Get credentials that have it.")
		t.challenge, t.scopes, t.kind, t.name = "insufficient_scope", n.Scopes, n.Kind, n.Name
		return t
	}
	if e.method == "tools/call" {
		return paramsAgree(v.r.Header, e, n.Headers, without)
	}
	return nil
}

// initialize begins a session.
func (v *visit) initialize(ctx context.Context) *turned {
	who := v.caller.Principal.ID
	key, t := v.sessions.reserve(who)
	if t != nil {
		return t
	}
	defer v.sessions.end(key)
	v.w.began = func(id string) { v.sessions.begin(key, id) }
	t = v.hand(ctx)
	if id := v.w.session; id != "" {
		v.sessions.leave(id)
	}
	return t
}

// inSession serves a request in a session, which ends with it.
func (v *visit) inSession(ctx context.Context) *turned {
	id := v.r.Header.Get(headerSession)
	if id == "" {
		return turn(http.StatusBadRequest, "session", "The request names no session.").
			hinted("Send the Mcp-Session-Id that initialize was answered with.")
	}
	ends, t := v.sessions.enter(id, v.caller.Principal.ID)
	if t != nil {
		return t
	}
	defer v.sessions.leave(id)
	if v.r.Method == http.MethodGet {
		var cancel context.CancelFunc
		ctx, cancel = v.stream(ends)
		defer cancel()
	}
	t = v.hand(ctx)
	if v.r.Method == http.MethodDelete && t == nil {
		v.sessions.end(id)
	}
	return t
}

// hand gives the request to the SDK.
func (v *visit) hand(ctx context.Context) *turned {
	v.older.ServeHTTP(v.w, v.shorn(ctx))
	t, ours := v.w.refused()
	if ours != nil {
		v.w.release(ours)
	}
	return t
}

// worded gives an error of the SDK's words of ours, and records that there was one.
func (v *visit) worded(err error) *jsonrpc.Error {
	wire, ours := reworded(err)
	if !ours {
		caller := v.caller
		v.flood.refused(bridge.Refusal{
			Caller: &caller, Method: v.method, Request: caller.Request, Rule: "sdk", Reason: wire.Message, Code: safetool.CodeMalformed,
		})
	}
	return wire
}

// turnAway records a refusal and answers with it, unless the answer has begun.
func (v *visit) turnAway(t *turned) {
	if t.fault.id.json == "" {
		t.fault.id = v.id
	}
	method := t.fault.method
	if method == "" {
		method = v.method
	}
	caller := v.caller
	v.flood.refused(bridge.Refusal{
		Caller: &caller, Method: method, Request: t.fault.id.json, Rule: t.rule, Reason: t.message, Code: t.said().Code,
		Cause: t.cause, Kind: t.kind, Name: t.name, Bytes: len(v.body.bytes),
	})
	if v.w.status != 0 && !v.w.holds {
		return
	}
	metadata := ""
	if v.metadata != nil {
		metadata = v.metadataURL()
	}
	_ = v.w.control.SetWriteDeadline(time.Now().Add(v.o.WriteTimeout))
	t.write(v.w.ResponseWriter, metadata)
}

func zeroAs(s, is string) string {
	if s == "" {
		return is
	}
	return s
}
