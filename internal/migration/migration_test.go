package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

var versions = []string{"2025-06-18", "2025-11-25", "2026-07-28"}

// One client script passes before the move and after it.
func TestTheSameScriptPassesBeforeAndAfterTheMove(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		t.Run("stock "+version, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, version)
			serverSide, clientSide := mcp.NewInMemoryTransports()
			serving, err := stock().Connect(t.Context(), serverSide, nil)
			if err != nil {
				t.Fatal(err)
			}
			client := mcp.NewClient(&mcp.Implementation{Name: "script", Version: "v1"}, s.options)
			if s.session, err = client.Connect(t.Context(), clientSide, &mcp.ClientSessionOptions{ProtocolVersion: version}); err != nil {
				t.Fatal(err)
			}
			s.run()
			if err := s.session.Close(); err != nil {
				t.Error(err)
			}
			_ = serving.Wait() // the client has gone
		})
		t.Run("guarded "+version, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, version)
			trail := &safetooltest.Recorder{}
			server, err := guarded(trail)
			if err != nil {
				t.Fatal(err)
			}
			s.session = safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version, SDK: s.options})
			s.run()
			s.recorded(trail)
		})
	}
}

// A script is what a client does with the server.
type script struct {
	t        *testing.T
	version  string
	options  *mcp.ClientOptions
	session  *mcp.ClientSession
	progress chan string
}

func newScript(t *testing.T, version string) *script {
	s := &script{t: t, version: version, progress: make(chan string, 8)}
	s.options = &mcp.ClientOptions{
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"yes": true}}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			s.progress <- fmt.Sprintf("%s %v of %v", r.Params.Message, r.Params.Progress, r.Params.Total)
		},
	}
	return s
}

func (s *script) call(tool, arguments string) (*mcp.CallToolResult, error) {
	return s.session.CallTool(s.t.Context(), &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(arguments)})
}

// answers expects an answer whose first text and structured content are these; "-"
// leaves the latter open.
func (s *script) answers(tool, arguments, said, structured string) {
	s.t.Helper()
	res, err := s.call(tool, arguments)
	if err != nil || res.IsError || len(res.Content) == 0 {
		s.t.Errorf("%s %s: %+v, %v", tool, arguments, res, err)
		return
	}
	first, _ := res.Content[0].(*mcp.TextContent)
	raw, err := json.Marshal(res.StructuredContent)
	if err != nil || first == nil || first.Text != said || (structured != "-" && string(raw) != structured) {
		s.t.Errorf("%s %s: %+v, %s, %v", tool, arguments, first, raw, err)
	}
}

// refuses expects a result that is an error.
func (s *script) refuses(tool, arguments string) {
	s.t.Helper()
	if res, err := s.call(tool, arguments); err != nil || !res.IsError {
		s.t.Errorf("%s %s: %+v, %v", tool, arguments, res, err)
	}
}

func (s *script) run() {
	s.t.Helper()
	s.lists()
	s.answers("add", `{"a":2,"b":3}`, `{"sum":5}`, `{"sum":5}`)
	s.refuses("add", `{"a":2}`)
	s.refuses("add", `{"a":2,"b":"3"}`)
	s.refuses("add", `{"a":2,"b":3,"c":4}`)
	s.answers("greet", `{"name":"Ada","language":"en"}`, "Hello Ada", "null")
	s.answers("greet", `{"name":"Ada"}`, "Bonjour Ada", "null")
	s.refuses("greet", `{"name":"Ada","language":"de"}`)
	s.answers("echo", `{"n":1}`, `echo {"n":1}`, "null")
	s.answers("anything", `{"x":[1],"y":{"z":null}}`, `{"members":2}`, `{"members":2}`)
	s.answers("own_result", `{}`, "two parts", `{"sum":42}`)
	s.refuses("plain_error", `{}`)
	res, err := s.call("tool_error", `{}`)
	if err != nil || !res.IsError || res.Content[0].(*mcp.TextContent).Text != "out of stock" {
		s.t.Errorf("tool_error: %+v, %v", res, err)
	}
	var wire *jsonrpc.Error
	if _, err := s.call("protocol_error", `{}`); !errors.As(err, &wire) || wire.Code != -32050 || wire.Message != "of the protocol" {
		s.t.Errorf("protocol_error: %v", err)
	}
	if _, err := s.call("sign_in", `{}`); !errors.As(err, &wire) || wire.Code != mcp.CodeURLElicitationRequired || !strings.Contains(string(wire.Data), "https://documents.example/sign-in") {
		s.t.Errorf("sign_in: %v", err)
	}
	s.answers("confirm", `{"name":"Ada"}`, "accept, asked about Ada", "null")
	s.progresses()
	s.answers("numbers", `{}`, `[1,2,3]`, "-")
	s.answers("count", `{}`, `7`, "-")
	s.cancels()
}

func (s *script) lists() {
	s.t.Helper()
	tools := map[string]*mcp.Tool{}
	for tool, err := range s.session.Tools(s.t.Context(), nil) {
		if err != nil {
			s.t.Fatal(err)
		}
		tools[tool.Name] = tool
	}
	if len(tools) != 14 {
		s.t.Fatalf("%d tools", len(tools))
	}
	schema := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(raw)
	}
	if got := schema(tools["greet"].InputSchema); !strings.Contains(got, `"enum":["en","fr"]`) {
		s.t.Errorf("the author's schema is listed as %s", got)
	}
	if got := schema(tools["add"].InputSchema); !strings.Contains(got, `"required":["a","b"]`) || !strings.Contains(got, `"integer"`) {
		s.t.Errorf("add takes %s", got)
	}
	if got := schema(tools["add"].OutputSchema); !strings.Contains(got, `"sum"`) {
		s.t.Errorf("add answers %s", got)
	}
	own := tools["own_result"]
	if own.Title != "Own result" || own.Annotations == nil || !own.Annotations.ReadOnlyHint || !own.Annotations.IdempotentHint {
		s.t.Errorf("the author's annotations: %+v", own)
	}
}

func (s *script) progresses() {
	s.t.Helper()
	params := &mcp.CallToolParams{Name: "progress"}
	params.SetProgressToken("p1")
	res, err := s.session.CallTool(s.t.Context(), params)
	if err != nil || res.IsError {
		s.t.Fatalf("progress: %+v, %v", res, err)
	}
	for i := range 3 {
		if got, want := <-s.progress, fmt.Sprintf("step %d %d of 3", i+1, i+1); got != want {
			s.t.Errorf("got %q, want %q", got, want)
		}
	}
}

// cancels gives up a call that waits for just that.
func (s *script) cancels() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.session.CallTool(ctx, &mcp.CallToolParams{Name: "wait"})
		done <- err
	}()
	s.answers("add", `{"a":1,"b":1}`, `{"sum":2}`, `{"sum":2}`) // meanwhile the server is not held up
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		s.t.Errorf("wait: %v", err)
	}
}

// recorded holds the audit trail against the script: an outcome for each intent, one
// key for both rounds of the call that asked, nothing that was private.
func (s *script) recorded(trail *safetooltest.Recorder) {
	s.t.Helper()
	var asked, answered string
	for _, e := range trail.Calls() {
		raw, err := json.Marshal(&e)
		if err != nil {
			s.t.Fatal(err)
		}
		if strings.Contains(string(raw), "Ada") {
			s.t.Errorf("the log has what was typed: %s", raw)
		}
		if e.MCP.Tool != "confirm" || e.Phase != audit.PhaseOutcome {
			continue
		}
		switch e.Outcome.Status {
		case audit.StatusInputRequired:
			asked = e.Call
		case audit.StatusOK:
			answered = e.Call
		default:
			s.t.Errorf("confirm: %s", raw)
		}
	}
	if asked == "" || asked != answered {
		s.t.Errorf("the rounds of one call have the keys %q and %q", asked, answered)
	}
}
