package safetool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
)

// A dice decides what the program's code does, wherever it is asked.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (d *dice) of(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// misbehave returns, most of the time; else it does one of what code should not.
func (d *dice) misbehave() error {
	switch d.of(12) {
	case 0:
		panic("the secret plan")
	case 1:
		runtime.Goexit()
	case 2:
		time.Sleep(time.Duration(d.of(3000)) * time.Microsecond)
	case 3:
		return errors.New("no")
	case 4:
		runtime.Gosched()
	}
	return nil
}

// A diceLog is a recorder that fails as the dice say, and what it has recorded.
type diceLog struct {
	dice *dice
	mu   sync.Mutex
	ids  map[string][]audit.Event
	bad  []string
}

func (l *diceLog) Record(_ context.Context, e *audit.Event) error {
	if e.MCP.Method != methodCallTool {
		return nil
	}
	kept := *e
	l.mu.Lock()
	for _, before := range l.ids[kept.Call] {
		if over := before.Phase == audit.PhaseOutcome || before.Phase == audit.PhaseRefused; over && kept.Phase != audit.PhaseNotice {
			l.bad = append(l.bad, fmt.Sprintf("%s: %s after %s", kept.Call, kept.Phase, before.Phase))
		}
	}
	l.mu.Unlock()
	if err := l.dice.misbehave(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids[kept.Call] = append(l.ids[kept.Call], kept)
	return nil
}

// has counts the recorded events of a call of some phases.
func (l *diceLog) has(id string, phases ...audit.Phase) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.ids[id] {
		for _, phase := range phases {
			if e.Phase == phase {
				n++
			}
		}
	}
	return n
}

// A diced result does not encode, as the dice say.
type diced struct {
	dice *dice
	id   string
}

func (d diced) MarshalJSON() ([]byte, error) {
	if err := d.dice.misbehave(); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"id": d.id})
}

// around is middleware that calls the handler in ways that it should not.
func (d *dice) around(next Handler) Handler {
	return func(ctx context.Context, c *Call) (*Result, error) {
		if err := d.misbehave(); err != nil {
			return nil, err
		}
		aside := func(ctx context.Context) {
			defer func() { _ = recover() }() // of middleware further in
			_, _ = next(ctx, c)
		}
		own := &Result{Output: diced{d, c.ID()}}
		switch d.of(12) {
		case 0:
			go aside(ctx)
			return own, nil
		case 1:
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() { aside(ctx) })
			}
			both.Wait()
			return own, nil
		case 2:
			_, _ = next(ctx, c)
		case 3:
			return next(nil, c)
		case 4:
			return next(context.Background(), c)
		case 5:
			over, cancel := context.WithCancel(ctx)
			cancel()
			return next(over, c)
		case 6:
			defer func() { go aside(ctx) }()
		case 7:
			return own, nil
		}
		res, err := next(ctx, c)
		if wrong := d.misbehave(); wrong != nil {
			return nil, wrong
		}
		return res, err
	}
}

// Whatever the program's code and the recorder do, at whatever moment: each call is
// answered; nothing runs without an intent on record; an answer has its one outcome on
// record before it, unless it says that it has none; and what is over has given
// everything back.
func TestNoProgramBreaksThePromisesOfACall(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := &dice{r: rand.New(rand.NewPCG(seed, 0))}
	trail := &diceLog{dice: d, ids: map[string][]audit.Event{}}
	s, err := NewServer(&mcp.Implementation{Name: "test"}, &Options{
		Audit: trail, Logger: slog.New(slog.DiscardHandler), Middleware: []Middleware{d.around, d.around},
		Limits: limit.Limits{CallerConcurrency: 4, CallerRate: limit.Rate{Count: 1 << 20, Per: time.Second}},
		Authorizer: access.AuthorizerFunc(func(context.Context, access.Request) (access.Decision, error) {
			return access.Permit("all"), d.misbehave()
		}),
		Explain: func(error) *Problem { _ = d.misbehave(); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	const most = 2
	timeouts := []time.Duration{time.Microsecond, 100 * time.Microsecond, time.Millisecond, 5 * time.Millisecond, time.Minute}
	for i, timeout := range timeouts {
		var running atomic.Int32
		AddTool(s, &mcp.Tool{Name: fmt.Sprint("t", i)}, Policy{Risk: ReadOnly, AnyCaller: true, Limits: limit.Limits{Timeout: timeout, Concurrency: most}},
			func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
				id := CallFrom(ctx).ID()
				if n := running.Add(1); n > most {
					t.Errorf("%d of t%d run at once", n, i)
				}
				defer running.Add(-1)
				if trail.has(id, audit.PhaseIntent) == 0 {
					t.Errorf("%s runs without an intent on record", id)
				}
				if err := d.misbehave(); err != nil {
					return nil, nil, err
				}
				return nil, diced{d, id}, nil
			})
	}
	var callers sync.WaitGroup
	for n := range 8 {
		session := as(t, s, access.NewPrincipal("test", fmt.Sprint(n/2)), []string{"2025-11-25", versionStateless}[n%2])
		callers.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				res, err := session.CallTool(ctx, &mcp.CallToolParams{Name: fmt.Sprint("t", d.of(len(timeouts)))})
				cancel()
				if err != nil {
					t.Errorf("not answered: %v", err)
					return
				}
				trail.judge(t, res)
			}
		})
	}
	callers.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if n := s.running.Wait(ctx); n != 0 {
		t.Errorf("%d still run", n)
	}
	for n := range 4 {
		if left := s.callerSlots.InUse(fmt.Sprint("test|", n)); left != 0 {
			t.Errorf("%d slots of caller %d are taken", left, n)
		}
	}
	for i := range timeouts {
		f := &s.catalogue.tool(fmt.Sprint("t", i)).feature
		if !f.running.Acquire(1) {
			t.Errorf("a slot of %s is taken", f.name)
		}
	}
	if len(trail.bad) > 0 {
		t.Errorf("%d events after the end of their call, as %s", len(trail.bad), trail.bad[0])
	}
}

// judge holds an answer against what is on record.
func (l *diceLog) judge(t *testing.T, res *mcp.CallToolResult) {
	raw, _ := json.Marshal(res)
	text := string(raw)
	if strings.Contains(text, "plan") {
		t.Errorf("answered %s", text)
	}
	var answer struct {
		Meta struct {
			Problem Problem `json:"safemcp/problem"`
		} `json:"_meta"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Error(err)
	}
	problem := answer.Meta.Problem
	id := problem.Reference
	if !res.IsError {
		var out struct{ ID string }
		content, _ := res.Content[0].(*mcp.TextContent)
		if err := json.Unmarshal([]byte(content.Text), &out); err != nil || out.ID == "" {
			return // the second call of next came to nothing
		}
		id = out.ID
	}
	switch ends := l.has(id, audit.PhaseOutcome, audit.PhaseRefused); {
	case ends > 1:
		t.Errorf("%s ended %d times", id, ends)
	case ends == 0 && problem.Code != CodeOutcomeUnrecorded && problem.Code != CodeAuditUnavailable && problem.Code != CodeDenied && problem.Code != CodeBusy:
		t.Errorf("%s is not on record, and answered %s", id, text)
	}
}
