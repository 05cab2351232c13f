package audit_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// What every kind of sink kept shows that a log was cut back together with its checkpoints.
func TestWhatASinkKeptShowsThatALogWasCutBack(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "checkpoints")
	var mu sync.Mutex
	var posted []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s, %v, %v", r.Method, r.Header, err)
		}
		mu.Lock()
		defer mu.Unlock()
		posted = append(posted, string(body))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	mirror := &kept{}
	dir := t.TempDir()
	l := opened(t, dir, &audit.Options{Sinks: []audit.Sink{audit.FileSink(elsewhere), audit.HTTPSink(server.URL, nil), audit.SlogSink(mirror)}})
	record(t, l, event(audit.PhaseNotice, "one"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	l = opened(t, dir, &audit.Options{Sinks: []audit.Sink{audit.FileSink(elsewhere), audit.HTTPSink(server.URL, nil), audit.SlogSink(mirror)}})
	record(t, l, event(audit.PhaseNotice, "two"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for i, s := range l.Stats().Sinks {
		if s.Kept == 0 || s.Failed > 0 || s.Events != 2 {
			t.Errorf("sink %d: %+v", i, s)
		}
	}
	text, err := os.ReadFile(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	last := text[strings.LastIndex(string(text), "\nsafemcp/audit/")+1:]
	var logged string
	mirror.records[len(mirror.records)-1].Attrs(func(a slog.Attr) bool { logged = a.Value.String(); return true })
	mu.Lock()
	defer mu.Unlock()
	for name, since := range map[string]string{"file": string(last), "http": posted[len(posted)-1], "slog": logged} {
		if r := verified(t, dir, &audit.VerifyOptions{Since: since}); r.Bad != nil {
			t.Errorf("%s: the log itself: %v", name, r.Bad)
		}
		again := t.TempDir()
		restore(t, again, before)
		if r := verified(t, again, nil); r.Bad != nil {
			t.Errorf("a log that was put back looks like a younger one: %v", r.Bad)
		}
		if r := verified(t, again, &audit.VerifyOptions{Since: since}); r.Bad == nil || !strings.Contains(r.Bad.Reason, "removed") {
			t.Errorf("%s: a log that was put back: %v", name, r.Bad)
		}
	}
}

func snapshot(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func restore(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever a sink does, the log goes on; it is tried again with the newest, after longer
// and longer pauses, and has it in the end.
func TestASinkThatFailsPanicsOrBlocksHoldsNothingUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		tries, well := 0, false
		var last string
		flaky := func(_ context.Context, checkpoint string) error {
			mu.Lock()
			defer mu.Unlock()
			tries++
			if !well {
				return errors.New("down")
			}
			last = checkpoint
			return nil
		}
		blocks := func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		panics := func(context.Context, string) error { panic("sink") }
		exits := func(context.Context, string) error { runtime.Goexit(); return nil }
		l, err := audit.Open(dir, &audit.Options{Sinks: []audit.Sink{flaky, blocks, panics, exits}})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			record(t, l, event(audit.PhaseNotice, ""))
			time.Sleep(time.Hour)
		}
		mu.Lock()
		if tries > 3*70 { // once a minute, in the end
			t.Errorf("it was tried %d times in three hours", tries)
		}
		well = true
		mu.Unlock()
		time.Sleep(2 * time.Minute)
		s := l.Stats()
		mu.Lock()
		if s.Sinks[0].Events != 3 || !strings.Contains(last, "\n3\n") || s.Sinks[0].Error != "" {
			t.Errorf("%+v, %q", s.Sinks[0], last)
		}
		mu.Unlock()
		for i, one := range s.Sinks[1:] {
			if one.Kept != 0 || one.Failed == 0 || one.Error == "" {
				t.Errorf("sink %d: %+v", i+1, one)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := audit.Open(t.TempDir(), &audit.Options{Sinks: []audit.Sink{nil}}); err == nil || !strings.Contains(err.Error(), "sink 1 is nil") {
		t.Errorf("a nil sink: %v", err)
	}
}
