package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

type address struct {
	City   string `json:"city" validate:"required,oneof=Paris London"`
	Street string `json:"street" validate:"required,max=80"`
	Door   string `json:"door,omitempty" validate:"omitempty,max=40" audit:"drop"`
}

type orderIn struct {
	To    address   `json:"to" validate:"required"`
	Also  []address `json:"also,omitempty" validate:"omitempty,max=40,dive"`
	Notes []string  `json:"notes,omitempty" validate:"omitempty,max=40,dive,max=80"`
	Whole *place    `json:"whole,omitempty" audit:"hmac"`
}

type place struct {
	City   string `json:"city" validate:"required,oneof=Paris London"`
	Street string `json:"street" validate:"required,max=80"`
}

type orderOut struct {
	Receipt string   `json:"receipt"`
	State   string   `json:"state" validate:"oneof=sent kept"`
	Words   []string `json:"words"`
	Number  string   `json:"number" audit:"clear"`
}

func addOrder(s *safetool.Server, name string, p safetool.Policy) {
	safetool.AddTool(s, &mcp.Tool{Name: name}, p,
		func(_ context.Context, _ *mcp.CallToolRequest, in orderIn) (*mcp.CallToolResult, orderOut, error) {
			if len(in.Notes) > 0 && strings.HasPrefix(in.Notes[0], "canary-fail") {
				return nil, orderOut{}, fmt.Errorf("no %s for %s, said %s", in.To.Street, in.To.City, in.Notes[0])
			}
			return nil, orderOut{"canary-receipt", "sent", []string{"canary-word"}, "nr-17"}, nil
		})
}

var order = map[string]any{
	"to": map[string]any{"city": "Paris", "street": "canary-street", "door": "canary-door"}, "also": []any{map[string]any{"city": "London", "street": "canary-other"}},
	"notes": []string{"canary-note"}, "whole": map[string]any{"city": "Paris", "street": "canary-whole"},
}

// What is within arguments is recorded by its own tags, and its texts are in no cause.
func TestWhatIsWithinArgumentsIsRecordedByItsTags(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	addOrder(server, "order", open)
	client := safetooltest.NewClient(t, server)
	if res := call(t, client, "order", order); res.IsError {
		t.Fatal(dump(res))
	}
	failing := map[string]any{"to": order["to"], "notes": []string{"canary-fail"}}
	if res := call(t, client, "order", failing); !res.IsError {
		t.Fatal(dump(res))
	}
	events := trail.Calls()
	args := events[0].Args
	field := func(name string) audit.Field {
		return args.Fields[slices.IndexFunc(args.Fields, func(f audit.Field) bool { return f.Name == name })]
	}
	if to := field("to"); to.Nested.Fields[0].Clear != `"Paris"` || to.Nested.Fields[1].Name != "door" || to.Nested.Fields[1].Len != -1 || to.Nested.Fields[2].HMAC == "" {
		t.Errorf("an object: %+v", to)
	}
	if f := field("also"); f.Nested.Items[0].Nested.Fields[0].Clear != `"London"` || f.Nested.Items[0].Nested.Fields[1].HMAC == "" {
		t.Errorf("a list of objects: %+v", f)
	}
	if f := field("notes"); f.Len != 1 || f.Nested.Items[0].HMAC == "" {
		t.Errorf("a list: %+v", f)
	}
	if f := field("whole"); f.HMAC == "" || f.Nested != nil {
		t.Errorf("what is tagged as a whole: %+v", f)
	}
	cause := events[len(events)-1].Outcome.Cause
	if want := "no [to.street] for [to.city], said [notes]"; cause != want {
		t.Errorf("the log says %q, not %q", cause, want)
	}
	for i := range events {
		if line := dump(&events[i]); strings.Contains(line, "canary") {
			t.Errorf("the log shows what was typed: %s", line)
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	for name, level := range map[string]audit.Level{"plain": audit.LevelArguments, "brief": audit.LevelMetadata, "whole": audit.LevelAnswer} {
		p := open
		p.Audit = level
		addOrder(server, name, p)
	}
	client := safetooltest.NewClient(t, server)
	seen := map[string]audit.Event{}
	for _, name := range []string{"plain", "brief", "whole"} {
		call(t, client, name, order)
	}
	for _, e := range trail.Calls() {
		if e.Phase == audit.PhaseOutcome {
			seen[e.MCP.Tool] = e
		}
	}
	plain, brief, whole := seen["plain"], seen["brief"], seen["whole"]
	if plain.Args.Digest == "" || len(plain.Args.Fields) == 0 || plain.Outcome.Digest == "" || plain.Key == "" || plain.Answer.Digest != "" {
		t.Errorf("at the level of arguments: %s", dump(&plain))
	}
	if raw := dump(&brief); strings.Contains(raw, `"digest"`) || strings.Contains(raw, `"fields"`) || strings.Contains(raw, "Paris") || brief.Args.Bytes == 0 || brief.Outcome.Bytes == 0 || brief.Key != "" {
		t.Errorf("at the level of metadata: %s", raw)
	}
	raw := dump(&whole)
	if whole.Outcome.Digest != plain.Outcome.Digest || len(whole.Answer.Fields) != 4 || strings.Contains(raw, "canary") ||
		!strings.Contains(raw, `"state":{"clear":"sent"}`) || !strings.Contains(raw, `"number":{"clear":"nr-17"}`) || !strings.Contains(raw, `"words":{"len":1,"items":[{"hmac"`) {
		t.Errorf("at the level of answers: %s", raw)
	}
	for name, p := range map[string]safetool.Policy{
		"metadata of what a person approves": {Risk: safetool.HighRisk, AnyCaller: true, Audit: audit.LevelMetadata},
		"a level that there is not":          {Risk: safetool.ReadOnly, AnyCaller: true, Audit: 9},
		"what writes, buffered":              {Risk: safetool.Write, AnyCaller: true, Buffered: true},
		"what is high-risk, buffered":        {Risk: safetool.HighRisk, AnyCaller: true, Buffered: true},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken", name)
				}
			}()
			addOrder(server, "refused", p)
		}()
	}
}

// Equal answers have one digest, whose pieces anyone can put together who has answer and key.
func TestTheDigestOfAnAnswerIsOfItsPieces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trail, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = trail.Close() })
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	own := &mcp.CallToolResult{IsError: true, StructuredContent: map[string]any{"a": 1}, Content: []mcp.Content{
		&mcp.TextContent{Text: "words", Meta: mcp.Meta{"x": "y"}}, &mcp.ImageContent{Data: []byte{1, 2}, MIMEType: "image/png"}, &mcp.AudioContent{Data: []byte{3}, MIMEType: "audio/wav"},
		&mcp.ResourceLink{URI: "file:///a", Name: "a"}, &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///b", Text: "b"}}, &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///c", Blob: []byte{4}}},
	}}
	safetool.AddTool(server, &mcp.Tool{Name: "all"}, open, func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
		return own, nil, nil
	})
	safetool.AddResource(server, &mcp.Resource{URI: "test:r", Name: "r"}, open, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "test:r", Text: "read"}}}, nil
	})
	safetool.AddPrompt(server, &mcp.Prompt{Name: "p"}, open, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "say"}}}}, nil
	})
	client := safetooltest.NewClient(t, server)
	if _, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "all"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "test:r"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "p"}); err != nil {
		t.Fatal(err)
	}
	keys, err := audit.Keys(dir)
	if err != nil {
		t.Fatal(err)
	}
	redactor, err := audit.NewRedactor(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	digest := func(pieces ...string) string {
		d := redactor.Answer()
		for i := 0; i < len(pieces); i += 2 {
			d.Add(pieces[i], pieces[i+1])
		}
		return d.Sum()
	}
	want := map[string]string{
		"tools/call":     digest("text", "words", "image", "\x01\x02", "audio", "\x03", "link", "file:///a", "uri", "file:///b", "text", "b", "uri", "file:///c", "blob", "\x04", "structured", `{"a":1}`, "error", ""),
		"resources/read": digest("uri", "test:r", "text", "read"),
		"prompts/get":    digest("role", "user", "text", "say"),
	}
	for e, err := range audit.Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if digest, there := want[e.MCP.Method]; there && e.Phase == audit.PhaseOutcome {
			if e.Outcome.Digest != digest || e.Key != redactor.Key() {
				t.Errorf("%s: the digest is %s with %s, not %s", e.MCP.Method, e.Outcome.Digest, e.Key, digest)
			}
			delete(want, e.MCP.Method)
		}
	}
	if len(want) > 0 {
		t.Errorf("not recorded: %v", want)
	}
}

// A buffered call asks the recorder for less, and its refusals do not.
func TestABufferedPolicy(t *testing.T) {
	t.Parallel()
	server, trail := newServer(t, nil)
	p := open
	p.Buffered = true
	addOrder(server, "order", p)
	addOrder(server, "slow", open)
	client := safetooltest.NewClient(t, server)
	for _, name := range []string{"order", "slow"} {
		call(t, client, name, order)
		call(t, client, name, map[string]any{"to": 7})
	}
	for _, e := range trail.Calls() {
		if want := e.MCP.Tool == "order" && e.Phase != audit.PhaseRefused; e.Buffered != want {
			t.Errorf("%s of %s: buffered is %v", e.Phase, e.MCP.Tool, e.Buffered)
		}
	}
	for _, card := range server.Describe() {
		if card.Buffered != (card.Name == "order") {
			t.Errorf("the card of %s says %v", card.Name, card.Buffered)
		}
	}
	var table strings.Builder
	if err := safetool.WriteCards(&table, server.Describe()); err != nil || !strings.Contains(table.String(), "arguments, buffered") {
		t.Errorf("the table says\n%s", table.String())
	}
}

// The trace context comes from _meta, or else from the header; what is none is left out.
func TestTheTraceContext(t *testing.T) {
	t.Parallel()
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	server, trail := newServer(t, nil)
	addHello(server)
	client := safetooltest.NewClient(t, server)
	for parent, want := range map[string]string{
		"00-" + trace + "-" + span + "-01":                    trace,
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   "",
		"01-" + trace + "-" + span + "-01-what-comes-later":   trace,
		"00-" + trace + "-" + span + "-01-more":               "",
		"ff-" + trace + "-" + span + "-01":                    "",
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  "",
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": "",
		"00-" + trace + "-" + span + "-0g":                    "",
		"00_" + trace + "-" + span + "-01":                    "",
		"":                                                    "",
	} {
		if _, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "hello", Arguments: map[string]any{"name": "a"}, Meta: mcp.Meta{"traceparent": parent}}); err != nil {
			t.Fatal(err)
		}
		events := trail.Calls()
		for _, e := range events[len(events)-2:] {
			if e.Trace.TraceID != want || (e.Trace.SpanID == span) != (want != "") {
				t.Errorf("%s: %+v", parent, e.Trace)
			}
		}
	}
}

// A call that is buffered runs although the log takes its time, and not where it is unwell.
func TestABufferedCallOverALog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trail, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	p := open
	p.Buffered = true
	addOrder(server, "order", p)
	client := safetooltest.NewClient(t, server)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if res, err := client.CallTool(context.Background(), &mcp.CallToolParams{Name: "order", Arguments: order}); err != nil || res.IsError {
					t.Errorf("%v %s", err, dump(res))
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(client.Close(), trail.Close()); err != nil {
		t.Fatal(err)
	}
	count := map[audit.Phase]int{}
	for line, err := range audit.Lines(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e := line.Event; e.MCP.Tool == "order" {
			count[e.Phase]++
			if !e.Buffered || !json.Valid(line.Raw) {
				t.Fatalf("%s", line.Raw)
			}
		}
	}
	if count[audit.PhaseIntent] != 160 || count[audit.PhaseOutcome] != 160 {
		t.Errorf("got %v", count)
	}
	late, err := client.CallTool(context.Background(), &mcp.CallToolParams{Name: "order", Arguments: order})
	if err == nil && !late.IsError {
		t.Error("it ran without a log")
	}
}

type noteIn struct {
	Note string `json:"note" text:"flag" validate:"max=20"`
}

// What is flagged is let through, and said to the handler and in the log before it runs; a
// log that cannot say it stops the call.
func TestFlaggedTextsAreTold(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	trail := &safetooltest.Recorder{Fail: func(e audit.Event) error {
		if broken.Load() && e.Decision.Rule == "text" {
			return errors.New("broken")
		}
		return nil
	}}
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	safetool.AddTool(server, &mcp.Tool{Name: "note"}, open, func(ctx context.Context, _ *mcp.CallToolRequest, in noteIn) (*mcp.CallToolResult, any, error) {
		told = append(told, safetool.CallFrom(ctx).Flagged())
		return nil, nil, nil
	})
	client := safetooltest.NewClient(t, server)
	for _, note := range []string{"plain", "a\u200bb"} {
		if res := call(t, client, "note", noteIn{note}); res.IsError {
			t.Fatal(dump(res))
		}
	}
	const want = "note: a character without width, at character 2"
	if !slices.Equal(told, []string{"", want}) {
		t.Errorf("the handler is told %q", told)
	}
	events := trail.Calls()
	if phases(events) != "intent: outcome:ok notice: intent: outcome:ok" || events[2].Decision.Reason != "let through: "+want || events[2].Call != events[3].Call {
		t.Errorf("%s: %+v", phases(events), events[2].Decision)
	}
	broken.Store(true)
	if res := call(t, client, "note", noteIn{"a\u200bb"}); !res.IsError || len(told) != 2 {
		t.Errorf("it ran: %s", dump(res))
	}
}
