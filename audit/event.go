package audit

import (
	"context"
	"time"
)

// version is the version of the form of events that are written. Those of version 1, whose
// lines were chained by HMACs, are read and verified.
const version = 2

// A Phase says which part of a call an event tells of.
type Phase string

// The phases of a call, and what belongs to none.
const (
	PhaseIntent   Phase = "intent"   // before the handler runs
	PhaseOutcome  Phase = "outcome"  // after it, and of whatever has no handler
	PhaseRefused  Phase = "refused"  // a guard turned it away before the handler
	PhaseOrphaned Phase = "orphaned" // an intent whose outcome never came: the process died
	PhaseNotice   Phase = "notice"   // starts, stops, opt-outs, trouble with the log
)

// An Effect is what was decided.
type Effect string

// The effects of a decision.
const (
	EffectPermit  Effect = "permit"
	EffectDeny    Effect = "deny"
	EffectAsk     Effect = "ask"     // a person would have to approve
	EffectObserve Effect = "observe" // would have been refused, and was let through
)

// A Status says how a call ended.
type Status string

// The ways in which a call ends.
const (
	StatusOK            Status = "ok"
	StatusToolError     Status = "tool_error"
	StatusRefused       Status = "refused"
	StatusPanic         Status = "panic"
	StatusTimeout       Status = "timeout"
	StatusCancelled     Status = "cancelled"
	StatusInputRequired Status = "input_required"
	StatusWithheld      Status = "withheld" // it may have happened, and its answer could not be recorded or held a secret
)

// An Event is one line of the log. Fields that are empty do not appear. It holds no
// secret and nothing that a caller typed, other than what a rule lets through.
type Event struct {
	Version  int       `json:"v"`   // of the form of events; the log sets it
	ID       string    `json:"id"`  // of this event; the log sets it
	Seq      uint64    `json:"seq"` // counts from 1 without gaps; the log sets it
	Time     time.Time `json:"time"`
	Server   Server    `json:"server,omitzero"`
	Phase    Phase     `json:"phase"`
	Call     string    `json:"call,omitempty"` // joins the events of one call
	Caller   Caller    `json:"caller,omitzero"`
	MCP      MCP       `json:"mcp,omitzero"`
	Key      string    `json:"key,omitempty"` // the name of the key that made its HMACs and digests; see [Redactor.Key]
	Args     Args      `json:"args,omitzero"`
	Answer   Args      `json:"answer,omitzero"` // the structured content of the answer, of a tool of [LevelAnswer]
	Decision Decision  `json:"decision,omitzero"`
	Approval Approval  `json:"approval,omitzero"`

	Credentials []Credential `json:"credentials,omitempty"`
	Egress      []Egress     `json:"egress,omitempty"`

	Outcome   Outcome       `json:"outcome,omitzero"`
	Duration  time.Duration `json:"-"`                  // "duration_us", in whole microseconds
	Buffered  bool          `json:"buffered,omitempty"` // Record may return before the event is on disk; for calls that change nothing
	Trace     Trace         `json:"trace,omitzero"`
	Integrity Integrity     `json:"integrity,omitzero"` // the log sets it
}

// A Server says which server recorded the event.
type Server struct {
	Name     string `json:"name,omitempty"`
	Version  string `json:"version,omitempty"`
	Instance string `json:"instance,omitempty"` // one run of it
}

// A Caller is who called.
type Caller struct {
	ID      string   `json:"id,omitempty"`
	Issuer  string   `json:"issuer,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Tenant  string   `json:"tenant,omitempty"`
	Client  string   `json:"client,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Address string   `json:"address,omitempty"`
}

// MCP is what was asked for, in the protocol's words.
type MCP struct {
	Method    string `json:"method,omitempty"`
	Tool      string `json:"tool,omitempty"`
	Resource  string `json:"resource,omitempty"` // as declared: a URI or a template
	Prompt    string `json:"prompt,omitempty"`
	Session   string `json:"session,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
	Request   string `json:"request,omitempty"` // the JSON-RPC id, in its JSON form
	Transport string `json:"transport,omitempty"`
}

// A Level says how much of each call is recorded. Every call is recorded whatever the level.
type Level uint8

// The levels. The zero value is LevelArguments.
const (
	LevelArguments Level = iota // who, what, when, the decision and the outcome; arguments by their rules, a digest of the answer
	LevelMetadata               // of arguments and answer their size alone
	LevelAnswer                 // the structured content of the answer by its rules as well
)

// String returns "arguments", "metadata" or "answer".
func (l Level) String() string {
	switch l {
	case LevelMetadata:
		return "metadata"
	case LevelAnswer:
		return "answer"
	case LevelArguments:
	}
	return "arguments"
}

// Args are the arguments, redacted; see [Redactor].
type Args struct {
	Digest  string  // keyed, over the canonical arguments
	Bytes   int     // as sent
	Fields  []Field // those that the tool declares, in the order in which they came
	Unknown int     // how many it does not declare: their names are the caller's own words
}

// A Field is one argument as it may be read: Clear, or HMAC and Len, or Len alone,
// or only its name. An object whose members are declared, and a list whose elements are
// recorded, has Len and Nested.
type Field struct {
	Name   string // empty for an element of a list
	Clear  string // JSON
	HMAC   string
	Len    int // code points of a string, elements of a list, members of an object, else bytes; -1 if dropped
	Nested *Nested
}

// Nested is what is within an object or a list.
type Nested struct {
	Fields  []Field // members of an object
	Unknown int     // members that are not declared
	Items   []Field // the first elements of a list, at most 16
}

// nested is what is within a field, which may be nothing.
func (f *Field) nested() Nested {
	if f.Nested == nil {
		return Nested{}
	}
	return *f.Nested
}

// within is the same, to be filled.
func (f *Field) within() *Nested {
	if f.Nested == nil {
		f.Nested = new(Nested)
	}
	return f.Nested
}

// A Decision is what was decided, by which guard and rule, and why.
type Decision struct {
	Effect Effect `json:"effect,omitempty"`
	By     string `json:"by,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// An Approval is what a person said.
type Approval struct {
	ID   string `json:"id,omitempty"`
	By   string `json:"by,omitempty"`
	Kind string `json:"kind,omitempty"`
}

// A Credential is one that the call was handed, never its value. Request, Role and
// Accessor join it with the records of the store that issued it: its name for the
// request, the role for which it was issued, and a hash of the name of the token that
// asked.
type Credential struct {
	Name     string    `json:"name,omitempty"`
	Binding  string    `json:"binding,omitempty"`
	Version  string    `json:"version,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
	Request  string    `json:"request_id,omitempty"`
	Role     string    `json:"role,omitempty"`
	Accessor string    `json:"accessor,omitempty"`
}

// An Egress is a host that the call reached.
type Egress struct {
	Host  string `json:"host,omitempty"`
	Bytes int    `json:"bytes,omitempty"`
}

// An Outcome is how the call ended. Cause and Stack are for those who run the
// server; nobody else is told them.
type Outcome struct {
	Status    Status `json:"status,omitempty"`
	Code      string `json:"code,omitempty"`
	Bytes     int    `json:"bytes,omitempty"`  // of the answer
	Digest    string `json:"digest,omitempty"` // keyed, over the answer; see [Redactor.Answer]
	Reference string `json:"reference,omitempty"`
	Cause     string `json:"cause,omitempty"`
	Stack     string `json:"stack,omitempty"`
}

// A Trace is the W3C trace context that the client sent (SEP-414).
type Trace struct {
	TraceID string `json:"trace_id,omitempty"`
	SpanID  string `json:"span_id,omitempty"`
}

// Integrity shows damage to the line. What shows that it is what was written is the log's
// tree, see [Verify].
type Integrity struct {
	Sum string `json:"crc32c,omitempty"` // CRC-32C of the line without this member (RFC 3720, appendix B.4)

	Prev string `json:"prev,omitempty"` // in version 1: the MAC of the event before; empty in the first
	MAC  string `json:"mac,omitempty"`  // in version 1: over Prev and the line without this member
}

// A Recorder keeps events. Record returns nil when the event will survive whatever
// happens to the process; until then nothing may be done on the strength of it. Of an event
// that is Buffered it may return before, when the event is in its turn to be written. It
// is safe for concurrent use, honours ctx, and does not keep e.
type Recorder interface {
	Record(ctx context.Context, e *Event) error
}
