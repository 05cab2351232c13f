package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// A provider that heeds its context has not said no: a slow store ends nothing.
func TestASlowStoreThatHeedsItsContextEndsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(3*time.Minute, time.Hour)
		var slow atomic.Bool
		wait := func(ctx context.Context) error {
			if !slow.Load() {
				return nil
			}
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			<-ctx.Done()
			return fmt.Errorf("GET: %w", ctx.Err())
		}
		b := secrets.NewBroker(scripted{store: s, issue: func(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
			if err := wait(ctx); err != nil {
				return nil, err
			}
			return s.Issue(ctx, r)
		}, renew: func(ctx context.Context, c *secrets.Credential) (*secrets.Credential, error) {
			if err := wait(ctx); err != nil {
				return nil, err
			}
			return s.Renew(ctx, c)
		}}, nil)
		use(t, b, database)
		use(t, b, stored)
		slow.Store(true)
		for range 60 {
			use(t, b, database)
			use(t, b, stored)
			time.Sleep(time.Second)
		}
		slow.Store(false)
		_ = b.Close(t.Context())
	})
}

// An end that is centuries away is not one that has passed.
func TestAnEndThatIsFarAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var issued, renewed atomic.Int64
		far := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		d := secrets.CredentialData{Binding: database.Binding, ID: "x", Expires: far, Value: secrets.NewSecret([]byte(canary))}
		b := secrets.NewBroker(scripted{issue: func(context.Context, secrets.Request) (*secrets.Credential, error) {
			issued.Add(1)
			return secrets.NewCredential(d)
		}, renew: func(context.Context, *secrets.Credential) (*secrets.Credential, error) {
			renewed.Add(1)
			return secrets.NewCredential(d)
		}, revoke: func(context.Context, *secrets.Credential) error { return nil }}, nil)
		time.Sleep(10 * time.Second)
		for range 100 {
			use(t, b, database)
		}
		if issued.Load() != 1 || renewed.Load() != 0 {
			t.Errorf("issued %d, renewed %d", issued.Load(), renewed.Load())
		}
		_ = b.Close(t.Context())
	})
}

// A provider that has nothing newer before the end (a password that is rotated once an
// hour) is not asked for it without end.
func TestWhatIsIssuedAgainAsItIsIsNotAskedForWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var issued atomic.Int64
		begun := time.Now()
		b := secrets.NewBroker(scripted{issue: func(_ context.Context, r secrets.Request) (*secrets.Credential, error) {
			issued.Add(1)
			time.Sleep(time.Millisecond)
			hour := int(time.Since(begun).Hours())
			return secrets.NewCredential(secrets.CredentialData{
				Binding: r.Binding, Expires: begun.Add(time.Hour * time.Duration(hour+1)), Version: fmt.Sprint(hour),
				Value: secrets.NewSecret(fmt.Appendf(nil, "%s-%d", canary, hour)),
			})
		}, revoke: func(context.Context, *secrets.Credential) error { return nil }}, nil)
		for time.Since(begun) < 3*time.Hour {
			c := use(t, b, database)
			if !c.Expires().After(time.Now()) {
				t.Fatal("over")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := issued.Load(); n > 3*(40+60) {
			t.Errorf("asked %d times in three hours", n)
		}
		_ = b.Close(t.Context())
	})
}

// An error whose methods panic ends nobody's process.
func TestAnErrorThatPanicsWhenItIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := secrets.NewBroker(funcs{issue: func(context.Context, secrets.Request) (*secrets.Credential, error) {
			return nil, asked{}
		}}, nil)
		if _, err := b.Acquire(t.Context(), stored); err == nil || errors.Is(err, secrets.ErrDenied) {
			t.Errorf("got %v", err)
		}
		_ = b.Close(t.Context())
	})
}

type asked struct{}

func (asked) Error() string { return "asked" }
func (asked) Is(error) bool { panic(canary) }

// Who is nobody has nothing of their own: several of them would share it.
func TestWhoHasNoNameGetsNothingOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := secrets.NewBroker(&fixed{values: map[string]string{binding.Path(): canary}}, nil)
	if _, err := b.Acquire(t.Context(), secrets.Request{Binding: binding.PerCaller()}); err == nil {
		t.Error("issued")
	}
}

// That what was issued in its place is refused ends nothing that is in use.
func TestARefusedSuccessorEndsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute, time.Minute)
		var odd atomic.Bool
		b := secrets.NewBroker(scripted{store: s, issue: func(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
			c, err := s.Issue(ctx, r)
			if err == nil && odd.Load() {
				return secrets.NewCredential(secrets.CredentialData{Binding: r.Binding, ID: c.ID(), Expires: c.Expires(), Value: secrets.NewSecret([]byte("short"))})
			}
			return c, err
		}}, nil)
		c, err := b.Acquire(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		odd.Store(true)
		time.Sleep(50 * time.Second)
		if !s.knows(c.ID()) {
			t.Error("revoked under the call that has it")
		}
		if again := use(t, b, database); again.ID() != c.ID() {
			t.Errorf("got %s", again.ID())
		}
		b.Release(c)
		odd.Store(false)
		time.Sleep(5 * time.Second)
		if again := use(t, b, database); again.ID() == c.ID() {
			t.Error("not replaced")
		}
		if err := b.Close(t.Context()); err != nil || len(s.live()) != 0 {
			t.Errorf("%v, %v live on", err, s.live())
		}
	})
}

// Who waits while the broker is closed is not handed what Close has revoked.
func TestWhoWaitsAtCloseGetsNothingThatIsRevoked(t *testing.T) {
	t.Parallel()
	for slow := 100 * time.Millisecond; slow < 3*time.Second; slow += 100 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(time.Minute, time.Minute)
			var away atomic.Bool
			b := secrets.NewBroker(scripted{store: s, issue: func(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
				if away.Load() {
					time.Sleep(slow)
					return nil, secrets.ErrUnavailable
				}
				return s.Issue(ctx, r)
			}}, nil)
			use(t, b, database)
			away.Store(true)
			for waits := false; !waits; time.Sleep(10 * time.Millisecond) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					if c, err := b.Acquire(t.Context(), database); err == nil {
						if b.Release(c); !s.knows(c.ID()) {
							t.Errorf("%s: got %s, which is revoked", slow, c.ID())
						}
					}
				}()
				select {
				case <-done:
				case <-time.After(5 * time.Millisecond):
					waits = true
					_ = b.Close(t.Context())
					<-done
				}
			}
		})
	}
}
