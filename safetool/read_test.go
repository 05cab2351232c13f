package safetool_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

const dirty = "a\u200bb\x1b[31mc"

// library is a server with resources and prompts, some for librarians alone.
func library(t *testing.T) (*safetool.Server, *safetooltest.Recorder, *int) {
	t.Helper()
	ran := 0
	server, trail := newServer(t, func(o *safetool.Options) {
		o.SDK = &mcp.ServerOptions{
			CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
				ran++
				return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{dirty}}}, nil
			},
			SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { ran++; return nil },
			UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		}
	})
	closed := safetool.Policy{Risk: safetool.ReadOnly, Roles: []string{"librarian"}}
	read := func(text string) mcp.ResourceHandler {
		return func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			ran++
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{Text: text + req.Params.URI}}}, nil
		}
	}
	safetool.AddResource(server, &mcp.Resource{URI: "doc:open", Name: "open", MIMEType: "text/plain"}, open, read(dirty))
	safetool.AddResource(server, &mcp.Resource{URI: "doc:closed", Name: "closed"}, closed, read(""))
	safetool.AddResource(server, &mcp.Resource{URI: "doc:broken", Name: "broken"}, open, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		panic("inner words")
	})
	safetool.AddResourceTemplate(server, &mcp.ResourceTemplate{URITemplate: "shelf:{id}", Name: "shelf"}, open, read("shelf "))
	prompt := func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		ran++
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: dirty + req.Params.Arguments["topic"]}}}}, nil
	}
	safetool.AddPrompt(server, &mcp.Prompt{Name: "summarize", Arguments: []*mcp.PromptArgument{{Name: "topic", Required: true}}}, open, prompt)
	safetool.AddPrompt(server, &mcp.Prompt{Name: "closed"}, closed, prompt)
	return server, trail, &ran
}

func TestResourcesAndPromptsAreCleanedAndRecordedBeforeAndAfter(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2025-11-25", "2026-07-28"} {
		server, trail, _ := library(t)
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		res, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "doc:open"})
		if err != nil || res.Contents[0].Text != "abcdoc:open" || res.Contents[0].URI != "doc:open" || res.Contents[0].MIMEType != "text/plain" {
			t.Errorf("%s: %s, %v", version, dump(res), err)
		}
		if res, err = client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "shelf:seven"}); err != nil || res.Contents[0].Text != "shelf shelf:seven" {
			t.Errorf("%s: %s, %v", version, dump(res), err)
		}
		got, err := client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "summarize", Arguments: map[string]string{"topic": "private-topic"}})
		if err != nil || got.Messages[0].Content.(*mcp.TextContent).Text != "abcprivate-topic" {
			t.Errorf("%s: %s, %v", version, dump(got), err)
		}
		done, err := client.Complete(t.Context(), &mcp.CompleteParams{
			Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "summarize"}, Argument: mcp.CompleteParamsArgument{Name: "topic", Value: "private-topic"},
		})
		if err != nil || done.Completion.Values[0] != "abc" {
			t.Errorf("%s: %s, %v", version, dump(done), err)
		}
		events := trail.Calls()
		if len(events) != 8 {
			t.Fatalf("%s: %d events: %s", version, len(events), dump(events))
		}
		for i := 0; i < len(events); i += 2 {
			before, after := events[i], events[i+1]
			if before.Phase != audit.PhaseIntent || after.Phase != audit.PhaseOutcome || after.Outcome.Status != audit.StatusOK || before.Call != after.Call {
				t.Errorf("%s: %s", version, dump(events[i:i+2]))
			}
			if text := dump(&before); strings.Contains(text, "private-topic") || strings.Contains(text, "seven") {
				t.Errorf("%s: the log has what was typed: %s", version, text)
			}
		}
	}
}

// A hidden resource or prompt and one that is not there get the same answer, and no
// handler runs.
func TestHiddenAndUnknownResourcesAndPromptsLookTheSame(t *testing.T) {
	t.Parallel()
	server, trail, ran := library(t)
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: "2025-11-25"})
	answer := func(err error) string {
		t.Helper()
		wire, ok := errors.AsType[*jsonrpc.Error](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		before, _, _ := strings.Cut(string(wire.Data), `"reference"`)
		return wire.Message + before
	}
	read := func(uri string) string {
		_, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		return answer(err)
	}
	get := func(name string) string {
		_, err := client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: name})
		return answer(err)
	}
	complete := func(name string) string {
		_, err := client.Complete(t.Context(), &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: name}})
		return answer(err)
	}
	subscribe := func(uri string) string {
		return answer(client.Subscribe(t.Context(), &mcp.SubscribeParams{URI: uri}))
	}
	for what, pair := range map[string][2]string{
		"read": {read("doc:closed"), read("doc:none")}, "get": {get("closed"), get("none")},
		"complete": {complete("closed"), complete("none")}, "subscribe": {subscribe("doc:closed"), subscribe("doc:none")},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %s and %s", what, pair[0], pair[1])
		}
	}
	if *ran != 0 {
		t.Errorf("%d handlers ran", *ran)
	}
	refused := 0
	for _, e := range trail.Events() {
		if e.Phase == audit.PhaseRefused && e.Decision.By == "admit" {
			refused++
		}
	}
	if refused != 8 {
		t.Errorf("%d refusals are recorded", refused)
	}
	resources, err := client.ListResources(t.Context(), nil)
	if err != nil || strings.Contains(dump(resources), "closed") || len(resources.Resources) != 2 {
		t.Errorf("%s, %v", dump(resources), err)
	}
	librarian := access.NewPrincipal("test", "ada")
	librarian.Roles = []string{"librarian"}
	inside := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{Principal: librarian})
	if _, err := inside.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "doc:closed"}); err != nil {
		t.Errorf("a librarian: %v", err)
	}
}

func TestAPromptsArgumentsAreThoseThatItDeclares(t *testing.T) {
	t.Parallel()
	server, _, ran := library(t)
	client := safetooltest.NewClient(t, server)
	for _, arguments := range []map[string]string{nil, {"other": "canary-x"}, {"topic": "a", "canary-name": "b"}} {
		_, err := client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "summarize", Arguments: arguments})
		if err == nil || strings.Contains(err.Error(), "canary") || *ran != 0 {
			t.Errorf("%v: %v, and %d handlers ran", arguments, err, *ran)
		}
	}
}

func TestAPanicOfAResourceIsAnsweredWithoutItsWords(t *testing.T) {
	t.Parallel()
	server, trail, _ := library(t)
	client := safetooltest.NewClient(t, server)
	_, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "doc:broken"})
	wire, ok := errors.AsType[*jsonrpc.Error](err)
	if !ok || strings.Contains(wire.Message+string(wire.Data), "inner words") || !strings.Contains(string(wire.Data), `"reference"`) {
		t.Errorf("got %v", err)
	}
	events := trail.Calls()
	if last := events[len(events)-1]; last.Outcome.Status != audit.StatusPanic || last.Outcome.Stack == "" || !strings.Contains(last.Outcome.Cause, "inner words") {
		t.Errorf("recorded %s", dump(&last))
	}
}

// The table that security signs: a change of what a server may do changes it.
func TestTheCardsOfAServer(t *testing.T) {
	t.Parallel()
	server, _, _ := library(t)
	addHello(server)
	var table strings.Builder
	if err := safetool.WriteCards(&table, server.Describe()); err != nil {
		t.Fatal(err)
	}
	const want = `KIND               NAME        RISK       CALLERS         APPROVAL  CREDENTIALS  LEAKS   RECORDED   TIMEOUT  ARGUMENTS  ANSWER  AT ONCE
tool               hello       read-only  any caller      none      none         redact  arguments  1m0s     1 MiB      4 MiB   64
resource           doc:broken  read-only  any caller      none      none         redact  arguments  1m0s     1 MiB      4 MiB   64
resource           doc:closed  read-only  role librarian  none      none         redact  arguments  1m0s     1 MiB      4 MiB   64
resource           doc:open    read-only  any caller      none      none         redact  arguments  1m0s     1 MiB      4 MiB   64
resource template  shelf:{id}  read-only  any caller      none      none         redact  arguments  1m0s     1 MiB      4 MiB   64
prompt             closed      read-only  role librarian  none      none         redact  arguments  1m0s     1 MiB      4 MiB   64
prompt             summarize   read-only  any caller      none      none         redact  arguments  1m0s     1 MiB      4 MiB   64
`
	if table.String() != want {
		t.Errorf("got\n%s", table.String())
	}
}

// The program may say for how long an answer is kept, and never by whom: it was made for
// this caller.
func TestNothingIsKeptForOthers(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, func(o *safetool.Options) {
		o.SDK = &mcp.ServerOptions{SetCacheable: func(_ context.Context, _ mcp.Request, c *mcp.Cacheable) {
			c.TTLMs, c.CacheScope = 5, "public"
		}}
	})
	safetool.AddResource(server, &mcp.Resource{URI: "x:y", Name: "x"}, open,
		func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{}, Cacheable: mcp.Cacheable{CacheScope: "public"}}, nil
		})
	client := safetooltest.NewClient(t, server)
	read, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "x:y"})
	if err != nil {
		t.Fatal(err)
	}
	tools, err := client.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := client.ListResources(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]mcp.Cacheable{"a resource": read.Cacheable, "tools": tools.Cacheable, "resources": resources.Cacheable} {
		if c.TTLMs != 5 || c.CacheScope != "private" {
			t.Errorf("%s: %+v", what, c)
		}
	}
}
