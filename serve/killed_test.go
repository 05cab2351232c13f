//go:build unix

package serve_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// A client that is killed takes all three pipes with it. What it had called ends as it
// would have and is recorded, though writing to standard error fails from then on: a
// program dies of that by default.
func TestAKilledClientTakesNoRecordWithIt(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	wait := filepath.Join(dir, "wait")
	if err := os.WriteFile(wait, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), serverEnv+"="+dir)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, err3, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := io.WriteString(in, `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`+"\n"+
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n"+
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}`+"\n"); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stderr); lines.Scan() && lines.Text() != "slow runs"; {
		continue
	}
	// The end of the input comes last, so that what is called now runs without a reader.
	if err := errors.Join(out.Close(), stderr.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"noise"}}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	// Where slow ended first, its answer could not be written, and nothing more would be read.
	for begun := false; !begun && t.Context().Err() == nil; {
		for e, err := range audit.Read(dir) {
			if err != nil {
				break // it is being written
			}
			begun = begun || (e.Phase == audit.PhaseIntent && e.MCP.Tool == "noise")
		}
		time.Sleep(time.Millisecond)
	}
	if err := os.Remove(wait); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the program writes to its output once more after Stdio, and may die of that
	status := map[string]audit.Status{}
	var last *audit.Event
	for e, err := range audit.Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if last = e; e.Phase == audit.PhaseOutcome {
			status[e.MCP.Tool] = e.Outcome.Status
		}
	}
	if status["slow"] != audit.StatusOK || status["noise"] != audit.StatusOK {
		t.Errorf("the calls ended as %v", status)
	}
	if last == nil || last.Decision.Rule != "stop" || !strings.HasPrefix(last.Decision.Reason, "stopped serving") {
		t.Errorf("the last event is %+v", last)
	}
}
