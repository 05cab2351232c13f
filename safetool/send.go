package safetool

import (
	"context"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// send is the sending middleware: what the server says besides answering,
// progress, log messages, questions of older protocols, leaves as clean as an
// answer does. A handler's context that outlived its call sends nothing: its
// call has been decided and recorded.
func (s *Server) send(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if call := CallFrom(ctx); call != nil && call.ended() {
			return nil, fmt.Errorf("%s: %w: it has been answered", method, ErrNoCall)
		}
		clean, err := shielded(func() (mcp.Request, error) { return s.cleanMessage(req) })
		if err != nil {
			s.log.Error("a message of the server was not sent", "method", method, "error", err)
			return nil, fmt.Errorf("%s was not sent: %w", method, err)
		}
		return next(ctx, method, clean)
	}
}

// cleanMessage copies and cleans a message to the client. One of a kind that it
// does not know is not sent.
func (s *Server) cleanMessage(req mcp.Request) (mcp.Request, error) {
	c := s.newCleaner(s.limits.ResultBytes)
	session, ok := req.GetSession().(*mcp.ServerSession)
	if !ok {
		return nil, errors.New("it does not come from a server's session")
	}
	clean, err := c.message(session, req.GetParams())
	if err != nil {
		return nil, err
	}
	if err := c.within(); err != nil {
		return nil, err
	}
	return clean, nil
}

func (c *cleaner) message(session *mcp.ServerSession, params mcp.Params) (mcp.Request, error) {
	switch p := params.(type) {
	case nil:
		return &mcp.ServerRequest[*mcp.PingParams]{Session: session}, nil
	case *mcp.PingParams:
		return messageWith(session, p, func(o *mcp.PingParams) error { return nil }, c)
	case *mcp.ProgressNotificationParams:
		return messageWith(session, p, func(o *mcp.ProgressNotificationParams) (err error) {
			o.Message = c.text(p.Message)
			if token, ok := p.ProgressToken.(string); ok { // the client's own goes back as it came
				o.ProgressToken, _ = c.broker.RedactString(token)
				return nil
			}
			o.ProgressToken, err = c.optional(p.ProgressToken)
			return err
		}, c)
	case *mcp.LoggingMessageParams:
		return messageWith(session, p, func(o *mcp.LoggingMessageParams) (err error) {
			o.Logger, o.Level = c.text(p.Logger), mcp.LoggingLevel(c.text(string(p.Level)))
			o.Data, err = c.value(p.Data)
			return err
		}, c)
	case *mcp.ElicitParams:
		clean, err := c.elicit(p)
		return &mcp.ServerRequest[*mcp.ElicitParams]{Session: session, Params: clean}, err
	case *mcp.CreateMessageParams:
		clean, err := c.createMessage(p)
		return &mcp.ServerRequest[*mcp.CreateMessageParams]{Session: session, Params: clean}, err
	case *mcp.CreateMessageWithToolsParams:
		clean, err := c.createMessageWithTools(p)
		return &mcp.ServerRequest[*mcp.CreateMessageWithToolsParams]{Session: session, Params: clean}, err
	case *mcp.ListRootsParams:
		return messageWith(session, p, func(*mcp.ListRootsParams) error { return nil }, c)
	case *mcp.ElicitationCompleteParams:
		return messageWith(session, p, func(o *mcp.ElicitationCompleteParams) error {
			o.ElicitationID = c.text(p.ElicitationID)
			return nil
		}, c)
	case *mcp.ResourceUpdatedNotificationParams:
		return messageWith(session, p, func(o *mcp.ResourceUpdatedNotificationParams) error {
			o.URI = c.text(p.URI)
			return nil
		}, c)
	case *mcp.ToolListChangedParams:
		return messageWith(session, p, func(*mcp.ToolListChangedParams) error { return nil }, c)
	case *mcp.PromptListChangedParams:
		return messageWith(session, p, func(*mcp.PromptListChangedParams) error { return nil }, c)
	case *mcp.ResourceListChangedParams:
		return messageWith(session, p, func(*mcp.ResourceListChangedParams) error { return nil }, c)
	case *mcp.SubscriptionsAcknowledgedParams:
		return messageWith(session, p, func(o *mcp.SubscriptionsAcknowledgedParams) error { return nil }, c)
	}
	return nil, fmt.Errorf("nothing is known of its parameters, a %T", params)
}

// messageWith copies a message's parameters, lets edit clean what is theirs, and
// cleans the _meta that they all have.
func messageWith[T any, P interface {
	*T
	mcp.Params
}](session *mcp.ServerSession, own P, edit func(P) error, c *cleaner) (mcp.Request, error) {
	if own == nil {
		return &mcp.ServerRequest[P]{Session: session}, nil
	}
	copied := *own
	out := P(&copied)
	meta, err := c.meta(own.GetMeta())
	if err != nil {
		return nil, err
	}
	out.SetMeta(meta)
	if err := edit(out); err != nil {
		return nil, err
	}
	return &mcp.ServerRequest[P]{Session: session, Params: out}, nil
}
