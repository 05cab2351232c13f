package safetooltest

import (
	"context"
	"slices"
	"sync"

	"github.com/safemcp/safemcp/audit"
)

// A Recorder keeps events in memory. The zero value is ready; it is safe for
// concurrent use.
type Recorder struct {
	// Fail, if set, is asked before an event is kept; an error that it returns is
	// returned to the server, as from a log that cannot write. Set it before the
	// server runs.
	Fail func(audit.Event) error

	mu     sync.Mutex
	events []audit.Event
}

// Record implements audit.Recorder.
func (r *Recorder) Record(ctx context.Context, e *audit.Event) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // a log says the same
	}
	kept := *e
	kept.Caller.Roles, kept.Caller.Scopes = slices.Clone(e.Caller.Roles), slices.Clone(e.Caller.Scopes)
	kept.Args.Fields, kept.Credentials = slices.Clone(e.Args.Fields), slices.Clone(e.Credentials)
	if r.Fail != nil {
		if err := r.Fail(kept); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	kept.Seq = uint64(len(r.events)) + 1
	r.events = append(r.events, kept)
	return nil
}

// Events returns what has been recorded so far, in order.
func (r *Recorder) Events() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Calls returns the recorded events of calls, reads, prompts and completions,
// leaving out lists, handshakes and notices that no call belongs to.
func (r *Recorder) Calls() []audit.Event {
	return slices.DeleteFunc(r.Events(), func(e audit.Event) bool {
		switch e.MCP.Method {
		case "tools/call", "resources/read", "prompts/get", "completion/complete":
			return false
		}
		return true
	})
}
