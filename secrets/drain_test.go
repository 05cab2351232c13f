package secrets_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// That a role is gone says nothing of the leases that were issued for it.
func TestTheLeaseOfADeletedRoleIsRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(10*time.Minute, 10*time.Minute)
		var deleted atomic.Bool
		b := secrets.NewBroker(scripted{store: s, issue: func(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
			if deleted.Load() {
				return nil, fmt.Errorf("no such role: %w", secrets.ErrNotFound)
			}
			return s.Issue(ctx, r)
		}}, nil)
		use(t, b, database)
		deleted.Store(true)
		for range 8 * 60 {
			if c, err := b.Acquire(t.Context(), database); err == nil {
				b.Release(c)
			}
			time.Sleep(time.Second)
		}
		if live := s.live(); len(live) != 0 {
			t.Errorf("%v live on", live)
		}
		_ = b.Close(t.Context())
		if live := s.live(); len(live) != 0 {
			t.Errorf("after Close %v live on", live)
		}
	})
}

// A renewal that is answered after the end of what it renews has made a lease that lives,
// which is revoked whether somebody uses it or nobody.
func TestALateRenewalIsRevoked(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"in time": 2 * time.Second, "too late": 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(2*time.Minute, time.Hour)
			entered := make(chan struct{}, 1)
			b := secrets.NewBroker(scripted{store: s, renew: func(_ context.Context, c *secrets.Credential) (*secrets.Credential, error) {
				if time.Until(c.Expires()) > time.Second {
					return nil, secrets.ErrUnavailable
				}
				end := time.Now().Add(time.Hour)
				s.set(func(s *store) { s.leases[c.ID()].expires = end })
				entered <- struct{}{}
				time.Sleep(after)
				return secrets.NewCredential(secrets.CredentialData{Binding: c.Binding(), ID: c.ID(), Version: c.Version(), Value: c.Secret(), Expires: end})
			}}, nil)
			c := use(t, b, database)
			time.Sleep(time.Until(c.Expires()) - 900*time.Millisecond)
			for len(entered) == 0 {
				go func() { _, _ = b.Acquire(context.Background(), database) }()
				time.Sleep(50 * time.Millisecond)
			}
			time.Sleep(time.Second)
			other := database
			other.Tool = "another"
			use(t, b, other) // sweeps what has expired
			time.Sleep(20 * time.Second)
			if err := b.Close(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if live := s.live(); len(live) != 0 {
				t.Errorf("%s: after Close %v live on", name, live)
			}
		})
	}
}

// A renewal whose answer is lost may have been one: what it has made is revoked, when
// another is issued and when the broker is closed.
func TestARenewalWhoseAnswerIsLostIsRevoked(t *testing.T) {
	t.Parallel()
	for name, closed := range map[string]bool{"replaced": false, "closed": true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(2*time.Minute, time.Hour)
			b := secrets.NewBroker(scripted{store: s, renew: func(_ context.Context, c *secrets.Credential) (*secrets.Credential, error) {
				s.set(func(s *store) { s.leases[c.ID()].expires = time.Now().Add(2 * time.Minute) })
				return nil, secrets.ErrUnavailable
			}}, nil)
			first, err := b.Acquire(t.Context(), database)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(first.Expires()) + time.Second)
			b.Release(first)
			if !s.knows(first.ID()) {
				t.Fatal("it does not live")
			}
			if !closed {
				for range 10 {
					use(t, b, database)
					time.Sleep(time.Second)
				}
				if s.knows(first.ID()) {
					t.Errorf("%s: it lives on", name)
				}
			}
			if err := b.Close(t.Context()); err != nil || len(s.live()) != 0 {
				t.Errorf("%s: %v, and %v live on", name, err, s.live())
			}
		})
	}
}

// A Close whose revocation overtakes a renewal leaves nothing.
func TestARenewalThatOverlapsCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute, time.Hour)
		entered := make(chan struct{}, 1)
		b := secrets.NewBroker(scripted{store: s, renew: func(ctx context.Context, c *secrets.Credential) (*secrets.Credential, error) {
			entered <- struct{}{}
			renewed, err := s.Renew(ctx, c)
			time.Sleep(2 * time.Second) // the store has done it, and its answer takes long
			return renewed, err
		}}, &secrets.Options{Confirm: 59 * time.Second, IssueTimeout: 3 * time.Second})
		c := use(t, b, database)
		time.Sleep(time.Until(c.Expires()) - 100*time.Millisecond)
		go func() { _, _ = b.Acquire(context.Background(), database) }()
		<-entered
		time.Sleep(time.Second)
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if live := s.live(); len(live) != 0 {
			t.Errorf("after Close %v live on", live)
		}
	})
}

// What came too late, or was refused, and could not be revoked is tried again, and
// known to Close.
func TestWhatNobodyGotIsRevokedInTheEnd(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"late": canary, "refused": "short"} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(time.Hour, time.Hour)
			var failing atomic.Bool
			failing.Store(true)
			b := secrets.NewBroker(scripted{store: s, issue: func(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
				if name == "late" {
					time.Sleep(5 * time.Second)
				}
				c, err := s.Issue(ctx, r)
				if err != nil {
					return nil, err
				}
				return secrets.NewCredential(secrets.CredentialData{Binding: r.Binding, ID: c.ID(), Expires: c.Expires(), Value: secrets.NewSecret([]byte(value))})
			}, revoke: func(ctx context.Context, c *secrets.Credential) error {
				if failing.Load() {
					return secrets.ErrUnavailable
				}
				return s.Revoke(ctx, c)
			}}, nil)
			if _, err := b.Acquire(t.Context(), database); err == nil {
				t.Fatal("it was issued")
			}
			time.Sleep(30 * time.Second)
			if name == "late" {
				failing.Store(false)
				time.Sleep(2 * time.Minute)
				if live := s.live(); len(live) != 0 {
					t.Errorf("%s: %v live on", name, live)
				}
			}
			failing.Store(false)
			_ = b.Close(t.Context())
			if live := s.live(); len(live) != 0 {
				t.Errorf("%s: after Close %v live on", name, live)
			}
		})
	}
}

// One lease that a provider gives to several is revoked when none of them has it.
func TestALeaseThatSeveralHaveIsRevokedWithTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Hour, time.Hour)
		var only *secrets.Credential
		var mu sync.Mutex
		b := secrets.NewBroker(scripted{store: s, issue: func(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
			mu.Lock()
			defer mu.Unlock()
			if only == nil {
				only, _ = s.Issue(ctx, r)
			}
			return only, nil
		}}, nil)
		one, other := database, database
		other.Tool = "another"
		use(t, b, one)
		c, err := b.Acquire(t.Context(), other)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute) // one is let go of
		if !s.knows(c.ID()) {
			t.Error("revoked under a call that has it")
		}
		b.Release(c)
		time.Sleep(5 * time.Minute)
		if s.knows(c.ID()) {
			t.Error("nobody has it, and it is not revoked")
		}
		_ = b.Close(t.Context())
	})
}

// A provider whose Revoke hangs gathers no goroutines, and takes no room from those who
// issue.
func TestRevocationsThatHangAreBounded(t *testing.T) { // alone: it counts goroutines
	synctest.Test(t, func(t *testing.T) {
		s := newStore(24*time.Hour, 24*time.Hour)
		release := make(chan struct{})
		var under, most atomic.Int64
		b := secrets.NewBroker(scripted{store: s, revoke: func(ctx context.Context, c *secrets.Credential) error {
			n := under.Add(1)
			defer under.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-release
			return s.Revoke(ctx, c)
		}}, nil)
		before := runtime.NumGoroutine()
		for i := range 400 {
			r := database
			r.Caller, r.Binding = fmt.Sprint("c", i), r.Binding.PerCaller()
			use(t, b, r)
		}
		time.Sleep(30 * time.Minute)
		if n := most.Load(); n > 256 {
			t.Errorf("%d revocations under way", n)
		}
		if n := runtime.NumGoroutine() - before; n > 600 {
			t.Errorf("%d goroutines more", n)
		}
		use(t, b, database)
		close(release)
		time.Sleep(5 * time.Minute)
		if live := s.live(); len(live) != 0 {
			t.Errorf("%d live on", len(live))
		}
		_ = b.Close(t.Context())
	})
}

// Renewed into another lease: that one has to be revoked, too.
func TestARenewalOfAnotherNameIsRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Hour, 2*time.Hour)
		b := secrets.NewBroker(scripted{store: s, renew: func(ctx context.Context, c *secrets.Credential) (*secrets.Credential, error) {
			return s.Issue(ctx, secrets.Request{Binding: c.Binding()})
		}}, nil)
		for range 40 {
			use(t, b, database)
			time.Sleep(time.Second)
		}
		_ = b.Close(t.Context())
		if live := s.live(); len(live) != 0 {
			t.Errorf("%v live on", live)
		}
	})
}

// Revoking what thousands have left behind, again and again since it fails, holds up no
// confirmation.
func TestRevocationsDoNotHoldUpConfirmations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(24*time.Hour, 24*time.Hour)
		b := secrets.NewBroker(scripted{store: s, revoke: func(context.Context, *secrets.Credential) error {
			return secrets.ErrDenied
		}}, nil)
		for i := range 8000 {
			r := database
			r.Caller, r.Binding = fmt.Sprint("c", i), r.Binding.PerCaller()
			use(t, b, r)
		}
		time.Sleep(10 * time.Minute)
		c := use(t, b, database)
		s.set(func(s *store) { delete(s.leases, c.ID()) })
		begun := time.Now()
		for use(t, b, database).ID() == c.ID() {
			if time.Since(begun) > 31*time.Second {
				t.Fatal("a lease that was revoked is still handed out")
			}
			time.Sleep(100 * time.Millisecond)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = b.Close(ctx)
	})
}
