package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// A connection is a resource that knows whether it is open.
type connection struct {
	lease  string
	open   atomic.Bool
	closed atomic.Int32
}

// connections are those that a pool has opened.
type connections struct {
	mu  sync.Mutex
	all []*connection
}

func (cs *connections) dial(_ context.Context, c *secrets.Credential) (*connection, error) {
	conn := &connection{lease: c.ID()}
	conn.open.Store(true)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.all = append(cs.all, conn)
	return conn, nil
}

func hangUp(c *connection) { c.open.Store(false); c.closed.Add(1) }

func (cs *connections) left() (open, opened int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		if c.open.Load() {
			open++
		}
		if c.closed.Load() > 1 {
			panic("closed twice")
		}
	}
	return open, len(cs.all)
}

// Under a rotation every second and 64 callers no call fails, none works with what is
// closed, each credential is opened once, and nothing is left open.
func TestAPoolUnderRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(1500*time.Millisecond, 1500*time.Millisecond)
		b, _ := brokerOf(t, s, nil)
		cs := &connections{}
		pool := secrets.NewPool(cs.dial, hangUp)
		var group sync.WaitGroup
		for i := range 64 {
			group.Go(func() {
				for n := range 300 {
					c, err := b.Acquire(t.Context(), database)
					if err != nil {
						t.Error(err)
						return
					}
					err = pool.Do(t.Context(), c, func(_ context.Context, conn *connection) error {
						for range 3 {
							if !conn.open.Load() {
								t.Error("a call has what is closed")
							}
							time.Sleep(time.Duration(i+n%7) * time.Millisecond)
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					b.Release(c)
				}
			})
		}
		group.Wait()
		issued, _, _ := s.counts()
		if _, opened := cs.left(); opened > issued || opened < 10 {
			t.Errorf("%d were opened for %d credentials", opened, issued)
		}
		time.Sleep(5 * time.Minute) // nobody uses anything
		if open, opened := cs.left(); open != 0 {
			t.Errorf("%d of %d are open", open, opened)
		}
		if err := pool.Close(t.Context()); err != nil {
			t.Error(err)
		}
		_ = b.Close(t.Context())
	})
}

// What the far end refuses is tried once more with a newer credential, and not a third
// time; a store is not asked more than once a second for that.
func TestARefusedCredentialIsReplacedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Hour, time.Hour)
		b, _ := brokerOf(t, s, nil)
		pool := secrets.NewPool((&connections{}).dial, hangUp)
		good := "lease-2"
		tries := 0
		call := func() error {
			c, err := b.Acquire(t.Context(), database)
			if err != nil {
				return err
			}
			defer b.Release(c)
			return pool.Do(t.Context(), c, func(_ context.Context, conn *connection) error {
				tries++
				if conn.lease != good {
					return fmt.Errorf("no such user: %w", secrets.ErrRejected)
				}
				return nil
			})
		}
		if err := call(); err != nil || tries != 2 {
			t.Errorf("after %d tries: %v", tries, err)
		}
		if err := call(); err != nil || tries != 3 {
			t.Errorf("the newer one is not what others get: %v, %d", err, tries)
		}
		time.Sleep(2 * time.Second)
		if s.knows("lease-1") {
			t.Error("what was refused is not revoked")
		}
		good, tries = "none", 0
		for range 100 {
			if err := call(); !errors.Is(err, secrets.ErrRejected) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if issued, _, _ := s.counts(); issued > 14 || tries > 200 {
			t.Errorf("in ten seconds %d were issued, and %d tried", issued, tries)
		}
		// A failure that says nothing of the credential is the call's.
		tries = 0
		c, err := b.Acquire(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release(c)
		before, _, _ := s.counts()
		wrong := errors.New("division by zero")
		if err := pool.Do(t.Context(), c, func(context.Context, *connection) error { tries++; return wrong }); !errors.Is(err, wrong) || tries != 1 {
			t.Errorf("%v after %d tries", err, tries)
		}
		if after, _, _ := s.counts(); after != before {
			t.Error("a credential was asked for because of it")
		}
		_ = pool.Close(t.Context())
		_ = b.Close(t.Context())
	})
}

// A stored value that is refused is read again, and a new version is used.
func TestARefusedValueIsReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(0, 0)
		b, _ := brokerOf(t, s, nil)
		pool := secrets.NewPool(func(_ context.Context, c *secrets.Credential) (string, error) { return c.Version(), nil }, nil)
		c := use(t, b, stored)
		refuse := func(_ context.Context, version string) error {
			if version == "v1" {
				return secrets.ErrRejected
			}
			return nil
		}
		err := pool.Do(t.Context(), c, refuse)
		if !errors.Is(err, secrets.ErrRejected) {
			t.Errorf("nothing newer is there: %v", err)
		}
		s.set(func(s *store) { s.version = 2 })
		time.Sleep(2 * time.Second)
		if err := pool.Do(t.Context(), c, refuse); err != nil {
			t.Error(err)
		}
		_ = pool.Close(t.Context())
		_ = b.Close(t.Context())
	})
}

// One opens for all who wait, whoever leaves; what does not open is tried again by the
// next, and neither a panic nor a hang of the functions takes anybody along.
func TestOneOpensForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Hour, time.Hour)
		b, _ := brokerOf(t, s, nil)
		var opens atomic.Int32
		mode := "slow"
		pool := secrets.NewPool(func(ctx context.Context, _ *secrets.Credential) (int32, error) {
			n := opens.Add(1)
			switch mode {
			case "slow":
				time.Sleep(time.Second)
			case "fails":
				return 0, errors.New("no route")
			case "panics":
				panic(canary)
			case "hangs":
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return n, nil
		}, func(int32) { panic("closing") })
		c, err := b.Acquire(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		nothing := func(context.Context, int32) error { return nil }
		var group sync.WaitGroup
		ctx, leave := context.WithCancel(t.Context())
		for i := range 50 {
			group.Go(func() {
				who := t.Context()
				if i%2 == 0 {
					who = ctx
				}
				if err := pool.Do(who, c, nothing); (err != nil) != (i%2 == 0) {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		leave()
		group.Wait()
		if n := opens.Load(); n != 1 {
			t.Errorf("opened %d times", n)
		}
		b.Release(c)
		time.Sleep(5 * time.Minute) // let go of, and closed with a panic
		for _, mode = range []string{"fails", "panics", "hangs"} {
			c, err := b.Acquire(t.Context(), database)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				before := opens.Load()
				err := pool.Do(t.Context(), c, nothing)
				if err == nil || opens.Load() != before+1 {
					t.Errorf("%s: %v after %d", mode, err, opens.Load()-before)
				}
				shown(t, mode, fmt.Sprint(err))
			}
			b.Release(c)
		}
		if err := pool.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := pool.Do(t.Context(), c, nothing); err == nil {
			t.Error("a closed pool lends")
		}
		_ = b.Close(t.Context())
	})
}

// Close waits for the calls that use something, within its context.
func TestClosingAPoolWaitsForCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Hour, time.Hour)
		b, _ := brokerOf(t, s, nil)
		cs := &connections{}
		pool := secrets.NewPool(cs.dial, hangUp)
		c := use(t, b, database)
		began := make(chan struct{})
		go func() {
			_ = pool.Do(t.Context(), c, func(_ context.Context, conn *connection) error {
				close(began)
				time.Sleep(time.Minute)
				if !conn.open.Load() {
					t.Error("closed under a call")
				}
				return nil
			})
		}()
		<-began
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := pool.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := pool.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if open, opened := cs.left(); open != 0 || opened != 1 {
			t.Errorf("%d of %d are open", open, opened)
		}
		_ = b.Close(t.Context())
	})
}
