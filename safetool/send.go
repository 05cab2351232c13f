package safetool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

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
		clean, err := shielded(func() (mcp.Request, error) { return s.cleanMessage(ctx, method, req) })
		if err != nil {
			s.log.Error("a message of the server was not sent", "method", method, "error", err)
			return nil, fmt.Errorf("%s was not sent: %w", method, err)
		}
		return next(ctx, method, clean)
	}
}

// cleanMessage copies and cleans a message to the client. One of a kind that it
// does not know is not sent.
func (s *Server) cleanMessage(ctx context.Context, method string, req mcp.Request) (mcp.Request, error) {
	c := s.newCleaner(s.limits.ResultBytes)
	c.token = progressToken(ctx)
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
	if len(c.redacted) == 0 {
		return clean, nil
	}
	f, call := flightFrom(ctx), CallFrom(ctx)
	if f == nil || call == nil {
		s.strayLeak(ctx, method, c.redacted)
		return clean, nil
	}
	if !call.leaks.add("a message, "+method, c.redacted...) {
		s.strayLeak(ctx, method, c.redacted)
	}
	if feature := f.feature(); feature != nil && feature.policy.Leaks == RefuseLeaks {
		return nil, errSecretInMessage
	}
	return clean, nil
}

var errSecretInMessage = errors.New("it holds an issued secret, and the policy refuses to send what does")

// progressToken is the one that the client sent with the request that ctx serves.
func progressToken(ctx context.Context) any {
	f := flightFrom(ctx)
	if f == nil {
		return nil
	}
	if params, ok := f.req.GetParams().(mcp.RequestParams); ok {
		return params.GetProgressToken()
	}
	return nil
}

// withoutSecrets takes issued secrets out of what no handler made but the program may
// have written: what is listed, and what the SDK says of the server.
func (f *flight) withoutSecrets(ctx context.Context, res mcp.Result) (mcp.Result, error) {
	if f.server.options.Secrets == nil || res == nil {
		return res, nil
	}
	return shielded(func() (mcp.Result, error) {
		raw, err := json.Marshal(res)
		if err != nil {
			return nil, fmt.Errorf("encoding a %T: %w", res, err)
		}
		clean, found := f.server.options.Secrets.Redact(raw)
		if found == nil {
			return res, nil
		}
		f.server.strayLeak(ctx, f.method, found)
		out := reflect.New(reflect.TypeOf(res).Elem()).Interface()
		if err := json.Unmarshal(clean, out); err != nil {
			return nil, fmt.Errorf("a %T holds an issued secret where it cannot be redacted: %w", res, err)
		}
		result, _ := out.(mcp.Result)
		return result, nil
	})
}

// number returns n, or 0 where it is a secret.
func (c *cleaner) number(n float64) float64 {
	if n != 0 && c.secretNumber(n) {
		return 0
	}
	return n
}

func (c *cleaner) message(session *mcp.ServerSession, params mcp.Params) (mcp.Request, error) {
	switch p := params.(type) {
	case nil:
		return &mcp.ServerRequest[*mcp.PingParams]{Session: session}, nil
	case *mcp.PingParams:
		return messageWith(session, p, func(o *mcp.PingParams) error { return nil }, c)
	case *mcp.ProgressNotificationParams:
		return messageWith(session, p, func(o *mcp.ProgressNotificationParams) error {
			o.Message, o.Progress, o.Total = c.text(p.Message), c.number(p.Progress), c.number(p.Total)
			return c.progressToken(o)
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
		return messageWith(session, p, func(o *mcp.SubscriptionsAcknowledgedParams) error {
			n, err := throughJSON(c, &o.Notifications)
			if err == nil {
				o.Notifications = *n
			}
			return err
		}, c)
	}
	return nil, fmt.Errorf("nothing is known of its parameters, a %T", params)
}

// progressToken leaves the client's own token as it came, and cleans any other: the
// handler writes it.
func (c *cleaner) progressToken(o *mcp.ProgressNotificationParams) (err error) {
	switch token := o.ProgressToken.(type) {
	case nil:
	case string:
		if token != c.token {
			o.ProgressToken = c.echo(token)
		}
	case float64, int, int64:
		if c.secretNumber(token) {
			return errors.New("its progress token is an issued secret")
		}
	default: // what no protocol knows, encoded here where it can do no harm
		o.ProgressToken, err = c.value(token)
	}
	return err
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
