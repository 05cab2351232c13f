package safetool

import (
	"fmt"
	"maps"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/secrets"
)

// A Risk says what a tool can do to the world. The zero value is refused at
// registration: somebody has to have thought about it.
type Risk uint8

// The risks of a tool.
const (
	_ Risk = iota
	// ReadOnly tools change nothing that anybody would miss.
	ReadOnly
	// Write tools change state in a way that can be lived with or undone.
	Write
	// HighRisk tools move money, delete, publish or cannot be undone: a person
	// approves each call.
	HighRisk
)

// String returns "read-only", "write", "high-risk" or "unset".
func (r Risk) String() string {
	switch r {
	case ReadOnly:
		return "read-only"
	case Write:
		return "write"
	case HighRisk:
		return "high-risk"
	}
	return "unset"
}

// A Policy is a tool's safety in one value: it can be read in a review and
// printed ([Server.Describe]). The zero Policy is refused at registration.
type Policy struct {
	// Risk must be set. It also sets the tool's annotations, so that the hints a
	// client reads cannot contradict it.
	Risk Risk
	// Scopes must all be held by the caller. A caller who lacks one, and could go
	// back for a token that has it, is told which; from one who could not, the tool
	// is hidden.
	Scopes []string
	// Roles: the caller must hold at least one. A caller who holds none does
	// not see the tool at all.
	Roles []string
	// AnyCaller must be true when neither Scopes nor Roles are given: every
	// identified caller may then call.
	AnyCaller bool
	// Secrets are the credentials that the handler gets, by the name under
	// which [Call.Credential] knows them. It gets no others.
	Secrets map[string]secrets.Binding
	// Leaks says what becomes of an answer that holds a secret. It is redacted where
	// nothing is said; either way a notice in the audit log names the binding.
	Leaks Leaks
	// Limits narrows or widens the server's limits for this tool.
	Limits limit.Limits
	// Audit says how much of each call is recorded; every call is. A HighRisk tool is not
	// put on LevelMetadata.
	Audit audit.Level
	// Buffered lets a call go on before its events are on disk, as soon as their turn is
	// kept: the last of them are lost when the machine stops. Only a ReadOnly tool may, of
	// which nobody has to know for sure that it ran. Its refusals wait all the same.
	Buffered bool
}

// check returns what is wrong with the policy, in a sentence.
func (p *Policy) check(broker *secrets.Broker) error {
	switch {
	case p.Risk < ReadOnly || p.Risk > HighRisk:
		return fmt.Errorf("its Policy has no Risk: say ReadOnly, Write or HighRisk")
	case len(p.Scopes) == 0 && len(p.Roles) == 0 && !p.AnyCaller:
		return fmt.Errorf("its Policy lets nobody call: give Scopes or Roles, or set AnyCaller: true")
	case (len(p.Scopes) > 0 || len(p.Roles) > 0) && p.AnyCaller:
		return fmt.Errorf("its Policy sets AnyCaller beside Scopes or Roles: choose one")
	case slices.Contains(p.Scopes, "") || slices.Contains(p.Roles, ""):
		return fmt.Errorf("its Policy has an empty scope or role")
	}
	if p.Leaks > RefuseLeaks {
		return fmt.Errorf("its Policy has %v as Leaks: say RedactLeaks or RefuseLeaks", p.Leaks)
	}
	if p.Audit > audit.LevelAnswer {
		return fmt.Errorf("its Policy has an Audit level that there is not: say audit.LevelMetadata, LevelArguments or LevelAnswer")
	}
	if p.Audit == audit.LevelMetadata && p.Risk == HighRisk {
		return fmt.Errorf("its Policy records a HighRisk tool at audit.LevelMetadata: nobody could tell later what was done; keep single arguments out of the log with the tag audit:\"drop\"")
	}
	if p.Buffered && p.Risk != ReadOnly {
		return fmt.Errorf("its Policy is Buffered, but its Risk is %v: only what is ReadOnly may go on before it is recorded", p.Risk)
	}
	if field := p.Limits.Check(); field != "" {
		return fmt.Errorf("its Policy has a negative limit %s, or a rate that is half set", field)
	}
	if len(p.Secrets) > 0 && broker == nil {
		return fmt.Errorf("its Policy names secrets, but Options.Secrets has no broker: give secrets.NewBroker(provider, nil)")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Secrets)) {
		b := p.Secrets[name]
		if err := b.Check(); err != nil {
			return fmt.Errorf("its secret %q: %w", name, err)
		}
		if err := broker.Supports(b); err != nil {
			return fmt.Errorf("its secret %q: %w", name, err)
		}
	}
	return nil
}

// clone protects the registered policy from later changes by its author.
func (p Policy) clone() Policy {
	p.Scopes, p.Roles, p.Secrets = slices.Clone(p.Scopes), slices.Clone(p.Roles), maps.Clone(p.Secrets)
	return p
}

// annotations returns the hints that say what the policy says, on top of those
// the author gave, or an error where the two contradict each other.
func (p *Policy) annotations(given *mcp.ToolAnnotations) (*mcp.ToolAnnotations, error) {
	a := mcp.ToolAnnotations{}
	if given != nil {
		a = *given
	}
	destructive := a.DestructiveHint != nil && *a.DestructiveHint
	switch {
	case p.Risk == ReadOnly && destructive:
		return nil, fmt.Errorf("its Risk is ReadOnly but its annotations say destructiveHint: true")
	case p.Risk != ReadOnly && a.ReadOnlyHint:
		return nil, fmt.Errorf("its Risk is %v but its annotations say readOnlyHint: true", p.Risk)
	case p.Risk == HighRisk && a.DestructiveHint != nil && !destructive:
		return nil, fmt.Errorf("its Risk is HighRisk but its annotations say destructiveHint: false")
	}
	a.ReadOnlyHint = p.Risk == ReadOnly
	if p.Risk == HighRisk {
		yes := true
		a.DestructiveHint = &yes
	}
	return &a, nil
}
