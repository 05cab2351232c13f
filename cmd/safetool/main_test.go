package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// A test that starts this binary as the program itself, or as a writer of a log,
// says so in the environment.
const asEnv = "SAFEMCP_TEST_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(asEnv) {
	case "safetool":
		main()
	case "writer":
		writer(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// writer writes intents until it is killed, many at once, and says each call once it is
// acknowledged.
func writer(dir string) {
	l, err := audit.Open(dir, nil)
	if err != nil {
		panic(err)
	}
	run := l.Stats().Covered
	for w := range 8 {
		go func() {
			for n := range 40 {
				call := fmt.Sprintf("%d-%d-%d", run, w, n)
				if err := l.Record(context.Background(), &audit.Event{Phase: audit.PhaseIntent, Call: call}); err != nil {
					panic(err)
				}
				if _, err := os.Stdout.WriteString(call + "\n"); err != nil {
					os.Exit(0)
				}
			}
		}()
	}
	time.Sleep(time.Hour)
}

func program(t *testing.T, as string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asEnv+"="+as)
	return cmd
}

// safetool runs the program and returns what it says and its exit code.
func safetool(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := program(t, "safetool", args...)
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func written(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*audit.Event{
		{Phase: audit.PhaseIntent, Call: "c1", MCP: audit.MCP{Tool: "get_weather"}, Args: audit.Args{Fields: []audit.Field{{Name: "city", Clear: `"Paris"`}}}},
		{Phase: audit.PhaseOutcome, Call: "c1", MCP: audit.MCP{Tool: "get_weather"}, Outcome: audit.Outcome{Status: audit.StatusOK, Bytes: 7}},
	} {
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVerifyExitsByWhatItFinds(t *testing.T) {
	t.Parallel()
	dir := written(t)
	out, code := safetool(t, "audit", "verify", dir)
	if code != 0 || !strings.Contains(out, "2 events in 1 segment") || !strings.Contains(out, "Without a checkpoint") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	_, after, _ := strings.Cut(out, "checkpoint ")
	since := strings.Fields(after)[0]
	public := filepath.Join(t.TempDir(), "kept.pub")
	if text, err := os.ReadFile(filepath.Join(dir, "signer.pub")); err != nil || os.WriteFile(public, text, 0o600) != nil {
		t.Fatal(err)
	}
	if out, code := safetool(t, "audit", "verify", dir, "--since", since, "--key", public); code != 0 || strings.Contains(out, "note") {
		t.Errorf("with key and checkpoint, exit %d:\n%s", code, out)
	}
	segment := filepath.Join(dir, "audit-00000001.jsonl")
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(content, []byte("Paris"), []byte("paris"), 1)
	if err := os.WriteFile(segment, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := safetool(t, "audit", "verify", "--since="+since, dir); code != 1 || !strings.Contains(out, "audit-00000001.jsonl, line 1, event 1") {
		t.Errorf("one byte changed, exit %d:\n%s", code, out)
	}
	first, _, _ := bytes.Cut(content, []byte("\n"))
	if err := os.WriteFile(segment, append(first, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := safetool(t, "audit", "verify", dir, "--since", since); code != 1 || !strings.Contains(out, "removed") {
		t.Errorf("cut short, exit %d:\n%s", code, out)
	}
}

func TestAProofHoldsWithoutTheLog(t *testing.T) {
	t.Parallel()
	dir := written(t)
	public := filepath.Join(dir, "signer.pub")
	notes, err := os.ReadFile(filepath.Join(dir, "audit-00000001.checkpoints"))
	if err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(t.TempDir(), "checkpoint")
	if err := os.WriteFile(last, notes[bytes.LastIndex(notes, []byte("\nsafemcp/audit/"))+1:], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--event", "2"}, {"--from", last}} {
		proof, code := safetool(t, append([]string{"audit", "prove", dir}, args...)...)
		if code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, proof)
		}
		path := filepath.Join(t.TempDir(), "proof")
		if err := os.WriteFile(path, []byte(proof), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := safetool(t, "audit", "check", path, "--key", public); code != 0 || !strings.HasPrefix(out, "OK     ") {
			t.Errorf("%v: exit %d: %s", args, code, out)
		}
		forged := strings.NewReplacer("Paris", "Rome", "seq\": 2", "seq\": 1", "hashes", "none").Replace(proof)
		if err := os.WriteFile(path, []byte(forged), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := safetool(t, "audit", "check", path, "--key", public); args[0] == "--event" && (code != 1 || !strings.Contains(out, "does not hold")) {
			t.Errorf("%v, forged: exit %d: %s", args, code, out)
		}
	}
}

func TestMistakesAreSaidWithTheirExitCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 0, "safetool audit verify DIR"},
		{[]string{"--help"}, 0, "audit show"},
		{[]string{"help"}, 0, "keys create"},
		{[]string{"secrets", "set", "-h"}, 0, "never an argument"},
		{[]string{"nonsense"}, 2, "no command"},
		{[]string{"audit", "nonsense"}, 2, "no command"},
		{[]string{"audit", "verify"}, 2, "directory"},
		{[]string{"audit", "verify", t.TempDir(), "x"}, 2, "one directory"},
		{[]string{"audit", "show", "--nonsense", "x"}, 2, "nonsense"},
		{[]string{"audit", "prove", t.TempDir()}, 2, "either --event"},
		{[]string{"audit", "prove", t.TempDir(), "--event", "1"}, 1, "no event 1"},
		{[]string{"audit", "check", "x"}, 2, "--key PUBLIC"},
		{[]string{"audit"}, 0, "Exit codes:"},
		{[]string{"audit", "-h"}, 0, "Exit codes:"},
		{[]string{"audit", "export", "--help"}, 0, "--format ocsf|cloudevents|csv"},
		{[]string{"audit", "verify", filepath.Join(t.TempDir(), "nowhere")}, 1, "no directory"},
		{[]string{"audit", "verify", t.TempDir(), "--since", "x"}, 1, "checkpoint"},
		{[]string{"audit", "verify", t.TempDir(), "--key", filepath.Join(t.TempDir(), "k")}, 1, "key"},
	} {
		if out, code := safetool(t, c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%q: exit %d, want %d:\n%s", c.args, code, c.code, out)
		}
	}
}

func TestShowIsATableOrTheEventsThemselves(t *testing.T) {
	t.Parallel()
	dir := written(t)
	out, code := safetool(t, "audit", "show", dir)
	for _, want := range []string{"TIME", "get_weather", "city=Paris", "✓ ok", "7 bytes"} {
		if !strings.Contains(out, want) || code != 0 || strings.Contains(out, "\x1b") {
			t.Errorf("exit %d, no %q in\n%s", code, want, out)
		}
	}
	out, code = safetool(t, "audit", "show", "--json", dir)
	content, err := os.ReadFile(filepath.Join(dir, "audit-00000001.jsonl"))
	if err != nil || code != 0 || out != string(content) {
		t.Errorf("exit %d, %v:\n%s", code, err, out)
	}
}

func TestFollowShowsWhatIsWrittenMeanwhileAndEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	dir := written(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &watched{want: "later", seen: cancel}
	done := make(chan int)
	go func() { done <- run(ctx, []string{"audit", "show", "--follow", dir}, out, out) }()
	l, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), &audit.Event{Phase: audit.PhaseNotice, Decision: audit.Decision{Reason: "later"}}); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != 0 {
		t.Errorf("exit %d:\n%s", code, out.text.String())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// watched calls seen when what is written holds want.
type watched struct {
	mu   sync.Mutex
	text strings.Builder
	want string
	seen func()
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b)
	if strings.Contains(w.text.String(), w.want) {
		w.seen()
	}
	return len(b), nil
}

// Everything that was acknowledged is in the log of a process that was killed in the
// middle of its work, and the next start puts the log in order.
func TestWhatWasAcknowledgedSurvivesKill(t *testing.T) {
	t.Parallel()
	const lives = 20 // of each of ten logs
	for i := range 10 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var acknowledged []string
			for life := range lives {
				acknowledged = append(acknowledged, killed(t, dir, 1+i+life)...)
			}
			survived(t, dir, acknowledged)
		})
	}
}

// survived takes a log up that was killed, and matches what was acknowledged with what is
// there, one by one.
func survived(t *testing.T, dir string, acknowledged []string) {
	t.Helper()
	l, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for e, err := range audit.Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Phase == audit.PhaseIntent {
			there[e.Call] = true
		}
	}
	for _, call := range acknowledged {
		if !there[call] {
			t.Errorf("%s was acknowledged and is not there", call)
		}
	}
	r, err := audit.Verify(dir, nil)
	if err != nil || r.Bad != nil || r.Unfinished != 0 || r.Phases[audit.PhaseOrphaned] != r.Phases[audit.PhaseIntent] || len(acknowledged) == 0 {
		t.Errorf("%d acknowledged; %+v, %v", len(acknowledged), r, err)
	}
}

// killed starts a writer, kills it once it has said so many calls, and returns those.
func killed(t *testing.T, dir string, calls int) (said []string) {
	t.Helper()
	cmd := program(t, "writer", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if said = append(said, lines.Text()); len(said) == calls {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if len(said) < calls {
		t.Fatalf("the writer ended by itself, after %d calls", len(said))
	}
	return said[:len(said)-1] // the last line may not be whole
}

// What was typed is found with the key of the log, before and after a rotation, until the
// key that was replaced is removed.
func TestArgumentsAreFoundUntilTheirKeyIsGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	record := func(call string) {
		l, err := audit.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		args := l.Redactor().Args([]byte(`{"name":"Ann","n":17,"x":"17"}`), audit.Rules{{Name: "name"}, {Name: "n"}, {Name: "x"}}, true)
		if err := l.Record(t.Context(), &audit.Event{Phase: audit.PhaseOutcome, Call: call, Key: l.Redactor().Key(), Args: args}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	calls := func(args ...string) (found string) {
		out, code := safetool(t, append([]string{"audit", "show", "--json", dir}, args...)...)
		if code != 0 {
			t.Fatalf("exit %d: %s", code, out)
		}
		for line := range strings.Lines(out) {
			var e audit.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			found += e.Call
		}
		return found
	}
	record("a")
	if out, code := safetool(t, "audit", "rotate", dir); code != 0 || !strings.Contains(out, "key.next") || !strings.Contains(out, "signer.next") {
		t.Fatalf("exit %d: %s", code, out)
	}
	record("b")
	for arg, want := range map[string]string{"name=Ann": "ab", "name=ann": "", "n=17": "ab", "x=17": "ab", "name=\"Ann\"": "ab"} {
		if got := calls("--arg", arg); got != want {
			t.Errorf("%s finds %q, not %q", arg, got, want)
		}
	}
	replaced, err := filepath.Glob(filepath.Join(dir, "key.*"))
	if err != nil || len(replaced) != 1 {
		t.Fatalf("%q, %v", replaced, err)
	}
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.Rename(replaced[0], kept); err != nil {
		t.Fatal(err)
	}
	if got := calls("--arg", "name=Ann"); got != "b" {
		t.Errorf("without the key that was replaced %q is found", got)
	}
	if got := calls("--arg", "name=Ann", "--arg-key", kept); got != "ab" {
		t.Errorf("with the key from elsewhere %q is found", got)
	}
	if out, code := safetool(t, "audit", "verify", dir); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	for _, wrong := range []string{"name", "=x"} {
		if _, code := safetool(t, "audit", "show", dir, "--arg", wrong); code != 2 {
			t.Errorf("--arg %s: exit %d", wrong, code)
		}
	}
	if out, code := safetool(t, "audit", "rotate", t.TempDir()); code != 1 || !strings.Contains(out, "no log that keeps its own key") {
		t.Errorf("exit %d: %s", code, out)
	}
}
