package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

var (
	stored   = secrets.Request{Server: "s", Tool: "t", Binding: secrets.KV("app/share", "key")}
	database = secrets.Request{Server: "s", Tool: "t", Binding: secrets.Database("readonly")}
)

// Ten thousand callers at once are one request, and those of them who leave hurt nobody.
func TestCallersAtOnceAreOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute, time.Hour)
		s.slow = time.Second
		b, _ := brokerOf(t, s, nil)
		impatient, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		first := make(chan struct{})
		group.Go(func() { // who began the request is the first to leave
			go func() { time.Sleep(time.Millisecond); close(first) }()
			if _, err := b.Acquire(impatient, database); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		<-first
		for i := range 10_000 {
			group.Go(func() {
				r := database
				r.Caller = fmt.Sprint("caller-", i) // who shares is not told apart
				c, err := b.Acquire(t.Context(), r)
				if err != nil || c.ID() != "lease-1" {
					t.Errorf("got %v, %v", c, err)
				}
				b.Release(c)
			})
		}
		leave()
		group.Wait()
		if issued, _, _ := s.counts(); issued != 1 || s.requests[0].Caller != "" {
			t.Errorf("%d requests, of %q", issued, s.requests[0].Caller)
		}
		if err := b.Close(t.Context()); err != nil || len(s.live()) != 0 {
			t.Errorf("%v, and %v live", err, s.live())
		}
	})
}

// What one may have, nobody else is given: tools, tenants, servers and versions never
// share, and callers do not where the binding says so.
func TestCredentialsAreSharedByNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute, time.Hour)
		b, _ := brokerOf(t, s, nil)
		base := secrets.Request{Server: "s", Tool: "t", Tenant: "a", Caller: "alice", Binding: secrets.Database("r")}
		distinct := []secrets.Request{base}
		for _, edit := range []func(*secrets.Request){
			func(r *secrets.Request) { r.Server = "other" }, func(r *secrets.Request) { r.Tool = "other" },
			func(r *secrets.Request) { r.Tenant = "b" }, func(r *secrets.Request) { r.Tenant = "" },
			func(r *secrets.Request) { r.Binding = secrets.Database("w") },
			func(r *secrets.Request) { r.Binding = r.Binding.PerCaller() },
			func(r *secrets.Request) { r.Binding = r.Binding.PerCaller(); r.Caller = "bob" },
			// Parts that run together would spell the same.
			func(r *secrets.Request) { r.Server, r.Tool = "st", "" }, func(r *secrets.Request) { r.Tool, r.Tenant = "ta", "" },
		} {
			r := base
			edit(&r)
			distinct = append(distinct, r)
		}
		seen := map[string]int{}
		for i, r := range distinct {
			id := use(t, b, r).ID()
			if before, there := seen[id]; there {
				t.Errorf("request %d shares with %d", i, before)
			}
			seen[id] = i
			if got := s.requests[len(s.requests)-1]; got.Tenant != r.Tenant || got.Tool != r.Tool || (got.Caller != "") != r.Binding.IsPerCaller() {
				t.Errorf("request %d became %+v", i, got)
			}
		}
		same := base
		same.Caller = "bob"
		if id := use(t, b, same).ID(); seen[id] != 0 {
			t.Error("callers do not share")
		}
		_ = b.Close(t.Context())
	})
}

// A value that is used is read again every half minute and not more; a new version is
// what calls get from then on, and is told.
func TestARotationIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(0, 0)
		b, notices := brokerOf(t, s, nil)
		for range 600 {
			use(t, b, stored)
			time.Sleep(time.Second)
		}
		if issued, _, _ := s.counts(); issued < 20 || issued > 24 {
			t.Errorf("%d requests in ten minutes", issued)
		}
		s.set(func(s *store) { s.version = 2 })
		noticed := 0
		for use(t, b, stored).Version() != "v2" {
			noticed++
			time.Sleep(time.Second)
		}
		if noticed > 31 || notices.String() != "[rotated]" {
			t.Errorf("noticed after %d s, told %s", noticed, notices)
		}
		if clean, _ := b.RedactString(canary + "-0001 " + canary + "-0002"); strings.Contains(clean, canary) {
			t.Errorf("the old value or the new is shown: %s", clean)
		}
		_ = b.Close(t.Context())
	})
}

// What nobody uses is let go of: its lease is revoked, and nothing runs any more, also
// without Close. synctest fails where a goroutine is left.
func TestWhatNobodyUsesIsRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(5*time.Minute, time.Hour)
		b, _ := brokerOf(t, s, nil)
		use(t, b, database)
		use(t, b, stored)
		long, err := b.Acquire(t.Context(), secrets.Request{Tool: "long", Binding: database.Binding})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		if live := s.live(); len(live) != 1 || live[0] != long.ID() {
			t.Errorf("live are %v: %s is used by a long call", live, long.ID())
		}
		b.Release(long)
		time.Sleep(2 * time.Minute)
		if live := s.live(); len(live) != 0 {
			t.Errorf("live are %v", live)
		}
	})
}

// A lease is renewed while it is used and replaced when two thirds of its longest life
// are over; the one before is revoked when the calls that have it are over, not sooner.
func TestALeaseIsReplacedAheadOfItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(3*time.Minute, 10*time.Minute)
		b, notices := brokerOf(t, s, nil)
		old, err := b.Acquire(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for use(t, b, database).ID() == old.ID() {
			if !s.knows(old.ID()) {
				t.Fatal("a lease that has ended is handed out")
			}
			time.Sleep(time.Second)
		}
		if after := time.Since(begun); after < 8*time.Minute || after > 9*time.Minute+30*time.Second {
			t.Errorf("replaced after %s", after)
		}
		time.Sleep(5 * time.Second)
		if !s.knows(old.ID()) {
			t.Error("revoked under the call that has it")
		}
		b.Release(old)
		time.Sleep(time.Second)
		if s.knows(old.ID()) {
			t.Error("not revoked though nobody has it")
		}
		if issued, renewed, _ := s.counts(); issued != 2 || renewed > 25 {
			t.Errorf("issued %d, renewed %d", issued, renewed)
		}
		if notices.String() != "[]" {
			t.Errorf("told %s", notices)
		}
		_ = b.Close(t.Context())
	})
}

// Leases of two seconds that cannot be renewed, in use all the time: no call is ever
// given one that is over.
func TestLeasesOfSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(2*time.Second, 2*time.Second)
		s.slow = 20 * time.Millisecond
		b, _ := brokerOf(t, s, nil)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 3000 {
					c, err := b.Acquire(t.Context(), database)
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(10 * time.Millisecond)
					if !s.knows(c.ID()) {
						t.Errorf("%s is over", c.ID())
					}
					b.Release(c)
				}
			})
		}
		group.Wait()
		if issued, _, _ := s.counts(); issued > 30 {
			t.Errorf("%d were issued in half a minute", issued)
		}
		_ = b.Close(t.Context())
		if s.twice {
			t.Error("two requests for one credential were under way")
		}
	})
}

// A store that is away is lived without: a lease until its end, a stored value for five
// minutes. It is told once, and so is its return, which needs no restart.
func TestAStoreThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(3*time.Minute, time.Hour)
		b, notices := brokerOf(t, s, nil)
		use(t, b, stored)
		use(t, b, database)
		away := fmt.Errorf("sealed: %w", secrets.ErrUnavailable)
		s.set(func(s *store) { s.fail = away })
		served := map[secrets.Request]time.Duration{}
		begun := time.Now()
		for range 900 {
			for _, r := range []secrets.Request{stored, database} {
				c, err := b.Acquire(t.Context(), r)
				if err == nil {
					served[r] = time.Since(begun)
					b.Release(c)
				} else if !errors.Is(err, secrets.ErrUnavailable) {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		if d := served[database]; d < 170*time.Second || d > 180*time.Second {
			t.Errorf("a lease of three minutes was used for %s", d)
		}
		if d := served[stored]; d < 290*time.Second || d > 300*time.Second {
			t.Errorf("a stored value was used for %s", d)
		}
		if issued, renewed, _ := s.counts(); issued+renewed > 2*(900+20) {
			t.Errorf("%d requests in a quarter of an hour", issued+renewed)
		}
		s.set(func(s *store) { s.fail = nil })
		time.Sleep(2 * time.Second)
		use(t, b, stored)
		use(t, b, database)
		synctest.Wait()
		if notices.String() != "[unavailable unavailable available available]" { // of two bindings
			t.Errorf("told %s", notices)
		}
		_ = b.Close(t.Context())
	})
}

// A store that answers and says no is believed at once, whatever is cached.
func TestWhatAStoreDeniesIsNotUsedAnyMore(t *testing.T) {
	t.Parallel()
	for name, sentinel := range map[string]error{"denied": secrets.ErrDenied, "deleted": secrets.ErrNotFound, "something else": errors.New("what?")} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(3*time.Minute, time.Hour)
			b, notices := brokerOf(t, s, nil)
			s.set(func(s *store) { s.fail = nil })
			for _, r := range []secrets.Request{stored, database} {
				use(t, b, r)
			}
			s.set(func(s *store) { s.fail = fmt.Errorf("%s: %w", name, sentinel) })
			ended := 0
			for range 120 {
				for _, r := range []secrets.Request{stored, database} {
					if c, err := b.Acquire(t.Context(), r); err == nil {
						b.Release(c)
					} else if !errors.Is(err, sentinel) && sentinel != nil && name != "something else" {
						t.Errorf("%s: %v", name, err)
					} else {
						ended++
					}
				}
				time.Sleep(time.Second)
			}
			if ended < 2*(120-31) {
				t.Errorf("%s: refused %d times", name, ended)
			}
			if told := notices.String(); strings.Count(told, "ended") != 2 || strings.Count(told, "unrevoked") > 1 || strings.Contains(told, "available") {
				t.Errorf("%s: told %s", name, told)
			}
			_ = b.Close(t.Context())
		})
	}
}

// Giving back twice what nobody else has takes nothing from those who come.
func TestGivingBackTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute, time.Hour)
		b, _ := brokerOf(t, s, nil)
		c := use(t, b, database)
		b.Release(c)
		b.Release(nil)
		b.Release(made(t, secrets.CredentialData{}))
		if again := use(t, b, database); again.ID() != c.ID() {
			t.Errorf("got %s after %s", again.ID(), c.ID())
		}
		_ = b.Close(t.Context())
	})
}

// Many that are due at once are not asked for at once.
func TestTheKeeperIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Hour, time.Hour)
		b, _ := brokerOf(t, s, nil)
		for i := range 2000 {
			r := database
			r.Caller, r.Binding = fmt.Sprint("c", i), r.Binding.PerCaller()
			use(t, b, r)
		}
		most, before := 0, 0
		for range 120 { // all are let go of
			time.Sleep(time.Second)
			_, renewed, revoked := s.counts()
			most, before = max(most, renewed+revoked-before), renewed+revoked
		}
		if most > 110 || before < 2000 || len(s.live()) != 0 {
			t.Errorf("up to %d in a second, %d in all, %d live", most, before, len(s.live()))
		}
		_ = b.Close(t.Context())
	})
}

// Whatever a store does, and whoever comes and goes: nobody is handed what has ended,
// each credential is asked for once at a time, and Close leaves nothing.
func TestNothingIsHandedOutThatHasEnded(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			s := newStore(time.Duration(1+r.IntN(20))*time.Second, time.Duration(5+r.IntN(60))*time.Second)
			b, _ := brokerOf(t, s, &secrets.Options{Confirm: time.Duration(1+r.IntN(10)) * time.Second})
			ctx, stop := context.WithCancel(t.Context())
			var group sync.WaitGroup
			for i := range 12 {
				own := rand.New(rand.NewPCG(seed, uint64(i)))
				group.Go(func() {
					for ctx.Err() == nil {
						request := database
						request.Tool = fmt.Sprint("t", own.IntN(3))
						patience, done := context.WithTimeout(ctx, time.Duration(own.IntN(3000))*time.Millisecond)
						c, err := b.Acquire(patience, request)
						done()
						if err == nil {
							if !c.Expires().After(time.Now()) {
								t.Errorf("seed %d: %s is handed out and has expired", seed, c.ID())
							}
							time.Sleep(time.Duration(own.IntN(2000)) * time.Millisecond)
							b.Release(c)
						}
						time.Sleep(time.Duration(own.IntN(1500)) * time.Millisecond)
					}
				})
			}
			for range 60 {
				s.set(func(s *store) {
					s.fail, s.slow = nil, 0
					switch r.IntN(6) {
					case 0:
						s.fail = secrets.ErrUnavailable
					case 1:
						s.fail = secrets.ErrDenied
					case 2:
						s.slow = time.Duration(r.IntN(1400)) * time.Millisecond // what takes over 3 s in all is given up, and asked again
					case 3: // somebody revokes them all
						clear(s.leases)
					}
				})
				time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
			}
			s.set(func(s *store) { s.fail, s.slow = nil, 0 })
			stop()
			if err := b.Close(context.Background()); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			group.Wait()
			if live := s.live(); len(live) != 0 || s.twice {
				t.Errorf("seed %d: %v live, two at once: %t", seed, live, s.twice)
			}
		})
	}
}

// A store that refuses is not asked again by each call.
func TestAFailureIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute, time.Hour)
		b, _ := brokerOf(t, s, nil)
		s.set(func(s *store) { s.fail = fmt.Errorf("no: %w", secrets.ErrDenied) })
		for range 1000 {
			if _, err := b.Acquire(t.Context(), database); !errors.Is(err, secrets.ErrDenied) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if issued, _, _ := s.counts(); issued > 11 {
			t.Errorf("%d requests in ten seconds", issued)
		}
		s.set(func(s *store) { s.fail = nil })
		time.Sleep(time.Second)
		use(t, b, database)
		_ = b.Close(t.Context())
	})
}

// A store that does not stand by a lease any more has it revoked, also under the call
// that has it.
func TestWhatIsDeniedIsRevokedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute, time.Hour)
		b, _ := brokerOf(t, s, nil)
		c, err := b.Acquire(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		s.set(func(s *store) { s.fail = fmt.Errorf("no: %w", secrets.ErrDenied) })
		time.Sleep(31 * time.Second)
		s.set(func(s *store) { s.fail = nil })
		time.Sleep(6 * time.Second)
		if s.knows(c.ID()) {
			t.Error("it waits for the call")
		}
		b.Release(c)
		_ = b.Close(t.Context())
	})
}

// A renewal with other values is none: they would not be redacted under the right name,
// and what was opened with the ones before would be taken for theirs.
func TestARenewalKeepsTheValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(time.Minute, time.Hour)
		b := secrets.NewBroker(swapping{s}, nil)
		notices := &told{}
		b.Watch(notices.note)
		first := use(t, b, database)
		time.Sleep(29 * time.Second)
		use(t, b, database)
		time.Sleep(2 * time.Second)
		if second := use(t, b, database); second.ID() == first.ID() || notices.String() != "[ended]" {
			t.Errorf("got %v after %v, told %s", second, first, notices)
		}
		_ = b.Close(t.Context())
	})
}

// swapping is a store whose renewals have another value.
type swapping struct{ *store }

func (s swapping) Renew(_ context.Context, c *secrets.Credential) (*secrets.Credential, error) {
	return secrets.NewCredential(secrets.CredentialData{Binding: c.Binding(), ID: c.ID(), Version: c.Version(), Expires: time.Now().Add(time.Hour), Value: secrets.NewSecret([]byte(canary + "-swapped"))})
}

// Values that were rotated away are looked for during a day, and not for ever: their
// memory is bounded.
func TestOldValuesAreForgottenAfterADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(0, 0)
		b, _ := brokerOf(t, s, nil)
		use(t, b, stored)
		for range 10 {
			s.set(func(s *store) { s.version++ })
			time.Sleep(time.Hour)
			use(t, b, stored)
		}
		old := canary + "-0002"
		if clean, _ := b.RedactString(old); clean == old {
			t.Error("forgotten after hours")
		}
		for range 30 {
			s.set(func(s *store) { s.version++ })
			time.Sleep(time.Hour)
			use(t, b, stored)
		}
		if clean, _ := b.RedactString(old); clean != old {
			t.Error("kept for ever")
		}
		now := fmt.Sprintf("%s-%04d", canary, s.version)
		if clean, _ := b.RedactString(now); clean == now {
			t.Error("the current one is forgotten")
		}
		_ = b.Close(t.Context())
	})
}
