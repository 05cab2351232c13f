package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
)

// Each test here is a way around guards that are mere middleware on the SDK's
// server: all of them work there.

const issued = "s3cr3t-value-0123456789"

// withSecret is a server whose policy lends one secret, and that policy.
func withSecret(t *testing.T, edit ...func(*safetool.Options)) (*safetool.Server, *safetooltest.Recorder, safetool.Policy) {
	t.Helper()
	binding := secrets.KV("app/key", "value")
	server, trail := newServer(t, func(o *safetool.Options) {
		o.Secrets = secrets.NewBroker(safetooltest.Provider{binding: issued}, nil)
		for _, f := range edit {
			f(o)
		}
	})
	return server, trail, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"key": binding}}
}

func lent(ctx context.Context, t *testing.T) string {
	t.Helper()
	c, err := safetool.CallFrom(ctx).Credential("key")
	if err != nil {
		t.Errorf("no credential: %v", err)
		return ""
	}
	var value string
	if err := c.Secret().Use(func(b []byte) error { value = string(b); return nil }); err != nil {
		t.Error(err)
	}
	return value
}

func TestSameNameRegistrationNeverReplacesAGuardedTool(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, nil)
	addHello(server)
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "registered already") {
			t.Fatalf("a second registration: %v", r)
		}
	}()
	addHello(server)
}

// A tool that reaches the SDK's server by the audited way out is not reachable
// under a guarded name, and not reachable at all without being declared.
func TestAToolOfTheSDKServerNeverAnswersForADeclaredOne(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	addHello(server)
	sdk, err := server.InsecureSDKServer("the test shows that it changes nothing")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hello", "undeclared"} {
		mcp.AddTool(sdk, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, greeting) (*mcp.CallToolResult, greeted, error) {
			return nil, greeted{"unguarded"}, nil
		})
	}
	client := safetooltest.NewClient(t, server)
	if res := call(t, client, "hello", map[string]any{"name": "Ada"}); strings.Contains(textOf(res), "unguarded") {
		t.Error("the SDK's tool answered for the guarded one")
	}
	if _, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "undeclared", Arguments: map[string]any{"name": "Ada"}}); err == nil {
		t.Error("an undeclared tool answered")
	}
	tools, err := client.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 1 || tools.Tools[0].Name != "hello" {
		t.Errorf("listed: %+v, %v", tools, err)
	}
	if e := trail.Events()[0]; e.Decision.By != "InsecureSDKServer" || e.Decision.Reason == "" {
		t.Errorf("the opt-out is recorded as %+v", e.Decision)
	}
}

func TestTheSDKServerIsNotHandedOutUnrecorded(t *testing.T) {
	t.Parallel()
	trail := &safetooltest.Recorder{Fail: func(audit.Event) error { return errors.New("disk full") }}
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	if sdk, err := server.InsecureSDKServer("because"); err == nil || sdk != nil {
		t.Error("handed out although it could not be recorded")
	}
	if _, err := server.InsecureSDKServer(""); err == nil {
		t.Error("handed out without a reason")
	}
}

// A request that no front door has named a caller for, as later middleware or a
// transport of one's own would make it, is refused.
func TestAnUnidentifiedRequestIsRefused(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	addHello(server)
	serverSide, clientSide := mcp.NewInMemoryTransports()
	serving, err := bridge.Open(server).SDK.Connect(t.Context(), serverSide, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = serving.Close() }()
	client := mcp.NewClient(&mcp.Implementation{Name: "nobody"}, nil)
	if session, err := client.Connect(t.Context(), clientSide, nil); err == nil {
		_ = session.Close()
		t.Fatal("an unidentified client connected")
	}
	if len(trail.Events()) == 0 || trail.Events()[0].Outcome.Code != safetool.CodeUnidentified {
		t.Errorf("events: %s", phases(trail.Events()))
	}
}

func TestNoMessageOfTheServerCarriesAnIssuedSecretOrInvisibleText(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, _, policy := withSecret(t)
		safetool.AddTool(server, &mcp.Tool{Name: "chatty"}, policy,
			func(ctx context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
				value := lent(ctx, t)
				dirty := "a\u200bb \x1b[31m" + value[:5] + "\u200b" + value[5:]
				if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Message: dirty, Progress: 1}); err != nil {
					t.Error(err)
				}
				if err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "error", Data: map[string]any{"k": dirty}}); err != nil {
					t.Error(err)
				}
				return &mcp.CallToolResult{
					Meta:    mcp.Meta{"m": dirty},
					Content: []mcp.Content{&mcp.TextContent{Text: dirty}, &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "x:y", Text: dirty}}},
				}, nil, nil
			})
		seen := make(chan string, 16)
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version, SDK: &mcp.ClientOptions{
			ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { seen <- dump(r.Params) },
			LoggingMessageHandler:       func(_ context.Context, r *mcp.LoggingMessageRequest) { seen <- dump(r.Params) },
		}})
		params := &mcp.CallToolParams{Name: "chatty", Meta: mcp.Meta{"progressToken": "p1"}}
		if version == "2026-07-28" {
			params.Meta[mcp.MetaKeyLogLevel] = "debug"
		} else if err := client.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "debug"}); err != nil {
			t.Fatal(err)
		}
		res, err := client.CallTool(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		all := []string{dump(res), <-seen, <-seen}
		for _, text := range all {
			if strings.Contains(text, issued) || strings.Contains(text, "\u200b") || strings.Contains(text, `\u001b`) || !strings.Contains(text, "redacted") {
				t.Errorf("left the server: %s", text)
			}
		}
	})
}

func TestAContextKeptAfterReturningGetsNothing(t *testing.T) {
	t.Parallel()
	server, _, policy := withSecret(t)
	type kept struct {
		ctx context.Context
		req *mcp.CallToolRequest
	}
	keep := make(chan kept, 1)
	safetool.AddTool(server, &mcp.Tool{Name: "keeper"}, policy,
		func(ctx context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			keep <- kept{ctx, req}
			return nil, nil, nil
		})
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: "2025-11-25"})
	call(t, client, "keeper", nil)
	k := <-keep
	if _, err := safetool.CallFrom(k.ctx).Credential("key"); !errors.Is(err, safetool.ErrNoCall) {
		t.Errorf("the credential after the answer: %v", err)
	}
	err := k.req.Session.NotifyProgress(k.ctx, &mcp.ProgressNotificationParams{ProgressToken: "p", Message: "late"})
	if !errors.Is(err, safetool.ErrNoCall) {
		t.Errorf("progress after the answer: %v", err)
	}
}

type bomb struct{ armed bool }

func (b bomb) MarshalJSON() ([]byte, error) {
	if b.armed {
		panic("bomb")
	}
	return []byte(`"ok"`), nil
}

func TestAResultThatPanicsOrHoldsNaNIsAnswered(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		server, trail := newServer(t, nil)
		add := func(name string, content *mcp.CallToolResult, out any) {
			safetool.AddTool(server, &mcp.Tool{Name: name}, open,
				func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
					return content, out, nil
				})
		}
		var typedNil *mcp.TextContent
		add("out_bomb", nil, bomb{true})
		add("out_nan", nil, map[string]any{"x": math.NaN()})
		add("out_chan", nil, make(chan int))
		add("structured_bomb", &mcp.CallToolResult{StructuredContent: bomb{true}}, nil)
		add("meta_bomb", &mcp.CallToolResult{Meta: mcp.Meta{"x": bomb{true}}}, nil)
		add("meta_nan", &mcp.CallToolResult{Meta: mcp.Meta{"x": math.Inf(1)}}, nil)
		add("content_meta_bomb", &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "x", Meta: mcp.Meta{"x": bomb{true}}}}}, nil)
		add("content_nil", &mcp.CallToolResult{Content: []mcp.Content{nil}}, nil)
		add("content_typed_nil", &mcp.CallToolResult{Content: []mcp.Content{typedNil}}, nil)
		add("priority_nan", &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Annotations: &mcp.Annotations{Priority: math.NaN()}}}}, nil)
		add("embedded_nil", &mcp.CallToolResult{Content: []mcp.Content{&mcp.EmbeddedResource{}}}, nil)
		add("ask_bomb", &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: "?", RequestedSchema: bomb{true}}}}, nil)
		add("ask_nil", &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": nil}}, nil)
		safetool.AddTool(server, &mcp.Tool{Name: "typed_bomb"}, open,
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, struct{ B bomb }, error) {
				return nil, struct{ B bomb }{bomb{true}}, nil
			})
		safetool.AddRawTool(server, &mcp.Tool{Name: "raw_bomb", InputSchema: json.RawMessage(`{"type":"object"}`)}, open,
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return &mcp.CallToolResult{StructuredContent: bomb{true}}, nil
			})
		addHello(server)
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version, SDK: &mcp.ClientOptions{
			ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
				return &mcp.ElicitResult{Action: "accept"}, nil
			},
		}})
		for _, card := range server.Describe() {
			if card.Name == "hello" {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			res, err := client.CallTool(ctx, &mcp.CallToolParams{Name: card.Name})
			cancel()
			if err != nil || !res.IsError || !strings.Contains(textOf(res), "Reference: ") {
				t.Errorf("%s: %+v, %v", card.Name, res, err)
			}
			if last := trail.Calls()[len(trail.Calls())-1]; last.Phase != audit.PhaseOutcome || last.Outcome.Cause == "" {
				t.Errorf("%s is recorded as %+v", card.Name, last)
			}
		}
		if res := call(t, client, "hello", map[string]any{"name": "Ada"}); res.IsError {
			t.Error("the server did not live on")
		}
	})
}

// The SDK writes into the handler's result and its _meta: a race on a shared one.
func TestASharedResultIsNeverWrittenTo(t *testing.T) {
	t.Parallel()
	shared := &mcp.CallToolResult{Meta: mcp.Meta{"k": "v"}, Content: []mcp.Content{&mcp.TextContent{Text: "same", Meta: mcp.Meta{"k": "v"}}}}
	server, _ := newServer(t, nil)
	safetool.AddTool(server, &mcp.Tool{Name: "shared"}, open,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			return shared, nil, nil
		})
	var wg sync.WaitGroup
	for range 4 {
		client := safetooltest.NewClient(t, server)
		wg.Go(func() {
			for range 25 {
				if _, err := client.CallTool(context.Background(), &mcp.CallToolParams{Name: "shared"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if dump(shared) != dump(&mcp.CallToolResult{Meta: mcp.Meta{"k": "v"}, Content: []mcp.Content{&mcp.TextContent{Text: "same", Meta: mcp.Meta{"k": "v"}}}}) {
		t.Errorf("the handler's result was changed: %s", dump(shared))
	}
}

func TestAnswersThatNobodyAskedForNeverReachAHandler(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	var ran atomic.Int32
	safetool.AddTool(server, &mcp.Tool{Name: "asks"}, open,
		func(_ context.Context, req *mcp.CallToolRequest, _ struct {
			N int `json:"n,omitempty"`
		},
		) (*mcp.CallToolResult, any, error) {
			if len(req.Params.InputResponses) == 0 {
				return &mcp.CallToolResult{RequestState: "mine", InputRequests: mcp.InputRequestMap{"ok": &mcp.ElicitParams{Message: "Sure?"}}}, nil, nil
			}
			ran.Add(1)
			if req.Params.RequestState != "mine" || req.Params.Name != "asks" {
				t.Errorf("the handler sees state %q of %q", req.Params.RequestState, req.Params.Name)
			}
			return nil, map[string]any{"done": true}, nil
		})
	addHello(server)
	asking := &mcp.ClientOptions{MultiRoundTrip: &mcp.MultiRoundTripOptions{Disabled: true}, ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
		return nil, errors.New("not in this test")
	}}
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{SDK: asking})
	yes := mcp.InputResponseMap{"ok": &mcp.ElicitResult{Action: "accept"}}
	refusedWith := func(what string, c *mcp.ClientSession, p *mcp.CallToolParams) {
		t.Helper()
		_, err := c.CallTool(t.Context(), p)
		var wire *jsonrpc.Error
		if !errors.As(err, &wire) || wire.Code != jsonrpc.CodeInvalidParams || !strings.Contains(string(wire.Data), safetool.CodeStateInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refusedWith("no state", client, &mcp.CallToolParams{Name: "asks", InputResponses: yes})
	refusedWith("the handler's own state", client, &mcp.CallToolParams{Name: "asks", InputResponses: yes, RequestState: "mine"})
	refusedWith("state alone", client, &mcp.CallToolParams{Name: "asks", RequestState: "AAAA"})

	first, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "asks", Arguments: map[string]any{"n": 1}})
	if err != nil || !first.NeedsInput() || first.RequestState == "mine" {
		t.Fatalf("first round: %+v, %v", first, err)
	}
	refusedWith("other arguments", client, &mcp.CallToolParams{Name: "asks", Arguments: map[string]any{"n": 2}, InputResponses: yes, RequestState: first.RequestState})
	refusedWith("an answer not asked for", client, &mcp.CallToolParams{
		Name: "asks", Arguments: map[string]any{"n": 1},
		InputResponses: mcp.InputResponseMap{"other": &mcp.ElicitResult{Action: "accept"}}, RequestState: first.RequestState,
	})
	refusedWith("another tool", client, &mcp.CallToolParams{Name: "hello", Arguments: map[string]any{"name": "Ada"}, InputResponses: yes, RequestState: first.RequestState})
	flipped := []byte(first.RequestState)
	flipped[len(flipped)/2] ^= 1
	refusedWith("a changed state", client, &mcp.CallToolParams{Name: "asks", Arguments: map[string]any{"n": 1}, InputResponses: yes, RequestState: string(flipped)})
	other := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{SDK: asking, Principal: somebodyElse()})
	refusedWith("another caller", other, &mcp.CallToolParams{Name: "asks", Arguments: map[string]any{"n": 1}, InputResponses: yes, RequestState: first.RequestState})
	if ran.Load() != 0 {
		t.Fatal("the handler took forged answers")
	}
	second, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "asks", Arguments: map[string]any{"n": 1}, InputResponses: yes, RequestState: first.RequestState})
	if err != nil || second.IsError || ran.Load() != 1 {
		t.Fatalf("second round: %+v, %v", second, err)
	}
	chain := trail.Calls()
	last := chain[len(chain)-1]
	joined := 0
	for _, e := range chain {
		if e.Call == last.Call {
			joined++
		}
	}
	if joined != 4 {
		t.Errorf("%d events are joined by the call's key, not 4", joined)
	}
}

func TestMiddlewareThatCallsLateRunsNothing(t *testing.T) {
	t.Parallel()
	late := make(chan error, 1)
	var ran atomic.Int32
	go_ := make(chan struct{})
	server, _ := newServer(t, func(o *safetool.Options) {
		o.Middleware = []safetool.Middleware{func(next safetool.Handler) safetool.Handler {
			return func(ctx context.Context, c *safetool.Call) (*safetool.Result, error) {
				go func() {
					<-go_
					_, err := next(ctx, c)
					late <- err
				}()
				return &safetool.Result{Output: nil}, nil
			}
		}}
	})
	safetool.AddTool(server, &mcp.Tool{Name: "late"}, open,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			ran.Add(1)
			return nil, nil, nil
		})
	call(t, safetooltest.NewClient(t, server), "late", nil)
	close(go_)
	if err := <-late; !errors.Is(err, safetool.ErrNoCall) || ran.Load() != 0 {
		t.Errorf("a late next: %v, ran %d times", err, ran.Load())
	}
}
