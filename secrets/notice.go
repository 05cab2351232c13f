package secrets

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
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
// goroutine of the broker that nobody's call waits for, in the order in which it
// happened. Changes are told, not states: a store that stays away is told once. f may use
// the broker, and close it. A panic of f is swallowed; while it does not return 4,096
// notices wait, and how many more were lost is told with the next.
func (b *Broker) Watch(f func(Notice)) {
	in := b.inner()
	if in == nil || f == nil {
		return
	}
	in.notices.mu.Lock()
	defer in.notices.mu.Unlock()
	in.notices.watchers = append(in.notices.watchers, f)
}

// maxNotices bounds those that wait for a watcher that does not return.
const maxNotices = 1 << 12

// notices are what is to be told, in the order in which it happened.
type notices struct {
	mu       sync.Mutex
	watchers []func(Notice)
	waiting  []Notice
	lost     int                           // that were too many to wait
	telling  bool                          // somebody tells
	troubled map[key]map[key]time.Duration // by server, tool and binding: for whom, and when last
}

// post has n told by the next tell. It waits for nothing.
func (b *broker) post(n Notice) {
	b.notices.mu.Lock()
	defer b.notices.mu.Unlock()
	b.notices.post(n)
}

func (ns *notices) post(n Notice) {
	switch {
	case len(ns.watchers) == 0:
	case len(ns.waiting) >= maxNotices:
		ns.lost++
	default:
		if ns.lost > 0 {
			n.Reason += fmt.Sprintf(" (%d notices before this one were lost, because those who watch did not return)", ns.lost)
			ns.lost = 0
		}
		ns.waiting = append(ns.waiting, n)
	}
}

// tell calls the watchers with what was posted, unless somebody is at it: they may take
// their time, and use the broker.
func (b *broker) tell() {
	ns := &b.notices
	ns.mu.Lock()
	if ns.telling || len(ns.waiting) == 0 {
		ns.mu.Unlock()
		return
	}
	ns.telling = true
	n, watchers := ns.waiting[0], slices.Clone(ns.watchers)
	ns.waiting = ns.waiting[1:]
	ns.mu.Unlock()
	go func() {
		defer b.tell()
		defer func() {
			ns.mu.Lock()
			ns.telling = false
			ns.mu.Unlock()
		}()
		for _, f := range watchers {
			func() {
				defer func() { _ = recover() }()
				f(n)
			}()
		}
	}()
}

// For how long a tenant or caller for whom the store failed keeps others' success from
// being told as its return, and how many of them are told apart.
const (
	troubledFor  = time.Minute
	mostTroubled = 1 << 10
)

// trouble notes how a request ended, and posts what that changes for a tool's binding: it
// is available again when that is so for all whom it failed lately. One tenant whose
// store is away would else be told as often as others are confirmed.
func (b *broker) trouble(k key, err error) {
	now := b.clock()
	all := key{server: k.server, tool: k.tool, binding: k.binding}
	ns := &b.notices
	ns.mu.Lock()
	defer ns.mu.Unlock()
	failing, told := ns.troubled[all]
	if errors.Is(err, ErrUnavailable) {
		if !told {
			failing = map[key]time.Duration{}
			ns.troubled[all] = failing
			ns.post(Notice{Kind: NoticeUnavailable, Binding: k.binding, Tool: k.tool, Reason: fmt.Sprintf("%s cannot be had at the moment: %v", k.binding, err)})
		}
		if _, there := failing[k]; there || len(failing) < mostTroubled {
			failing[k] = now
		}
		return
	}
	delete(failing, k)
	if !told || err != nil { // or it was not had, but not for want of the store
		return
	}
	maps.DeleteFunc(failing, func(_ key, at time.Duration) bool { return now-at > troubledFor })
	if len(failing) == 0 {
		delete(ns.troubled, all)
		ns.post(Notice{Kind: NoticeAvailable, Binding: k.binding, Tool: k.tool, Reason: k.binding.String() + " can be had again"})
	}
}
