package safetool

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Category says whose fault a [Problem] is, so that a program knows whom to
// turn to.
type Category string

// The categories of a problem.
const (
	CategoryCaller   Category = "caller"   // the caller can mend it: arguments, unknown names
	CategoryPolicy   Category = "policy"   // the rules of this server forbid it
	CategoryServer   Category = "server"   // this server failed
	CategoryUpstream Category = "upstream" // something that this server depends on failed
)

// The codes of the problems that the library itself reports. A program's own
// codes, given through [Options].Explain, may be any other words.
const (
	CodeMalformed              = "malformed"               // a message that the protocol does not know; refused at the door
	CodeInvalidArguments       = "invalid_arguments"       // the arguments do not decode or break a rule
	CodeArgumentsTooLarge      = "arguments_too_large"     // more bytes than the limit
	CodeArgumentsTooDeep       = "arguments_too_deep"      // nested deeper than the limit
	CodeBusy                   = "busy"                    // too many calls at once
	CodeRateLimited            = "rate_limited"            // too many calls in a short time
	CodeUnidentified           = "unidentified"            // nobody knows who is calling
	CodeNotFound               = "not_found"               // unknown or hidden: the two look the same
	CodeMissingScope           = "missing_scope"           // the caller lacks a scope
	CodeDenied                 = "denied"                  // the authorizer said no
	CodeApprovalRequired       = "approval_required"       // a person must approve, and nobody can be asked
	CodeAuditUnavailable       = "audit_unavailable"       // no record, no call
	CodeOutcomeUnrecorded      = "outcome_unrecorded"      // it ran, but its outcome could not be recorded
	CodeSecretWithheld         = "secret_withheld"         // the answer, or the words of a refusal, held an issued secret; see [RefuseLeaks]
	CodeCredentialsUnavailable = "credentials_unavailable" // a credential of the policy could not be had
	CodeSourceUnavailable      = "source_unavailable"      // the source of an allowlist could not be read
	CodeCheckUnavailable       = "check_unavailable"       // a rule of the program's own could not tell
	CodeTimeout                = "timeout"                 // the handler took too long
	CodeCancelled              = "cancelled"               // the caller gave up
	CodeResultTooLarge         = "result_too_large"        // the answer exceeds the limit
	CodeStateInvalid           = "state_invalid"           // a continuation that this server did not issue
	CodeClientCannotAsk        = "client_cannot_ask"       // the client cannot put a question to its user
	CodeUnanswered             = "unanswered"              // a question to the client's user got no answer
	CodeToolError              = "tool_error"              // the tool said so, with [Say]
	CodeInternal               = "internal"                // everything else; the reference finds the cause
)

// A Problem is a refusal or failure in words that a person and a model can act
// on. It is what leaves the server instead of an error's text: a refused tool
// call carries it as JSON under _meta["safemcp/problem"] beside one text
// content; resources, prompts and protocol refusals carry it in error.data.
//
// A Problem is an error: a handler may return one to choose code, category and
// hint; [Say] is the short form. The text fields go to the caller, after text
// hygiene and redaction like everything else.
type Problem struct {
	// Code is a short machine-readable word.
	Code string `json:"code"`
	// Category says whose fault it is.
	Category Category `json:"category"`
	// Message says what is wrong, in a sentence.
	Message string `json:"message"`
	// Hint says what to do about it.
	Hint string `json:"hint,omitempty"`
	// Reference finds the call in the audit log, where its cause is. The
	// library sets it.
	Reference string `json:"reference,omitempty"`
	// Retry says whether the same call may succeed later.
	Retry bool `json:"retry"`
	// Fields are the arguments that are wrong, every one of them.
	Fields []FieldProblem `json:"fields,omitempty"`
}

// A FieldProblem is one wrong argument. It never holds what was submitted.
type FieldProblem struct {
	// Path names the argument: "address.lines[2]"; empty for the arguments as a
	// whole.
	Path string `json:"path"`
	// Rule is the rule that was broken: "required", "oneof", "max", …
	Rule string `json:"rule"`
	// Message says in words what is allowed.
	Message string `json:"message"`
	// Allowed lists the allowed values of a closed vocabulary.
	Allowed []string `json:"allowed,omitempty"`
	// Nearest are the allowed values that are nearest to what was submitted, at most 3.
	// They are not in the audit log, where they would say what that may have been.
	Nearest []string `json:"nearest,omitempty"`
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// text is what the model reads.
func (p *Problem) text() string {
	var b strings.Builder
	b.WriteString(p.Message)
	for _, f := range p.Fields {
		b.WriteString("\n- ")
		b.WriteString(f.Message)
		if f.Nearest != nil {
			b.WriteString(" Nearest to what was sent: ")
			b.WriteString(strings.Join(f.Nearest, ", "))
			b.WriteString(".")
		}
	}
	if p.Hint != "" {
		b.WriteString("\n")
		b.WriteString(p.Hint)
	}
	if p.Reference != "" {
		b.WriteString("\nReference: ")
		b.WriteString(p.Reference)
	}
	return b.String()
}

// reason is what the audit log says of it: of arguments, what is wrong with each.
func (p *Problem) reason() string {
	if len(p.Fields) == 0 {
		return p.Message
	}
	messages := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		messages[i] = f.Message
	}
	return strings.Join(messages, " ")
}

func (p *Problem) json() json.RawMessage {
	raw, err := json.Marshal(p)
	if err != nil { // strings, a bool and slices of them always marshal
		return json.RawMessage(`{"code":"internal","category":"server","message":"","retry":false}`)
	}
	return raw
}

// problemKey is where a tool result carries its Problem.
const problemKey = "safemcp/problem"

// Say returns an error whose text is meant for the caller. Everything else that
// an error says stays inside the server: the caller of a handler that fails
// with an ordinary error learns that the call could not be completed and a
// reference, and the error's text goes to the audit log.
//
//	return nil, out, safetool.Say("There is no document %q.", in.ID)
//
// Say formats like [fmt.Errorf]; %w keeps the cause reachable by errors.Is, and
// puts its text into what the caller reads.
func Say(format string, args ...any) error {
	return &said{fmt.Errorf(format, args...)}
}

type said struct{ error }

func (s *said) Unwrap() error { return s.error }
