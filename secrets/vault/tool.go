package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// as sends a request with the token of a tool, or the provider's own for "". Where Vault
// refuses it and the token turns out to have ended, maybe while the request was under way,
// it is sent once more with a new one.
func (p *provider) as(ctx context.Context, tool, method, path string, body any) (*answer, *token, error) {
	s, err := p.sessionOf(tool)
	if err != nil {
		return nil, nil, err
	}
	for again := false; ; again = true {
		t, err := s.get(ctx)
		if err != nil {
			return nil, nil, err
		}
		a, err := p.client.do(ctx, method, path, t.value, body)
		_, refused := errors.AsType[*refusal](err)
		over := refused && t.over(s.now()) // what Vault then says is not of the request
		ended := over || ((denied(err) || why(err) == tokenEnded) && p.lost(ctx, s, t, err))
		if again || !ended {
			return a, t, err
		}
	}
}

// lost finds out whether a token that was denied something is there any more. Later
// versions of Vault say so with the denial; of others it is asked.
func (p *provider) lost(ctx context.Context, s *session, t *token, denial error) bool {
	if why(denial) == tokenEnded {
		s.forget(t)
		return true
	}
	_, err := p.client.do(ctx, http.MethodGet, "auth/token/lookup-self", t.value, nil)
	switch {
	case why(err) == tokenEnded:
		s.forget(t)
		return true
	case denied(err):
		return s.doubt(t)
	}
	return false
}

// keepEvery is how often tokens are looked after.
const keepEvery = time.Second

// keep looks after the tokens until the provider is closed.
func (p *provider) keep() {
	defer close(p.kept)
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		for _, s := range p.sessions() {
			s.turn()
		}
	}
}

// sessions are the provider's own, and those of its tools.
func (p *provider) sessions() []*session {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []*session{p.session}
	for _, s := range p.tools {
		all = append(all, s)
	}
	return all
}

// mostTools bounds the tools that have a token of their own.
const mostTools = 1024

// sessionOf is what keeps the token of a tool.
func (p *provider) sessionOf(tool string) (*session, error) {
	if tool == "" || p.options.ToolPolicies == nil {
		return p.session, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.tools[tool]
	if s == nil {
		switch {
		case p.closed:
			return nil, errClosed
		case len(p.tools) >= mostTools:
			return nil, fmt.Errorf("vault: %d tools have a token of their own, and no more can", mostTools)
		}
		s = p.newSession(&childOf{p, tool})
		p.tools[tool] = s
	}
	return s, nil
}

func (p *provider) newSession(login Login) *session {
	return &session{client: p.client, login: login, now: time.Now, budget: 2 * p.options.Timeout, receive: p.receive}
}

// receive writes down a token that is to be revoked, before it is used: who revokes the
// parent has revoked its children.
func (p *provider) receive(ctx context.Context, t *token) error {
	if t.ours() && (t.parent == nil || !t.parent.ours()) {
		if err := p.journal.add(entry{Accessor: t.accessor}); err != nil {
			return err
		}
	}
	t.mark = p.markOf(ctx, t)
	return nil
}

// childOf is a login with the provider's token, for one with less.
type childOf struct {
	p    *provider
	tool string
}

func (c *childOf) login(ctx context.Context, _ *client) (*auth, error) {
	policies, err := c.policies()
	if err != nil {
		return nil, err
	}
	lifetime := fmt.Sprintf("%ds", int(c.p.options.ToolLifetime/time.Second))
	a, t, err := c.p.as(ctx, "", http.MethodPost, "auth/token/create", map[string]any{
		"policies": policies, "ttl": lifetime, "explicit_max_ttl": lifetime, "renewable": false,
		"display_name": "safemcp-" + c.tool, "meta": map[string]string{"tool": c.tool},
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("vault: a token for the tool %s: %w", c.tool, rejected(err))
	case a.Auth == nil || a.Auth.Token == "":
		return nil, fmt.Errorf("vault: no token was made for the tool %s", c.tool)
	}
	if !noMore(a.Auth.Policies, policies) {
		_, _ = c.p.client.send(ctx, http.MethodPost, "auth/token/revoke-self", secrets.NewSecret([]byte(a.Auth.Token)), nil)
		return nil, fmt.Errorf("vault: the token for the tool %s would have policies that Options.ToolPolicies does not name, those of the login's identity: give them to the role of the login in place of its entity or a group: %w", c.tool, secrets.ErrDenied)
	}
	a.Auth.Renewable, a.Auth.parent = false, t
	a.Auth.Metadata = map[string]string{"role": t.role}
	return a.Auth, nil
}

var _ Login = (*childOf)(nil)

// policies are those of the tool. A panic, which would end the process from here, names
// none.
func (c *childOf) policies() (all []string, err error) {
	defer func() {
		if recover() != nil {
			all, err = nil, fmt.Errorf("vault: Options.ToolPolicies panicked for the tool %s: %w", c.tool, secrets.ErrDenied)
		}
	}()
	if all = c.p.options.ToolPolicies(c.tool); len(all) == 0 {
		return nil, fmt.Errorf("vault: Options.ToolPolicies names none for the tool %s: %w", c.tool, secrets.ErrDenied)
	}
	return all, nil
}

// noMore says that a token has no policies but those that were asked for and "default". A
// child has those of its parent's identity too, whatever it asks for, and Vault writes all
// in lower case.
func noMore(has, asked []string) bool {
	return !slices.ContainsFunc(has, func(policy string) bool {
		return policy != "default" && !slices.ContainsFunc(asked, func(one string) bool {
			return strings.EqualFold(strings.TrimSpace(one), policy)
		})
	})
}
