package secrets

import (
	"errors"
	"fmt"
)

// A NoticeKind says what has happened to the credentials of a [Broker].
type NoticeKind string

// The kinds of notices.
const (
	// NoticeUnavailable: the store has begun to fail. Credentials that are cached are
	// used as long as they are valid.
	NoticeUnavailable NoticeKind = "unavailable"
	// NoticeAvailable: it does its work again.
	NoticeAvailable NoticeKind = "available"
	// NoticeRotated: a stored value has a new version.
	NoticeRotated NoticeKind = "rotated"
	// NoticeEnded: a credential has ended before its time: its lease was revoked, its
	// role or its value was deleted, or it is not for us any more.
	NoticeEnded NoticeKind = "ended"
	// NoticeUnrevoked: a credential that nobody needs could not be revoked.
	NoticeUnrevoked NoticeKind = "unrevoked"
)

// A Notice is something that those who run a server should know of its credentials. It
// holds no value.
type Notice struct {
	Kind    NoticeKind
	Binding Binding
	Tool    string
	Reason  string
}

// Watch has f called with what happens from now on, one notice at a time, from a
// goroutine of the broker that nobody's call waits for. Changes are told, not states: a
// store that stays away is told once. A panic of f is swallowed.
func (b *Broker) Watch(f func(Notice)) {
	in := b.inner()
	if in == nil || f == nil {
		return
	}
	in.watching.Lock()
	defer in.watching.Unlock()
	in.watchers = append(in.watchers, f)
}

func (b *broker) tell(notices ...Notice) {
	if len(notices) == 0 {
		return
	}
	b.watching.Lock()
	defer b.watching.Unlock()
	for _, n := range notices {
		for _, f := range b.watchers {
			func() {
				defer func() { _ = recover() }()
				f(n)
			}()
		}
	}
}

// trouble notes how a request ended, and returns what that changes for a tool's binding.
func (b *broker) trouble(k key, err error) []Notice {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	k.tenant, k.caller = "", ""
	unavailable := errors.Is(err, ErrUnavailable)
	b.states.Lock()
	changed := b.troubled[k] != unavailable
	if unavailable {
		b.troubled[k] = true
	} else {
		delete(b.troubled, k)
	}
	b.states.Unlock()
	if !changed {
		return nil
	}
	n := Notice{Kind: NoticeAvailable, Binding: k.binding, Tool: k.tool, Reason: k.binding.String() + " can be had again"}
	if unavailable {
		n.Kind, n.Reason = NoticeUnavailable, fmt.Sprintf("%s cannot be had at the moment: %v", k.binding, err)
	}
	return []Notice{n}
}
