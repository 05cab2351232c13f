package access

import "context"

// A Request is what an [Authorizer] is asked: may Principal do this?
type Request struct {
	Principal Principal
	// Method is the MCP method: "tools/call", "resources/read", "prompts/get"
	// or "completion/complete".
	Method string
	// Exactly one of Tool, Resource (a URI) and Prompt is set.
	Tool, Resource, Prompt string
	// Arguments are the decoded and validated arguments: the tool's own Go type
	// for a typed tool, json.RawMessage for a raw one. Read-only.
	Arguments any
}

// An Effect is the outcome of a decision. The zero value denies.
type Effect uint8

// The effects of a decision.
const (
	EffectDeny   Effect = iota // refused
	EffectPermit               // allowed
)

// A Decision is an [Authorizer]'s answer. The zero value denies.
type Decision struct {
	Effect Effect
	// Rule names what decided, for the audit log.
	Rule string
	// Reason is told to the caller in plain words when the call is denied, and
	// recorded either way. It must not contain what the caller may not know.
	Reason string
}

// Permit returns a decision that allows, naming the rule that did.
func Permit(rule string) Decision { return Decision{Effect: EffectPermit, Rule: rule} }

// Deny returns a decision that refuses, naming the rule and the reason that the
// caller will read.
func Deny(rule, reason string) Decision {
	return Decision{Effect: EffectDeny, Rule: rule, Reason: reason}
}

// An Authorizer decides whether a call may go on. It is asked after the scopes
// and roles of the policy have been met, so it can only narrow. An error or a
// panic denies. Implementations must be safe for concurrent use and should
// honour the context's deadline, which is the timeout of what is called.
type Authorizer interface {
	Authorize(context.Context, Request) (Decision, error)
}

// AuthorizerFunc lets a function be an [Authorizer].
type AuthorizerFunc func(context.Context, Request) (Decision, error)

// Authorize calls f.
func (f AuthorizerFunc) Authorize(ctx context.Context, r Request) (Decision, error) {
	return f(ctx, r)
}
