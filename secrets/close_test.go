package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

func TestCloseRevokesWhatCanBeRevoked(t *testing.T) {
	t.Parallel()
	provider := &fixed{values: map[string]string{}}
	b := secrets.NewBroker(provider, nil)
	issue := func(path string, id string, expires time.Time) {
		provider.values[path] = canary + path
		provider.edit = lease(id, expires)
		if _, err := b.Acquire(t.Context(), secrets.Request{Binding: secrets.KV(path, "f")}); err != nil {
			t.Fatal(err)
		}
	}
	hour := time.Now().Add(time.Hour)
	issue("stored", "", time.Time{})
	issue("leased", "lease-1", hour)
	issue("named", "lease-2", time.Time{})
	issue("again", "lease-3", hour)
	issue("again", "lease-3", hour)
	issue("expiring", "", hour)
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := provider.ids()
	slices.Sort(ids)
	if fmt.Sprintf("%q", ids) != `["" "lease-1" "lease-2" "lease-3"]` {
		t.Errorf("revoked %q", ids)
	}
	if _, err := b.Acquire(t.Context(), secrets.Request{Binding: secrets.KV("stored", "f")}); !errors.Is(err, secrets.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if clean, _ := b.RedactString("a " + canary + "leased b"); strings.Contains(clean, canary) {
		t.Error("after Close nothing is redacted")
	}
	if err := b.Close(t.Context()); err != nil || len(provider.ids()) != 4 {
		t.Errorf("a second Close revoked %d, %v", len(provider.ids())-4, err)
	}
}

func TestASecondCloseTriesAgainWhatFailed(t *testing.T) {
	t.Parallel()
	provider := &fixed{values: map[string]string{"p": canary}, edit: lease("x", time.Time{}), fail: errors.New("unreachable with " + canary)}
	b := secrets.NewBroker(provider, nil)
	if _, err := b.Acquire(t.Context(), secrets.Request{Binding: secrets.KV("p", "f")}); err != nil {
		t.Fatal(err)
	}
	err := b.Close(t.Context())
	if err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("got %v", err)
	}
	shown(t, "the error of Close", fmt.Sprintf("%+v", err))
	provider.mu.Lock()
	provider.fail = nil
	provider.mu.Unlock()
	if err := b.Close(t.Context()); err != nil || len(provider.ids()) != 1 {
		t.Errorf("revoked %d, %v", len(provider.ids()), err)
	}
}

func TestThatThereIsNothingToRevokeIsNoError(t *testing.T) {
	t.Parallel()
	for _, sentinel := range []error{secrets.ErrNotFound, secrets.ErrUnsupported} {
		provider := &fixed{values: map[string]string{"p": canary}, edit: lease("x", time.Time{}), fail: sentinel}
		b := secrets.NewBroker(provider, nil)
		if _, err := b.Acquire(t.Context(), secrets.Request{Binding: secrets.KV("p", "f")}); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("got %v", err)
		}
	}
}

func TestCloseEndsWhenItsContextDoes(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	reason := errors.New("no more time")
	for name, c := range map[string]struct {
		issue, revoke chan struct{} // nil: does not hang
		says          string
	}{
		"Issue hangs": {release, nil, "still issuing"}, "Revoke hangs": {nil, release, "revoking a credential"},
	} {
		entered := make(chan struct{}, 4)
		b := secrets.NewBroker(funcs{
			issue: func(context.Context, secrets.Request) (*secrets.Credential, error) {
				if c.issue != nil {
					entered <- struct{}{}
					<-c.issue
				}
				return made(t, secrets.CredentialData{ID: "x"}), nil
			},
			revoke: func(context.Context, *secrets.Credential) error {
				if c.revoke != nil {
					entered <- struct{}{}
					<-c.revoke
				}
				return nil
			},
		}, nil)
		ctx, cancel := context.WithCancelCause(t.Context())
		var issuing sync.WaitGroup
		issuing.Go(func() { _, _ = b.Acquire(ctx, secrets.Request{Binding: binding}) })
		if c.issue == nil {
			issuing.Wait()
		}
		closed := make(chan error)
		if c.issue != nil {
			<-entered
		}
		go func() { closed <- b.Close(ctx) }()
		if c.revoke != nil {
			<-entered
		}
		cancel(reason)
		if err := <-closed; !errors.Is(err, reason) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		issuing.Wait()
	}
}

// Whatever a caller was given while Close ran has been revoked when Close returns.
func TestNothingOutlivesClose(t *testing.T) {
	t.Parallel()
	for range 200 {
		var mu sync.Mutex
		n, revoked := 0, map[string]bool{}
		b := secrets.NewBroker(funcs{
			issue: func(context.Context, secrets.Request) (*secrets.Credential, error) {
				mu.Lock()
				defer mu.Unlock()
				n++
				return made(t, secrets.CredentialData{ID: fmt.Sprint("lease-", n)}), nil
			},
			revoke: func(_ context.Context, c *secrets.Credential) error {
				mu.Lock()
				defer mu.Unlock()
				revoked[c.ID()] = true
				return nil
			},
		}, nil)
		var group sync.WaitGroup
		started := make(chan struct{}, 8)
		for range 8 {
			group.Go(func() {
				started <- struct{}{}
				for {
					if _, err := b.Acquire(context.Background(), secrets.Request{Binding: binding}); err != nil {
						if !errors.Is(err, secrets.ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		<-started
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if len(revoked) != n {
			t.Fatalf("%d of %d were not revoked", n-len(revoked), n)
		}
		mu.Unlock()
		group.Wait()
	}
}

func TestACloseWhoseTimeIsUpStillEndsIssuing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		b := secrets.NewBroker(&fixed{values: map[string]string{binding.Path(): canary}}, nil)
		if err := b.Close(ctx); err != nil {
			t.Errorf("there was nothing to wait for: %v", err)
		}
		if _, err := b.Acquire(t.Context(), secrets.Request{Binding: binding}); !errors.Is(err, secrets.ErrClosed) {
			t.Fatalf("got %v", err)
		}
	}
}
