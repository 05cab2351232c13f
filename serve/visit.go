package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/safemcp/safemcp/access"
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
		v.w.Header().Set("Connection", "close")
		return turn(http.StatusServiceUnavailable, "ending", "The server is ending.").
			later(safetool.CodeBusy, safetool.CategoryServer, v.o.Drain)
	}
	if t := v.identify(); t != nil {
		return t
	}
	return v.within()
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

// identify establishes who calls.
func (v *visit) identify() *turned {
	if v.o.InsecureAnonymous != "" {
		if !overLoopback(v.r) {
			return turn(http.StatusForbidden, "anonymous", "Without credentials only callers on this machine are let in.").ofPolicy(safetool.CodeUnidentified)
		}
		v.caller.Principal = access.NewPrincipal("anonymous", zeroAs(v.caller.Address, "local"))
		return nil
	}
	for _, a := range v.o.Authenticators {
		p, err := v.authenticate(a)
		if errors.Is(err, access.ErrNoCredentials) {
			continue
		}
		if err == nil && !p.Known() {
			err = errors.New("the authenticator named nobody")
		}
		if err == nil && !p.Expires.IsZero() && !p.Expires.After(time.Now()) {
			err = errors.New("what was presented has expired")
		}
		if err == nil {
			v.caller.Principal = p
			return nil
		}
		return v.unidentified(err)
	}
	return v.unidentified(nil)
}

// authenticate asks one authenticator. One that panics has not said who it is.
func (v *visit) authenticate(a access.Authenticator) (p access.Principal, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = access.Principal{}, fmt.Errorf("an authenticator panicked: %w", access.ErrUnavailable)
		}
	}()
	return a.Authenticate(v.r, v.spend)
}

// errSpent says that an address has used up what it may before anybody knows it.
type errSpent struct{ wait time.Duration }

func (*errSpent) Error() string { return "the address has made too many attempts" }

// spend counts against the address.
func (v *visit) spend() error {
	wait, err := v.o.Limiter.Take(v.r.Context(), "address|"+network(v.caller.Address), v.o.AddressRate)
	if err != nil {
		return fmt.Errorf("%w: the limiter: %w", access.ErrUnavailable, err)
	}
	if wait > 0 {
		return &errSpent{wait}
	}
	return nil
}

// unidentified says why nobody was let in: nobody said who it is (err is nil), or that
// was wrong, or cannot be told. None of it says what about it is wrong.
func (v *visit) unidentified(err error) *turned {
	spent, isSpent := errors.AsType[*errSpent](err)
	if !isSpent && !errors.Is(err, access.ErrUnavailable) { // a wrong guess costs
		if cost := v.spend(); cost != nil {
			err = cost
			spent, isSpent = errors.AsType[*errSpent](cost)
		}
	}
	switch {
	case isSpent:
		return turn(http.StatusTooManyRequests, "address_rate", "There were too many attempts from this address.").
			later(safetool.CodeRateLimited, safetool.CategoryPolicy, spent.wait)
	case errors.Is(err, access.ErrUnavailable):
		return turn(http.StatusServiceUnavailable, "identify", "The credentials cannot be checked at the moment.").
			later(safetool.CodeUnidentified, safetool.CategoryUpstream, 5*time.Second).because(err)
	}
	t := turn(http.StatusUnauthorized, "identify", "The request was refused because nobody knows who is asking.").
		ofPolicy(safetool.CodeUnidentified)
	t.hint, t.scopes = "Present credentials.", v.announced()
	if err != nil {
		t.challenge, t.hint = "invalid_token", "The credentials are not valid, or not any more: get new ones."
		t.cause = err.Error()
	}
	return t
}

// announced are the scopes that a challenge may name to anybody.
func (v *visit) announced() []string {
	if v.metadata == nil {
		return nil
	}
	return v.metadata.ScopesSupported
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
	if t := v.needs(e, without); t != nil {
		return t
	}
	v.r.Body = io.NopCloser(bytes.NewReader(v.body.bytes))
	v.r.ContentLength = int64(len(v.body.bytes))
	ctx := v.r.Context()
	if e.method == "subscriptions/listen" {
		if expires := v.caller.Principal.Expires; !expires.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, expires)
			defer cancel()
		}
	} else {
		v.running.begin()
		defer v.running.end()
	}
	switch {
	case without:
		return v.hand(ctx, v.without)
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
		for _, item := range strings.Split(line, ",") {
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
	_ = v.w.control.SetReadDeadline(time.Now().Add(v.o.BodyTimeout)) // where there is none, the server's own holds
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
	if n.Missing != "" {
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
	t = v.hand(ctx, v.with)
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
	if v.r.Method == http.MethodGet { // a stream ends with what its caller presented
		if expires := v.caller.Principal.Expires; !expires.IsZero() && expires.Before(ends) {
			ends = expires
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, ends)
		defer cancel()
	}
	t = v.hand(ctx, v.with)
	if v.r.Method == http.MethodDelete && t == nil {
		v.sessions.end(id)
	}
	return t
}

// hand gives the request to the SDK.
func (v *visit) hand(ctx context.Context, to http.Handler) *turned {
	to.ServeHTTP(v.w, v.shorn(ctx, v.r, &v.caller))
	t, ours := v.w.refused()
	if ours != nil {
		v.w.release(ours)
	}
	return t
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

// health answers a probe: whether the process serves, or is ready to.
func (v *visit) health() *turned {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		t := turn(http.StatusMethodNotAllowed, "method", "A probe is a GET.")
		t.allow = "GET, HEAD"
		return t
	}
	h := v.w.ResponseWriter.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	status, text := http.StatusOK, "ok\n"
	if v.r.URL.Path == readyPath {
		text = "ready\n"
		if err := v.readyNow(v.r.Context()); err != nil {
			status, text = http.StatusServiceUnavailable, "not ready\n" // why is not for strangers
		}
	}
	v.w.ResponseWriter.WriteHeader(status)
	_, _ = io.WriteString(v.w.ResponseWriter, text)
	return nil
}

// describe answers with the metadata of the resource (RFC 9728), which any page may
// read.
func (v *visit) describe() *turned {
	rest := strings.TrimPrefix(v.r.URL.Path, wellKnownPath)
	if rest != "" && rest != v.o.Path {
		return nothingHere()
	}
	h := v.w.ResponseWriter.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch v.r.Method {
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "GET")
		h.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
		v.w.ResponseWriter.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodGet, http.MethodHead:
	default:
		t := turn(http.StatusMethodNotAllowed, "method", "The metadata is read with GET.")
		t.allow = "GET, HEAD, OPTIONS"
		return t
	}
	raw, err := json.Marshal(v.metadata)
	if err != nil { // strings and slices of them always marshal
		return turn(http.StatusInternalServerError, "metadata", "The metadata cannot be told.").because(err)
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "max-age=300")
	_, _ = v.w.ResponseWriter.Write(raw)
	return nil
}

// metadataURL is where the metadata is: beside the resource that it describes.
func (v *visit) metadataURL() string {
	scheme, rest, ok := strings.Cut(v.metadata.Resource, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + wellKnownPath + v.o.Path
}

func zeroAs(s, is string) string {
	if s == "" {
		return is
	}
	return s
}
