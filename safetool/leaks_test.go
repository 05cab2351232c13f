package safetool_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/scan"
)

// ways are how a handler may answer with a value.
func ways(v string) map[string]func(req *mcp.CallToolRequest) (*mcp.CallToolResult, any, error) {
	text := func(s string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}, nil, nil
	}
	return map[string]func(req *mcp.CallToolRequest) (*mcp.CallToolResult, any, error){
		"text": func(*mcp.CallToolRequest) (*mcp.CallToolResult, any, error) { return text("x " + v) },
		"hex": func(*mcp.CallToolRequest) (*mcp.CallToolResult, any, error) {
			return text(hex.EncodeToString([]byte(v)))
		},
		"structured": func(*mcp.CallToolRequest) (*mcp.CallToolResult, any, error) { return nil, map[string]any{v: v}, nil },
		"blob": func(*mcp.CallToolRequest) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: []byte(v), MIMEType: "image/png"}}}, nil, nil
		},
		"said": func(*mcp.CallToolRequest) (*mcp.CallToolResult, any, error) {
			return nil, nil, safetool.Say("no: %s", v)
		},
		"problem": func(*mcp.CallToolRequest) (*mcp.CallToolResult, any, error) {
			return nil, nil, &safetool.Problem{Code: "x", Message: "m", Hint: v}
		},
		"wire": func(*mcp.CallToolRequest) (*mcp.CallToolResult, any, error) {
			return nil, nil, &jsonrpc.Error{Code: -32000, Message: v}
		},
	}
}

// What holds a secret is redacted, or withheld where the policy says so; and one notice
// a call names the binding, the tool and the call.
func TestALeakIsRedactedOrRefusedAndOnRecord(t *testing.T) {
	t.Parallel()
	for name := range ways("") {
		for _, refuses := range []bool{false, true} {
			t.Run(fmt.Sprint(name, refuses), func(t *testing.T) {
				t.Parallel()
				binding := secrets.KV("app/key", "value")
				server, trail := newServer(t, func(o *safetool.Options) {
					o.Logger = slog.New(slog.NewTextHandler(&noted{}, nil))
					o.Secrets = secrets.NewBroker(safetooltest.Provider{binding: issued}, nil)
				})
				policy := safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"key": binding}}
				if refuses {
					policy.Leaks = safetool.RefuseLeaks
				}
				safetool.AddTool(server, &mcp.Tool{Name: "leaky"}, policy,
					func(ctx context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
						v := lent(ctx, t)
						_ = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: "t", Message: v})
						safetool.CallFrom(ctx).Logger().Info(v)
						return ways(v)[name](req)
					})
				res, err := safetooltest.NewClient(t, server).CallTool(t.Context(), &mcp.CallToolParams{Name: "leaky"})
				unleaked(t, res, err)
				said := dump(res)
				if err != nil {
					said = dump(err)
				}
				if got := strings.Contains(said, safetool.CodeSecretWithheld); got != refuses {
					t.Errorf("answered %s", said)
				}
				var notices []audit.Event
				var outcome audit.Event
				for _, e := range trail.Events() {
					unleaked(t, e, nil)
					if e.Phase == audit.PhaseNotice && e.Decision.Rule == "leak" {
						notices = append(notices, e)
					}
					if e.Phase == audit.PhaseOutcome && e.MCP.Tool == "leaky" {
						outcome = e
					}
				}
				if (outcome.Outcome.Status == audit.StatusWithheld) != refuses {
					t.Errorf("the outcome is %+v", outcome.Outcome)
				}
				if len(notices) != 1 || notices[0].MCP.Tool != "leaky" || notices[0].Call == "" || notices[0].Call != outcome.Call ||
					len(notices[0].Credentials) != 1 || notices[0].Credentials[0].Binding != "kv:app/key#value" || !strings.Contains(notices[0].Decision.Reason, "kv:app/key#value") {
					t.Errorf("the notices are %+v", notices)
				}
				for _, place := range []string{"the answer", "the log", "a message, notifications/progress"} {
					if len(notices) == 1 && !strings.Contains(notices[0].Decision.Reason, place) {
						t.Errorf("the notice does not name %s: %s", place, notices[0].Decision.Reason)
					}
				}
			})
		}
	}
}

func TestACleanAnswerIsNeverWithheld(t *testing.T) {
	t.Parallel()
	server, trail, policy := withSecret(t)
	policy.Leaks = safetool.RefuseLeaks
	safetool.AddTool(server, &mcp.Tool{Name: "clean"}, policy,
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			return nil, map[string]any{"length": len(lent(ctx, t))}, nil
		})
	if res := call(t, safetooltest.NewClient(t, server), "clean", nil); res.IsError {
		t.Errorf("answered %s", dump(res))
	}
	for _, e := range trail.Events() {
		if e.Decision.Rule == "leak" {
			t.Errorf("recorded %+v", e)
		}
	}
	if cards := server.Describe(); len(cards) != 1 || cards[0].Leaks != safetool.RefuseLeaks || cards[0].Leaks.String() != "refuse" {
		t.Errorf("the cards are %+v", cards)
	}
	policy.Leaks = 7
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "RefuseLeaks") {
			t.Errorf("a policy with another word for leaks: %v", r)
		}
	}()
	safetool.AddTool(server, &mcp.Tool{Name: "wrong"}, policy, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
}

// An answer whose leak cannot be put on record is not sent.
func TestALeakIsNeverSentUnrecorded(t *testing.T) {
	t.Parallel()
	binding := secrets.KV("app/key", "value")
	trail := &safetooltest.Recorder{Fail: func(e audit.Event) error {
		if e.Decision.Rule == "leak" {
			return errors.New("disk full")
		}
		return nil
	}}
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard(), Secrets: secrets.NewBroker(safetooltest.Provider{binding: issued}, nil)})
	if err != nil {
		t.Fatal(err)
	}
	safetool.AddTool(server, &mcp.Tool{Name: "leaky"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"key": binding}},
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			return nil, map[string]any{"answer": "the rest", "key": lent(ctx, t)}, nil
		})
	if res := call(t, safetooltest.NewClient(t, server), "leaky", nil); strings.Contains(dump(res), "the rest") || !strings.Contains(dump(res), safetool.CodeOutcomeUnrecorded) {
		t.Errorf("answered %s", dump(res))
	}
}

// Secrets that nobody issued are found too, where patterns are given.
func TestAPatternIsRedactedAndOnRecord(t *testing.T) {
	t.Parallel()
	rules, err := scan.NewRules(scan.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	const token = "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R"
	server, trail := newServer(t, func(o *safetool.Options) {
		o.Secrets = secrets.NewBroker(safetooltest.Provider{}, &secrets.Options{Patterns: rules})
	})
	safetool.AddTool(server, &mcp.Tool{Name: "leaky"}, open, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
		return nil, map[string]any{"file": "token = " + token}, nil
	})
	res := call(t, safetooltest.NewClient(t, server), "leaky", nil)
	if text := dump(res); strings.Contains(text, token) || !strings.Contains(text, "[redacted:pattern:github-token]") {
		t.Errorf("answered %s", text)
	}
	if !slices.ContainsFunc(trail.Events(), func(e audit.Event) bool {
		return e.Decision.Rule == "leak" && strings.Contains(e.Decision.Reason, "pattern:github-token")
	}) {
		t.Errorf("no notice: %s", dump(trail.Events()))
	}
}

// noted keeps what is logged.
type noted struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *noted) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.Write(p)
}

func (n *noted) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

type logged struct{ v string }

func (l logged) LogValue() slog.Value {
	return slog.GroupValue(slog.String(l.v, l.v), slog.Any("e", errors.New(l.v)))
}

// Whatever is logged, by whatever kind of attribute, as name or as value, in whatever
// group: no handler of the program's shows an issued value.
func TestNoKindOfAttributeLogsAnIssuedSecret(t *testing.T) {
	t.Parallel()
	const number = "9081726354"
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out noted
			text, digits := secrets.KV("app/key", "value"), secrets.KV("app/pin", "value")
			server, _ := newServer(t, func(o *safetool.Options) {
				o.Logger = slog.New(handler(&out))
				o.Secrets = secrets.NewBroker(safetooltest.Provider{text: issued, digits: number}, nil)
			})
			safetool.AddTool(server, &mcp.Tool{Name: "logs"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"key": text, "pin": digits}},
				func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
					v, log := lent(ctx, t), safetool.CallFrom(ctx).Logger()
					log.Info(v, v, v, "bytes", []byte(v), "error", fmt.Errorf("wrapped: %w", errors.New(v)), "valuer", logged{v}, "struct", struct {
						A string
						B []byte
						C map[string]any
					}{v, []byte(v), map[string]any{v: v}}, slog.Group(v, slog.String("a", v), slog.Group("b", slog.Any(v, []string{v}))))
					log.With(v, v, "list", []any{[]byte(v), &v}).WithGroup(v).Warn("x", "n", 9081726354, "u", uint64(9081726354), "f", 9081726354.0, "i", any(int64(9081726354)), "d", v)
					log.Info(hex.EncodeToString([]byte(v)), "url", url.QueryEscape(v), "base64", base64.StdEncoding.EncodeToString([]byte("x"+v)), "split", strings.Join(strings.Split(v, ""), "\u200b"))
					return &mcp.CallToolResult{}, nil, nil
				})
			call(t, safetooltest.NewClient(t, server), "logs", nil)
			got := out.String()
			unleaked(t, got, nil)
			plain := strings.NewReplacer(`\u200b`, "", "\u200b", "").Replace(got)
			for _, form := range []string{issued, hex.EncodeToString([]byte(issued)), fmt.Sprint([]byte(issued)), number, "9.081726354e"} {
				if strings.Contains(plain, form) {
					t.Errorf("the log shows %s:\n%s", form, got)
				}
			}
			if !strings.Contains(got, "[redacted:kv:app/key#value]") {
				t.Errorf("nothing was logged: %s", got)
			}
		})
	}
}

// Names of callers, of tools and of what else an event holds may hold a value too.
func TestNoTextOfAnEventHoldsAnIssuedSecret(t *testing.T) {
	t.Parallel()
	server, trail, policy := withSecret(t)
	safetool.AddTool(server, &mcp.Tool{Name: "take"}, policy, func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
		lent(ctx, t)
		return &mcp.CallToolResult{}, nil, nil
	})
	call(t, safetooltest.NewClient(t, server), "take", nil) // it is issued now
	who := access.NewPrincipal(issued, "x"+issued)
	who.Tenant, who.Client = issued, issued
	who.Roles, who.Scopes = []string{"r" + issued}, []string{issued}
	leaky := safetool.Policy{Risk: safetool.ReadOnly, Roles: []string{"r" + issued}, Secrets: map[string]secrets.Binding{"n" + issued: policy.Secrets["key"]}}
	safetool.AddTool(server, &mcp.Tool{Name: "t" + issued, Description: "d " + issued}, leaky, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
		return nil, nil, fmt.Errorf("internal: %s", issued)
	})
	safetool.AddResource(server, &mcp.Resource{URI: "x:" + issued, Name: issued}, leaky, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return nil, &jsonrpc.Error{Code: -32000, Message: issued, Data: json.RawMessage(`"` + issued + `"`)}
	})
	safetool.AddPrompt(server, &mcp.Prompt{Name: "p" + issued, Description: issued}, leaky, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return nil, &jsonrpc.Error{Code: -32000, Message: "no " + issued}
	})
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{Principal: who})
	ctx := t.Context()
	tools, err := client.ListTools(ctx, nil)
	unleaked(t, tools, err)
	resources, err := client.ListResources(ctx, nil)
	unleaked(t, resources, err)
	prompts, err := client.ListPrompts(ctx, nil)
	unleaked(t, prompts, err)
	if len(tools.Tools) != 2 || len(resources.Resources) != 1 || len(prompts.Prompts) != 1 {
		t.Errorf("listed %s", dump([]any{tools, resources, prompts}))
	}
	res, err := client.CallTool(ctx, &mcp.CallToolParams{Name: "t" + issued, Meta: mcp.Meta{"traceparent": "00-" + strings.Repeat("ab", 16) + "-" + strings.Repeat("cd", 8) + "-01"}})
	unleaked(t, res, err)
	read, err := client.ReadResource(ctx, &mcp.ReadResourceParams{URI: "x:" + issued})
	unleaked(t, read, err)
	prompt, err := client.GetPrompt(ctx, &mcp.GetPromptParams{Name: "p" + issued})
	unleaked(t, prompt, err)
	for _, e := range trail.Events() {
		unleaked(t, e, nil)
		if raw, err := json.Marshal(e); err != nil || strings.Contains(string(raw), issued) {
			t.Errorf("%s, %v", raw, err)
		}
	}
	if who.Roles[0] != "r"+issued {
		t.Error("the principal was changed")
	}
}

// A handler's own progress token is its words; the client's comes back as it came.
func TestAProgressTokenIsTheClientsOrClean(t *testing.T) {
	t.Parallel()
	server, _, policy := withSecret(t)
	safetool.AddTool(server, &mcp.Tool{Name: "progress"}, policy, func(ctx context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
		v := lent(ctx, t)
		_ = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: "of " + v, Message: "one"})
		_ = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Message: "two", Meta: mcp.Meta{v: v}})
		return &mcp.CallToolResult{}, nil, nil
	})
	got := make(chan *mcp.ProgressNotificationParams, 4)
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{SDK: &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { got <- r.Params },
	}})
	params := &mcp.CallToolParams{Name: "progress"}
	params.SetProgressToken("\u200bmine")
	if res, err := client.CallTool(t.Context(), params); err != nil || res.IsError {
		t.Fatalf("%+v, %v", res, err)
	}
	for range 2 {
		select {
		case p := <-got:
			unleaked(t, p, nil)
			if p.Message == "two" && p.ProgressToken != "\u200bmine" {
				t.Errorf("the token came back as %q", p.ProgressToken)
			}
		case <-t.Context().Done():
			t.Fatal("no progress")
		}
	}
}

// What hygiene takes out of a text may be part of a value: it is looked for before, too.
func TestHygieneNeverMakesAValueUnknown(t *testing.T) {
	t.Parallel()
	const value = "pass\x1b[31mword\x00-01\u200b23\x7f456789"
	binding := secrets.KV("app/key", "value")
	server, _ := newServer(t, func(o *safetool.Options) {
		o.Secrets = secrets.NewBroker(safetooltest.Provider{binding: value}, nil)
	})
	safetool.AddTool(server, &mcp.Tool{Name: "leaky"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"key": binding}},
		func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			v := lent(ctx, t)
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "x " + v + " y"}}, StructuredContent: map[string]any{"k": v}}, nil, nil
		})
	text := dump(call(t, safetooltest.NewClient(t, server), "leaky", nil))
	if strings.Contains(text, "word") || strings.Contains(text, "456789") || strings.Count(text, "[redacted:kv:app/key#value]") != 2 {
		t.Errorf("answered %s", text)
	}
}
