package mirrors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
)

func refusal() *audit.Event {
	return &audit.Event{
		Phase: audit.PhaseRefused, Call: "call-1", Caller: audit.Caller{Subject: "ada", Roles: []string{"reader"}},
		MCP:      audit.MCP{Method: "tools/call", Tool: "delete_document"},
		Args:     audit.Args{Digest: "d", Bytes: 12, Fields: []audit.Field{{Name: "id", HMAC: "h", Len: 3}}},
		Decision: audit.Decision{Effect: audit.EffectDeny, By: "access", Reason: "not your\nrole"},
		Trace:    audit.Trace{TraceID: traceID, SpanID: spanID},
	}
}

// through records events in a log with a mirror, closes it, and returns what became of
// them there.
func through(t *testing.T, mirror slog.Handler, events int) audit.MirrorStats {
	t.Helper()
	l, err := audit.Open(filepath.Join(t.TempDir(), "log"), &audit.Options{Mirrors: []slog.Handler{audit.Mirror{Handler: mirror, Name: "target"}}})
	if err != nil {
		t.Fatal(err)
	}
	for range events {
		if err := l.Record(t.Context(), refusal()); err != nil {
			t.Error(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	return l.Stats().Mirrors[0]
}

// arrives records an event, and fails unless its mirror took it.
func arrives(t *testing.T, mirror slog.Handler) {
	t.Helper()
	if s := through(t, mirror, 1); s.Taken != 1 || s.Failed+s.Dropped+s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// isLost records events for a target that is down or hangs: each Record returns, and none
// of the events reads as taken.
func isLost(t *testing.T, mirror slog.Handler) {
	t.Helper()
	const events = 5
	if s := through(t, mirror, events); s.Taken+s.Skipped != 0 || s.Failed+s.Dropped+s.Waiting != events {
		t.Errorf("%+v", s)
	}
}

// holds fails unless JSON is the refusal.
func holds(t *testing.T, line []byte) {
	t.Helper()
	var got struct {
		Level    string    `json:"level"`
		Message  string    `json:"msg"`
		Time     time.Time `json:"time"`
		Call     string    `json:"call"`
		Phase    string    `json:"phase"`
		Seq      int       `json:"seq"`
		MCP      struct{ Tool string }
		Caller   struct{ Roles []string }
		Decision struct{ Effect, Reason string }
		Args     struct {
			Bytes  int
			Fields struct{ ID struct{ HMAC string } }
		}
		Trace struct {
			TraceID string `json:"trace_id"`
		}
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if got.Level != "WARN" || got.Message != "audit" || got.Time.IsZero() || got.Call != "call-1" || got.Phase != "refused" || got.Seq != 1 ||
		got.MCP.Tool != "delete_document" || len(got.Caller.Roles) != 1 || got.Decision.Effect != "deny" || got.Decision.Reason != "not your\nrole" ||
		got.Args.Bytes != 12 || got.Args.Fields.ID.HMAC != "h" || got.Trace.TraceID != traceID {
		t.Errorf("got %s", line)
	}
	if n := bytes.Count(line, []byte(`"time":`)); n != 1 {
		t.Errorf("the time stands %d times in %s", n, line)
	}
}

// tarpit returns the address of a target that takes connections and never answers.
func tarpit(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	}()
	return l.Addr().String()
}

// nobody returns an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTextAndJSONArriveAndABrokenPipeIsCounted(t *testing.T) {
	t.Parallel()
	var text, lines bytes.Buffer
	arrives(t, slog.NewTextHandler(&text, nil))
	for _, want := range []string{"level=WARN", "msg=audit", "mcp.tool=delete_document", "decision.effect=deny", "trace.trace_id=" + traceID, `decision.reason="not your\nrole"`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s is not in %s", want, text.String())
		}
	}
	arrives(t, slog.NewJSONHandler(&lines, nil))
	holds(t, lines.Bytes())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	defer w.Close()
	isLost(t, slog.NewJSONHandler(w, nil))
}

// A reader of standard error that stops reading blocks its writer for ever.
func TestAFullPipeHoldsNothingUp(t *testing.T) {
	t.Parallel()
	r, w := net.Pipe() // no buffer at all
	defer r.Close()
	defer w.Close()
	isLost(t, slog.NewTextHandler(w, nil))
}

var fence = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// The Go of the document is code of this module, word by word, so that it compiles and is
// tested.
func TestNoCodeOfTheDocumentIsAnythingButTestedCode(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../docs/mirrors.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			fmt.Fprintln(&code, strings.TrimSpace(line)) // a block in the document is not indented as in its function
		}
	}
	blocks := fence.FindAllStringSubmatch(string(document), -1)
	if len(blocks) < 7 {
		t.Errorf("the document has %d blocks of Go: one for each target, and one for combinations", len(blocks))
	}
	for _, block := range blocks {
		var want strings.Builder
		for line := range strings.Lines(block[1]) {
			fmt.Fprintln(&want, strings.TrimSpace(line))
		}
		if !strings.Contains(code.String(), want.String()) {
			t.Errorf("this is not in examples/mirrors:\n%s", block[1])
		}
	}
}
