package safetool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/safemcp/safemcp/audit"
)

// Leaks says what becomes of an answer that holds a secret: a value that the server's
// broker has issued, or what its patterns find (secrets.Options.Patterns).
type Leaks uint8

// What becomes of an answer that holds a secret.
const (
	// RedactLeaks puts the name of the secret's binding in its place and sends the rest.
	RedactLeaks Leaks = iota
	// RefuseLeaks withholds the answer: the caller is told that there was one, in a
	// [Problem] with [CodeSecretWithheld]. A message that holds a secret is not sent, and
	// the handler gets an error; one that is sent outside of the call's context, which
	// no policy is known for, is redacted. What is logged or recorded always is.
	RefuseLeaks
)

// String returns "redact" or "refuse".
func (l Leaks) String() string {
	switch l {
	case RedactLeaks:
		return "redact"
	case RefuseLeaks:
		return "refuse"
	}
	return fmt.Sprintf("Leaks(%d)", uint8(l))
}

// leaks are the secrets that were found in what a call would have let out. They are
// safe for concurrent use.
type leaks struct {
	mu       sync.Mutex
	bindings []string
	places   []string
	closed   bool // they have been told of
}

// add notes that values of bindings were found in a place. It reports false where the
// notice of the call has gone out, so that somebody else has to tell of them.
func (l *leaks) add(place string, bindings ...string) bool {
	if len(bindings) == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	for _, b := range bindings {
		if !slices.Contains(l.bindings, b) {
			l.bindings = append(l.bindings, b)
		}
	}
	if !slices.Contains(l.places, place) {
		l.places = append(l.places, place)
	}
	return true
}

// close is called before they are told of, which is for the last time unless more is to
// come. It reports whether there are any.
func (l *leaks) close(more bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = !more
	return len(l.bindings) > 0
}

// mostLeaks bounds how many bindings one notice names.
const mostLeaks = 32

// notice is the event that tells of them, or nil where there are none. What is found
// afterwards is another's.
func (l *leaks) notice(e *audit.Event, done string) *audit.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.bindings) == 0 {
		return nil
	}
	slices.Sort(l.bindings)
	slices.Sort(l.places)
	named := l.bindings[:min(len(l.bindings), mostLeaks)]
	reason := fmt.Sprintf("values of %s were in %s, and %s", strings.Join(named, ", "), strings.Join(l.places, " and "), done)
	if more := len(l.bindings) - len(named); more > 0 {
		reason += fmt.Sprintf("; %d more bindings are not named", more)
	}
	e.Decision = audit.Decision{By: "secrets", Rule: "leak", Reason: reason}
	e.Credentials = nil
	for _, b := range named {
		e.Credentials = append(e.Credentials, audit.Credential{Binding: b})
	}
	l.bindings, l.places = nil, nil
	return e
}

// recordLeaks puts on record what was found in what the call would have let out: one
// notice, whatever it was. An outcome that cannot be explained is not sent.
func (p *pass) recordLeaks(ctx context.Context, seen *facts, v *verdict) error {
	if !p.call.leaks.close(p.runsOn()) {
		return nil
	}
	done := "were redacted"
	if v != nil && v.code == CodeSecretWithheld {
		done = "the answer was withheld"
	}
	e := p.event(audit.PhaseNotice, seen.callID)
	return p.server.recordOnce(ctx, p.call.leaks.notice(e, done))
}

// strayLeak tells of a secret in a message that no call is known for, or whose call has
// been answered, once for each binding and kind of message.
func (s *Server) strayLeak(ctx context.Context, method string, bindings []string) {
	s.stray(ctx, method, "a message outside of any call, "+method, bindings)
}

// loggedLeak is strayLeak for what is logged.
func (s *Server) loggedLeak(bindings []string) {
	s.stray(context.Background(), "", "the log, outside of any call", bindings)
}

func (s *Server) stray(ctx context.Context, method, place string, bindings []string) {
	var l leaks
	for _, b := range bindings {
		if _, known := s.strayed.LoadOrStore(method+" "+b, true); !known {
			l.add(place, b)
		}
	}
	if e := l.notice(&audit.Event{Phase: audit.PhaseNotice, MCP: audit.MCP{Method: method}}, "were redacted"); e != nil {
		_ = s.recordDetached(ctx, e) // logged by record; what was said is clean either way
	}
}

func withheldProblem() *Problem {
	return &Problem{
		Code: CodeSecretWithheld, Category: CategoryServer,
		Message: "The call was carried out, but its answer held a secret of this server and is withheld.",
		Hint:    "Do not simply repeat it: check the effect first. Whoever runs this server finds which secret it was by the reference.",
	}
}

func withheldRefusal() *Problem {
	return &Problem{
		Code: CodeSecretWithheld, Category: CategoryPolicy,
		Message: "The call was refused, in words that held a secret of this server and are withheld.",
		Hint:    "Whoever runs this server finds why, and which secret it was, by the reference.",
	}
}
