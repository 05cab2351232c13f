package safetool

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/secrets"
)

// kept are the events of a recorder in this package, which safetooltest imports.
type kept struct {
	events []audit.Event
	sick   error
}

func (k *kept) Record(_ context.Context, e *audit.Event) error {
	if k.sick != nil {
		return k.sick
	}
	k.events = append(k.events, *e)
	return nil
}

func (k *kept) Healthy() error { return k.sick }

// An authorizer is asked about each kind of feature; only a clear yes is one, and what
// decided is in the log.
func TestOnlyAClearYesOfTheAuthorizerIsOne(t *testing.T) {
	t.Parallel()
	var answer func(access.Request) (access.Decision, error)
	trail := &kept{}
	s, err := NewServer(&mcp.Implementation{Name: "asked"}, &Options{
		Audit: trail, Logger: slog.New(slog.DiscardHandler),
		Authorizer: access.AuthorizerFunc(func(ctx context.Context, r access.Request) (access.Decision, error) {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("it may take as long as it likes, and the call holds its slots")
			}
			return answer(r)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{Risk: ReadOnly, AnyCaller: true}
	AddTool(s, &mcp.Tool{Name: "tool"}, p, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{}, nil, nil
	})
	AddPrompt(s, &mcp.Prompt{Name: "prompt"}, p, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{}, nil
	})
	AddResource(s, &mcp.Resource{URI: "doc:a", Name: "a"}, p, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{}}, nil
	})
	c := as(t, s, access.NewPrincipal("test", "ada"), versionStateless)
	use := func() (refused [3]bool, words string) {
		res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "tool"})
		if err != nil {
			t.Fatal(err)
		}
		if refused[0] = res.IsError; refused[0] {
			words = res.Content[0].(*mcp.TextContent).Text
		}
		_, err = c.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "prompt"})
		refused[1] = err != nil
		_, err = c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "doc:a"})
		refused[2] = err != nil
		return refused, words
	}
	var asked []access.Request
	for name, of := range map[string]struct {
		answer func(access.Request) (access.Decision, error)
		no     bool
		words  string
		rule   string
	}{
		"yes":             {func(access.Request) (access.Decision, error) { return access.Permit("fine"), nil }, false, "", "fine"},
		"no":              {func(access.Request) (access.Decision, error) { return access.Deny("office", "Only by day."), nil }, true, "Only by day.", "office"},
		"no, silently":    {func(access.Request) (access.Decision, error) { return access.Decision{}, nil }, true, "You may not use tool in this way.", ""},
		"yes, but failed": {func(access.Request) (access.Decision, error) { return access.Permit("fine"), errors.New("down") }, true, "You may not use tool in this way.", "error"},
		"panic":           {func(access.Request) (access.Decision, error) { panic("secret") }, true, "You may not use tool in this way.", "error"},
		"what is no word": {func(access.Request) (access.Decision, error) { return access.Decision{Effect: 7}, nil }, true, "You may not use tool in this way.", ""},
	} {
		answer = func(r access.Request) (access.Decision, error) {
			asked = append(asked, r)
			return of.answer(r)
		}
		trail.events, asked = nil, nil
		refused, words := use()
		if want := ([3]bool{of.no, of.no, of.no}); refused != want || (of.no && words[:len(of.words)] != of.words) {
			t.Errorf("%s: %v, %q", name, refused, words)
		}
		if len(asked) != 3 || asked[0].Tool != "tool" || asked[1].Prompt != "prompt" || asked[2].Resource != "doc:a" || asked[0].Method != "tools/call" || asked[0].Principal.Subject != "ada" {
			t.Errorf("%s: it was asked %+v", name, asked)
		}
		last := trail.events[len(trail.events)-1]
		if d := last.Decision; (d.Effect == audit.EffectDeny) != of.no || d.By != "authorizer" || d.Rule != of.rule {
			t.Errorf("%s: the log says %+v", name, d)
		}
	}
}

// A shared limiter counts under the caller and the tool; one that fails refuses.
type counted struct {
	keys []string
	wait time.Duration
	err  error
}

func (c *counted) Take(_ context.Context, key string, _ limit.Rate) (time.Duration, error) {
	c.keys = append(c.keys, key)
	return c.wait, c.err
}

func TestCallsAreCountedByCallerAndByTool(t *testing.T) {
	t.Parallel()
	shared := &counted{}
	build := func(l limit.Limiter) (*Server, *mcp.ClientSession, *mcp.ClientSession) {
		s, err := NewServer(&mcp.Implementation{Name: "counted"}, &Options{
			Audit: &kept{}, Logger: slog.New(slog.DiscardHandler), Limiter: l,
			Limits: limit.Limits{CallerRate: limit.Rate{Count: 5, Per: time.Hour}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, rate := range map[string]limit.Rate{"rare": {Count: 2, Per: time.Hour}, "often": {}} {
			AddTool(s, &mcp.Tool{Name: name}, Policy{Risk: ReadOnly, AnyCaller: true, Limits: limit.Limits{Rate: rate}},
				func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
					return &mcp.CallToolResult{}, nil, nil
				})
		}
		return s, as(t, s, access.NewPrincipal("test", "ada"), versionStateless), as(t, s, access.NewPrincipal("test", "eve"), versionStateless)
	}
	code := func(c *mcp.ClientSession, name string) string {
		res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if !res.IsError {
			return ""
		}
		raw, err := json.Marshal(res.Meta[problemKey])
		var p Problem
		if err != nil || json.Unmarshal(raw, &p) != nil || !p.Retry {
			t.Errorf("%s: %s", raw, res.Content[0].(*mcp.TextContent).Text)
		}
		return p.Code
	}
	_, ada, eve := build(nil)
	for i, name := range []string{"rare", "rare", "rare", "often", "often", "often"} {
		want := ""
		if i == 2 || i == 5 { // the third of the tool, the sixth of the caller
			want = CodeRateLimited
		}
		if got := code(ada, name); got != want {
			t.Errorf("call %d of %s: %q", i, name, got)
		}
	}
	if got := code(eve, "rare"); got != "" {
		t.Errorf("another caller: %q", got)
	}
	_, ada, _ = build(shared)
	if got := code(ada, "rare"); got != "" || len(shared.keys) != 2 || shared.keys[0] != "caller|test|ada" || shared.keys[1] != "tool|rare|test|ada" {
		t.Errorf("%q, counted under %q", got, shared.keys)
	}
	shared.wait = time.Minute
	if got := code(ada, "often"); got != CodeRateLimited {
		t.Errorf("a store that says wait: %q", got)
	}
	shared.wait, shared.err = 0, io.ErrUnexpectedEOF
	if got := code(ada, "often"); got != CodeBusy {
		t.Errorf("a store that fails: %q", got)
	}
}

// A server is ready when its log and its secrets are, and a log that failed is tried
// again: no call would come to try it.
func TestReadyAsksTheLogAndTheSecrets(t *testing.T) {
	t.Parallel()
	trail, provider := &kept{}, &sick{}
	s, err := NewServer(&mcp.Implementation{Name: "ready"}, &Options{Audit: trail, Secrets: secrets.NewBroker(provider, nil), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ready(t.Context()); err != nil {
		t.Error(err)
	}
	provider.err = errors.New("sealed")
	if err := s.ready(t.Context()); !errors.Is(err, provider.err) {
		t.Error(err)
	}
	provider.err, provider.panics = nil, true
	if s.ready(t.Context()) == nil {
		t.Error("a provider that panics is well")
	}
	provider.panics = false
	trail.sick = errors.New("disk full")
	if err := s.ready(t.Context()); !errors.Is(err, trail.sick) {
		t.Error(err)
	}
	trail.sick = nil
	if err := s.ready(t.Context()); err != nil {
		t.Error(err)
	}
}

type sick struct {
	secrets.Provider
	err    error
	panics bool
}

func (s *sick) Healthy(context.Context) error {
	if s.panics {
		panic("secret")
	}
	return s.err
}
