package vault

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// How long nothing is sent to a Vault that is in trouble: doubled from the shortest to
// the longest with each failure, and less by up to a half at random, so that many
// processes do not come back at once.
const (
	shortestRest = 250 * time.Millisecond
	longestRest  = 5 * time.Second
	failuresOpen = 3 // in a row
)

// A breaker bounds the requests to a Vault that does not do its work: after a few
// failures in a row one request is tried now and then, and all others are told at once.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	until    time.Time // nothing is sent before
	trying   bool      // one is
	last     error
}

// resting is the answer while nothing is sent.
type resting struct{ err error }

func (r *resting) Error() string {
	return "Vault has been in trouble, and is asked again in a moment: " + r.err.Error()
}
func (r *resting) Is(target error) bool { return target == secrets.ErrUnavailable }

// enter says whether a request may be sent. A nil breaker lets all be.
func (b *breaker) enter() error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < failuresOpen {
		return nil
	}
	if b.trying || b.now().Before(b.until) {
		return &resting{b.last}
	}
	b.trying = true
	return nil
}

// leave says how a request that was let in ended, or that its caller gave it up.
func (b *breaker) leave(err error, gone bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	switch {
	case gone:
	case errors.Is(err, secrets.ErrUnavailable):
		b.failures++
		b.last = err
		rest := longestRest
		if over := b.failures - failuresOpen; over >= 0 && over < 5 {
			rest = min(longestRest, shortestRest<<over)
		}
		rest = rest/2 + rand.N(rest/2)                               //nolint:gosec // spreads, and keeps nothing secret
		if r, is := errors.AsType[*refusal](err); is && r.wait > 0 { // Vault says how long
			b.failures = max(b.failures, failuresOpen)
			rest = max(rest, min(r.wait, longestRest))
		}
		b.until = b.now().Add(rest)
	default:
		b.failures, b.last = 0, nil
	}
}

// trouble says that requests are held back at the moment.
func (b *breaker) trouble() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failures >= failuresOpen
}
