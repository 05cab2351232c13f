package safetool

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
)

// newID returns 128 random bits as text.
func newID() string { return rand.Text() }

// record hands an event to the recorder with the texts that somebody else wrote redacted.
func (s *Server) record(ctx context.Context, e *audit.Event) error {
	e.Server = s.identity
	_ = s.redactEvent(e)
	return s.write(ctx, e)
}

// write hands an event to the recorder, within a bound. A recorder that panics has not
// recorded.
func (s *Server) write(ctx context.Context, e *audit.Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the recorder failed: %w", recovered(r))
		}
		if err != nil {
			s.log.Error("the audit log did not take an event", "phase", e.Phase, "call", e.Call, "error", err)
		}
	}()
	if e.Args.Digest != "" || e.Outcome.Digest != "" {
		e.Key = s.redactor.Key()
	}
	bounded := &patience{Context: ctx, most: recordTimeout}
	defer bounded.end()
	return s.recorder.Record(bounded, e)
}

// events are kept for reuse: a recorder does not keep what it is given.
var events = sync.Pool{New: func() any { return new(audit.Event) }}

// recordOnce records an event of a pass that nobody uses afterwards.
func (s *Server) recordOnce(ctx context.Context, e *audit.Event) error {
	defer reuse(e)
	return s.record(ctx, e)
}

func reuse(e *audit.Event) {
	*e = audit.Event{}
	events.Put(e)
}

// recordDetached records what has been decided, whatever became of the caller.
func (s *Server) recordDetached(ctx context.Context, e *audit.Event) error {
	return s.recordApart(context.WithoutCancel(ctx), e)
}

// recordApart is record where the goroutine is not one of a pass: it goes on whatever the
// recorder does.
func (s *Server) recordApart(ctx context.Context, e *audit.Event) error {
	_, err := apartFor(recorderTimeout, func() (struct{}, error) { return struct{}{}, s.record(ctx, e) })
	return err
}

// notice records an event that belongs to no call.
func (s *Server) notice(ctx context.Context, by, rule, reason string) error {
	return s.recordApart(ctx, &audit.Event{
		Phase:    audit.PhaseNotice,
		Decision: audit.Decision{By: by, Rule: rule, Reason: reason},
	})
}

// refusedAtDoor records what a front door turned away.
func (s *Server) refusedAtDoor(ctx context.Context, r bridge.Refusal) {
	e := &audit.Event{
		Phase:    audit.PhaseRefused,
		MCP:      audit.MCP{Method: r.Method, Request: r.Request},
		Args:     audit.Args{Bytes: r.Bytes},
		Decision: audit.Decision{Effect: audit.EffectDeny, By: "door", Rule: r.Rule, Reason: r.Reason},
		Outcome:  audit.Outcome{Status: audit.StatusRefused, Code: r.Code, Cause: r.Cause},
	}
	switch r.Kind {
	case "tool":
		e.MCP.Tool = r.Name
	case "prompt":
		e.MCP.Prompt = r.Name
	case "resource", "resource template":
		e.MCP.Resource = r.Name
	}
	if r.Caller != nil {
		e.Caller = auditCaller(r.Caller)
		e.MCP.Transport = r.Caller.Transport
	}
	_ = s.recordDetached(ctx, e) // logged by record; the refusal stands either way
}

func auditCaller(c *bridge.Caller) audit.Caller {
	p := &c.Principal
	return audit.Caller{
		ID: p.ID, Issuer: p.Issuer, Subject: p.Subject, Tenant: p.Tenant, Client: p.Client,
		Roles: p.Roles, Scopes: p.Scopes, Address: c.Address,
	}
}

// redactorOf returns the redactor of a recorder that has one, so that its HMACs
// can be joined over restarts, or one with a key of this process.
func redactorOf(r audit.Recorder) (*audit.Redactor, error) {
	if own, ok := r.(interface{ Redactor() *audit.Redactor }); ok {
		if redactor := own.Redactor(); redactor != nil {
			return redactor, nil
		}
	}
	key := make([]byte, 32)
	rand.Read(key)
	return audit.NewRedactor(key)
}

// noAudit is the recorder of a server that has opted out.
type noAudit struct{}

func (noAudit) Record(context.Context, *audit.Event) error { return nil }

// argumentsOf returns what is recorded of arguments that are no tool's: names
// and URIs that a caller chose.
func (s *Server) argumentsOf(values map[string]string, rules audit.Rules) audit.Args {
	raw, err := json.Marshal(values)
	if err != nil { // a map of strings always marshals
		return audit.Args{}
	}
	return s.redactor.Args(raw, rules, true)
}

// sent notes what was sent: as it is recorded at the level of the policy, and its digest,
// by which another round of the call is known to be about the same.
func (p *pass) sent(raw json.RawMessage, valid bool) {
	args := p.server.redactor.Args(raw, p.feature.rules, valid)
	p.sum = args.Digest
	if p.feature.policy.Audit == audit.LevelMetadata {
		args = audit.Args{Bytes: len(raw)}
	}
	p.submit(args, raw)
}

// permitted is the decision that is recorded where every guard said yes.
func permitted(p *Policy) audit.Decision {
	rule := "any_caller"
	switch {
	case len(p.Scopes) > 0 && len(p.Roles) > 0:
		rule = "scopes_and_roles"
	case len(p.Scopes) > 0:
		rule = "scopes"
	case len(p.Roles) > 0:
		rule = "roles"
	}
	return audit.Decision{Effect: audit.EffectPermit, By: "policy", Rule: rule}
}
