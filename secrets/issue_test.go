package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

var binding = secrets.KV("app/share", "key")

func made(t *testing.T, d secrets.CredentialData) *secrets.Credential {
	t.Helper()
	if d.Binding == (secrets.Binding{}) {
		d.Binding = binding
	}
	if d.Value.IsZero() && d.Fields == nil {
		d.Value = secrets.NewSecret([]byte(canary))
	}
	c, err := secrets.NewCredential(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A custom error whose methods turn against whoever asks.
type hostile struct{ text string }

func (h hostile) Error() string { panic("no " + h.text) }

type tagged struct{ payload string }

func (tagged) Error() string { return "tagged " + canary }

// boundsError is a runtime.Error, whose text is shown.
type boundsError struct{}

func (boundsError) Error() string { return "index out of range [5] with length 3" }
func (boundsError) RuntimeError() {}

func TestIssueRefusesWhatAProviderShouldNotGive(t *testing.T) {
	t.Parallel()
	lent := func(d secrets.CredentialData) func() (*secrets.Credential, error) {
		return func() (*secrets.Credential, error) { return made(t, d), nil }
	}
	secret := func(s string) secrets.Secret { return secrets.NewSecret([]byte(s)) }
	past := time.Now().Add(-time.Second)
	for name, c := range map[string]struct {
		issue   func() (*secrets.Credential, error)
		says    string
		revoked bool
	}{
		"neither":  {func() (*secrets.Credential, error) { return nil, nil }, "neither a credential", false},
		"an error": {func() (*secrets.Credential, error) { return nil, errors.New("upstream said " + canary) }, "upstream said", false},
		"both": {func() (*secrets.Credential, error) {
			return made(t, secrets.CredentialData{ID: "x"}), errors.New("half " + canary)
		}, "half [redacted:kv:app/share#key]", true},
		"another binding":   {lent(secrets.CredentialData{Binding: secrets.KV("other", "key"), ID: "x"}), "kv:other#key where kv:app/share#key", true},
		"expired":           {lent(secrets.CredentialData{Expires: past, ID: "x"}), "has expired", true},
		"short":             {lent(secrets.CredentialData{Value: secret("1234567"), ID: "x"}), "fewer than 8 bytes", true},
		"short but padded":  {lent(secrets.CredentialData{Value: secret("  1234567\n\n"), ID: "x"}), "fewer than 8 bytes", true},
		"a short field":     {lent(secrets.CredentialData{Fields: map[string]secrets.Secret{"a": secret("1234567")}}), "fewer than 8 bytes", false},
		"too long":          {lent(secrets.CredentialData{Value: secret(strings.Repeat("x", 64<<10+1)), ID: "x"}), "more than 65536 bytes", true},
		"in its own name":   {lent(secrets.CredentialData{Value: secret("app/share"), ID: "x"}), "part of its name", true},
		"in every marker":   {lent(secrets.CredentialData{Value: secret("redacted"), ID: "x"}), "part of its name", true},
		"the zero value":    {func() (*secrets.Credential, error) { return &secrets.Credential{}, nil }, "no binding where", false},
		"a panic":           {func() (*secrets.Credential, error) { panic("with " + canary) }, "panicked with a string", false},
		"a panic of a type": {func() (*secrets.Credential, error) { panic(tagged{canary}) }, "panicked with a secrets_test.tagged", false},
		"a nil panic":       {func() (*secrets.Credential, error) { panic(nil) }, "panicked", false},
		"an index":          {func() (*secrets.Credential, error) { panic(boundsError{}) }, "panicked: index out of range", false},
		"a nil pointer":     {func() (*secrets.Credential, error) { var p *int; *p = 1; return nil, nil }, "nil pointer", false},
		"a hostile error":   {func() (*secrets.Credential, error) { return nil, hostile{canary} }, "panicked with a string", false},
		"Goexit":            {func() (*secrets.Credential, error) { runtime.Goexit(); return nil, nil }, "ended its goroutine", false},
	} {
		revoked := make(chan string, 2)
		b := secrets.NewBroker(funcs{
			issue:  func(context.Context, secrets.Request) (*secrets.Credential, error) { return c.issue() },
			revoke: func(_ context.Context, c *secrets.Credential) error { revoked <- c.ID(); return nil },
		}, nil)
		got, err := b.Acquire(t.Context(), secrets.Request{Binding: binding})
		if got != nil || err == nil || !strings.HasPrefix(err.Error(), "secrets: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		if name != "an error" { // its value was never issued, so nobody knows that it is one
			shown(t, "the error of "+name, fmt.Sprintf("%v %+v %#v %q", err, err, err, err))
		}
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		if (len(revoked) == 1) != c.revoked {
			t.Errorf("%s: revoked %d times", name, len(revoked))
		}
	}
}

func TestAProvidersErrorsAreKnownAndShowNothing(t *testing.T) {
	t.Parallel()
	var err error
	b := secrets.NewBroker(funcs{issue: func(context.Context, secrets.Request) (*secrets.Credential, error) {
		if err == nil {
			return made(t, secrets.CredentialData{}), nil
		}
		return nil, err
	}}, nil)
	if _, err := b.Acquire(t.Context(), secrets.Request{Binding: binding}); err != nil {
		t.Fatal(err)
	}
	for i, sentinel := range []error{secrets.ErrNotFound, secrets.ErrUnsupported, secrets.ErrDenied, context.DeadlineExceeded} {
		err = fmt.Errorf("GET /v1/%s: %w", canary, errors.Join(tagged{canary}, sentinel))
		_, got := b.Acquire(t.Context(), secrets.Request{Binding: binding, Tool: fmt.Sprint("t", i)})
		if !errors.Is(got, sentinel) || errors.Is(got, secrets.ErrNotRenewable) {
			t.Errorf("got %v", got)
		}
		if as := (tagged{}); errors.As(got, &as) || errors.Unwrap(got) != nil {
			t.Error("the provider's own error can be had, and printed")
		}
		shown(t, "a provider's error", fmt.Sprintf("%v %+v %#v", got, got, got))
	}
}

// A caller's leaving ends their wait, and the timeout that of all, whatever the
// provider does.
func TestAcquireEndsWhenItsCallerOrItsTimeDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ leaves, heeds bool }{
		"caller leaves": {true, false}, "too slow, provider heeds": {false, true}, "too slow, provider hangs": {false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			entered, release := make(chan struct{}), make(chan struct{})
			revoked := make(chan string, 1)
			b := secrets.NewBroker(funcs{
				issue: func(ctx context.Context, _ secrets.Request) (*secrets.Credential, error) {
					close(entered)
					if c.heeds {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					<-release
					return made(t, secrets.CredentialData{ID: "late"}), nil
				},
				revoke: func(_ context.Context, c *secrets.Credential) error { revoked <- c.ID(); return nil },
			}, nil)
			ctx, cancel := context.WithCancelCause(t.Context())
			reason := errors.New("the caller left")
			if c.leaves {
				go func() { <-entered; cancel(reason) }()
			}
			begun := time.Now()
			got, err := b.Acquire(ctx, secrets.Request{Binding: binding})
			cancel(nil)
			switch {
			case got != nil || err == nil:
				t.Errorf("%s: %v, %v", name, got, err)
			case c.leaves && !errors.Is(err, reason):
				t.Errorf("%s: %v does not say why", name, err)
			case !c.leaves && (!errors.Is(err, context.DeadlineExceeded) || (!c.heeds && !errors.Is(err, secrets.ErrUnavailable)) || time.Since(begun) != 3*time.Second):
				t.Errorf("%s: %v after %s", name, err, time.Since(begun))
			}
			close(release)
			synctest.Wait()
			switch {
			case c.leaves: // it came in time, for whoever is next
				if next, err := b.Acquire(t.Context(), secrets.Request{Binding: binding}); err != nil || next.ID() != "late" {
					t.Errorf("%s: %v, %v", name, next, err)
				}
			case !c.heeds:
				if id := <-revoked; id != "late" {
					t.Errorf("%s: revoked %q", name, id)
				}
			}
			if clean, _ := b.RedactString(canary); !c.heeds && clean == canary {
				t.Errorf("%s: what came late is not redacted", name)
			}
			if err := b.Close(t.Context()); err != nil {
				t.Errorf("%s: Close: %v", name, err)
			}
		})
	}
}

func TestACallerWhoHasLeftIsNotIssuedFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := secrets.NewBroker(funcs{issue: func(context.Context, secrets.Request) (*secrets.Credential, error) {
		t.Error("the provider was asked")
		return nil, secrets.ErrNotFound
	}}, nil)
	for range 50 {
		if _, err := b.Acquire(ctx, secrets.Request{Binding: binding}); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := b.Acquire(t.Context(), secrets.Request{Binding: secrets.KV("../a", "b")}); err == nil {
		t.Error("a wrong binding was issued for")
	}
}

// A provider that hangs and heeds nothing must not gather goroutines without end.
func TestRequestsToAProviderThatHangsAreBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var mu sync.Mutex
	asked := 0
	b := secrets.NewBroker(funcs{issue: func(context.Context, secrets.Request) (*secrets.Credential, error) {
		mu.Lock()
		asked++
		mu.Unlock()
		<-release
		return nil, secrets.ErrNotFound
	}}, &secrets.Options{IssueTimeout: 30 * time.Millisecond})
	var group sync.WaitGroup
	for i := range 400 {
		group.Go(func() {
			if _, err := b.Acquire(context.Background(), secrets.Request{Binding: binding, Tool: fmt.Sprint("t", i)}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	group.Wait()
	_, err := b.Acquire(t.Context(), secrets.Request{Binding: binding})
	if err == nil || !strings.Contains(err.Error(), "256 requests") || !errors.Is(err, secrets.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	mu.Lock()
	if asked > 256 {
		t.Errorf("%d requests at once", asked)
	}
	mu.Unlock()
	close(release)
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNewBrokerPanicsOnMistakesOfWiring(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(){
		"no provider":        func() { secrets.NewBroker(nil, nil) },
		"a negative timeout": func() { secrets.NewBroker(&fixed{}, &secrets.Options{IssueTimeout: -1}) },
		"a negative Confirm": func() { secrets.NewBroker(&fixed{}, &secrets.Options{Confirm: -1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestNoBrokerIssuesNothing(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*secrets.Broker{"nil": nil, "zero": {}} {
		if _, err := b.Acquire(t.Context(), secrets.Request{Binding: binding}); !errors.Is(err, secrets.ErrNoBroker) {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Supports(binding); !errors.Is(err, secrets.ErrNoBroker) {
			t.Errorf("%s: %v", name, err)
		}
		if text, found := b.Redact([]byte(canary)); string(text) != canary || found != nil {
			t.Errorf("%s: %s %v", name, text, found)
		}
		if text, found := b.RedactString(canary); text != canary || found != nil {
			t.Errorf("%s: %s %v", name, text, found)
		}
		if err := b.Close(t.Context()); err != nil || len(b.OptOuts()) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type choosy struct {
	*fixed
	answer func() error
}

func (c choosy) Supports(secrets.Binding) error { return c.answer() }

func TestSupportsAsksTheProviderIfItCanSay(t *testing.T) {
	t.Parallel()
	if err := secrets.NewBroker(&fixed{}, nil).Supports(binding); err != nil {
		t.Errorf("a provider that cannot say: %v", err)
	}
	if err := secrets.NewBroker(&fixed{}, nil).Supports(secrets.KV("..", "x")); err == nil {
		t.Error("a wrong binding is supported")
	}
	err := secrets.NewBroker(choosy{answer: func() error { return fmt.Errorf("no: %w", secrets.ErrUnsupported) }}, nil).Supports(binding)
	if !errors.Is(err, secrets.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	err = secrets.NewBroker(choosy{answer: func() error { panic(canary) }}, nil).Supports(binding)
	if err == nil {
		t.Error("a panic is support")
	}
	shown(t, "a panic in Supports", fmt.Sprint(err))
}
