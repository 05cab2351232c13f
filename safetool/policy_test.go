package safetool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
)

func TestWiringMistakesFailWithASentence(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	ok := mcp.Tool{Name: "t"}
	for what, c := range map[string]struct {
		tool   mcp.Tool
		policy safetool.Policy
		says   string
	}{
		"no risk":                 {ok, safetool.Policy{AnyCaller: true}, "no Risk"},
		"nobody":                  {ok, safetool.Policy{Risk: safetool.Write}, "lets nobody call"},
		"any caller and a scope":  {ok, safetool.Policy{Risk: safetool.Write, AnyCaller: true, Scopes: []string{"x"}}, "choose one"},
		"empty scope":             {ok, safetool.Policy{Risk: safetool.Write, Scopes: []string{""}}, "empty scope"},
		"negative limit":          {ok, safetool.Policy{Risk: safetool.Write, AnyCaller: true, Limits: limit.Limits{Timeout: -1}}, "negative limit Timeout"},
		"secrets without broker":  {ok, safetool.Policy{Risk: safetool.Write, AnyCaller: true, Secrets: map[string]secrets.Binding{"k": secrets.KV("a", "b")}}, "no broker"},
		"bad name":                {mcp.Tool{Name: "a b"}, open, "characters"},
		"read-only, destructive":  {mcp.Tool{Name: "t", Annotations: &mcp.ToolAnnotations{DestructiveHint: &yes}}, open, "destructiveHint"},
		"write, read-only":        {mcp.Tool{Name: "t", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true}}, safetool.Policy{Risk: safetool.Write, AnyCaller: true}, "readOnlyHint"},
		"high-risk, undestroying": {mcp.Tool{Name: "t", Annotations: &mcp.ToolAnnotations{DestructiveHint: &no}}, safetool.Policy{Risk: safetool.HighRisk, AnyCaller: true}, "destructiveHint: false"},
		"bad schema":              {mcp.Tool{Name: "t", InputSchema: map[string]any{"type": 7}}, open, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server, _ := newServer(t, nil)
			defer func() {
				if text := fmt.Sprint(recover()); text == "<nil>" || !strings.Contains(text, c.says) {
					t.Errorf("it says: %s", text)
				}
			}()
			safetool.AddTool(server, &c.tool, c.policy, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
		})
	}
	for what, o := range map[string]*safetool.Options{
		"nil": nil, "no audit": {}, "both": {Audit: &safetooltest.Recorder{}, InsecureNoAudit: "x"},
		"negative":       {Audit: &safetooltest.Recorder{}, Limits: limit.Limits{ResultBytes: -1}},
		"nil middleware": {Audit: &safetooltest.Recorder{}, Middleware: []safetool.Middleware{nil}},
	} {
		if _, err := safetool.NewServer(&mcp.Implementation{Name: "x"}, o); err == nil {
			t.Errorf("%s: NewServer took it", what)
		}
	}
}

func TestAnnotationsSayWhatTheRiskSays(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, nil)
	for name, risk := range map[string]safetool.Risk{"read": safetool.ReadOnly, "write": safetool.Write, "high": safetool.HighRisk} {
		safetool.AddTool(server, &mcp.Tool{Name: name}, safetool.Policy{Risk: risk, AnyCaller: true},
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
	}
	res, err := safetooltest.NewClient(t, server).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range res.Tools {
		a := tool.Annotations
		if a == nil || a.ReadOnlyHint != (tool.Name == "read") || (tool.Name == "high") != (a.DestructiveHint != nil && *a.DestructiveHint) {
			t.Errorf("%s: %s", tool.Name, dump(a))
		}
	}
	if res.CacheScope != "private" {
		t.Errorf("the list may be cached by %q", res.CacheScope)
	}
}

func TestAHighRiskHandlerNeverRunsWithoutAPerson(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, trail := newServer(t, func(o *safetool.Options) { o.InsecureObserve = "migrating" })
		safetool.AddTool(server, &mcp.Tool{Name: "pay"}, safetool.Policy{Risk: safetool.HighRisk, AnyCaller: true},
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				t.Error("it ran")
				return nil, nil, nil
			})
		res := call(t, safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version}), "pay", nil)
		if !res.IsError || !strings.Contains(textOf(res), "a person has to approve") {
			t.Errorf("answered %s", dump(res))
		}
		e := trail.Calls()[0]
		if e.Phase != audit.PhaseRefused || e.Decision.Effect != audit.EffectAsk || e.Outcome.Code != safetool.CodeApprovalRequired {
			t.Errorf("recorded %+v", e)
		}
	})
}

func TestListAndCallAgreeOnWhoMay(t *testing.T) {
	t.Parallel()
	people := map[string]access.Principal{}
	for _, roles := range []string{"", "ops"} {
		for _, scopes := range []string{"", "read"} {
			p := access.NewPrincipal("test", "p-"+roles+"-"+scopes)
			if roles != "" {
				p.Roles = []string{roles}
			}
			if scopes != "" {
				p.Scopes = []string{scopes}
			}
			people[p.Subject] = p
		}
	}
	for name, who := range people {
		eachEra(t, func(t *testing.T, version string) {
			server, _ := newServer(t, func(o *safetool.Options) { o.SDK = &mcp.ServerOptions{PageSize: 1} })
			handler := func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			}
			for tool, p := range map[string]safetool.Policy{
				"any": {AnyCaller: true}, "role": {Roles: []string{"ops", "sre"}}, "scope": {Scopes: []string{"read"}},
				"both": {Roles: []string{"ops"}, Scopes: []string{"read"}}, "other": {Roles: []string{"nobody"}},
			} {
				p.Risk = safetool.ReadOnly
				safetool.AddTool(server, &mcp.Tool{Name: tool}, p, handler)
			}
			client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{Principal: who, ProtocolVersion: version})
			listed := map[string]bool{}
			for tool, err := range client.Tools(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				listed[tool.Name] = true
			}
			for _, tool := range []string{"any", "role", "scope", "both", "other", "unknown"} {
				ops, read := len(who.Roles) > 0, len(who.Scopes) > 0
				seen := map[string]bool{"any": true, "role": ops, "scope": true, "both": ops}[tool]
				may := map[string]bool{"any": true, "role": ops, "scope": read, "both": ops && read}[tool]
				if listed[tool] != seen {
					t.Errorf("%s: %s is listed: %v", name, tool, listed[tool])
				}
				res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: tool})
				if (err == nil) != seen || (seen && res.IsError == may) {
					t.Errorf("%s: calling %s: %s, %v", name, tool, dump(res), err)
				}
				if seen && !may && !strings.Contains(textOf(res), "needs the scope read") {
					t.Errorf("%s: %s", tool, textOf(res))
				}
			}
		})
	}
}

func TestACursorNamesNothing(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, func(o *safetool.Options) { o.SDK = &mcp.ServerOptions{PageSize: 1} })
	for _, name := range []string{"aaa", "bbb"} {
		safetool.AddTool(server, &mcp.Tool{Name: name}, open, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			return nil, nil, nil
		})
	}
	client := safetooltest.NewClient(t, server)
	page, err := client.ListTools(t.Context(), nil)
	if err != nil || page.NextCursor == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, cursor := range []string{"x", page.NextCursor[:len(page.NextCursor)-4] + "AAAA"} {
		if _, err := client.ListTools(t.Context(), &mcp.ListToolsParams{Cursor: cursor}); err == nil {
			t.Errorf("the cursor %q was taken", cursor)
		}
	}
	if _, err := client.ListPrompts(t.Context(), &mcp.ListPromptsParams{Cursor: page.NextCursor}); err == nil {
		t.Error("a cursor of tools was taken for prompts")
	}
}

func TestAnAuthorizerThatDoesNotAnswerDenies(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		answer func(access.Request) (access.Decision, error)
		runs   bool
		says   string
	}{
		"permits": {func(access.Request) (access.Decision, error) { return access.Permit("rule-1"), nil }, true, ""},
		"denies":  {func(access.Request) (access.Decision, error) { return access.Deny("rule-2", "Not on Sundays."), nil }, false, "Not on Sundays."},
		"zero":    {func(access.Request) (access.Decision, error) { return access.Decision{}, nil }, false, "may not"},
		"errs":    {func(access.Request) (access.Decision, error) { return access.Permit("x"), errors.New("canary") }, false, "may not"},
		"panics":  {func(access.Request) (access.Decision, error) { panic("canary") }, false, "may not"},
		"sees types": {func(r access.Request) (access.Decision, error) {
			if in, ok := r.Arguments.(greeting); ok && in.Name == "Ada" && r.Tool == "hello" && r.Method == "tools/call" {
				return access.Permit("typed"), nil
			}
			return access.Decision{}, nil
		}, true, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server, trail := newServer(t, func(o *safetool.Options) {
				o.Authorizer = access.AuthorizerFunc(func(_ context.Context, r access.Request) (access.Decision, error) { return c.answer(r) })
			})
			addHello(server)
			res := call(t, safetooltest.NewClient(t, server), "hello", map[string]any{"name": "Ada"})
			if res.IsError == c.runs || !strings.Contains(textOf(res), c.says) || strings.Contains(dump(res), "canary") {
				t.Errorf("answered %s", dump(res))
			}
			if e := trail.Calls()[0]; e.Decision.By != "authorizer" {
				t.Errorf("recorded %+v", e.Decision)
			}
		})
	}
}

// What an authorizer or a handler writes into the principal that it is given, or sorts,
// is its own.
func TestWhatIsWrittenIntoAPrincipalNeverDecidesACall(t *testing.T) {
	t.Parallel()
	var server *safetool.Server
	write := func(p access.Principal) {
		p.Scopes[0], p.Roles[0] = "admin", "admin"
	}
	server, _ = newServer(t, func(o *safetool.Options) {
		o.Authorizer = access.AuthorizerFunc(func(_ context.Context, r access.Request) (access.Decision, error) {
			write(r.Principal)
			return access.Permit("all"), nil
		})
	})
	safetool.AddTool(server, &mcp.Tool{Name: "writes"}, open,
		func(ctx context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			write(safetool.CallFrom(ctx).Principal())
			req.Extra.TokenInfo.Scopes[0] = "admin"
			return nil, nil, nil
		})
	for _, p := range []safetool.Policy{{Risk: safetool.ReadOnly, Scopes: []string{"admin"}}, {Risk: safetool.ReadOnly, Roles: []string{"admin"}}} {
		name := "scope"
		if len(p.Roles) > 0 {
			name = "role"
		}
		safetool.AddTool(server, &mcp.Tool{Name: name}, p, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			t.Errorf("the tool that needs a %s ran", name)
			return nil, nil, nil
		})
	}
	who := safetooltest.Tester()
	who.Scopes, who.Roles = []string{"other"}, []string{"other"}
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{Principal: who})
	call(t, client, "writes", nil)
	for _, name := range []string{"scope", "role"} {
		_, _ = client.CallTool(t.Context(), &mcp.CallToolParams{Name: name})
	}
}

// A program that goes on to use the options that it gave changes no guard.
func TestOptionsThatChangeLaterChangeNothing(t *testing.T) {
	t.Parallel()
	never := func(safetool.Handler) safetool.Handler {
		return func(context.Context, *safetool.Call) (*safetool.Result, error) {
			return nil, errors.New("not this one")
		}
	}
	always := func(next safetool.Handler) safetool.Handler { return next }
	wrap, sdk := []safetool.Middleware{always}, &mcp.ServerOptions{}
	server, _ := newServer(t, func(o *safetool.Options) { o.Middleware, o.SDK = wrap, sdk })
	wrap[0] = never
	sdk.SetCacheable = func(context.Context, mcp.Request, *mcp.Cacheable) { t.Error("a hook that came later was called") }
	addHello(server)
	client := safetooltest.NewClient(t, server)
	if res := call(t, client, "hello", map[string]any{"name": "Ada"}); res.IsError {
		t.Error(textOf(res))
	}
	if _, err := client.ListTools(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestObservingLetsThroughOnlyWhatItSays(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, func(o *safetool.Options) { o.InsecureObserve = "moving over in November" })
	safetool.AddTool(server, &mcp.Tool{Name: "hello"}, safetool.Policy{Risk: safetool.ReadOnly, Scopes: []string{"greet"}},
		func(_ context.Context, _ *mcp.CallToolRequest, in greeting) (*mcp.CallToolResult, greeted, error) {
			return nil, greeted{in.Name}, nil
		})
	client := safetooltest.NewClient(t, server)
	if e := trail.Events()[0]; e.Decision.Rule != "opt_out" || e.Decision.Reason != "moving over in November" {
		t.Errorf("the opt-out is recorded as %+v", e.Decision)
	}
	for _, c := range []struct {
		args any
		runs bool
	}{
		{map[string]any{"name": "Ada"}, true},                                      // lacks the scope
		{map[string]any{"name": strings.Repeat("x", 50)}, true},                    // breaks a rule
		{map[string]any{"name": "Ada", "extra": 1}, true},                          // unknown member
		{map[string]any{"name": 7}, false},                                         // does not decode
		{map[string]any{"name": "Ada", "deep": strings.Repeat("x", 2<<20)}, false}, // over a limit
	} {
		before := len(trail.Calls())
		res := call(t, client, "hello", c.args)
		if res.IsError == c.runs {
			t.Errorf("%.80v: %s", c.args, dump(res))
		}
		e := trail.Calls()[before]
		if c.runs && (e.Decision.Effect != audit.EffectObserve || e.Decision.Reason == "") {
			t.Errorf("%.80v is recorded as %+v", c.args, e.Decision)
		}
	}
}

// What turns a guard off is on record, also where another room's option does.
func TestTheBrokersOptOutIsRecorded(t *testing.T) {
	t.Parallel()
	_, trail := newServer(t, func(o *safetool.Options) {
		o.Secrets = secrets.NewBroker(safetooltest.Provider{}, &secrets.Options{InsecureShortValues: "PINs of four digits"})
	})
	events := trail.Events()
	if len(events) != 1 || events[0].Decision.By != "InsecureShortValues" || events[0].Decision.Rule != "opt_out" || events[0].Decision.Reason != "PINs of four digits" {
		t.Errorf("recorded %s", dump(events))
	}
	fails := &safetooltest.Recorder{Fail: func(audit.Event) error { return errors.New("disk full") }}
	_, err := safetool.NewServer(&mcp.Implementation{Name: "test", Version: "v1"}, &safetool.Options{
		Audit: fails, Secrets: secrets.NewBroker(safetooltest.Provider{}, &secrets.Options{InsecureShortValues: "PINs of four digits"}),
	})
	if err == nil || !strings.Contains(err.Error(), "InsecureShortValues") {
		t.Errorf("an opt-out that could not be recorded: %v", err)
	}
}
