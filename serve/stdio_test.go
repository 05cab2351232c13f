package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
)

const handshake = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n" +
	`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"

type echoArgs struct {
	Text string `json:"text" validate:"required,max=100"`
}

func newServer(t testing.TB, trail audit.Recorder, add func(*safetool.Server)) *safetool.Server {
	t.Helper()
	s, err := safetool.NewServer(&mcp.Implementation{Name: "test", Version: "v1"}, &safetool.Options{Audit: trail})
	if err != nil {
		t.Fatal(err)
	}
	safetool.AddTool(s, &mcp.Tool{Name: "echo"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
		func(_ context.Context, _ *mcp.CallToolRequest, in echoArgs) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, nil, nil
		})
	if add != nil {
		add(s)
	}
	return s
}

// A wire is a client of a server that runs in this process.
type wire struct {
	t       *testing.T
	in      *io.PipeWriter
	out     *bufio.Reader
	signals chan os.Signal
	done    chan error
}

func wired(t *testing.T, server *safetool.Server, o *StdioOptions) *wire {
	t.Helper()
	complete, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	w := &wire{t, toServer, bufio.NewReader(fromServer), make(chan os.Signal, 2), make(chan error, 1)}
	go func() {
		w.done <- run(context.WithoutCancel(t.Context()), bridge.Open(server), in, out, complete, w.signals)
		_ = out.Close()
	}()
	t.Cleanup(func() { _ = toServer.Close(); _ = fromServer.Close() })
	return w
}

func (w *wire) send(lines string) {
	w.t.Helper()
	if _, err := io.WriteString(w.in, lines); err != nil {
		w.t.Fatal(err)
	}
}

type reply struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Method string          `json:"method"`
	Error  *struct {
		Code    int64            `json:"code"`
		Message string           `json:"message"`
		Data    safetool.Problem `json:"data"`
	} `json:"error"`
	line string
}

func (w *wire) receive() reply {
	w.t.Helper()
	line, err := w.out.ReadString('\n')
	if err != nil {
		w.t.Fatalf("reading an answer: %v", err)
	}
	r := reply{line: line}
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		w.t.Fatalf("%q is no message: %v", line, err)
	}
	return r
}

// initialized is a wire after the handshake.
func initialized(t *testing.T, server *safetool.Server, o *StdioOptions) *wire {
	t.Helper()
	w := wired(t, server, o)
	w.send(handshake)
	if r := w.receive(); r.Error != nil {
		t.Fatalf("the handshake: %s", r.line)
	}
	return w
}

const canary = "canary5e1f"

// hostile are lines that are refused at the door, the id that their answer has, and
// the rule that is recorded.
func hostile() []struct{ line, id, rule string } {
	call := func(params string) string {
		return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":` + params + `}`
	}
	return []struct{ line, id, rule string }{
		{canary, "null", "json"},
		{`{`, "null", "json"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping"`, "7", "json"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping"}}`, "7", "json"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping"} {"jsonrpc":"2.0","id":8,"method":"ping"}`, "7", "json"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping"}x`, "7", "json"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping",}`, "7", "json"},
		{`{'jsonrpc':"2.0"}`, "null", "json"},
		{`{"jsonrpc":"2.0","id":7,"method":NaN}`, "7", "json"},
		{"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{\"_meta\":{\"a\":\"\x01\"}}}", "7", "json"},
		{"\x00", "null", "json"},
		{`// comment`, "null", "json"},
		{"\xef\xbb\xbf" + `{"jsonrpc":"2.0","id":7,"method":"ping"}`, "7", "bom"},
		{"\xff\xfe{\x00}\x00", "null", "bom"},
		{"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{\"_meta\":{\"" + canary + "\":\"\xff\"}}}", "7", "utf8"},
		{call(`{"name":"echo","arguments":{"text":"\ud800` + canary + `"}}`), "7", "utf8"},
		{call("{\"name\":\"echo\",\"arguments\":{\"text\":\"\xc0\xaf\"}}"), "7", "utf8"},
		{`[]`, "null", "batch"},
		{`[{"jsonrpc":"2.0","id":7,"method":"ping"}]`, "null", "batch"},
		{`"` + canary + `"`, "null", "envelope"},
		{`7`, "null", "envelope"},
		{`null`, "null", "envelope"},
		{`true`, "null", "envelope"},
		{`{}`, "null", "envelope"},
		{`{"id":7,"method":"ping"}`, "7", "envelope"},
		{`{"jsonrpc":"1.0","id":7,"method":"ping"}`, "7", "envelope"},
		{`{"jsonrpc":2.0,"id":7,"method":"ping"}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"Method":"ping"}`, "7", "envelope"},
		{`{"JSONRPC":"2.0","id":7,"method":"ping"}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","ID":7,"method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"method":"tools/call","Params":{"name":"echo"}}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping","` + canary + `":1}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":null,"method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":1e3,"method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":true,"method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":[7],"method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":{"` + canary + `":7},"method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 1025) + `","method":"ping"}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"method":""}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"method":7}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"method":null}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"` + canary + `"}}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"error":{"code":"` + canary + `"}}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"error":null}`, "7", "envelope"},
		{`{"jsonrpc":"2.0","result":{}}`, "null", "envelope"},
		{`{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}`, "8", "duplicate"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/list"}`, "7", "duplicate"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping","m\u0065thod":"tools/list"}`, "7", "duplicate"},
		{call(`{"name":"echo","name":"` + canary + `"}`), "7", "duplicate"},
		{call(`{"name":"echo","arguments":{"text":"a"},"arguments":{"text":"b"}}`), "7", "duplicate"},
		{call(`{"name":"echo","_meta":{"a":1,"a":2}}`), "7", "duplicate"},
		{`{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"p","arguments":{"a":"1","a":"2"}}}`, "7", "duplicate"},
		{`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":["` + canary + `"]}`, "7", "params"},
		{`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":null}`, "7", "params"},
		{`{"jsonrpc":"2.0","id":7,"method":"tools/call"}`, "7", "params"},
		{call(`{"name":{"` + canary + `":7}}`), "7", "params"},
		{call(`{"name":7}`), "7", "params"},
		{call(`{}`), "7", "params"},
		{call(`{"name":"echo","arguments":"` + canary + `"}`), "7", "params"},
		{call(`{"name":"echo","arguments":[1]}`), "7", "params"},
		{call(`{"name":"echo","arguments":null}`), "7", "params"},
		{call(`{"name":"echo","_meta":"` + canary + `"}`), "7", "params"},
		{call(`{"name":"echo","requestState":{"` + canary + `":1}}`), "7", "params"},
		{call(`{"name":"echo","inputResponses":"` + canary + `"}`), "7", "params"},
		{`{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":{"` + canary + `":1}}}`, "7", "params"},
		{`{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":["` + canary + `"]}}`, "7", "params"},
		{`{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"p","arguments":{"a":{"` + canary + `":1}}}}`, "7", "params"},
		{`{"jsonrpc":"2.0","id":7,"method":"completion/complete","params":{"ref":"` + canary + `"}}`, "7", "params"},
		{`{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":{"` + canary + `":1}}}`, "7", "params"},
		{`{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":["` + canary + `"]}}`, "7", "params"},
		{call(`{"name":"echo","arguments":{"text":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`), "7", "depth"},
		{`{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"pad":"` + strings.Repeat(canary, 1000) + `"}}}`, "7", "size"},
	}
}

// Every hostile line is answered in words of ours, with the id where it can be told,
// is recorded, and is followed by a good call that works.
func TestHostileLinesAreRefusedAndTheSessionLives(t *testing.T) {
	t.Parallel()
	for i, h := range hostile() {
		t.Run(fmt.Sprintf("%d %s", i, h.rule), func(t *testing.T) {
			t.Parallel()
			trail := &recorder{}
			w := initialized(t, newServer(t, trail, nil), &StdioOptions{FrameBytes: 8000})
			w.send(h.line + "\n")
			r := w.receive()
			if r.Error == nil || string(r.ID) != h.id || r.Error.Data.Code == "" || r.Error.Data.Message != r.Error.Message || strings.Contains(r.line, canary) {
				t.Errorf("%.200s\nwas answered %s", h.line, r.line)
			}
			w.send(`{"jsonrpc":"2.0","id":"after","method":"tools/call","params":{"name":"echo","arguments":{"text":"still here"}}}` + "\n")
			if r := w.receive(); r.Error != nil || string(r.ID) != `"after"` || !strings.Contains(r.line, "still here") {
				t.Errorf("after %.200s\nthe server says %s", h.line, r.line)
			}
			found := false
			for _, e := range trail.Events() {
				line, err := json.Marshal(&e)
				if err != nil || bytes.Contains(line, []byte(canary)) {
					t.Errorf("the log has %s, %v", line, err)
				}
				found = found || (e.Phase == audit.PhaseRefused && e.Decision.By == "door" && e.Decision.Rule == h.rule && e.Caller.Issuer == "os")
			}
			if !found {
				t.Errorf("%.200s\nis not in the log with the rule %s", h.line, h.rule)
			}
		})
	}
}

// What the SDK would refuse in its own words, with what was sent in them, it refuses
// in ours.
func TestNoAnswerHasTheSDKsWords(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		`{"jsonrpc":"2.0","id":7,"method":"` + canary + `"}`, `{"jsonrpc":"2.0","id":7,"method":"` + canary + `","params":{"x":"` + canary + `"}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":"` + canary + `"}}`, `{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"` + canary + `:x"}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"` + canary + `"}}`, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"` + canary + `":1,"text":7}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"` + canary + `"}}`, `{"jsonrpc":"2.0","id":7,"method":"logging/setLevel","params":{"level":"` + canary + `"}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientInfo":"` + canary + `"}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"completion/complete","params":{"ref":{"type":"` + canary + `"},"argument":{"name":"a","value":"b"}}}`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","inputResponses":{"q":{"` + canary + `":1}}}}`,
	} {
		w := initialized(t, newServer(t, &recorder{}, nil), nil)
		w.send(line + "\n")
		if r := w.receive(); strings.Contains(r.line, canary) || strings.Contains(r.line, "unmarshal") || strings.Contains(r.line, "jsonrpc2") {
			t.Errorf("%s\nwas answered %s", line, r.line)
		}
	}
}

func TestWhatIsUnusualAndRightIsTaken(t *testing.T) {
	t.Parallel()
	w := initialized(t, newServer(t, &recorder{}, nil), nil)
	for line, id := range map[string]string{
		" \t{ \"method\" : \"ping\" , \"id\" : 1 , \"jsonrpc\" : \"2.0\" } \r":                                    "1",
		`{"jsonrpc":"2.0","id":"","method":"ping"}`:                                                               `""`,
		`{"jsonrpc":"2.0","id":-9007199254740992,"method":"ping"}`:                                                "-9007199254740992",
		`{"jsonrpc":"2.0","id":"\u0061\n","method":"ping","params":{}}`:                                           `"a\n"`,
		`{"jsonrpc":"2.0","\u0069d":3,"method":"ping"}`:                                                           "3",
		"\n\r\n" + `{"jsonrpc":"2.0","id":4,"method":"ping"}`:                                                     "4",
		`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"echo","arguments":{"text":"é😀\u00e9"}}}`: "5",
	} {
		w.send(line + "\n")
		if r := w.receive(); r.Error != nil || string(r.ID) != id {
			t.Errorf("%q was answered %s", line, r.line)
		}
	}
	// What is wrong inside a tool's arguments is the tool's to say.
	w.send(`{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a","text":"b"}}}` + "\n")
	if r := w.receive(); r.Error != nil || !strings.Contains(r.line, `"isError":true`) || !strings.Contains(r.line, "safemcp/problem") {
		t.Errorf("a duplicate argument: %s", r.line)
	}
}

// An attacker's corpus of JSON: no file of it ends the session, or is echoed.
func TestNoTextOfTheJSONTestSuiteEndsTheSession(t *testing.T) {
	t.Parallel()
	corpora := os.Getenv("SAFEMCP_CORPORA")
	if corpora == "" {
		t.Skip("SAFEMCP_CORPORA does not name the directory of attack data")
	}
	var texts [][]byte
	err := filepath.WalkDir(filepath.Join(corpora, "jsontestsuite"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		content, err := os.ReadFile(path)
		texts = append(texts, content)
		return err
	})
	if err != nil || len(texts) < 100 {
		t.Fatalf("%d texts, %v", len(texts), err)
	}
	w := initialized(t, newServer(t, &recorder{}, nil), nil)
	go func() {
		for i, text := range texts {
			line := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\n"), nil), []byte("\r"), nil)
			message := append(append([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":`), line...), "}}}\n"...)
			_, _ = w.in.Write(append(line, '\n')) // a pipe that is closed shows below
			_, _ = w.in.Write(message)
			_, _ = fmt.Fprintf(w.in, `{"jsonrpc":"2.0","id":"mark%d","method":"ping"}`+"\n", i)
		}
	}()
	for seen := 0; seen < len(texts); {
		r := w.receive()
		if r.Error != nil && r.Error.Data.Code == "" {
			t.Fatalf("an answer without a problem: %s", r.line)
		}
		if strings.HasPrefix(string(r.ID), `"mark`) {
			seen++
		}
	}
}

// slow adds a tool that says when it runs and returns when it is let.
func slow(running chan<- string, release <-chan struct{}) func(*safetool.Server) {
	return func(s *safetool.Server) {
		safetool.AddTool(s, &mcp.Tool{Name: "slow"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
			func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
				running <- "running"
				<-release
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "slowly done"}}}, nil, nil
			})
	}
}

// The end of the input, a signal, and the program's own end: ten calls that run are
// answered, and their outcomes are in the log, before the end of it is.
func TestCallsThatRunAreAnsweredBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"EOF", "signal"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			const calls = 10
			running, release := make(chan string), make(chan struct{})
			trail := &recorder{}
			w := initialized(t, newServer(t, trail, slow(running, release)), nil)
			for i := range calls {
				w.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"slow"}}`+"\n", i))
				<-running
			}
			if how == "EOF" {
				if err := w.in.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				w.signals <- os.Interrupt
			}
			close(release)
			for range calls {
				if r := w.receive(); r.Error != nil || !strings.Contains(r.line, "slowly done") {
					t.Errorf("got %s", r.line)
				}
			}
			if err := <-w.done; err != nil {
				t.Errorf("ended with %v", err)
			}
			outcomes := 0
			events := trail.Events()
			for _, e := range events {
				if e.Phase == audit.PhaseOutcome && e.MCP.Tool == "slow" && e.Outcome.Status == audit.StatusOK {
					outcomes++
				}
			}
			if last := events[len(events)-1]; outcomes != calls || last.Decision.Rule != "stop" {
				t.Errorf("%d outcomes, the last event %+v", outcomes, last.Decision)
			}
		})
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	running, release := make(chan string), make(chan struct{})
	defer close(release)
	w := initialized(t, newServer(t, &recorder{}, slow(running, release)), nil)
	w.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}` + "\n")
	<-running
	w.signals <- os.Interrupt
	w.signals <- os.Interrupt
	go func() { _, _ = io.Copy(io.Discard, w.out) }()
	if err := <-w.done; !errors.Is(err, errForced) {
		t.Errorf("ended with %v", err)
	}
}

// A handler that never returns holds the end up no longer than the drain.
func TestTheDrainIsBounded(t *testing.T) {
	t.Parallel()
	running, release := make(chan string), make(chan struct{})
	defer close(release)
	trail := &recorder{}
	w := initialized(t, newServer(t, trail, slow(running, release)), &StdioOptions{Drain: time.Millisecond})
	w.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}` + "\n")
	<-running
	if err := w.in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-w.done; err != nil {
		t.Errorf("ended with %v", err)
	}
	events := trail.Events()
	if last := events[len(events)-1]; !strings.Contains(last.Decision.Reason, "had not returned") {
		t.Errorf("the last event says %q", last.Decision.Reason)
	}
}

// A handler that waits for the client's user does not hold the end up: the client
// is gone.
func TestAQuestionNobodyCanAnswerFailsAtTheEnd(t *testing.T) {
	t.Parallel()
	asked := make(chan error, 1)
	w := wired(t, newServer(t, &recorder{}, func(s *safetool.Server) {
		safetool.AddTool(s, &mcp.Tool{Name: "ask"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
			func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
				_, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "Sure?", RequestedSchema: map[string]any{"type": "object"}})
				asked <- err
				return nil, nil, safetool.Say("Nobody answered.")
			})
	}), nil)
	w.send(strings.Replace(handshake, `"capabilities":{}`, `"capabilities":{"elicitation":{}}`, 1))
	w.receive()
	w.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}` + "\n")
	if r := w.receive(); r.Method != "elicitation/create" {
		t.Fatalf("got %s", r.line)
	}
	if err := w.in.Close(); err != nil {
		t.Fatal(err)
	}
	if r := w.receive(); !strings.Contains(r.line, "Nobody answered.") {
		t.Errorf("got %s", r.line)
	}
	if err := <-asked; err == nil {
		t.Error("the question was answered")
	}
	if err := <-w.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestAnIDInUseIsRefused(t *testing.T) {
	t.Parallel()
	running, release := make(chan string), make(chan struct{})
	w := initialized(t, newServer(t, &recorder{}, slow(running, release)), nil)
	w.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}` + "\n")
	<-running
	w.send(`{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\n")
	if r := w.receive(); r.Error == nil || string(r.ID) != "null" {
		t.Errorf("got %s", r.line)
	}
	close(release)
	if r := w.receive(); string(r.ID) != "1" || !strings.Contains(r.line, "slowly done") {
		t.Errorf("got %s", r.line)
	}
}

func TestACancelledCallIsAnsweredOrLeftAndItsIDIsFree(t *testing.T) {
	t.Parallel()
	w := initialized(t, newServer(t, &recorder{}, func(s *safetool.Server) {
		safetool.AddTool(s, &mcp.Tool{Name: "wait"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
			func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
				<-ctx.Done()
				return nil, nil, ctx.Err()
			})
	}), nil)
	w.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}` + "\n")
	if err := w.in.Close(); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, w.out) }()
	if err := <-w.done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestAFloodOfRefusalsIsCountedNotListed(t *testing.T) {
	t.Parallel()
	trail := &recorder{}
	w := initialized(t, newServer(t, trail, nil), nil)
	const lines = 500
	go func() {
		for range lines {
			_, _ = io.WriteString(w.in, "rubbish\n")
		}
		_ = w.in.Close()
	}()
	for range lines {
		w.receive()
	}
	if err := <-w.done; err != nil {
		t.Fatal(err)
	}
	single, counted := 0, 0
	for _, e := range trail.Events() {
		switch {
		case e.Decision.Rule == "flood":
			n := 0
			if _, err := fmt.Sscanf(e.Decision.Reason, "%d more", &n); err != nil {
				t.Errorf("%q", e.Decision.Reason)
			}
			counted += n
		case e.Phase == audit.PhaseRefused:
			single++
		}
	}
	if single+counted != lines || single > 2*floodSingle {
		t.Errorf("%d recorded one by one, %d counted", single, counted)
	}
}

func TestNothingIsServedWhoseStartCannotBeRecorded(t *testing.T) {
	t.Parallel()
	trail := &recorder{Fail: func(e audit.Event) error {
		if e.Decision.Rule == "start" {
			return errors.New("disk full")
		}
		return nil
	}}
	w := wired(t, newServer(t, trail, nil), nil)
	if err := <-w.done; err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, h := range hostile() {
		f.Add([]byte(h.line))
	}
	f.Add([]byte(handshake))
	f.Fuzz(func(t *testing.T, line []byte) {
		msg, e, fault := parse(line, 64)
		if (msg == nil) == (fault == nil) || (msg == nil) != (e == nil) {
			t.Fatalf("%q: %v, %v", line, msg, fault)
		}
		if fault != nil && !json.Valid(bytes.TrimSpace(fault.answer())) {
			t.Fatalf("%q is answered %q", line, fault.answer())
		}
		if msg != nil && !json.Valid(line) {
			t.Fatalf("%q is no JSON and was taken", line)
		}
	})
}

func TestLinesAreCutInBoundedMemory(t *testing.T) {
	t.Parallel()
	var input strings.Builder
	var want []string
	for i, size := range []int{0, 1, 99, 100, 101, 5000, 100, 3} {
		line := strings.Repeat(string(rune('a'+i)), size)
		input.WriteString(line + "\n")
		if size > 100 {
			line = line[:100] + "!"
		}
		want = append(want, line)
	}
	input.WriteString("last")
	want = append(want, "last")
	for chunk := 1; chunk < 300; chunk += 13 {
		l := newLineReader(&chunked{strings.NewReader(input.String()), chunk}, 100)
		var got []string
		for {
			line, err := l.next()
			if errors.Is(err, io.EOF) {
				break
			}
			text := string(line)
			if errors.Is(err, errLong) {
				text += "!"
			}
			got = append(got, text)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(l.buf) > 101 {
			t.Fatalf("in chunks of %d: %q, in a buffer of %d", chunk, got, len(l.buf))
		}
	}
}

type chunked struct {
	r io.Reader
	n int
}

func (c *chunked) Read(b []byte) (int, error) { return c.r.Read(b[:min(len(b), c.n)]) }
