package serve_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
)

// Over HTTP, too: what runs is answered, what comes is told to come back, open streams
// do not hold the end up, and the log ends with the stop.
func TestTenRunningCallsAreAnsweredOverHTTPAfterSIGTERM(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM to send")
	}
	const calls = 10
	p := launched(t, httpEnv+"=1")
	at, err := p.stderr.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + strings.TrimSpace(at) + "/mcp"
	wait := filepath.Join(p.dir, "wait")
	if err := os.WriteFile(wait, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	connect := func(version string) *mcp.ClientSession {
		session, err := mcp.NewClient(&mcp.Implementation{Name: "c"}, nil).
			Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url}, &mcp.ClientSessionOptions{ProtocolVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	older, newer := connect("2025-11-25"), connect("2026-07-28") // the older one has an open stream
	answers := make(chan string, calls)
	for i := range calls {
		session := older
		if i%2 == 0 {
			session = newer
		}
		go func() {
			res, err := session.CallTool(context.Background(), &mcp.CallToolParams{Name: "slow"})
			if err != nil {
				answers <- err.Error()
				return
			}
			answers <- res.Content[0].(*mcp.TextContent).Text
		}()
	}
	for range calls {
		if line, err := p.stderr.ReadString('\n'); line != "slow runs\n" || err != nil {
			t.Fatalf("standard error says %q, %v", line, err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until the signal has come
		res, err := http.Post(url, "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable {
			if res.Header.Get("Retry-After") == "" || !res.Close {
				t.Errorf("a new request: %+v", res)
			}
			break
		}
	}
	if err := os.Remove(wait); err != nil {
		t.Fatal(err)
	}
	for range calls {
		if answer := <-answers; answer != "slow done" {
			t.Error(answer)
		}
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}
	outcomes := 0
	events := p.events()
	for _, e := range events {
		if e.Phase == audit.PhaseOutcome && e.MCP.Tool == "slow" && e.Outcome.Status == audit.StatusOK && e.MCP.Transport == "http" && e.Caller.Address == "127.0.0.1" {
			outcomes++
		}
	}
	if last := events[len(events)-1]; outcomes != calls || last.Decision.Rule != "stop" {
		t.Errorf("%d outcomes, the last event %+v", outcomes, last.Decision)
	}
}
