package safetool

import (
	"context"
	"fmt"
	"slices"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
)

// What a front door asks of the server before the SDK sees a request.

// needs answers bridge.Gate.Needs from the predicate that lists and calls ask, too.
func (s *Server) needs(who *access.Principal, method, name string) (n bridge.Needs) {
	var f *feature
	switch method {
	case methodCallTool:
		if t := s.catalogue.tool(name); t != nil {
			f, n.Headers = &t.feature, t.headers
		}
	case methodGetPrompt:
		if p := s.catalogue.prompt(name); p != nil {
			f = &p.feature
		}
	case methodReadResource:
		if r := s.catalogue.resource(name); r != nil {
			f = &r.feature
		}
	}
	observed := s.options.InsecureObserve != ""
	if f == nil || !f.policy.visible(who, observed) {
		return bridge.Needs{}
	}
	n.Kind, n.Name = f.kind, f.name
	if scope, lacks := who.MissingScope(f.policy.Scopes); lacks && !observed {
		n.Missing, n.Scopes = scope, f.policy.Scopes
	}
	return n
}

// scopes are those of whatever every caller may know of: what needs a role is not
// announced.
func (s *Server) scopes() []string {
	var all []string
	add := func(f *feature) {
		if len(f.policy.Roles) == 0 {
			all = append(all, f.policy.Scopes...)
		}
	}
	c := &s.catalogue
	for _, t := range sorted(&c.mu, &c.tools, "") {
		add(&t.feature)
	}
	for _, r := range sorted(&c.mu, &c.resources, "") {
		add(&r.feature)
	}
	for _, r := range sorted(&c.mu, &c.templates, "") {
		add(&r.feature)
	}
	for _, p := range sorted(&c.mu, &c.prompts, "") {
		add(&p.feature)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ready asks those of the recorder and the secrets that can say how they are.
func (s *Server) ready(ctx context.Context) error {
	if r, ok := s.recorder.(interface{ Healthy() error }); ok {
		// A log that failed is well again once it takes an event, and no call will
		// come to try it while the server is not ready.
		if r.Healthy() != nil {
			if err := s.notice(ctx, "server", "recovery", "the audit log takes events again"); err != nil {
				return fmt.Errorf("the audit log: %w", err)
			}
		}
	}
	if err := s.options.Secrets.Healthy(ctx); err != nil {
		return fmt.Errorf("the secrets: %w", err)
	}
	return nil
}
