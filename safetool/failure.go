package safetool

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/validate"
)

// A refusal is the server's own no: which guard said it, by what rule, and what
// the caller is told.
type refusal struct {
	by      string // the guard: "admit", "limit", "validate", …
	rule    string
	effect  audit.Effect
	problem Problem
	cause   error // for the audit log alone
}

func (r *refusal) Error() string { return r.by + ": " + r.problem.Message }
func (r *refusal) Unwrap() error { return r.cause }

func refuse(by, rule string, p Problem) *refusal {
	return &refusal{by: by, rule: rule, effect: audit.EffectDeny, problem: p}
}

// A panicked is a recovered panic of code that is not ours.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// recovered turns a panic into an error. The value is formatted here, under
// another recover, since an Error or String method may panic too.
func recovered(value any) (p *panicked) {
	p = &panicked{stack: debug.Stack()}
	defer func() {
		if recover() != nil {
			p.value = fmt.Sprintf("a %T that panics when printed", value)
		}
	}()
	p.value = fmt.Sprint(shallow(value))
	return p
}

// shallow is what is printed of a panic's value: one that has no text of its own may
// lead back to itself, and printing that exhausts the stack, which nothing recovers.
func shallow(value any) any {
	switch value.(type) {
	case error, fmt.Stringer:
		return value
	}
	switch kind := reflect.ValueOf(value).Kind(); kind {
	case reflect.Array, reflect.Slice, reflect.Map, reflect.Struct, reflect.Pointer:
		return fmt.Sprintf("a %T", value)
	}
	return value
}

// errTimedOut and errCancelled are how the wait for a handler ended without it.
var (
	errTimedOut  = errors.New("it did not return within its timeout")
	errCancelled = errors.New("the caller cancelled")
)

// A verdict is an error made ready for its two readers: the caller, who gets
// either problem or wire, and the auditor.
type verdict struct {
	status  audit.Status
	code    string
	problem *Problem       // told to the caller …
	wire    *jsonrpc.Error // … unless the handler chose a protocol error of its own
	refused *refusal
	cause   string
	stack   string
}

// explain decides what the caller of a failed call is told, whatever the methods of
// an error of somebody else's do.
func (s *Server) explain(ctx context.Context, err error) verdict {
	v, failed := shielded(func() (verdict, error) { return s.verdictOn(ctx, err), nil })
	if failed != nil {
		return s.verdictOn(ctx, failed)
	}
	return v
}

// explainApart is explain where nothing may end the goroutine.
func (s *Server) explainApart(ctx context.Context, err error) verdict {
	v, failed := apart(func() (verdict, error) { return s.verdictOn(ctx, err), nil })
	if failed != nil {
		return s.verdictOn(ctx, failed)
	}
	return v
}

// verdictOn is explain for an error that can be asked what it is. Nothing but a
// problem, words given to Say, a bare protocol error, and what the program's own
// Explain returns ever comes from the error itself.
func (s *Server) verdictOn(ctx context.Context, err error) verdict {
	var (
		ref     *refusal
		pan     *panicked
		encoder *validate.PanicError
		problem *Problem
		words   *said
	)
	switch {
	case errors.As(err, &ref):
		v := verdict{status: audit.StatusRefused, code: ref.problem.Code, problem: &ref.problem, refused: ref}
		if ref.cause != nil {
			v.cause = errorText(ref.cause)
		}
		return v
	case errors.As(err, &pan):
		return verdict{status: audit.StatusPanic, code: CodeInternal, problem: internalProblem(), cause: fmt.Sprint(pan.value), stack: string(pan.stack)}
	case errors.As(err, &encoder):
		return verdict{status: audit.StatusPanic, code: CodeInternal, problem: internalProblem(), cause: errorText(err), stack: string(encoder.Stack)}
	case errors.Is(err, errGoexit):
		return verdict{status: audit.StatusPanic, code: CodeInternal, problem: internalProblem(), cause: errorText(err)}
	case errors.Is(err, errUnsettled):
		return *withheld()
	case errors.Is(err, errTimedOut):
		return verdict{status: audit.StatusTimeout, code: CodeTimeout, problem: timeoutProblem(), cause: errorText(err)}
	}
	if wire, ok := err.(*jsonrpc.Error); ok && wire != nil { //nolint:errorlint // the SDK passes only a bare one through; a wrapped one is ordinary text
		return verdict{status: audit.StatusToolError, code: fmt.Sprintf("jsonrpc_%d", wire.Code), wire: wire, cause: wire.Message}
	}
	cause := errorText(err)
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return verdict{
			status: audit.StatusCancelled, code: CodeCancelled, cause: cause,
			problem: &Problem{Code: CodeCancelled, Category: CategoryCaller, Message: "The call was cancelled.", Retry: true},
		}
	}
	switch {
	case errors.As(err, &words):
		problem = &Problem{Code: CodeToolError, Category: CategoryCaller, Message: words.Error()}
	case errors.As(err, &problem) && problem != nil:
		problem = completed(problem)
	default:
		problem = s.ownWords(err)
	}
	return verdict{status: audit.StatusToolError, code: problem.Code, problem: problem, cause: cause}
}

// ownWords asks the program's Explain.
func (s *Server) ownWords(err error) (p *Problem) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("Options.Explain panicked", "panic", recovered(r).Error())
			p = internalProblem()
		}
	}()
	if s.options.Explain != nil {
		if p = s.options.Explain(err); p != nil {
			return completed(p)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return timeoutProblem()
	}
	return internalProblem()
}

// completed copies a program's problem and fills what it left out.
func completed(p *Problem) *Problem {
	c := *p
	if c.Code == "" {
		c.Code = CodeToolError
	}
	if c.Category == "" {
		c.Category = CategoryServer
	}
	if c.Message == "" {
		c.Message = internalProblem().Message
	}
	return &c
}

// errorText is err.Error() under recover: an error of somebody else's may panic.
func errorText(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a %T whose Error method panics", err)
		}
	}()
	return err.Error()
}

func internalProblem() *Problem {
	return &Problem{
		Code: CodeInternal, Category: CategoryServer,
		Message: "The call could not be completed: this server failed.",
		Hint:    "Trying again with the same arguments will probably not help. Whoever runs this server finds the cause by the reference.",
	}
}

func timeoutProblem() *Problem {
	return &Problem{
		Code: CodeTimeout, Category: CategoryServer, Retry: true,
		Message: "The call took too long and was given up. What it had begun may still have happened.",
		Hint:    "Check the effect before you try again.",
	}
}

func auditProblem() Problem {
	return Problem{
		Code: CodeAuditUnavailable, Category: CategoryServer, Retry: true,
		Message: "The call was refused because it cannot be recorded: this server's audit log does not accept records at the moment. Nothing was done.",
		Hint:    "Try again later.",
	}
}

func unrecordedProblem() *Problem {
	return &Problem{
		Code: CodeOutcomeUnrecorded, Category: CategoryServer,
		Message: "The operation may have happened, but its outcome could not be recorded, so its answer is withheld.",
		Hint:    "Do not simply repeat it: check the effect first.",
	}
}
