package safetool

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
)

// receive is the outermost receiving middleware: recover and audit, identify,
// admit. What needs the tool's own result, from limits to the approval, happens
// in the tool handler behind it: a result made here would reach a 2026-07-28
// client without its resultType.
func (s *Server) receive(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (res mcp.Result, err error) {
		f := s.newFlight(method, req)
		defer func() {
			if r := recover(); r != nil {
				res, err = nil, f.crashed(ctx, recovered(r))
			}
		}()
		if f.caller == nil || !f.caller.Principal.Known() {
			return nil, f.turnAway(ctx, refuse("identify", "principal", Problem{
				Code: CodeUnidentified, Category: CategoryPolicy,
				Message: "The request was refused because nobody knows who is asking.",
				Hint:    "Connect through a transport of package serve, which identifies its callers.",
			}), audit.Args{})
		}
		ctx = withFlight(ctx, f)
		switch method {
		case methodCallTool, methodReadResource, methodGetPrompt:
			return f.dispatch(ctx, next, req)
		case methodComplete:
			return f.complete(ctx, next, req)
		}
		// The handlers in Options.SDK run here, and whatever they do ends no goroutine of the SDK's.
		res, err = apart(func() (mcp.Result, error) { return f.beside(ctx, next, req) })
		if _, panics := err.(*panicked); panics || err == errGoexit { //nolint:errorlint // what beside returns has been worded
			return nil, f.crashed(ctx, err)
		}
		return res, err
	}
}

// beside answers what is not guarded feature by feature.
func (f *flight) beside(ctx context.Context, next mcp.MethodHandler, req mcp.Request) (mcp.Result, error) {
	switch f.method {
	case methodListTools, methodListPrompts, methodListResources, methodListResourceTemplates:
		return f.recorded(ctx, func() (mcp.Result, error) { return f.list(ctx, req) })
	case methodSubscribe, methodUnsubscribe, methodSubscriptionsListen:
		if err := f.admitSubscription(ctx, req); err != nil {
			return nil, err
		}
	}
	if f.method == methodPing || strings.HasPrefix(f.method, "notifications/") {
		res, err := next(ctx, f.method, req)
		return res, f.reworded(ctx, err, false)
	}
	return f.recorded(ctx, func() (mcp.Result, error) { return next(ctx, f.method, req) })
}

// crashed records a panic outside of any handler of a tool, resource or prompt
// and returns what the caller is told.
func (f *flight) crashed(ctx context.Context, err error) error {
	v := f.server.explain(ctx, err)
	e := f.event(audit.PhaseOutcome, f.call)
	e.Outcome = audit.Outcome{Status: v.status, Code: v.code, Reference: f.call, Cause: v.cause, Stack: v.stack}
	if err := f.server.recordDetached(ctx, e); err != nil {
		v.problem = unrecordedProblem()
	}
	problem := *v.problem
	problem.Reference = f.call
	return wireError(&problem)
}

// recorded answers a request that is recorded at metadata level: that it was made
// and how it ended, before the answer leaves.
func (f *flight) recorded(ctx context.Context, answer func() (mcp.Result, error)) (mcp.Result, error) {
	if f.method == methodSubscriptionsListen { // it is answered when it ends, maybe days later
		if err := f.recordMetadata(ctx, nil); err != nil {
			return nil, err
		}
		res, err := answer()
		if err != nil {
			return nil, f.reworded(ctx, err, false)
		}
		return f.withoutSecrets(ctx, res)
	}
	res, err := answer()
	if known, ok := errors.AsType[*turnedAway](err); ok {
		return nil, known.wire
	}
	if err == nil {
		res, err = f.withoutSecrets(ctx, res)
	}
	if err != nil {
		return nil, f.reworded(ctx, err, true)
	}
	if err := f.recordMetadata(ctx, nil); err != nil {
		return nil, err
	}
	return res, nil
}

// turnedAway marks an error whose refusal has been recorded.
type turnedAway struct{ wire error }

func (t *turnedAway) Error() string { return t.wire.Error() }

func (f *flight) recordMetadata(ctx context.Context, v *verdict) error {
	e := f.event(audit.PhaseOutcome, f.call)
	e.Outcome.Status = audit.StatusOK
	if v != nil {
		e.Outcome = audit.Outcome{Status: v.status, Code: v.code, Reference: f.call, Cause: v.cause, Stack: v.stack}
	}
	if err := f.server.recordDetached(ctx, e); err != nil {
		p := auditProblem()
		p.Reference = f.call
		return wireError(&p)
	}
	return nil
}

// reworded makes an error of the SDK, or of a handler in its options, fit to
// leave. The SDK words its errors with what the caller sent, and passes on what a
// handler's error says.
func (f *flight) reworded(ctx context.Context, err error, record bool) error {
	if err == nil {
		return nil
	}
	wire, bare := err.(*jsonrpc.Error) //nolint:errorlint // only a bare one is meant for the caller
	if !bare {
		wire = f.sdkWords(err)
	}
	v := f.server.explain(ctx, err)
	if wire == nil {
		p := *v.problem
		p.Reference = f.call
		wire = wireError(&p)
	}
	if record {
		if err := f.recordMetadata(ctx, &v); err != nil {
			return err
		}
	}
	c := f.server.newCleaner(f.server.limits.ResultBytes)
	wire = c.wire(wire)
	f.server.strayLeak(ctx, f.method, c.redacted)
	return wire
}

// sdkWords gives our words to the protocol errors that the SDK wraps, and nil for
// any other error.
func (f *flight) sdkWords(err error) *jsonrpc.Error {
	var wrapped *jsonrpc.Error
	if !errors.As(err, &wrapped) {
		return nil
	}
	p := Problem{
		Code: CodeInvalidArguments, Category: CategoryCaller, Reference: f.call,
		Message: "The parameters of this method do not have the expected shape.",
	}
	switch wrapped.Code {
	case jsonrpc.CodeMethodNotFound:
		p.Code, p.Message = CodeNotFound, "This server does not offer this method."
	case jsonrpc.CodeInvalidParams, jsonrpc.CodeInvalidRequest:
	default:
		return nil
	}
	return &jsonrpc.Error{Code: wrapped.Code, Message: p.Message, Data: p.json()}
}

// dispatch admits a call, read or prompt and sends it through the SDK, so that
// the SDK's handling of input requests stays around it, to our own handler.
func (f *flight) dispatch(ctx context.Context, next mcp.MethodHandler, req mcp.Request) (mcp.Result, error) {
	inner, refused := f.admit(req)
	if refused != nil {
		return nil, f.turnAway(ctx, refused, f.server.argumentsOf(map[string]string{"name": f.name}, audit.Rules{{Name: "name", Rule: audit.RuleHMAC}}))
	}
	res, err := next(ctx, f.method, inner)
	if err == nil {
		if read, ok := res.(*mcp.ReadResourceResult); ok {
			read.CacheScope = "private" // after SetCacheable has had its say
		}
		return res, nil
	}
	if !f.asked { // our own handler's error, recorded and worded there
		return nil, err
	}
	// Between two passes of an older client's call: the SDK's shim could not
	// get its question answered, and words that with the client's own text.
	return nil, f.turnAway(ctx, &refusal{by: "client", rule: "input_requests", effect: audit.EffectDeny, cause: unanswered(err), problem: Problem{
		Code: CodeUnanswered, Category: CategoryCaller,
		Message: "The tool asked a question that the client did not get answered, so the call was not completed.",
		Hint:    "Use a client that supports elicitation, and answer its question.",
	}}, audit.Args{})
}

// unanswered is why a question was not answered, without what was: nobody reads what was
// typed, and a client may put it into its error.
func unanswered(err error) error {
	if wire, is := errors.AsType[*jsonrpc.Error](err); is {
		return fmt.Errorf("the client answered with the error %d", wire.Code)
	}
	const mismatch = "does not match requested schema"
	if text, _, found := strings.Cut(err.Error(), mismatch); found {
		return errors.New(text + mismatch)
	}
	return err
}

// admit finds what is asked for, if this caller may know of it, and returns the
// request as the SDK's server is to see it.
func (f *flight) admit(req mcp.Request) (mcp.Request, *refusal) {
	switch r := req.(type) {
	case *mcp.CallToolRequest:
		f.name = r.Params.Name
		t := f.server.catalogue.tool(f.name)
		if t == nil || !f.sees(&t.feature) {
			return nil, notFound("tool")
		}
		f.tool, f.toolReq, f.mcp.Tool = t, r, t.name
		params := *r.Params
		params.Name = innerTool
		return &mcp.CallToolRequest{Session: r.Session, Params: &params, Extra: r.Extra}, nil
	case *mcp.GetPromptRequest:
		f.name = r.Params.Name
		p := f.server.catalogue.prompt(f.name)
		if p == nil || !f.sees(&p.feature) {
			return nil, notFound("prompt")
		}
		f.prompt, f.mcp.Prompt = p, p.name
		params := *r.Params
		params.Name = innerPrompt
		return &mcp.GetPromptRequest{Session: r.Session, Params: &params, Extra: r.Extra}, nil
	case *mcp.ReadResourceRequest:
		f.name = r.Params.URI
		found := f.server.catalogue.resource(f.name)
		if found == nil || !f.sees(&found.feature) {
			return nil, notFound("resource")
		}
		f.resource, f.mcp.Resource = found, found.name
		params := *r.Params
		params.URI = innerResource
		return &mcp.ReadResourceRequest{Session: r.Session, Params: &params, Extra: r.Extra}, nil
	}
	return nil, notFound("thing")
}

// notFound is the one answer to what does not exist and to what this caller may
// not know of.
func notFound(kind string) *refusal {
	return refuse("admit", "declared", Problem{
		Code: CodeNotFound, Category: CategoryCaller,
		Message: "There is no " + kind + " of that name that you may use.",
		Hint:    "List what there is.",
	})
}

// admitSubscription refuses a subscription to a resource that the caller may not
// know of.
func (f *flight) admitSubscription(ctx context.Context, req mcp.Request) error {
	var uris []string
	switch r := req.(type) {
	case *mcp.SubscribeRequest:
		uris = []string{r.Params.URI}
	case *mcp.UnsubscribeRequest:
		return nil
	case *mcp.SubscriptionsListenRequest:
		if n := r.Params.Notifications; n != nil {
			uris = n.ResourceSubscriptions
		}
	}
	who := &f.caller.Principal
	for _, uri := range uris {
		r := f.server.catalogue.resource(uri)
		lacks := r == nil || !f.sees(&r.feature)
		if !lacks {
			_, lacks = who.MissingScope(r.policy.Scopes)
		}
		if lacks {
			return f.turnAway(ctx, notFound("resource"), f.server.argumentsOf(map[string]string{"uri": uri}, audit.Rules{{Name: "uri", Rule: audit.RuleHMAC}}))
		}
	}
	return nil
}
