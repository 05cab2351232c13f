package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// Whatever a provider does with its answers, late, lost, refused or the same twice: no
// lease is revoked under a call that has it, and Close leaves none.
func TestNoLeaseIsLostOrEndedInUse(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			r := rand.New(rand.NewPCG(seed, 3))
			chance := func(n int) bool { mu.Lock(); defer mu.Unlock(); return r.IntN(n) == 0 }
			upTo := func(d time.Duration) time.Duration {
				mu.Lock()
				defer mu.Unlock()
				return time.Duration(r.Int64N(int64(d)))
			}
			s := newStore(time.Duration(5+r.IntN(60))*time.Second, time.Duration(30+r.IntN(300))*time.Second)
			calm := false
			quiet := func() bool { mu.Lock(); defer mu.Unlock(); return calm }
			slow := func() {
				if !quiet() && chance(4) {
					time.Sleep(upTo(6 * time.Second))
				}
			}
			inUse := map[*secrets.Credential]int{} // by calls
			has := func(id string) bool {          // a call has it, and it is not over
				mu.Lock()
				defer mu.Unlock()
				for c, n := range inUse {
					if n > 0 && c.ID() == id && c.Expires().After(time.Now()) {
						return true
					}
				}
				return false
			}
			last := map[secrets.Binding]*secrets.Credential{}
			b := secrets.NewBroker(scripted{store: s, issue: func(ctx context.Context, q secrets.Request) (*secrets.Credential, error) {
				slow()
				if !quiet() && chance(5) {
					return nil, secrets.ErrUnavailable
				}
				mu.Lock()
				again := last[q.Binding]
				mu.Unlock()
				used := again != nil && has(again.ID())
				if used && s.knows(again.ID()) && time.Until(again.Expires()) > 0 && chance(4) {
					return again, nil
				}
				c, err := s.Issue(ctx, q)
				if err == nil {
					if chance(12) {
						c, _ = secrets.NewCredential(secrets.CredentialData{Binding: q.Binding, ID: c.ID(), Expires: c.Expires(), Value: secrets.NewSecret([]byte("short"))})
					} else {
						mu.Lock()
						last[q.Binding] = c
						mu.Unlock()
					}
				}
				slow()
				return c, err
			}, renew: func(ctx context.Context, c *secrets.Credential) (*secrets.Credential, error) {
				slow()
				if !quiet() && chance(5) {
					return nil, secrets.ErrUnavailable
				}
				renewed, err := s.Renew(ctx, c)
				slow()
				if !quiet() && chance(5) {
					return nil, secrets.ErrUnavailable
				}
				return renewed, err
			}, revoke: func(ctx context.Context, c *secrets.Credential) error {
				mu.Lock()
				if l := last[c.Binding()]; l != nil && l.ID() == c.ID() {
					delete(last, c.Binding()) // what is being revoked is not issued again
				}
				mu.Unlock()
				slow()
				if !quiet() && chance(3) {
					return secrets.ErrUnavailable
				}
				mu.Lock()
				during := !calm
				mu.Unlock()
				if during && has(c.ID()) {
					t.Errorf("seed %d: %s is revoked under a call", seed, c.ID())
				}
				return s.Revoke(ctx, c)
			}}, &secrets.Options{Confirm: time.Duration(2+r.IntN(10)) * time.Second})
			ctx, stop := context.WithCancel(t.Context())
			var group sync.WaitGroup
			for i := range 8 {
				own := rand.New(rand.NewPCG(seed, uint64(i)))
				group.Go(func() {
					for ctx.Err() == nil {
						request := database
						request.Tool = fmt.Sprint("t", own.IntN(3))
						c, err := b.Acquire(ctx, request)
						if err == nil {
							mu.Lock()
							inUse[c]++
							mu.Unlock()
							if !c.Expires().After(time.Now()) {
								t.Errorf("seed %d: over", seed)
							}
							time.Sleep(time.Duration(own.Int64N(int64(4 * time.Second)))) // no two things at once, or the provider
							// gives again what it is just told to revoke
							mu.Lock()
							inUse[c]--
							mu.Unlock()
							b.Release(c)
						}
						time.Sleep(time.Duration(own.Int64N(int64(9 * time.Second))))
					}
				})
			}
			time.Sleep(4 * time.Minute)
			mu.Lock()
			calm = true
			mu.Unlock()
			if chance(2) {
				stop()
				group.Wait()
			}
			err := b.Close(context.Background())
			stop()
			group.Wait()
			if live := s.live(); len(live) != 0 || (err != nil && !errors.Is(err, secrets.ErrUnavailable)) {
				t.Errorf("seed %d: %v, %v live on", seed, err, live)
			}
		})
	}
}
