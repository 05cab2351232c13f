package safetool

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
)

// serveResource is the one resource handler that the SDK knows.
func (s *Server) serveResource(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	f := flightFrom(ctx)
	if f == nil || f.resource == nil {
		return nil, wireError(&notFound("resource").problem)
	}
	p := f.newPass(&f.resource.feature, "")
	return protocolAnswer(guarded(ctx, p,
		func(ctx context.Context) (*mcp.ReadResourceResult, error) {
			ctx = withCall(ctx, p.call)
			if err := p.enterWith(map[string]string{"uri": f.name}); err != nil {
				return nil, err
			}
			if err := p.continues(req.Params.RequestState, req.Params.InputResponses); err != nil {
				return nil, err
			}
			if err := p.authorize(ctx, nil); err != nil {
				return nil, err
			}
			params := *req.Params
			params.URI, params.RequestState = f.name, p.inner()
			request := &mcp.ReadResourceRequest{Session: req.Session, Params: &params, Extra: req.Extra}
			return perform(ctx, p, func(ctx context.Context) (*mcp.ReadResourceResult, error) { return f.resource.handler(ctx, request) })
		},
		p.cleanResource))
}

func (p *pass) cleanResource(c *cleaner, own *mcp.ReadResourceResult) (*mcp.ReadResourceResult, error) {
	if own == nil || (own.Contents == nil && own.InputRequests == nil) {
		return nil, errors.New("the resource's handler returned neither contents nor an error")
	}
	meta, err := c.meta(own.Meta)
	if err != nil {
		return nil, err
	}
	out := &mcp.ReadResourceResult{Meta: meta, Cacheable: own.Cacheable}
	out.CacheScope, out.TTLMs = "private", int(c.number(float64(own.TTLMs)))
	if own.InputRequests != nil {
		if err := p.canAsk(own.InputRequests); err != nil {
			return nil, err
		}
		if out.InputRequests, err = c.inputRequests(own.InputRequests); err != nil {
			return nil, err
		}
		out.RequestState = p.ask(own.InputRequests, own.RequestState)
		return out, c.within()
	}
	out.Contents = make([]*mcp.ResourceContents, len(own.Contents))
	for i, contents := range own.Contents {
		if out.Contents[i], err = c.resourceContents(contents); err != nil {
			return nil, err
		}
		if out.Contents[i].URI == "" {
			out.Contents[i].URI = p.name
		}
		if out.Contents[i].MIMEType == "" {
			out.Contents[i].MIMEType = p.resource.mimeType
		}
	}
	return out, c.within()
}

// servePrompt is the one prompt handler that the SDK knows.
func (s *Server) servePrompt(ctx context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	f := flightFrom(ctx)
	if f == nil || f.prompt == nil {
		return nil, wireError(&notFound("prompt").problem)
	}
	p := f.newPass(&f.prompt.feature, "")
	return protocolAnswer(guarded(ctx, p,
		func(ctx context.Context) (*mcp.GetPromptResult, error) {
			ctx = withCall(ctx, p.call)
			if err := p.enterWith(req.Params.Arguments); err != nil {
				return nil, err
			}
			if err := f.prompt.checkArguments(req.Params.Arguments); err != nil {
				return nil, err
			}
			if err := p.continues(req.Params.RequestState, req.Params.InputResponses); err != nil {
				return nil, err
			}
			if err := p.authorize(ctx, req.Params.Arguments); err != nil {
				return nil, err
			}
			params := *req.Params
			params.Name, params.RequestState = f.name, p.inner()
			request := &mcp.GetPromptRequest{Session: req.Session, Params: &params, Extra: req.Extra}
			return perform(ctx, p, func(ctx context.Context) (*mcp.GetPromptResult, error) { return f.prompt.handler(ctx, request) })
		},
		p.cleanPrompt))
}

func (p *pass) cleanPrompt(c *cleaner, own *mcp.GetPromptResult) (*mcp.GetPromptResult, error) {
	if own == nil {
		return nil, errors.New("the prompt's handler returned neither a result nor an error")
	}
	meta, err := c.meta(own.Meta)
	if err != nil {
		return nil, err
	}
	out := &mcp.GetPromptResult{Meta: meta, Description: c.text(own.Description), Messages: []*mcp.PromptMessage{}}
	if own.InputRequests != nil {
		if err := p.canAsk(own.InputRequests); err != nil {
			return nil, err
		}
		if out.InputRequests, err = c.inputRequests(own.InputRequests); err != nil {
			return nil, err
		}
		out.RequestState = p.ask(own.InputRequests, own.RequestState)
		return out, c.within()
	}
	for _, m := range own.Messages {
		if m == nil {
			return nil, errors.New("the prompt's handler returned a nil message")
		}
		content, err := c.content(m.Content)
		if err != nil {
			return nil, err
		}
		out.Messages = append(out.Messages, &mcp.PromptMessage{Role: mcp.Role(c.text(string(m.Role))), Content: content})
	}
	return out, c.within()
}

// checkArguments holds a prompt's arguments against what it declares: every
// required one there, none that it does not know.
func (p *prompt) checkArguments(given map[string]string) error {
	var wrong []FieldProblem
	known := 0
	for _, a := range p.definition.Arguments {
		if _, ok := given[a.Name]; ok {
			known++
		} else if a.Required {
			wrong = append(wrong, FieldProblem{Path: a.Name, Rule: "required", Message: a.Name + " is required."})
		}
	}
	if known < len(given) {
		declared := make([]string, len(p.definition.Arguments))
		for i, a := range p.definition.Arguments {
			declared[i] = a.Name
		}
		names := strings.Join(declared, ", ")
		message := "There are arguments that this prompt does not take; it takes none."
		if names != "" {
			message = "There are arguments that this prompt does not take; it takes " + names + "."
		}
		wrong = append(wrong, FieldProblem{Rule: "unknown", Message: message})
	}
	if wrong == nil {
		return nil
	}
	return refuse("validate", "arguments", Problem{
		Code: CodeInvalidArguments, Category: CategoryCaller, Fields: wrong,
		Message: "The arguments of " + p.name + " were refused:", Hint: "Correct them and ask again.",
	})
}

// complete takes a completion through the guards of what it completes.
func (f *flight) complete(ctx context.Context, next mcp.MethodHandler, req mcp.Request) (mcp.Result, error) {
	r, ok := req.(*mcp.CompleteRequest)
	var target *feature
	if ok && r.Params.Ref != nil {
		target = f.completes(r.Params.Ref)
	}
	if target == nil || !f.sees(target) {
		return nil, f.turnAway(ctx, notFound("prompt or resource template"), audit.Args{})
	}
	f.completed = target
	p := f.newPass(target, "")
	res, err := protocolAnswer(guarded(ctx, p,
		func(ctx context.Context) (*mcp.CompleteResult, error) {
			ctx = withCall(ctx, p.call)
			if err := p.enterWith(map[string]string{"name": r.Params.Argument.Name, "value": r.Params.Argument.Value}); err != nil {
				return nil, err
			}
			if err := p.authorize(ctx, nil); err != nil {
				return nil, err
			}
			return perform(ctx, p, func(ctx context.Context) (*mcp.CompleteResult, error) {
				res, err := next(ctx, f.method, req)
				if err != nil {
					if wire := f.sdkWords(err); wire != nil {
						return nil, wire
					}
					return nil, err
				}
				done, _ := res.(*mcp.CompleteResult)
				return done, nil
			})
		},
		cleanCompletion))
	if err != nil {
		return nil, err
	}
	return res, nil
}

// completes finds what a completion refers to.
func (f *flight) completes(ref *mcp.CompleteReference) *feature {
	c := &f.server.catalogue
	if ref.Type == "ref/prompt" {
		if p := c.prompt(ref.Name); p != nil {
			f.name, f.mcp.Prompt = p.name, p.name
			return &p.feature
		}
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if t := c.templates[ref.URI]; t != nil {
		f.name, f.mcp.Resource = t.name, t.name
		return &t.feature
	}
	return nil
}

func cleanCompletion(c *cleaner, own *mcp.CompleteResult) (*mcp.CompleteResult, error) {
	if own == nil {
		return nil, errors.New("the completion handler returned neither a result nor an error")
	}
	meta, err := c.meta(own.Meta)
	if err != nil {
		return nil, err
	}
	out := &mcp.CompleteResult{Meta: meta, Completion: mcp.CompletionResultDetails{
		HasMore: own.Completion.HasMore, Total: int(c.number(float64(own.Completion.Total))), Values: make([]string, len(own.Completion.Values)),
	}}
	for i, v := range own.Completion.Values {
		out.Completion.Values[i] = c.text(v)
	}
	return out, c.within()
}

// enterWith is enter for arguments that came as strings.
func (p *pass) enterWith(values map[string]string) error {
	raw, err := json.Marshal(values)
	if err != nil {
		return err //nolint:wrapcheck // a map of strings always marshals
	}
	if values == nil {
		raw = []byte("{}")
	}
	if err := p.enter(raw); err != nil {
		return err
	}
	p.sent(raw, true)
	return nil
}

// protocolAnswer is how resources, prompts and completions fail: as the
// protocol's error, with the problem in its data.
func protocolAnswer[R any](res *R, v *verdict) (*R, error) {
	switch {
	case v == nil:
		return res, nil
	case v.wire != nil:
		return nil, v.wire
	}
	return nil, wireError(v.problem)
}
