package audit

import (
	"errors"
	"iter"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// naive is what a filter means, word by word.
func naive(f *Filter, e *Event) bool {
	for _, list := range []struct {
		wanted []string
		is     func(want string) bool
	}{
		{f.Tools, func(want string) bool {
			pattern := regexp.QuoteMeta(want)
			pattern = strings.ReplaceAll(strings.ReplaceAll(pattern, `\*`, `(?s:.*)`), `\?`, `(?s:.)`)
			return e.MCP.Tool != "" && regexp.MustCompile(`\A`+pattern+`\z`).MatchString(e.MCP.Tool)
		}},
		{f.Callers, func(want string) bool { return want != "" && (e.Caller.ID == want || e.Caller.Subject == want) }},
		{f.Calls, func(want string) bool { return strings.HasPrefix(e.Call, want) }},
		{texts(f.Effects), func(want string) bool { return string(e.Decision.Effect) == want }},
		{texts(f.Statuses), func(want string) bool {
			return string(e.Outcome.Status) == want && e.Phase != PhaseOrphaned || want == "orphaned" && e.Phase == PhaseOrphaned
		}},
	} {
		fits := len(list.wanted) == 0
		for _, want := range list.wanted {
			fits = fits || list.is(want)
		}
		if !fits {
			return false
		}
	}
	late := f.Since.IsZero() || e.Time.Equal(f.Since) || e.Time.After(f.Since)
	early := f.Until.IsZero() || e.Time.Before(f.Until)
	return late && early
}

func texts[S ~string](all []S) []string {
	var plain []string
	for _, s := range all {
		plain = append(plain, string(s))
	}
	return plain
}

// some picks up to n of what may be picked.
func some[S ~string](r *rand.Rand, n int, from ...S) []S {
	var all []S
	for range r.IntN(n + 1) {
		all = append(all, from[r.IntN(len(from))])
	}
	return all
}

func one[S ~string](r *rand.Rand, from ...S) S { return from[r.IntN(len(from))] }

func TestNoFilterShowsOrHidesAnotherEventThanItSays(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func() time.Time {
		if r.IntN(3) == 0 {
			return time.Time{}
		}
		return begin.Add(time.Duration(r.IntN(5)) * time.Hour)
	}
	shown := 0
	for range 20_000 {
		e := &Event{
			Time: begin.Add(time.Duration(r.IntN(5)) * time.Hour), Phase: one(r, phases...), Call: one(r, "", "AB", "ABC", "B"),
			Caller:   Caller{ID: one(r, "", "os|ada", "bob"), Subject: one(r, "", "ada", "bob")},
			MCP:      MCP{Tool: one(r, "", "get", "get_all", "put", "né", "é\xff", "a*b")},
			Decision: Decision{Effect: one(r, "", EffectPermit, EffectDeny, EffectAsk)},
			Outcome:  Outcome{Status: one(r, "", StatusOK, StatusPanic, Status(PhaseOrphaned))},
		}
		f := &Filter{
			Tools:    some(r, 2, "get", "g*", "*", "?", "??", "*t*", "p?t", "***", "n?", "*?*", "a**b", ""),
			Callers:  some(r, 2, "ada", "bob", "os|ada", ""),
			Calls:    some(r, 2, "A", "AB", "B", ""),
			Effects:  some(r, 2, EffectPermit, EffectDeny, EffectObserve),
			Statuses: some(r, 2, StatusOK, StatusPanic, Status(PhaseOrphaned)),
			Since:    at(), Until: at(),
		}
		if got, want := f.Match(e), naive(f, e); got != want {
			t.Fatalf("%+v\n%+v\nis %v, want %v", f, e, got, want)
		} else if got {
			shown++
		}
	}
	if shown < 500 {
		t.Errorf("only %d events were shown: nothing is tested", shown)
	}
}

func TestGlobsOfHostileNamesEnd(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("a", 1<<10)
	if globbed(strings.Repeat("*a", 512)+"b", name) || !globbed(strings.Repeat("*a", 512)+"*", name) {
		t.Error("wrong")
	}
}

func TestAFilterPassesTheErrorOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	events := func(yield func(*Event, error) bool) {
		_ = yield(&Event{Seq: 1}, nil) && yield(&Event{Seq: 2, Call: "x"}, nil) && yield(nil, broken)
	}
	lines := func(yield func(Line, error) bool) {
		for e, err := range events {
			if !yield(Line{Event: e}, err) {
				return
			}
		}
	}
	f := &Filter{Calls: []string{"x"}}
	for _, all := range []iter.Seq2[*Event, error]{f.Events(events), Events(f.Lines(lines))} {
		var seqs []uint64
		var last error
		for e, err := range all {
			if last = err; err == nil {
				seqs = append(seqs, e.Seq)
			}
		}
		if !slices.Equal(seqs, []uint64{2}) || !errors.Is(last, broken) {
			t.Errorf("%v, %v", seqs, last)
		}
		for range all {
			break // a loop that ends early is no panic
		}
	}
}
