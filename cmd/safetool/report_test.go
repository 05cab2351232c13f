package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestReportIsAPageThatOnlyItsOwnerReads(t *testing.T) {
	t.Parallel()
	dir := written(t)
	path := filepath.Join(t.TempDir(), "report.html")
	for _, before := range []string{"", "what was there before"} {
		if before != "" {
			if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out, code := safetool(t, "audit", "report", dir, "-o", path, "--title", "Weather")
		if code != 0 || !strings.Contains(out, path) {
			t.Errorf("exit %d:\n%s", code, out)
		}
		page, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(page, []byte("<!doctype html>")) || !bytes.Contains(page, []byte("<title>Weather</title>")) || !bytes.Contains(page, []byte("get_weather")) {
			t.Errorf("%v:\n%s", err, page)
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"audit", "report", "-o", "-", dir}, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), "<!doctype html>") || !strings.HasSuffix(strings.TrimSpace(out.String()), "</html>") {
		t.Errorf("exit %d: %s\n%s", code, errs.String(), out.String())
	}
}

// A log that is wrong has its page, and the exit code that says so.
func TestReportOfALogThatIsWrongExitsWithOne(t *testing.T) {
	t.Parallel()
	dir := written(t)
	segment := filepath.Join(dir, "audit-00000001.jsonl")
	content, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segment, bytes.Replace(content, []byte("Paris"), []byte("paris"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "report.html")
	out, code := safetool(t, "audit", "report", dir, "-o", path)
	page, err := os.ReadFile(path)
	if code != 1 || !strings.HasPrefix(out, "WRONG") || !strings.Contains(out, "line 1") || err != nil || !bytes.Contains(page, []byte("The log is wrong")) {
		t.Errorf("exit %d, %v:\n%s", code, err, out)
	}
}

// Nothing but a file is replaced, and nothing of the log.
func TestReportHarmsNothingThatIsThere(t *testing.T) {
	t.Parallel()
	dir, elsewhere := written(t), t.TempDir()
	before, err := os.ReadFile(filepath.Join(dir, "audit-00000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	through := filepath.Join(elsewhere, "through")
	if err := os.Symlink(dir, through); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		code int
		says string
	}{
		{"", 2, "-o FILE"},
		{elsewhere, 1, "no regular file"},
		{filepath.Join(elsewhere, "nowhere", "report.html"), 1, "no such"},
		{filepath.Join(dir, "audit-00000001.jsonl"), 1, "directory of the log"},
		{filepath.Join(dir, "key"), 1, "directory of the log"},
		{filepath.Join(dir, "report.html"), 1, "directory of the log"},
		{filepath.Join(dir, "below", "report.html"), 1, "directory of the log"},
		{filepath.Join(through, "report.html"), 1, "directory of the log"},
	} {
		if runtime.GOOS == "windows" && (strings.HasPrefix(c.path, through) || c.says == "no such") {
			continue
		}
		args := []string{"audit", "report", dir, "-o", c.path}
		if c.path == "" {
			args = args[:3]
		}
		if out, code := safetool(t, args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("-o %q: exit %d, want %d:\n%s", c.path, code, c.code, out)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dir, "audit-00000001.jsonl")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the log was changed: %v", err)
	}
	if out, code := safetool(t, "audit", "report", t.TempDir(), "-o", filepath.Join(elsewhere, "none.html")); code != 1 || !strings.Contains(out, "no log") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := run(ended, []string{"audit", "report", dir, "-o", filepath.Join(elsewhere, "none.html")}, &out, &errs); code != 1 {
		t.Errorf("interrupted: exit %d: %s", code, errs.String())
	}
	if _, err := os.Stat(filepath.Join(elsewhere, "none.html")); err == nil {
		t.Error("a page was written of what could not be read")
	}
}
