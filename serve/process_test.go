package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/serve"
)

// serverEnv names the log's directory in the environment of this binary when a test
// starts it as a server.
const serverEnv = "SAFEMCP_TEST_SERVER"

// httpEnv is set where that server is to listen instead.
const httpEnv = "SAFEMCP_TEST_HTTP"

func TestMain(m *testing.M) {
	dir := os.Getenv(serverEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := server(dir); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// server is a server with tools that misbehave.
func server(dir string) error {
	trail, err := audit.Open(dir, nil)
	if err != nil {
		return err
	}
	s, err := safetool.NewServer(&mcp.Implementation{Name: "test", Version: "v1"}, &safetool.Options{Audit: trail})
	if err != nil {
		return err
	}
	open := safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}
	add := func(name string, f func(context.Context) error) {
		safetool.AddTool(s, &mcp.Tool{Name: name}, open, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name + " done"}}}, nil, f(ctx)
		})
	}
	add("noise", func(context.Context) error {
		fmt.Println("noise from fmt")
		_, _ = os.Stdout.WriteString("noise from os.Stdout\n")
		_, _ = os.NewFile(1, "one").WriteString("noise from descriptor 1\n")
		println("noise from println")
		child := exec.Command("sh", "-c", "echo noise from a child; cat")
		child.Stdout, child.Stdin = os.Stdout, os.Stdin
		_ = child.Run() // where there is no sh there is no child
		return nil
	})
	add("eat", func(context.Context) error {
		_, err := io.ReadAll(os.Stdin)
		return err
	})
	add("panic", func(context.Context) error { panic("crash") })
	add("slow", func(context.Context) error { // until the test takes the file away
		fmt.Fprintln(os.Stderr, "slow runs")
		for {
			if _, err := os.Stat(filepath.Join(dir, "wait")); err != nil {
				return nil
			}
			runtime.Gosched()
		}
	})
	if os.Getenv(httpEnv) == "" {
		err = serve.Stdio(context.Background(), s, nil)
	} else {
		err = serve.HTTP(context.Background(), s, &serve.HTTPOptions{
			Address: "127.0.0.1:0", InsecureAnonymous: "a test",
			Listening: func(at net.Addr) { fmt.Fprintln(os.Stderr, at) },
		})
	}
	if cerr := trail.Close(); err == nil {
		err = cerr
	}
	fmt.Println("output is back")
	return err
}

// A process is a server in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	dir    string
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *bufio.Reader
}

func started(t *testing.T) *process {
	t.Helper()
	p := launched(t)
	p.send(`{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	p.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	p.line()
	return p
}

func launched(t *testing.T, env ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), self), dir: t.TempDir()}
	p.cmd.Env = append(append(os.Environ(), serverEnv+"="+p.dir), env...)
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out, p.stderr = bufio.NewReader(out), bufio.NewReader(stderr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

func (p *process) send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("reading: %v", err)
	}
	return line
}

func (p *process) call(id int, tool string) {
	p.t.Helper()
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q}}`, id, tool))
}

func (p *process) events() []*audit.Event {
	p.t.Helper()
	var all []*audit.Event
	for e, err := range audit.Read(p.dir) {
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, e)
	}
	if r, err := audit.Verify(p.dir, nil); err != nil || r.Bad != nil {
		p.t.Errorf("the log: %v, %v", r.Bad, err)
	}
	return all
}

// Whatever handlers print, by whatever way, standard output carries the protocol
// alone; and no handler can eat a message.
func TestStandardOutputCarriesNothingButTheProtocol(t *testing.T) {
	t.Parallel()
	p := started(t)
	go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
	for i, tool := range []string{"noise", "eat", "panic", "noise"} {
		p.call(i, tool)
	}
	for range 4 {
		line := p.line()
		var message struct {
			JSONRPC string `json:"jsonrpc"`
		}
		if json.Unmarshal([]byte(line), &message) != nil || message.JSONRPC != "2.0" || strings.Contains(line, "noise from") {
			t.Errorf("on standard output: %q", line)
		}
	}
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(p.out)
	if err != nil || string(rest) != "output is back\n" {
		t.Errorf("after the end: %q, %v", rest, err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}
}

func TestTenRunningCallsAreAnsweredAfterSIGTERMAndEOF(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM to send")
	}
	for _, how := range []string{"SIGTERM", "SIGINT", "EOF"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			const calls = 10
			p := started(t)
			wait := filepath.Join(p.dir, "wait")
			if err := os.WriteFile(wait, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for i := range calls {
				p.call(i, "slow")
			}
			for range calls {
				if line, err := p.stderr.ReadString('\n'); line != "slow runs\n" || err != nil {
					t.Fatalf("standard error says %q, %v", line, err)
				}
			}
			go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
			var err error
			switch how {
			case "SIGTERM":
				err = p.cmd.Process.Signal(syscall.SIGTERM)
			case "SIGINT":
				err = p.cmd.Process.Signal(os.Interrupt)
			default:
				err = p.in.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(wait); err != nil {
				t.Fatal(err)
			}
			answers := map[string]bool{}
			for range calls {
				var r struct {
					ID     json.RawMessage `json:"id"`
					Result json.RawMessage `json:"result"`
				}
				if err := json.Unmarshal([]byte(p.line()), &r); err != nil || !bytes.Contains(r.Result, []byte("slow done")) {
					t.Errorf("%s, %v", r.Result, err)
				}
				answers[string(r.ID)] = true
			}
			rest, _ := io.ReadAll(p.out)
			if err := p.cmd.Wait(); err != nil || string(rest) != "output is back\n" || len(answers) != calls {
				t.Errorf("%d answers, then %q, %v", len(answers), rest, err)
			}
			outcomes := 0
			events := p.events()
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

// A client that is gone does not keep its server alive.
func TestAServerEndsWithItsClient(t *testing.T) {
	t.Parallel()
	p := started(t)
	go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
	p.call(1, "panic")
	p.line()
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, p.out); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}
	events := p.events()
	if last := events[len(events)-1]; last.Decision.Rule != "stop" || !strings.Contains(last.Decision.Reason, "input ended") {
		t.Errorf("the last event is %+v", last.Decision)
	}
}

// The SDK's own client, in both eras of the protocol.
func TestTheSDKsClientIsServedInBothEras(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), serverEnv+"="+dir)
			client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
			session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, &mcp.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			tools, err := session.ListTools(t.Context(), nil)
			if err != nil || len(tools.Tools) != 4 {
				t.Errorf("%v, %v", tools, err)
			}
			res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "noise"})
			if err != nil || res.IsError {
				t.Errorf("%v, %v", res, err)
			}
			res, err = session.CallTool(t.Context(), &mcp.CallToolParams{Name: "panic"})
			if err != nil || !res.IsError {
				t.Errorf("%v, %v", res, err)
			}
			if err := session.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
			for e, err := range audit.Read(dir) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Phase == audit.PhaseIntent && (e.MCP.Protocol != version || e.MCP.Transport != "stdio" || e.MCP.Request == "" || e.Caller.Issuer != "os") {
					t.Errorf("an event says %+v %+v", e.MCP, e.Caller)
				}
			}
		})
	}
}

func TestWiringMistakesAreSaid(t *testing.T) {
	t.Parallel()
	if err := serve.Stdio(t.Context(), nil, nil); err == nil {
		t.Error("no server is served")
	}
	if err := serve.Stdio(t.Context(), &safetool.Server{}, &serve.StdioOptions{Drain: -1}); err == nil || !strings.Contains(err.Error(), "Drain") {
		t.Errorf("got %v", err)
	}
}
