package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/validate"
)

// A source is an allowlist that a test steers.
type source struct {
	mu      sync.Mutex
	values  []string
	err     error
	hang    chan struct{} // it answers when this is closed, whatever its context says
	answer  func() ([]string, error)
	asked   int
	at      int // at once
	most    int
	bounded bool
	within  context.Context
}

func (s *source) Values(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	s.asked++
	s.at++
	s.most = max(s.most, s.at)
	_, s.bounded = ctx.Deadline()
	s.within = ctx
	hang, answer := s.hang, s.answer
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at--
	if answer != nil {
		return answer()
	}
	return s.values, s.err
}

func (s *source) set(err error, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.values = err, values
}

type cityArgs struct {
	City string `json:"city" validate:"allow=cities"`
}

func cities(t *testing.T, list validate.Allowlist) *validate.Arguments[cityArgs] {
	t.Helper()
	return compile[cityArgs](t, &validate.Options{Allow: map[string]validate.Allowlist{"cities": list}})
}

// verdict is "ok", "no" or why the list could not be read.
func verdict(ctx context.Context, a *validate.Arguments[cityArgs], city string) string {
	_, err := a.Decode(ctx, json.RawMessage(fmt.Sprintf(`{"city":%q}`, city)))
	var source *validate.SourceError
	var wrong *validate.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &source):
		return "source: " + source.Err.Error()
	case errors.As(err, &wrong):
		return "no"
	}
	return err.Error()
}

func TestAValueIsNeverAllowedForLongerThanItsLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{values: []string{"Paris", "Oslo"}}
		a := cities(t, s)
		is := func(city, want string) {
			t.Helper()
			if got := verdict(t.Context(), a, city); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s, want %s", city, got, want)
			}
		}
		is("Paris", "ok")
		s.set(nil, "Oslo")
		time.Sleep(5*time.Second - 1)
		is("Paris", "ok") // what was listed is allowed as long as it is listed
		if s.asked != 1 || !s.bounded {
			t.Errorf("asked %d times, bounded: %v", s.asked, s.bounded)
		}
		time.Sleep(time.Nanosecond)
		is("Paris", "no")
		is("Oslo", "ok")
		s.set(errors.New("down"))
		time.Sleep(5*time.Second - 1)
		is("Oslo", "ok")
		time.Sleep(time.Nanosecond)
		is("Oslo", "source: down") // nothing is stale by default
		s.set(nil, "Oslo")
		is("Oslo", "source: down") // it is left alone for a second
		if s.asked != 3 {
			t.Errorf("asked %d times", s.asked)
		}
		time.Sleep(time.Second)
		is("Oslo", "ok")
	})
}

func TestStaleValuesAreUsedUpToTheirBoundAndNeverBeyond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{values: []string{"Paris"}}
		a := cities(t, validate.Cached(s, &validate.CacheOptions{Lifetime: 10 * time.Second, Stale: time.Minute}))
		verdict(t.Context(), a, "Paris")
		s.set(errors.New("down"))
		for elapsed := time.Duration(0); elapsed < 70*time.Second; elapsed += time.Second {
			if got := verdict(t.Context(), a, "Paris"); got != "ok" {
				t.Fatalf("after %s: %s", elapsed, got)
			}
			if got := verdict(t.Context(), a, "Rome"); got != "no" {
				t.Fatalf("after %s: %s", elapsed, got)
			}
			time.Sleep(time.Second)
		}
		if got := verdict(t.Context(), a, "Paris"); got != "source: down" {
			t.Error(got)
		}
		if s.asked < 50 || s.asked > 62 {
			t.Errorf("a failing source was asked %d times in a minute", s.asked)
		}
		s.set(nil) // what is empty is not what fails
		time.Sleep(time.Second)
		if got := verdict(t.Context(), a, "Paris"); got != "no" {
			t.Error(got)
		}
	})
}

func TestCallersNeverAskASourceTwiceAtOnceAndLeaveOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{values: []string{"Paris"}, hang: make(chan struct{})}
		a := cities(t, s)
		got := make([]string, 64)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Millisecond)
				defer cancel()
				got[i] = verdict(ctx, a, "Paris")
			})
		}
		time.Sleep(3*time.Second + 50*time.Millisecond)
		close(s.hang)
		all.Wait()
		for i, g := range got {
			if left := i <= 30; left != strings.Contains(g, "did not wait") || !left && g != "ok" {
				t.Errorf("the caller that waits %d ms: %s", i*100, g)
			}
		}
		if s.asked != 1 || s.most != 1 {
			t.Errorf("asked %d times, %d at once", s.asked, s.most)
		}
	})
}

func TestASourceThatHangsHoldsNobodyUpLongerThanItsTimeAndWhatItSaysLateIsNotUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{values: []string{"Late"}, hang: make(chan struct{})}
		a := cities(t, s)
		began := time.Now()
		if got := verdict(t.Context(), a, "Late"); !strings.Contains(got, "did not answer within 5s") || time.Since(began) != 5*time.Second {
			t.Errorf("%s after %s", got, time.Since(began))
		}
		for range 100 {
			time.Sleep(time.Second)
			before := time.Now()
			if got := verdict(t.Context(), a, "Late"); !strings.HasPrefix(got, "source: ") || time.Now() != before {
				t.Errorf("%s after %s", got, time.Since(before))
			}
		}
		s.mu.Lock()
		if s.asked != 1 {
			t.Errorf("what hangs was asked %d times", s.asked)
		}
		s.mu.Unlock()
		close(s.hang)
		synctest.Wait()
		s.mu.Lock()
		s.hang = nil
		s.mu.Unlock()
		s.set(nil, "Paris")
		if got := verdict(t.Context(), a, "Late"); got != "no" {
			t.Errorf("what it said late: %s", got)
		}
		if got := verdict(t.Context(), a, "Paris"); got != "ok" {
			t.Error(got)
		}
	})
}

func TestASourceThatHangsMakesNothingStaleForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{values: []string{"Paris"}}
		a := cities(t, validate.Cached(s, &validate.CacheOptions{Lifetime: 10 * time.Second, Stale: time.Minute}))
		verdict(t.Context(), a, "Paris")
		hang := make(chan struct{})
		s.mu.Lock()
		s.hang = hang
		s.mu.Unlock()
		time.Sleep(10 * time.Second)
		if got := verdict(t.Context(), a, "Paris"); got != "ok" {
			t.Error(got)
		}
		time.Sleep(time.Minute - 5*time.Second - 1)
		if got := verdict(t.Context(), a, "Paris"); got != "ok" {
			t.Error(got)
		}
		time.Sleep(time.Nanosecond)
		if got := verdict(t.Context(), a, "Paris"); !strings.HasPrefix(got, "source: ") {
			t.Error(got)
		}
		close(hang)
	})
}

func TestASourceThatPanicsOrExitsIsASourceThatFails(t *testing.T) {
	t.Parallel()
	type loop map[string]any
	self := loop{}
	self["self"] = self // printing it exhausts the stack
	for name, answer := range map[string]func() ([]string, error){
		"panic": func() ([]string, error) { panic("boom") },
		"error": func() ([]string, error) { panic(errors.New("boom")) },
		"loop":  func() ([]string, error) { panic(self) },
		"exit":  func() ([]string, error) { runtime.Goexit(); return []string{"Paris"}, nil },
		"value": func() ([]string, error) { return []string{"Paris"}, errors.New("and an error") },
	} {
		a := cities(t, &source{answer: answer})
		if got := verdict(t.Context(), a, "Paris"); !strings.HasPrefix(got, "source: ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Values go into logs, schemas and prompts: what hides there is the source's fault.
func TestNoListIsTakenThatHoldsWhatNobodySees(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"zero width": "Pa\u200bris", "bidi": "Paris\u202e", "tag": "Paris\U000e0041", "escape": "\x1b[31mParis", "line": "Paris\nOslo",
		"tab": "Pa\tris", "separator": "Paris\u2028", "nul": "Paris\x00", "c1": "Paris\u0085", "utf-8": "Paris\xff", "long": strings.Repeat("a", 1001),
	} {
		got := verdict(t.Context(), cities(t, &source{values: []string{"Paris", bad}}), "Paris")
		if !strings.HasPrefix(got, "source: value 2 of 2 ") || strings.Contains(got, bad) {
			t.Errorf("%s: %q", name, got)
		}
		if err := tagged2("allow=x", map[string]validate.Allowlist{"x": validate.Static("Paris", bad)}); err == nil {
			t.Errorf("%s: a static list holds it", name)
		}
	}
	if got := verdict(t.Context(), cities(t, &source{values: make([]string, 100_001)}), ""); !strings.HasPrefix(got, "source: it holds 100001") {
		t.Error(got)
	}
	for _, good := range []string{"", "São Paulo", "دبی", "می\u200cخواهم", "👩\u200d👩\u200d👧", "New York, NY", strings.Repeat("a", 1000)} {
		if got := verdict(t.Context(), cities(t, &source{values: []string{good}}), good); got != "ok" {
			t.Errorf("%q: %s", good, got)
		}
	}
}

// No caller ever sees a mixture of two lists, nor another list in the schema than in
// the checks, and what a source does with its slice afterwards is its own.
func TestNoCallerSeesHalfOfAChange(t *testing.T) {
	t.Parallel()
	lists := [][]string{{"a1", "a2"}, {"b1", "b2"}}
	var turn atomic.Int64
	var mine []string
	s := &source{answer: func() ([]string, error) {
		if mine != nil {
			mine[0], mine[1] = "x", "x"
		}
		mine = slices.Clone(lists[turn.Add(1)%2])
		return mine, nil
	}}
	type pair struct {
		One  string   `json:"one" validate:"allow=l"`
		Many []string `json:"many" validate:"max=9,dive,allow=l"`
	}
	a := compile[pair](t, &validate.Options{Allow: map[string]validate.Allowlist{"l": validate.Cached(s, &validate.CacheOptions{Lifetime: 50 * time.Microsecond})}})
	var took [3]atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 60 {
				var schema struct {
					Properties struct {
						One  struct{ Enum []string }
						Many struct{ Items struct{ Enum []string } }
					}
				}
				if err := json.Unmarshal(a.Current(t.Context()), &schema); err != nil {
					t.Error(err)
				}
				if p := schema.Properties; !slices.Equal(p.One.Enum, p.Many.Items.Enum) || len(p.One.Enum) != 2 || p.One.Enum[0][0] != p.One.Enum[1][0] {
					t.Errorf("listed %v", p)
				}
				for i, raw := range []string{`{"one":"a1","many":["a2"]}`, `{"one":"b1","many":["b2"]}`, `{"one":"a1","many":["b2"]}`} {
					if _, err := a.Decode(t.Context(), json.RawMessage(raw)); err == nil {
						took[i].Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	if took[0].Load() == 0 || took[1].Load() == 0 || took[2].Load() != 0 {
		t.Errorf("taken: %d of one list, %d of the other, %d of both", took[0].Load(), took[1].Load(), took[2].Load())
	}
	if s.most != 1 {
		t.Errorf("%d at once", s.most)
	}
}

// A list is the same for all: nothing of whoever happens to ask first is in its context.
func TestNothingOfACallReachesASource(t *testing.T) {
	t.Parallel()
	type key struct{}
	s := &source{values: []string{"Paris"}}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "tenant 1"))
	if got := verdict(ctx, cities(t, s), "Paris"); got != "ok" {
		t.Fatal(got)
	}
	if s.within.Value(key{}) != nil {
		t.Error("the source was asked for one tenant, and answered all")
	}
	cancel()
	if got := verdict(ctx, cities(t, &source{hang: make(chan struct{})}), "Paris"); !strings.Contains(got, "did not wait") {
		t.Error(got)
	}
}

func TestCachedIsWiredWithASentence(t *testing.T) {
	t.Parallel()
	for want, wire := range map[string]func(){
		"is nil":        func() { validate.Cached(nil, nil) },
		"negative time": func() { validate.Cached(validate.AllowFunc(failing), &validate.CacheOptions{Stale: -1}) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), want) {
					t.Errorf("%s: %v", want, r)
				}
			}()
			wire()
		}()
	}
	s := &source{values: []string{"b", "a", "b"}}
	c := validate.Cached(s, nil)
	if validate.Cached(c, nil) != c {
		t.Error("a cached list is cached again")
	}
	values, err := validate.Cached(c, &validate.CacheOptions{Lifetime: time.Hour}).Values(t.Context())
	if err != nil || !slices.Equal(values, []string{"a", "b"}) {
		t.Errorf("%v %v", values, err)
	}
	values[0] = "changed"
	if values, err := c.Values(t.Context()); err != nil || !slices.Equal(values, []string{"a", "b"}) {
		t.Errorf("%v %v", values, err)
	}
	if _, err := validate.Cached(validate.Static("a"), &validate.CacheOptions{}).Values(t.Context()); err != nil {
		t.Error(err)
	}
}
