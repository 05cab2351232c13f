package tally_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/tally"
)

func outcome(tool, caller string, status audit.Status, took time.Duration) *audit.Event {
	return &audit.Event{
		Phase: audit.PhaseOutcome, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Caller: audit.Caller{ID: caller},
		MCP: audit.MCP{Tool: tool}, Decision: audit.Decision{Effect: audit.EffectPermit}, Outcome: audit.Outcome{Status: status}, Duration: took,
	}
}

func refused(tool, caller, by, rule string) *audit.Event {
	e := outcome(tool, caller, audit.StatusRefused, time.Second)
	e.Phase, e.Decision = audit.PhaseRefused, audit.Decision{Effect: audit.EffectDeny, By: by, Rule: rule}
	return e
}

func TestEachCallIsCountedOnceAsItEnded(t *testing.T) {
	t.Parallel()
	var c tally.Tally
	for _, e := range []*audit.Event{
		{Phase: audit.PhaseNotice, Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Phase: audit.PhaseIntent, MCP: audit.MCP{Tool: "get"}},
		outcome("get", "ada", audit.StatusOK, 10*time.Millisecond),
		outcome("get", "ada", audit.StatusInputRequired, 0),
		outcome("get", "bob", audit.StatusPanic, 30*time.Millisecond),
		{Phase: audit.PhaseOrphaned, MCP: audit.MCP{Tool: "put"}, Caller: audit.Caller{Subject: "ada"}},
		refused("get", "bob", "policy", "scopes"),
		refused("", "", "door", "origin"),
		{Phase: "nonsense"},
		outcome("", "", "nonsense", 0),
	} {
		c.Add(e)
	}
	s := c.Summary()
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for _, n := range s.Statuses {
		sum += n
	}
	if s.Events != 10 || s.Calls != 7 || sum != s.Calls || s.Phases["other"] != 1 || s.Statuses["other"] != 1 || s.Statuses["orphaned"] != 1 || s.Decisions[audit.EffectDeny] != 2 {
		t.Errorf("%s", got)
	}
	if want := []tally.Tool{{Name: "get", Calls: 4, Refused: 1, Failed: 1, P50: s.Tools[0].P50, P99: 30, Max: 30}, {Name: "put", Calls: 1, Failed: 1}}; !slices.Equal(s.Tools, want) || s.Tools[0].P50 < 10 || s.Tools[0].P50 > 10.625 {
		t.Errorf("%+v", s.Tools)
	}
	if want := []tally.Caller{{ID: "ada", Calls: 3, Failed: 1}, {ID: "bob", Calls: 2, Refused: 1, Failed: 1}}; !slices.Equal(s.Callers, want) {
		t.Errorf("%+v", s.Callers)
	}
	if want := []tally.Refusal{{"door", "origin", 1}, {"policy", "scopes", 1}}; !slices.Equal(s.Refusals, want) {
		t.Errorf("%+v", s.Refusals)
	}
}

func TestPercentilesAreNearTheTrueOnes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	var c tally.Tally
	var all []float64
	for range 5000 {
		took := time.Duration(1+r.Int64N(1<<r.IntN(30))) * time.Microsecond
		c.Add(outcome("t", "", audit.StatusOK, took))
		all = append(all, float64(took.Microseconds())/1000)
	}
	slices.Sort(all)
	tool := c.Summary().Tools[0]
	for _, q := range []struct{ got, want float64 }{{tool.P50, all[2499]}, {tool.P99, all[4949]}, {tool.Max, all[4999]}} {
		if q.got < q.want || q.got > q.want*17/16 {
			t.Errorf("%v, the true one is %v", q.got, q.want)
		}
	}
	c.Add(outcome("long", "", audit.StatusOK, 1<<62))
	if long := c.Summary().Tools[1]; long.P50 != long.Max || long.Max < 1e12 {
		t.Errorf("%+v", long)
	}
}

// A caller who makes up names, of tools above all, is refused each time. Those calls are
// counted, the names that are real keep their numbers, and memory does not grow.
func TestMadeUpNamesPushNoRealOneOutAndFillNoMemory(t *testing.T) {
	var c tally.Tally
	long := strings.Repeat("é", 4<<10)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const n = 50_000
	for i := range n {
		c.Add(refused(fmt.Sprintf("%d%s", i, long), fmt.Sprintf("nobody-%d", i), "admit", "unknown_tool"))
		if i%100 == 0 {
			c.Add(outcome(fmt.Sprintf("real-%d", i%10_000), "ada", audit.StatusOK, time.Millisecond))
		}
	}
	grown := int64(heap()) - int64(before)
	s := c.Summary()
	t.Logf("%d KiB after %d names", grown>>10, n)
	if grown > 16<<20 {
		t.Errorf("it holds %d bytes", grown)
	}
	genuine, sum := 0, s.Others.Tools
	for _, tool := range s.Tools {
		sum += tool.Calls
		if strings.HasPrefix(tool.Name, "real-") {
			if genuine++; tool.Calls != 5 || tool.Refused != 0 {
				t.Errorf("%+v", tool)
			}
		}
		if len(tool.Name) > 300 {
			t.Fatalf("a name of %d bytes is kept", len(tool.Name))
		}
	}
	if genuine != 100 || sum != s.Calls || s.Calls != n+500 || !s.Others.Forgot || s.Callers[0] != (tally.Caller{ID: "ada", Calls: 500}) {
		t.Errorf("%d real tools; %d calls of %d; %+v; %+v", genuine, sum, s.Calls, s.Others, s.Callers[0])
	}
	runtime.KeepAlive(&c)
}

func TestTheSummaryHoldsNothingThatSteersATerminal(t *testing.T) {
	t.Parallel()
	var c tally.Tally
	for i := range 30 {
		c.Add(refused(fmt.Sprintf("\x1b[2J\u202e%d", i), "eve\r\n\x9b", "x\ty", "\u200b"))
	}
	s := c.Summary()
	var b bytes.Buffer
	if err := s.Fprint(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(b.String(), "\n") {
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", line)
		}
	}
	for _, want := range []string{"30 refused", "and 10 tools more", "REFUSED BY"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if err := s.Fprint(brokenWriter{}); err == nil {
		t.Error("a broken writer is no error")
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestOfPassesTheErrorOn(t *testing.T) {
	t.Parallel()
	if _, err := tally.Of(func(yield func(*audit.Event, error) bool) { yield(nil, errBroken) }); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
	if c, err := tally.Of(func(yield func(*audit.Event, error) bool) { yield(outcome("t", "", audit.StatusOK, 0), nil) }); err != nil || c.Summary().Calls != 1 {
		t.Errorf("%v", err)
	}
	var empty tally.Tally
	s := empty.Summary()
	if got, err := json.Marshal(s); err != nil || string(got) != `{"events":0,"phases":{},"calls":0,"statuses":{},"decisions":{},"tools":[],"callers":[],"refusals":[],"others":{"tools":0,"callers":0,"refusals":0,"forgot":false}}` {
		t.Errorf("%s, %v", got, err)
	}
}
