package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// Those who watch may use the broker: whoever is told may watch, and close.
func TestWatchersMayUseTheBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Hour, time.Hour)
		b := secrets.NewBroker(s, nil)
		var kinds []string
		done := make(chan struct{})
		b.Watch(func(n secrets.Notice) {
			kinds = append(kinds, string(n.Kind))
			b.Watch(func(secrets.Notice) {})
			if n.Kind == secrets.NoticeUnrevoked {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				err := b.Close(ctx)
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Close waits for its own caller: %v", err)
				}
				close(done)
			}
			if n.Kind == secrets.NoticeUnavailable {
				runtime.Goexit()
			}
		})
		use(t, b, database)
		s.set(func(s *store) { s.fail = secrets.ErrUnavailable })
		time.Sleep(20 * time.Second)
		use(t, b, database)
		time.Sleep(20 * time.Second) // unavailable is told
		s.set(func(s *store) { s.fail = errors.New("no") })
		select {
		case <-done:
		case <-time.After(5 * time.Minute):
			t.Error("nobody is told any more")
		}
		if !strings.Contains(fmt.Sprint(kinds), "unrevoked") {
			t.Errorf("told %v", kinds)
		}
		s.set(func(s *store) { s.fail = nil })
		_ = b.Close(context.Background())
	})
}

// That it is denied is not that it can be had again.
func TestADenialIsNoRecovery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Hour, time.Hour)
		b, notices := brokerOf(t, s, nil)
		s.set(func(s *store) { s.fail = secrets.ErrUnavailable })
		_, _ = b.Acquire(t.Context(), stored)
		time.Sleep(2 * time.Second)
		s.set(func(s *store) { s.fail = secrets.ErrDenied })
		_, _ = b.Acquire(t.Context(), stored)
		synctest.Wait()
		if notices.String() != "[unavailable]" {
			t.Errorf("told %s", notices)
		}
		time.Sleep(2 * time.Second)
		s.set(func(s *store) { s.fail = nil })
		use(t, b, stored)
		synctest.Wait()
		if notices.String() != "[unavailable available]" {
			t.Errorf("told %s", notices)
		}
		_ = b.Close(t.Context())
	})
}

// A watcher that hangs holds up nobody, what waits for it is bounded, and that some was
// lost is told.
func TestAWatcherThatHangs(t *testing.T) { // alone: it counts goroutines
	synctest.Test(t, func(t *testing.T) {
		s := newStore(0, 0)
		b := secrets.NewBroker(s, nil)
		hang := make(chan struct{})
		n := &told{}
		b.Watch(func(notice secrets.Notice) { <-hang; n.note(notice) })
		before := runtime.NumGoroutine()
		for i := range 5000 {
			r := stored
			r.Tool = fmt.Sprint("t", i)
			use(t, b, r)
		}
		s.set(func(s *store) { s.version = 2 })
		for i := range 5000 {
			r := stored
			r.Tool = fmt.Sprint("t", i)
			use(t, b, r)
		}
		time.Sleep(3 * time.Minute)
		if more := runtime.NumGoroutine() - before; more > 10 {
			t.Errorf("%d goroutines more", more)
		}
		close(hang)
		synctest.Wait()
		s.set(func(s *store) { s.fail = secrets.ErrUnavailable })
		_, _ = b.Acquire(t.Context(), stored)
		synctest.Wait()
		if len(n.all) != 4098 || !strings.Contains(n.all[4097].Reason, "903 notices") {
			t.Errorf("told %d, and %s at last", len(n.all), n.all[len(n.all)-1].Reason)
		}
		_ = b.Close(t.Context())
	})
}

// A store that is away for one tenant alone is told once, and its return once it is back
// for that one, or nobody asks for them any more.
func TestATenantWhoseStoreIsAwayIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, returns := range map[string]bool{"returns": true, "leaves": false} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(0, 0)
			var away atomic.Bool
			away.Store(true)
			b := secrets.NewBroker(scripted{store: s, issue: func(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
				if r.Tenant == "a" && away.Load() {
					return nil, secrets.ErrUnavailable
				}
				return s.Issue(ctx, r)
			}}, nil)
			n := &told{}
			b.Watch(n.note)
			others := func() {
				for i := range 20 {
					r := stored
					r.Tenant = fmt.Sprint("b", i)
					use(t, b, r)
				}
				time.Sleep(time.Second)
			}
			one := stored
			one.Tenant = "a"
			for range 200 {
				if c, err := b.Acquire(t.Context(), one); err == nil {
					b.Release(c)
				}
				others()
			}
			if n.String() != "[unavailable]" {
				t.Errorf("%s: told %s", name, n)
			}
			if returns {
				away.Store(false)
				time.Sleep(2 * time.Second)
				use(t, b, one)
			} else {
				for range 100 {
					others()
				}
			}
			synctest.Wait()
			if n.String() != "[unavailable available]" {
				t.Errorf("%s: told %s", name, n)
			}
			_ = b.Close(t.Context())
		})
	}
}
