package safetool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/validate"
)

// serveTool is the one tool handler that the SDK knows. Which tool is meant, and
// by whom, stands in the flight; without one there was no middleware, and no call.
func (s *Server) serveTool(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	f := flightFrom(ctx)
	if f == nil || f.tool == nil {
		return nil, wireError(&notFound("tool").problem)
	}
	p := f.newPass(&f.tool.feature, f.tool.name)
	res, v := guarded(ctx, p,
		func(ctx context.Context) (*Result, error) { return p.runTool(withCall(ctx, p.call), f.tool, req) },
		func(c *cleaner, r *Result) (*mcp.CallToolResult, error) { return p.cleanToolResult(c, f.tool, r) })
	switch {
	case v == nil:
		return res, nil
	case v.wire != nil:
		return nil, v.wire
	case v.refused != nil && v.refused.by == "state":
		return nil, wireError(v.problem) // the protocol's fault, not the tool's
	}
	return problemResult(v.problem), nil
}

// problemResult is how a tool call is refused: in words for the model, and as
// JSON for programs. Not in structuredContent, which clients check against the
// tool's output schema even on an error.
func problemResult(p *Problem) *mcp.CallToolResult {
	return &mcp.CallToolResult{
		Meta:    mcp.Meta{problemKey: p.json()},
		Content: []mcp.Content{&mcp.TextContent{Text: p.text()}},
		IsError: true,
	}
}

// runTool takes a call from its limits to its handler's answer.
func (p *pass) runTool(ctx context.Context, t *tool, req *mcp.CallToolRequest) (*Result, error) {
	if err := p.enter(req.Params.Arguments); err != nil {
		return nil, err
	}
	// Before anything is said of the arguments: it could tell what is allowed.
	if err := p.scoped(); err != nil {
		p.sent(argumentsOf(req.Params.Arguments), false)
		return nil, err
	}
	arguments, err := p.decode(ctx, t, req.Params.Arguments)
	if err != nil {
		return nil, err
	}
	if err := p.continues(req.Params.RequestState, req.Params.InputResponses); err != nil {
		return nil, err
	}
	if err := p.askAuthorizer(ctx, arguments); err != nil {
		return nil, err
	}
	if err := p.wanted(); err != nil {
		return nil, err
	}
	p.call.arguments = arguments
	request := p.requestFor(req)
	handler := Handler(func(ctx context.Context, _ *Call) (*Result, error) {
		return perform(ctx, p, func(ctx context.Context) (*Result, error) { return t.invoke(ctx, request, arguments) })
	})
	for _, wrap := range slices.Backward(p.server.options.Middleware) {
		handler = wrap(handler)
	}
	result, err := handler(ctx, p.call)
	if err == nil && result == nil {
		result = &Result{}
	}
	return result, err
}

// argumentsOf are the arguments of a call, which it may leave out.
func argumentsOf(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}

// decode decodes and validates the arguments, and makes what is recorded of them.
func (p *pass) decode(ctx context.Context, t *tool, raw json.RawMessage) (any, error) {
	var flagged *validate.Findings
	if t.flags {
		ctx, flagged = validate.Collect(ctx)
	}
	arguments, err := shielded(func() (any, error) { return t.decode(ctx, raw) })
	raw = argumentsOf(raw)
	p.sent(raw, err == nil)
	if err == nil {
		return arguments, p.flag(ctx, flagged)
	}
	var (
		invalid *validate.Error
		source  *validate.SourceError
		rule    *validate.RuleError
	)
	switch {
	case errors.As(err, &invalid):
		r := refuse("validate", "arguments", invalidArguments(t.name, invalid))
		if invalid.Decoded && p.observes(r) {
			return arguments, p.flag(ctx, flagged)
		}
		return nil, r
	case errors.As(err, &source):
		return nil, &refusal{by: "validate", rule: source.Allowlist, effect: audit.EffectDeny, cause: err, problem: Problem{
			Code: CodeSourceUnavailable, Category: CategoryUpstream, Retry: true,
			Message: "The call was refused because the list of allowed values cannot be read at the moment.",
			Hint:    "Try again later.",
		}}
	case errors.As(err, &rule):
		return nil, &refusal{by: "validate", rule: rule.Rule, effect: audit.EffectDeny, cause: err, problem: Problem{
			Code: CodeCheckUnavailable, Category: CategoryServer,
			Message: "The call was refused because one of the checks of its arguments could not be made.",
			Hint:    "If it happens again, tell whoever runs this server, with the reference.",
		}}
	}
	return nil, err
}

// flag records what was found in texts that are let through with it, before anything is
// done with them.
func (p *pass) flag(ctx context.Context, found *validate.Findings) error {
	if found.Empty() {
		return nil
	}
	p.call.flagged = found.String()
	e := p.event(audit.PhaseNotice, p.callID)
	e.Decision = audit.Decision{By: "validate", Rule: "text", Reason: "let through: " + p.call.flagged}
	if err := p.server.recordOnce(ctx, e); err != nil {
		return unrecordable(err)
	}
	return nil
}

func invalidArguments(name string, e *validate.Error) Problem {
	p := Problem{
		Code: CodeInvalidArguments, Category: CategoryCaller,
		Message: fmt.Sprintf("The arguments of %s were refused:", name),
		Hint:    "Correct them and call again.",
		Fields:  make([]FieldProblem, len(e.Fields)),
	}
	for i, f := range e.Fields {
		p.Fields[i] = FieldProblem{Path: f.Path, Rule: f.Rule, Message: f.Message, Allowed: f.Allowed, Nearest: f.Nearest}
	}
	return p
}

// requestFor is the request that the handler sees: the caller's own name for the
// tool, and the handler's own state in place of the sealed one.
func (p *pass) requestFor(req *mcp.CallToolRequest) *mcp.CallToolRequest {
	if req.Params.RequestState == "" {
		return p.toolReq
	}
	params := *req.Params
	params.Name, params.RequestState = p.feature.name, p.inner()
	return &mcp.CallToolRequest{Session: req.Session, Params: &params, Extra: req.Extra}
}

// cleanToolResult makes the result that is sent: a copy, encoded, clean and
// within its limit.
func (p *pass) cleanToolResult(c *cleaner, t *tool, r *Result) (*mcp.CallToolResult, error) {
	out := &mcp.CallToolResult{}
	if own := r.Content; own != nil {
		if err := c.toolResult(out, own); err != nil {
			return nil, err
		}
		if own.InputRequests != nil {
			if err := p.canAsk(own.InputRequests); err != nil {
				return nil, err
			}
			out.RequestState = p.ask(own.InputRequests, own.RequestState)
			return out, c.within()
		}
	}
	structured, err := p.structured(t, r)
	if err != nil {
		return nil, err
	}
	if structured != nil {
		structured = c.json(structured)
		c.bytes += len(structured)
		switch {
		case out.Content == nil: // the text fallback that the specification asks for
			out.Content = []mcp.Content{&mcp.TextContent{Text: string(structured)}}
		case structured[0] != '{' && (p.legacy || r.Output != nil): // SEP-2106: older clients know objects only
			out.Content = append(out.Content, &mcp.TextContent{Text: string(structured)})
		}
		if structured[0] == '{' || !p.legacy {
			out.StructuredContent = structured
		}
	}
	return out, c.within()
}

// structured encodes what is structured in a result: the handler's Out, or what
// its own result holds.
func (p *pass) structured(t *tool, r *Result) (json.RawMessage, error) {
	if r.Content != nil && r.Content.IsError {
		if r.Content.StructuredContent == nil {
			return nil, nil
		}
		return encodeAny(r.Content.StructuredContent)
	}
	switch {
	case r.Output != nil:
		return t.encode(r.Output)
	case r.Content != nil && r.Content.StructuredContent != nil && t.listsOut:
		return t.encode(r.Content.StructuredContent)
	case r.Content != nil && r.Content.StructuredContent != nil:
		return encodeAny(r.Content.StructuredContent)
	}
	return nil, nil
}
