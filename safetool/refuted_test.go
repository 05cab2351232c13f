package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// overDir is a server over a log; done closes both and returns the log's text.
func overDir(t *testing.T) (server *safetool.Server, dir string, done func(*mcp.ClientSession) string) {
	t.Helper()
	dir = t.TempDir()
	trail, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err = safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{Audit: trail, Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	return server, dir, func(client *mcp.ClientSession) string {
		if err := errors.Join(client.Close(), trail.Close()); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for line, err := range audit.Lines(dir) {
			if err != nil {
				t.Errorf("the log cannot be read: %v", err)
				break
			}
			b.Write(line.Raw)
			b.WriteByte('\n')
		}
		return b.String()
	}
}

func withCanary(t *testing.T, what, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if strings.Contains(line, "anary") || strings.Contains(line, "4111111111") {
			t.Errorf("%s: what was typed is in the log: …%.200s…", what, line[max(0, strings.Index(line, "anary")-120):])
			return
		}
	}
}

type refutedIn struct {
	Labels map[string]string         `json:"labels,omitempty" validate:"omitempty,max=9"`
	Deep   map[string]map[string]int `json:"deep,omitempty" validate:"omitempty,max=9"`
	Lists  [][]map[string]any        `json:"lists,omitempty" validate:"omitempty,max=9"`
	Any    any                       `json:"any,omitempty"`
	Raw    json.RawMessage           `json:"raw,omitempty"`
	Number float64                   `json:"number,omitempty"`
	Amount int64                     `json:"amount,omitempty"`
}

// Names within arguments are the caller's words as values are: they are in no cause.
func TestRefutedNamesThatWereTypedAreInACause(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{
		"name in a map":           `{"labels":{"canary-name":"v"}}`,
		"name in a map in a map":  `{"deep":{"canary-name":{"canary-inner":1}}}`,
		"name in a list of lists": `{"lists":[[{"canary-name":1}]]}`,
		"name in any":             `{"any":{"canary-name":{"x":[{"canary-2":true}]}}}`,
		"name in raw":             `{"raw":{"canary-name":1}}`,
		"value in any":            `{"any":{"x":["canary-value"]}}`,
		"value in raw":            `{"raw":["canary-value"]}`,
	} {
		server, _, done := overDir(t)
		safetool.AddTool(server, &mcp.Tool{Name: "fails"}, open,
			func(_ context.Context, _ *mcp.CallToolRequest, in refutedIn) (*mcp.CallToolResult, any, error) {
				return nil, nil, fmt.Errorf("cannot do %v %v %v %v %s", in.Labels, in.Deep, in.Lists, in.Any, in.Raw)
			})
		client := safetooltest.NewClient(t, server)
		call(t, client, "fails", json.RawMessage(args))
		withCanary(t, name, done(client))
	}
}

// Nor are numbers in another form than the caller's.
func TestRefutedNumbersInACause(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{
		"as an exponent": `{"number":4111111111111111}`,
		"from exponent":  `{"number":4.111111111111111e15}`,
	} {
		server, _, done := overDir(t)
		safetool.AddTool(server, &mcp.Tool{Name: "fails"}, open,
			func(_ context.Context, _ *mcp.CallToolRequest, in refutedIn) (*mcp.CallToolResult, any, error) {
				return nil, nil, fmt.Errorf("no card %.0f, %v", in.Number, in.Number)
			})
		client := safetooltest.NewClient(t, server)
		call(t, client, "fails", json.RawMessage(args))
		log := done(client)
		withCanary(t, name, log)
		if strings.Contains(log, "4.111111") {
			t.Errorf("%s: it is in the log", name)
		}
	}
}

// Whatever is wrong with arguments, they are not in the log.
func TestRefutedInvalidArguments(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{
		"unknown":          `{"canary-name":1}`,
		"twice":            `{"labels":{"canary":"1","canary":"2"}}`,
		"twice at the top": `{"amount":1,"amount":4111111111}`,
		"wrong type":       `{"amount":"canary"}`,
		"wrong in a map":   `{"labels":{"canary-name":4111111111}}`,
		"wrong in maps":    `{"deep":{"canary-name":{"canary-inner":"canary"}}}`,
		"too large":        `{"amount":41111111111111111111111111}`,
		"a list":           `["canary"]`,
		"a text":           `"canary"`,
		"deep":             `{"any":` + strings.Repeat("[", 90) + `"canary"` + strings.Repeat("]", 90) + `}`,
		"deeper":           `{"any":` + strings.Repeat("[", 9000) + `"canary"` + strings.Repeat("]", 9000) + `}`,
		"surrogate":        `{"labels":{"canary\ud800":"canary\ud800"}}`,
		"escaped":          `{"l\u0061bels":{"\u0063anary":"\u0063anary"}}`,
	} {
		server, _, done := overDir(t)
		safetool.AddTool(server, &mcp.Tool{Name: "takes"}, open,
			func(_ context.Context, _ *mcp.CallToolRequest, in refutedIn) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
		client := safetooltest.NewClient(t, server)
		_, _ = client.CallTool(t.Context(), &mcp.CallToolParams{Name: "takes", Arguments: json.RawMessage(args)})
		withCanary(t, name, done(client))
	}
}

// What an own schema does not close is not clear.
func TestRefutedOwnSchemasThatDoNotClose(t *testing.T) {
	t.Parallel()
	closed := `{"type":"object","properties":{"s":{"enum":["x"]}}}`
	for name, c := range map[string]struct{ schema, args string }{
		"prefixItems":         {`{"type":"object","properties":{"p":{"type":"array","prefixItems":[{"type":"object"}],"items":` + closed + `}}}`, `{"p":[{"s":"canary"},{"s":"x"}]}`},
		"items of no list":    {`{"type":"object","properties":{"p":{"items":` + closed + `}}}`, `{"p":{"s":"canary"}}`},
		"items of items":      {`{"type":"object","properties":{"p":{"type":"array","items":{"items":` + closed + `}}}}`, `{"p":[{"s":"canary"}]}`},
		"items and members":   {`{"type":"object","properties":{"p":{"properties":{"s":{"type":"string"}},"items":` + closed + `}}}`, `{"p":{"s":"canary"}}`},
		"items at the root":   {`{"type":"object","items":` + closed + `,"properties":{"s":{"type":"string"}}}`, `{"s":"canary"}`},
		"draft-07 ref":        {`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"any":{"type":"string"}},"properties":{"s":{"$ref":"#/definitions/any","enum":["x"]}}}`, `{"s":"canary"}`},
		"draft-07 boolean":    {`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"any":{"type":"string"}},"properties":{"s":{"$ref":"#/definitions/any","type":"boolean"}}}`, `{"s":"canary"}`},
		"draft-07 ref around": {`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"any":{}},"properties":{"p":{"$ref":"#/definitions/any","properties":{"s":{"enum":["x"]}}}}}`, `{"p":{"s":"canary"}}`},
		"draft-07 items":      {`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"p":{"type":"array","items":[{"type":"object"}],"additionalItems":` + closed + `}}}`, `{"p":[{"s":"canary"}]}`},
		"anyOf":               {`{"type":"object","properties":{"s":{"anyOf":[{"enum":["x"]},{"type":"string"}]}}}`, `{"s":"canary"}`},
		"additional":          {`{"type":"object","properties":{"p":{"type":"object","additionalProperties":{"enum":["x"]}}},"additionalProperties":{"type":"string"}}`, `{"p":{"canary":"x"},"canary":"canary"}`},
		"a number":            {`{"type":"object","properties":{"n":{"enum":[1]}}}`, `{"n":1.00000000000000000004111111111}`},
	} {
		for _, raw := range []bool{true, false} {
			server, _, done := overDir(t)
			ran := false
			if raw {
				safetool.AddRawTool(server, &mcp.Tool{Name: "own", InputSchema: json.RawMessage(c.schema)}, open,
					func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
						ran = true
						return &mcp.CallToolResult{}, nil
					})
			} else {
				safetool.AddTool(server, &mcp.Tool{Name: "own", InputSchema: json.RawMessage(c.schema)}, open,
					func(context.Context, *mcp.CallToolRequest, any) (*mcp.CallToolResult, any, error) {
						ran = true
						return nil, nil, nil
					})
			}
			client := safetooltest.NewClient(t, server)
			res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "own", Arguments: json.RawMessage(c.args)})
			if err != nil || !ran {
				t.Logf("%s, raw %v: it did not run: %v %s", name, raw, err, dump(res))
			}
			withCanary(t, fmt.Sprintf("%s, raw %v", name, raw), done(client))
		}
	}
}

type treeOut struct {
	Name string    `json:"name"`
	Sub  []treeOut `json:"sub"`
}

func grown(depth int) []treeOut {
	if depth == 0 {
		return []treeOut{}
	}
	return []treeOut{{Name: "n", Sub: grown(depth - 1)}}
}

type treeIn struct {
	Name string   `json:"name" validate:"max=9"`
	Sub  []treeIn `json:"sub,omitempty" validate:"omitempty,max=9,dive"`
}

// A log over a tool whose types contain themselves is taken up again.
func TestRefutedTreesPoisonTheLog(t *testing.T) {
	t.Parallel()
	for _, list := range []bool{false, true} {
		server, dir, done := overDir(t)
		p := open
		p.Audit = audit.LevelAnswer
		if list {
			safetool.AddTool(server, &mcp.Tool{Name: "tree"}, p,
				func(context.Context, *mcp.CallToolRequest, treeIn) (*mcp.CallToolResult, []treeOut, error) {
					return nil, grown(12), nil
				})
		} else {
			safetool.AddTool(server, &mcp.Tool{Name: "tree"}, p,
				func(context.Context, *mcp.CallToolRequest, treeIn) (*mcp.CallToolResult, treeOut, error) {
					return nil, grown(12)[0], nil
				})
		}
		client := safetooltest.NewClient(t, server)
		in := json.RawMessage(strings.Repeat(`{"name":"a","sub":[`, 11) + `{"name":"b"}` + strings.Repeat(`]}`, 11))
		if res := call(t, client, "tree", in); res.IsError {
			t.Fatal(dump(res))
		}
		_ = done(client)
		r, err := audit.Verify(dir, nil)
		if err != nil || r.Bad != nil {
			t.Errorf("list %v: verify: %v %v", list, err, r.Bad)
		}
		l, err := audit.Open(dir, nil)
		if err != nil {
			t.Errorf("list %v: open: %v", list, err)
			continue
		}
		_ = l.Close()
	}
}

type stateOut struct {
	State string `json:"state" validate:"oneof=sent kept"`
	Pin   string `json:"pin" audit:"drop"`
}

// What an error says beside its type is not held against it, and so not clear as if it was.
func TestRefutedAnErrorsAnswerIsNotFromAClosedList(t *testing.T) {
	t.Parallel()
	server, _, done := overDir(t)
	p := open
	p.Audit = audit.LevelAnswer
	safetool.AddTool(server, &mcp.Tool{Name: "fails"}, p,
		func(_ context.Context, _ *mcp.CallToolRequest, in greeting) (*mcp.CallToolResult, stateOut, error) {
			return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: "no"}}, StructuredContent: map[string]any{"state": "no such person: " + in.Name}}, stateOut{}, nil
		})
	client := safetooltest.NewClient(t, server)
	call(t, client, "fails", greeting{Name: "canary"})
	withCanary(t, "an error", done(client))
}

// JSON that a handler passes on, with a name twice, does not spoil the log.
func TestRefutedAnAnswerWithANameTwicePoisonsTheLog(t *testing.T) {
	t.Parallel()
	for _, isError := range []bool{false, true} {
		server, dir, done := overDir(t)
		p := open
		p.Audit = audit.LevelAnswer
		safetool.AddRawTool(server, &mcp.Tool{
			Name: "passes", InputSchema: json.RawMessage(`{"type":"object"}`),
			OutputSchema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"}}}`),
		}, p, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{IsError: isError, Content: []mcp.Content{&mcp.TextContent{Text: "x"}}, StructuredContent: json.RawMessage(`{"a":"x","a":"y"}`)}, nil
		})
		client := safetooltest.NewClient(t, server)
		res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "passes", Arguments: map[string]any{}})
		t.Logf("error %v: %v %s", isError, err, dump(res))
		_ = done(client)
		r, err := audit.Verify(dir, nil)
		if err != nil || r.Bad != nil {
			t.Errorf("error %v: verify: %v %v", isError, err, r.Bad)
		}
		l, err := audit.Open(dir, nil)
		if err != nil {
			t.Errorf("error %v: open: %v", isError, err)
			continue
		}
		_ = l.Close()
	}
}

// A tag of an answer that nobody would look at is a wiring mistake, as it is of arguments.
func TestRefutedATagOfAnAnswerInAMap(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, nil)
	defer func() {
		if recover() == nil {
			t.Error("audit:\"drop\" within a map of the answer was taken, and the member is in an HMAC")
		}
	}()
	p := open
	p.Audit = audit.LevelAnswer
	safetool.AddTool(server, &mcp.Tool{Name: "map"}, p,
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, map[string]stateOut, error) {
			return nil, nil, nil
		})
}

// A yes to one set of arguments is not one to another, however little of a call is recorded.
func TestRefutedAnAnswerIsTakenForOtherArguments(t *testing.T) {
	t.Parallel()
	for _, level := range []audit.Level{audit.LevelArguments, audit.LevelMetadata, audit.LevelAnswer} {
		server, _ := newServer(t, nil)
		p := open
		p.Risk, p.Audit = safetool.Write, level
		var done []string
		safetool.AddTool(server, &mcp.Tool{Name: "remove"}, p,
			func(_ context.Context, req *mcp.CallToolRequest, in greeting) (*mcp.CallToolResult, any, error) {
				if len(req.Params.InputResponses) > 0 {
					done = append(done, in.Name)
					return &mcp.CallToolResult{}, nil, nil
				}
				return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"ok": &mcp.ElicitParams{Message: "Remove " + in.Name + "?"}}}, nil, nil
			})
		safetool.AddPrompt(server, &mcp.Prompt{Name: "asks", Arguments: []*mcp.PromptArgument{{Name: "name"}}}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Audit: level},
			func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				if len(req.Params.InputResponses) > 0 {
					done = append(done, "prompt "+req.Params.Arguments["name"])
					return &mcp.GetPromptResult{}, nil
				}
				return &mcp.GetPromptResult{InputRequests: mcp.InputRequestMap{"ok": &mcp.ElicitParams{Message: "?"}}}, nil
			})
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{SDK: &mcp.ClientOptions{
			MultiRoundTrip: &mcp.MultiRoundTripOptions{Disabled: true},
			ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
				return nil, errors.ErrUnsupported
			},
		}})
		yes := mcp.InputResponseMap{"ok": &mcp.ElicitResult{Action: "accept"}}
		first, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "remove", Arguments: greeting{Name: "harmless"}})
		if err != nil || first.RequestState == "" {
			t.Fatal(err, dump(first))
		}
		_, err = client.CallTool(t.Context(), &mcp.CallToolParams{Name: "remove", Arguments: greeting{Name: "everything"}, RequestState: first.RequestState, InputResponses: yes})
		if len(done) > 0 {
			t.Errorf("level %v: the user said yes to removing harmless, and the handler removes %q, with that yes: %v", level, done, err)
		}
		done = nil
		asked, err := client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "asks", Arguments: map[string]string{"name": "a"}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "asks", Arguments: map[string]string{"name": "b"}, RequestState: asked.RequestState, InputResponses: yes})
		if len(done) > 0 {
			t.Errorf("level %v: %q: %v", level, done, err)
		}
	}
}

// Whoever has an answer as it was sent, and the key, finds out whether it is the one, as docs/privacy.md says.
func TestRefutedTheDigestOfAnAnswerAsItWasSent(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"plain", "a<b> & c", "\u2028", "\u00e9\U0001F600", "\"q\"\\"} {
		server, dir, done := overDir(t)
		safetool.AddTool(server, &mcp.Tool{Name: "says"}, open,
			func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, map[string]any, error) {
				return nil, map[string]any{"b": text, "a": []any{1.5, 1e30, map[string]any{"z": nil}}}, nil
			})
		near, far := mcp.NewInMemoryTransports()
		caller := bridge.Caller{Principal: safetooltest.Tester(), Transport: "memory"}
		if _, err := bridge.Open(server).SDK.Connect(context.Background(), bridge.Identified(near, caller), nil); err != nil {
			t.Fatal(err)
		}
		conn, err := far.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		send := func(id float64, method, params string) *jsonrpc.Response {
			of, _ := jsonrpc.MakeID(id)
			if err := conn.Write(t.Context(), &jsonrpc.Request{ID: of, Method: method, Params: json.RawMessage(params)}); err != nil {
				t.Fatal(err)
			}
			for {
				came, err := conn.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r, is := came.(*jsonrpc.Response); is {
					return r
				}
			}
		}
		send(1, "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
		if err := conn.Write(t.Context(), &jsonrpc.Request{Method: "notifications/initialized", Params: json.RawMessage(`{}`)}); err != nil {
			t.Fatal(err)
		}
		var sent struct {
			StructuredContent json.RawMessage
			Content           []struct{ Text string }
		}
		res := send(2, "tools/call", `{"name":"says","arguments":{}}`)
		if err := json.Unmarshal(res.Result, &sent); err != nil || sent.StructuredContent == nil {
			t.Fatalf("%v %s", err, res.Result)
		}
		_ = conn.Close()
		_ = done
		keys, err := audit.Keys(dir)
		if err != nil {
			t.Fatal(err)
		}
		redactor, err := audit.NewRedactor(keys[0])
		if err != nil {
			t.Fatal(err)
		}
		d := redactor.Answer()
		for _, c := range sent.Content {
			d.Add("text", c.Text)
		}
		plain := jsontext.Value(sent.StructuredContent)
		if err := plain.Format(jsontext.PreserveRawStrings(false)); err != nil {
			t.Fatal(err)
		}
		d.AddBytes("structured", plain)
		want := d.Sum()
		for e, err := range audit.Read(dir) {
			if err != nil {
				t.Fatal(err)
			}
			if e.MCP.Tool == "says" && e.Phase == audit.PhaseOutcome && e.Outcome.Digest != want {
				t.Errorf("%q: sent as %s, its digest is not that of the log", text, sent.StructuredContent)
			}
		}
	}
}

type wordy string

func (w *wordy) UnmarshalText(b []byte) error {
	if string(b) == "panic-canary" {
		panic("what is " + string(b))
	}
	if len(b) > 3 {
		return fmt.Errorf("no word is %q", b)
	}
	*w = wordy(b)
	return nil
}

type wordyIn struct {
	Word wordy    `json:"word,omitempty"`
	Text string   `json:"text,omitempty" validate:"max=100000"`
	List []string `json:"list,omitempty" validate:"omitempty,max=9"`
}

// Nor is what a type of the program's says, or a panic, or a long text.
func TestRefutedOtherWaysIntoACause(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("canary ", 2000)
	for name, args := range map[string]string{
		"own type":        `{"word":"canary"}`,
		"own type panics": `{"word":"panic-canary"}`,
		"long":            dump(map[string]string{"text": long}),
		"overlapping":     `{"text":"a canary b","list":["canary","a canary b c"]}`,
		"invalid escape":  `{"text":"canary\udc00"}`,
	} {
		server, _, done := overDir(t)
		safetool.AddTool(server, &mcp.Tool{Name: "takes"}, open,
			func(_ context.Context, _ *mcp.CallToolRequest, in wordyIn) (*mcp.CallToolResult, any, error) {
				panic(fmt.Sprintf("no: %s %q", in.Text, in.List))
			})
		client := safetooltest.NewClient(t, server)
		_, _ = client.CallTool(t.Context(), &mcp.CallToolParams{Name: "takes", Arguments: json.RawMessage(args)})
		withCanary(t, name, done(client))
	}
}

// Names and URIs that a caller made up are in no event.
func TestRefutedNamesThatNobodyDeclared(t *testing.T) {
	t.Parallel()
	for _, level := range []audit.Level{audit.LevelArguments, audit.LevelMetadata, audit.LevelAnswer} {
		server, _, done := overDir(t)
		p := open
		p.Audit = level
		safetool.AddPrompt(server, &mcp.Prompt{Name: "p", Arguments: []*mcp.PromptArgument{{Name: "name"}}}, p,
			func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				return nil, fmt.Errorf("no %v", req.Params.Arguments)
			})
		safetool.AddResourceTemplate(server, &mcp.ResourceTemplate{URITemplate: "test:///{+path}", Name: "t"}, p,
			func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
				return nil, fmt.Errorf("no %s, nor %s", req.Params.URI, strings.TrimPrefix(req.Params.URI, "test:///"))
			})
		client := safetooltest.NewClient(t, server)
		_, _ = client.CallTool(t.Context(), &mcp.CallToolParams{Name: "canary-tool", Arguments: map[string]any{"canary": "canary"}})
		_, _ = client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "canary-prompt", Arguments: map[string]string{"canary": "canary"}})
		_, _ = client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "p", Arguments: map[string]string{"canary": "canary"}})
		_, _ = client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "p", Arguments: map[string]string{"name": "canary"}})
		_, _ = client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "other:///canary"})
		_, _ = client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "test:///canary"})
		_, _ = client.Complete(t.Context(), &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "p"}, Argument: mcp.CompleteParamsArgument{Name: "canary", Value: "canary"}})
		withCanary(t, level.String(), done(client))
	}
}

type manyIn struct {
	List []string `json:"list" validate:"max=1000000"`
}

// Looking for what was typed in an error does not take longer than a call may: it is done
// for each refusal and failure, and nobody can stop it. The test only prints: no clock decides.
func TestRefutedLookingForWhatWasTyped(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t, nil)
	safetool.AddTool(server, &mcp.Tool{Name: "many"}, open,
		func(_ context.Context, _ *mcp.CallToolRequest, in manyIn) (*mcp.CallToolResult, any, error) {
			return nil, nil, fmt.Errorf("cannot take %q", in.List)
		})
	client := safetooltest.NewClient(t, server)
	for _, n := range []int{1000, 20000} {
		words := make([]string, n)
		for i := range words {
			words[i] = fmt.Sprintf("%06x", i)
		}
		begun := time.Now()
		res := call(t, client, "many", manyIn{List: words})
		t.Logf("%d words, %d bytes: %v, error %v", n, len(dump(words)), time.Since(begun), res.IsError)
	}
}
