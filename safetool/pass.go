package safetool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/secrets"
)

// A pass is one way of a flight through the guards of a feature, from the limits
// to the outcome record.
type pass struct {
	*flight
	facts
	course
	feature *feature
	call    *Call
	begun   time.Time
	sum     string                // of the arguments, whatever is recorded of them
	round   *state                // the state that this round continues, nil in the first
	asks    bool                  // it ends in a question to the user
	lent    []*secrets.Credential // to be given back, those of each time that middleware calls the handler
}

// withoutSecrets makes a verdict fit to leave. Where the policy says so, an answer that
// held a secret becomes one that is withheld.
func (p *pass) withoutSecrets(v *verdict, c *cleaner, callID string) *verdict {
	if v != nil && v.problem != nil {
		v.problem = c.problem(v.problem, callID)
	}
	if v != nil && v.wire != nil {
		v.wire = c.wire(v.wire)
	}
	p.call.leaks.add("the answer", c.redacted...)
	if len(c.redacted) == 0 || p.feature.policy.Leaks != RefuseLeaks {
		return v
	}
	if v != nil && v.refused != nil {
		return &verdict{status: v.status, code: CodeSecretWithheld, problem: withheldRefusal(), refused: v.refused, cause: v.cause}
	}
	withheld := &verdict{status: audit.StatusWithheld, code: CodeSecretWithheld, problem: c.problem(withheldProblem(), callID)}
	if v != nil {
		withheld.cause, withheld.stack = v.cause, v.stack
	}
	return withheld
}

// newPass begins a pass of f through the guards of a feature.
func (f *flight) newPass(feature *feature, tool string) *pass {
	if f.passed {
		f.start = time.Now() // what a person took to answer is not the handler's time
	}
	f.passed, f.asked = true, false
	both := &struct { // one allocation
		pass pass
		call Call
	}{}
	p, c := &both.pass, &both.call
	c.id, c.tool, c.principal, c.logger = f.call, tool, &f.caller.Principal, f.server.log
	p.flight, p.feature, p.call, p.callID, p.begun = f, feature, c, f.call, f.start
	return p
}

func joinText(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// enter takes the slots and bounds the arguments: the cheapest refusals first.
func (p *pass) enter(arguments []byte) error {
	s := p.server
	caller := p.caller.Principal.ID
	if err := p.paced(caller); err != nil {
		return err
	}
	if err := p.wanted(); err != nil {
		return err
	}
	if !s.callerSlots.Acquire(caller, s.limits.CallerConcurrency) {
		return busy("caller_concurrency", "You have too many calls running at once on this server.")
	}
	if !p.feature.running.Acquire(p.feature.limits.Concurrency) {
		s.callerSlots.Release(caller)
		return busy("concurrency", fmt.Sprintf("Too many calls of %s are running at once.", p.feature.name))
	}
	p.held = true
	p.submit(audit.Args{Bytes: len(arguments)}, arguments)
	if most := p.feature.limits.ArgumentBytes; len(arguments) > most {
		return refuse("limit", "argument_bytes", Problem{
			Code: CodeArgumentsTooLarge, Category: CategoryCaller,
			Message: fmt.Sprintf("The arguments are too large: at most %d bytes are taken.", most),
		})
	}
	return p.feature.misshapen(arguments)
}

// misshapen refuses arguments that would take more memory than they have bytes.
func (f *feature) misshapen(arguments json.RawMessage) error {
	code, rule, message := CodeArgumentsTooLarge, "", ""
	switch shape := f.limits.Shape(); shape.Exceeded(arguments) {
	case limit.NoBound:
		return nil
	case limit.DepthBound:
		code, rule, message = CodeArgumentsTooDeep, "argument_depth", fmt.Sprintf("The arguments are nested too deep: at most %d levels are taken.", shape.Depth)
	case limit.ValuesBound:
		rule, message = "argument_values", fmt.Sprintf("The arguments hold too many values: at most %d are taken in all.", shape.Values)
	case limit.ElementsBound:
		rule, message = "argument_elements", fmt.Sprintf("The arguments hold a list or an object that is too long: at most %d elements are taken.", shape.Elements)
	case limit.StringBound:
		rule, message = "argument_string", fmt.Sprintf("The arguments hold a text that is too long: at most %d bytes are taken.", shape.String)
	}
	return refuse("limit", rule, Problem{Code: code, Category: CategoryCaller, Message: message})
}

func busy(rule, message string) *refusal {
	return refuse("limit", rule, Problem{
		Code: CodeBusy, Category: CategoryPolicy, Retry: true,
		Message: message, Hint: "Wait for some to end, then try again.",
	})
}

// observes says that the server only records what it would have refused, and
// records it.
func (p *pass) observes(r *refusal) bool {
	if p.server.options.InsecureObserve == "" {
		return false
	}
	reason := r.problem.reason()
	if p.decision.Effect == audit.EffectObserve {
		reason = joinText(p.decision.Reason, reason)
	}
	p.decided(audit.Decision{Effect: audit.EffectObserve, By: r.by, Rule: r.rule, Reason: reason})
	return true
}

// approve is the last gate before the handler. There is no approver yet, so what
// asks a person is refused.
func (p *pass) approve() error {
	if p.feature.policy.Risk != HighRisk {
		return nil
	}
	r := refuse("approval", "high_risk", Problem{
		Code: CodeApprovalRequired, Category: CategoryPolicy,
		Message: fmt.Sprintf("%s is a high-risk tool: a person has to approve each call, and this server has nobody to ask. Nothing was done.", p.feature.name),
		Hint:    "Ask a person to do this another way.",
	})
	r.effect = audit.EffectAsk
	return r
}

// prepare issues the credentials of the policy to this call.
func (p *pass) prepare(ctx context.Context) error {
	wanted := p.feature.policy.Secrets
	if len(wanted) == 0 {
		return nil
	}
	issued := make(map[string]*secrets.Credential, len(wanted))
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		who := &p.caller.Principal
		c, err := p.server.options.Secrets.Acquire(ctx, secrets.Request{
			Server: p.server.identity.Name, Tool: p.feature.name, Caller: who.ID, Tenant: who.Tenant, Binding: wanted[name],
		})
		if err != nil {
			return &refusal{by: "secrets", rule: name, effect: audit.EffectDeny, cause: err, problem: noCredentials(p.feature.name, err)}
		}
		issued[name], p.lent = c, append(p.lent, c)
		origin := c.Origin()
		p.issued(audit.Credential{
			Name: name, Binding: wanted[name].String(), Version: c.Version(), Expires: c.Expires(),
			Request: origin.Request, Role: origin.Role, Accessor: origin.Accessor,
		})
	}
	p.call.lend(issued)
	return nil
}

// giveBack says that nobody needs the call's credentials any more.
func (p *pass) giveBack() {
	for _, c := range p.lent {
		p.server.options.Secrets.Release(c)
	}
	p.lent = nil
}

// noCredentials says whether it makes sense to try again: not where there is nothing
// that could be issued.
func noCredentials(feature string, err error) Problem {
	if errors.Is(err, secrets.ErrNotFound) || errors.Is(err, secrets.ErrUnsupported) || errors.Is(err, secrets.ErrDenied) {
		return Problem{
			Code: CodeCredentialsUnavailable, Category: CategoryServer,
			Message: fmt.Sprintf("The credentials that %s needs are not there. Nothing was done.", feature),
			Hint:    "Whoever runs the server has to provide them: tell them the reference.",
		}
	}
	return Problem{
		Code: CodeCredentialsUnavailable, Category: CategoryUpstream, Retry: true,
		Message: fmt.Sprintf("The credentials that %s needs are not available at the moment. Nothing was done.", feature),
		Hint:    "Try again later.",
	}
}

// continues checks the state of a later round, and refuses answers that nobody
// asked for: the SDK hands a first call that brings its own answers to the
// handler, which would take them for its user's.
func (p *pass) continues(requestState string, answers mcp.InputResponseMap) error {
	if requestState == "" && len(answers) == 0 {
		return nil
	}
	forged := func(cause error) error {
		return &refusal{by: "state", rule: "sealed", effect: audit.EffectDeny, cause: cause, problem: Problem{
			Code: CodeStateInvalid, Category: CategoryCaller,
			Message: "The call claims to continue one that this server did not begin, or that has expired.",
			Hint:    "Make the call anew, without inputResponses and requestState.",
		}}
	}
	if requestState == "" {
		return forged(errors.New("inputResponses without a requestState"))
	}
	st, err := p.server.states.openState(requestState, time.Now())
	if err != nil {
		return forged(err)
	}
	if st.Subject != p.caller.Principal.ID || st.Method != p.method || st.Name != p.name || st.Args != p.sum || p.sum == "" {
		return forged(errors.New("the requestState belongs to another caller, feature or set of arguments"))
	}
	for id := range answers {
		if !slices.Contains(st.Asked, id) {
			return forged(errors.New("an inputResponse answers a question that was not asked"))
		}
	}
	p.round = st
	p.continued(st.Call)
	return nil
}

// inner is the handler's own state of the round before.
func (p *pass) inner() string {
	if p.round == nil {
		return ""
	}
	return p.round.Inner
}

// ask seals the handler's state together with what the question is about.
func (p *pass) ask(questions mcp.InputRequestMap, inner string) string {
	st := &state{
		Call: p.callID, Subject: p.caller.Principal.ID, Method: p.method, Name: p.name, Args: p.sum,
		Asked: slices.Sorted(maps.Keys(questions)), Expires: time.Now().Add(stateLifetime).Unix(), Inner: inner,
	}
	if p.round != nil {
		st.Round = p.round.Round + 1
	}
	p.asks = true
	return p.server.states.sealState(st)
}
