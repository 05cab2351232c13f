package secrets

import (
	"crypto/subtle"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// An entry keeps the credential of one key: it is issued once for all who wait, and
// confirmed, renewed or replaced while it is used.
type entry struct {
	key  key
	lent atomic.Pointer[lent]
	used atomic.Bool // since the keeper looked

	mu        sync.Mutex
	dead      bool // taken out of the cache
	flight    *flight
	failure   error         // of the last flight
	failedAt  time.Duration // on the broker's clock, as all of these
	confirmed time.Duration // when the store was asked what it answered last
	lifetime  time.Duration // that the credential was issued for; zero has no end
	failures  int           // in a row
	usedAt    time.Duration // when the keeper last saw that it was used
	suspect   *generation   // refused where it was used
	doubted   time.Duration // when

	due time.Duration // the keeper's, under its lock
	at  int           // in its heap; -1: not there
}

// lent is what calls are handed, until when.
type lent struct {
	credential *Credential
	until      time.Duration // on the broker's clock
}

// A flight asks the store on behalf of everybody who waits. It does not end with
// whoever began it.
type flight struct {
	done       chan struct{}
	credential *Credential
	err        error
}

// take hands out what there is, unless it is over.
func (e *entry) take(now time.Duration) *Credential {
	l := e.lent.Load()
	if l == nil || now >= l.until || !l.credential.generation.acquire() {
		return nil
	}
	if !e.used.Load() { // read before it is written: calls on other cores read it, too
		e.used.Store(true)
	}
	return l.credential
}

// sameValues says that two credentials of a key are one generation.
func sameValues(a, b *Credential) bool {
	if a.version != b.version || a.id != b.id || len(a.fields) != len(b.fields) || (a.key == nil) != (b.key == nil) {
		return false
	}
	same := subtle.ConstantTimeCompare(a.value.bytes(), b.value.bytes())
	for name, value := range a.fields {
		same &= subtle.ConstantTimeCompare(value.bytes(), b.fields[name].bytes())
	}
	return same == 1
}

// How long a credential whose end is near is still handed out: not in its last tenth,
// or the last 5 seconds, so that a call has time to use it.
const longestMargin = 5 * time.Second

func margin(lifetime time.Duration) time.Duration { return min(longestMargin, lifetime/10) }

// later adds durations of which either may be as long as it gets.
func later(a, b time.Duration) time.Duration {
	if sum := a + b; b <= 0 || sum > a {
		return sum
	}
	return math.MaxInt64
}

// How long what could not be had is not asked for again: doubled from the shortest to
// the longest with each failure in a row.
const (
	failFor       = time.Second // that those who come are told the same
	shortestPause = 250 * time.Millisecond
	longestPause  = 5 * time.Second
)

func pause(failures int) time.Duration {
	return jitter(min(longestPause, shortestPause<<min(failures, 6)))
}

// jitter takes up to a tenth off, so that many credentials that were issued at once
// are not confirmed at once.
func jitter(d time.Duration) time.Duration {
	return d - rand.N(d/10+1) //nolint:gosec // spreads, and keeps nothing secret
}
