package safetool

import (
	"context"
	"fmt"
	"slices"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
)

// What decides who may know of a feature and who may use it: all of it is here, and in
// the methods of access.Principal that it asks.

// visible says whether the caller may know that this exists: it holds a role, and
// whatever scope it lacks it could gain. It is the one predicate of listing and of
// calling. Where scopes are only observed, they hide nothing.
func (p *Policy) visible(who *access.Principal, observed bool) bool {
	if !who.HasAnyRole(p.Roles) {
		return false
	}
	if !who.ScopesFixed || observed {
		return true
	}
	_, lacks := who.MissingScope(p.Scopes)
	return !lacks
}

// sees says whether the caller may know of a feature.
func (f *flight) sees(target *feature) bool {
	return target.policy.visible(&f.caller.Principal, f.server.options.InsecureObserve != "")
}

// copyOf returns a principal that the program may do with as it likes: what it writes
// into roles or scopes decides no later call.
func copyOf(who *access.Principal) access.Principal {
	p := *who
	p.Roles, p.Scopes, p.Delegation = slices.Clone(p.Roles), slices.Clone(p.Scopes), slices.Clone(p.Delegation)
	return p
}

// lacksScope says whether the caller lacks a scope that it may know of.
func (f *flight) lacksScope(target *feature) bool {
	_, lacks := f.caller.Principal.MissingScope(target.policy.Scopes)
	return lacks && f.server.options.InsecureObserve == ""
}

// authorize asks the policy's scopes, then the program's authorizer.
func (p *pass) authorize(ctx context.Context, arguments any) error {
	if err := p.scoped(); err != nil {
		return err
	}
	return p.askAuthorizer(ctx, arguments)
}

// scoped asks the policy's scopes. Roles have been asked when it was admitted: who has none
// of them does not get here.
func (p *pass) scoped() error {
	scope, lacks := p.caller.Principal.MissingScope(p.feature.policy.Scopes)
	if !lacks {
		return nil
	}
	r := refuse("authorize", "scope", Problem{
		Code: CodeMissingScope, Category: CategoryPolicy,
		Message: fmt.Sprintf("Using %s needs the scope %s, which you do not have.", p.feature.name, scope),
		Hint:    "Ask whoever runs this server for it.",
	})
	if p.observes(r) {
		return nil
	}
	return r
}

// askAuthorizer asks the program's authorizer.
func (p *pass) askAuthorizer(ctx context.Context, arguments any) error {
	policy, who := &p.feature.policy, &p.caller.Principal
	if p.decision.Effect != audit.EffectObserve {
		p.decided(permitted(policy))
	}
	if p.server.options.Authorizer == nil {
		return nil
	}
	request := access.Request{Principal: copyOf(who), Method: p.method, Arguments: arguments}
	switch p.feature.kind {
	case "tool":
		request.Tool = p.feature.name
	case "prompt":
		request.Prompt = p.feature.name
	default:
		request.Resource = p.name
	}
	bounded := &patience{Context: ctx, until: p.begun.Add(p.feature.limits.Timeout)} // the slots are taken while it thinks
	defer bounded.end()
	d, err := shielded(func() (access.Decision, error) { return p.server.options.Authorizer.Authorize(bounded, request) })
	if err == nil && d.Effect == access.EffectPermit {
		if p.decision.Effect == audit.EffectPermit {
			p.decided(audit.Decision{Effect: audit.EffectPermit, By: "authorizer", Rule: d.Rule, Reason: d.Reason})
		}
		return nil
	}
	r := refuse("authorizer", d.Rule, Problem{Code: CodeDenied, Category: CategoryPolicy, Message: d.Reason})
	if err != nil { // no answer means no
		r.rule, r.cause, r.problem.Message = "error", err, ""
	}
	if r.problem.Message == "" {
		r.problem.Message = fmt.Sprintf("You may not use %s in this way.", p.feature.name)
	}
	return r
}
