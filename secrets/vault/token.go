package vault

import (
	"sync"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// A token is one that Vault gave, with its end.
type token struct {
	value    secrets.Secret
	accessor string // no secret; empty for a batch token, which nobody can revoke
	mark     string // a hash of the accessor
	role     string // that logged in, where Vault says which
	given    bool   // by somebody else, who ends it
	renews   bool
	parent   *token // with which it ends; nil for the provider's own

	mu       sync.Mutex
	begun    time.Time
	lifetime time.Duration // zero does not end
	retired  bool          // another has taken its place
}

// ours says that we revoke it.
func (t *token) ours() bool { return !t.given && t.accessor != "" }

// expires is when it ends if nothing is done, zero if it does not.
func (t *token) expires() time.Time {
	t.mu.Lock()
	var end time.Time
	if t.lifetime > 0 {
		end = t.begun.Add(t.lifetime)
	}
	t.mu.Unlock()
	if t.parent != nil {
		if last := t.parent.expires(); !last.IsZero() && (end.IsZero() || last.Before(end)) {
			return last
		}
	}
	return end
}

// late says that it is to be renewed or replaced: two thirds of its life are over, or its
// parent's days are counted.
func (t *token) late(now time.Time) bool {
	if t.parent != nil && t.parent.isRetired() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lifetime > 0 && now.Sub(t.begun) >= t.lifetime*2/3
}

func (t *token) over(now time.Time) bool {
	end := t.expires()
	return !end.IsZero() && !now.Before(end)
}

// extend gives it a later end, and says whether it is one.
func (t *token) extend(begun time.Time, lifetime time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !begun.Add(lifetime).After(t.begun.Add(t.lifetime)) {
		return false
	}
	t.begun, t.lifetime = begun, lifetime
	return true
}

func (t *token) retire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retired = true
}

func (t *token) isRetired() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.retired
}
