package serve

import (
	"context"
	"slices"
	"sync"

	"github.com/safemcp/safemcp/audit"
)

// recorder is what safetooltest.Recorder is to others: that package stands on this one.
type recorder struct {
	Fail func(audit.Event) error // asked before an event is kept

	mu     sync.Mutex
	events []audit.Event
}

func (r *recorder) Record(ctx context.Context, e *audit.Event) error {
	kept := *e
	kept.Credentials = slices.Clone(e.Credentials)
	err := ctx.Err()
	if err == nil && r.Fail != nil {
		err = r.Fail(kept)
	}
	if err == nil {
		r.mu.Lock()
		r.events = append(r.events, kept)
		r.mu.Unlock()
	}
	return err
}

func (r *recorder) Events() []audit.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}
