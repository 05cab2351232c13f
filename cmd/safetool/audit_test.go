package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// lineOf is a line as no log of ours writes it, with what is needed to see that it is
// shown byte for byte.
func lineOf(seq int, at, call, caller, tool, effect, phase, status string) string {
	return `{"v":1, "id":"i` + strconv.Itoa(seq) + `","seq":` + strconv.Itoa(seq) + `,"time":"` + at + `","phase":"` + phase + `","call":"` + call +
		`","caller":{"id":"os|` + caller + `","subject":"` + caller + `"},"mcp":{"method":"tools/call","tool":"` + tool +
		`"},"decision":{"effect":"` + effect + `","by":"policy","rule":"roles"},"outcome":{"status":"` + status + `"},"new":[1, "` + "\u202e" + `"]}` + "\n"
}

// mixed is a log of five events in two segments, with a torn line at the end.
func mixed(t *testing.T) (dir string, lines []string) {
	t.Helper()
	dir = t.TempDir()
	recent := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	lines = []string{
		lineOf(1, "2026-01-02T03:04:05Z", "AA1", "ada", "get_weather", "permit", "intent", ""),
		lineOf(2, "2026-01-02T03:04:06Z", "AA1", "ada", "get_weather", "permit", "outcome", "ok"),
		lineOf(3, "2026-01-02T03:04:07Z", "AB2", "eve", "get_secret", "deny", "refused", "refused"),
		lineOf(4, "2026-01-03T03:04:08Z", "BC3", "bob", "put\x7f", "observe", "outcome", "panic"),
		lineOf(5, recent, "BD4", "bob", "put", "permit", "orphaned", ""),
	}
	write(t, filepath.Join(dir, "audit-00000001.jsonl"), strings.Join(lines[:3], ""))
	write(t, filepath.Join(dir, "audit-00000002.jsonl"), strings.Join(lines[3:], "")+`{"v":1,"id":"torn`)
	return dir, lines
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command runs a command in this process, and returns what it writes and its exit code.
func within(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &o, &e)
	return o.String(), e.String(), code
}

func TestFiltersShowTheLinesTheySayByteForByte(t *testing.T) {
	t.Parallel()
	dir, lines := mixed(t)
	for flags, want := range map[string][]int{
		"":                                   {1, 2, 3, 4, 5},
		"--tool get_*":                       {1, 2, 3},
		"--tool get_weather --tool put":      {1, 2, 5},
		"--tool GET_*":                       {},
		"--caller ada --caller os|eve":       {1, 2, 3},
		"--call A":                           {1, 2, 3},
		"--call AA1":                         {1, 2},
		"--decision permit":                  {1, 2, 5},
		"--decision deny --decision observe": {3, 4},
		"--status ok":                        {2},
		"--status panic --status orphaned":   {4, 5},
		"--tool get_* --decision permit --status ok":                {2},
		"--since 2026-01-02T03:04:06Z --until 2026-01-03T03:04:08Z": {2, 3},
		"--since 2026-01-02T04:04:07+01:00 --until 90m":             {3, 4},
		"--since 2h":                         {5},
		"--since 1d":                         {5},
		"--until 0d30m --since 0d1h30m":      {5},
		"--until 0s --since 1d1h --tool put": {5},
	} {
		var wanted strings.Builder
		for _, n := range want {
			wanted.WriteString(lines[n-1])
		}
		out, errs, code := within(t, append([]string{"audit", "show", dir, "--json"}, strings.Fields(flags)...)...)
		if code != 0 || errs != "" || out != wanted.String() {
			t.Errorf("%s: exit %d %s\n%s", flags, code, errs, out)
		}
		table, _, code := within(t, append([]string{"audit", "show", dir}, strings.Fields(flags)...)...)
		rows := 0
		for row := range strings.SplitSeq(table, "\n") {
			if strings.Contains(row, "roles") || strings.Contains(row, ":04:") || strings.Contains(row, "orphan") {
				rows++
			}
		}
		if code != 0 || rows != len(want) || strings.ContainsAny(table, "\u202e\x7f\x1b") {
			t.Errorf("%s: exit %d\n%s", flags, code, table)
		}
	}
}

func TestMistakesInFiltersAreSentences(t *testing.T) {
	t.Parallel()
	dir, _ := mixed(t)
	for flags, says := range map[string]string{
		"show --decision x":              `--decision takes permit, deny, ask or observe, not "x"`,
		"show --status x":                `withheld or orphaned, not "x"`,
		"show --since yesterday":         `--since takes a time such as 2026-01-02T15:04:05Z, or how long ago it is, such as 2h or 1d12h, not "yesterday"`,
		"show --until 2026-01-02":        "--until takes a time",
		"show --since -1h":               "--since takes",
		"show --since +1h":               "--since takes",
		"show --since d":                 "--since takes",
		"show --since 1d1d":              "--since takes",
		"show --since -1d":               "--since takes",
		"show --since 99999999999d":      "--since takes",
		"show --since 36500d999999h9":    "--since takes",
		"show --since 1h --until 2h":     "--since is the earlier one",
		"show --tool=":                   "a name that is not empty",
		"show --caller=":                 "a name that is not empty",
		"show --call=":                   "a name that is not empty",
		"show --follow --until 1h":       "give one of them",
		"stats --decision x":             "audit stats: --decision takes",
		"export":                         "--format",
		"export --format xml":            "ocsf, cloudevents or csv",
		"export --format csv -o " + dir:  "no regular file",
		"export --format csv --status x": "audit export: --status",
		"export --format csv -o " + filepath.Join(dir, "audit-00000001.jsonl"): "in the directory of the log",
	} {
		args := append([]string{"audit"}, strings.Fields(flags)...)
		if out, errs, code := within(t, append(args, dir)...); code != 2 || out != "" || !strings.Contains(errs, says) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit %d: %s%s", flags, code, out, errs)
		}
	}
}

func TestFollowFiltersToo(t *testing.T) {
	t.Parallel()
	dir := written(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &watched{want: "wanted-2", seen: cancel}
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"audit", "show", "--follow", "--json", "--tool", "wanted-*", dir}, out, out)
	}()
	l, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"wanted-1", "other", "wanted-2"} {
		if err := l.Record(t.Context(), &audit.Event{Phase: audit.PhaseIntent, MCP: audit.MCP{Tool: tool}}); err != nil {
			t.Fatal(err)
		}
	}
	if code := <-done; code != 0 || strings.Count(out.text.String(), "\n") != 2 || strings.Contains(out.text.String(), "other") {
		t.Errorf("exit %d:\n%s", code, out.text.String())
	}
	content, err := os.ReadFile(filepath.Join(dir, "audit-00000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.text.String()) {
		if !strings.Contains(string(content), line) {
			t.Errorf("not as in the log: %s", line)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStatsCountWhatTheFilterLets(t *testing.T) {
	t.Parallel()
	dir, _ := mixed(t)
	out, errs, code := within(t, "audit", "stats", dir)
	for _, want := range []string{"1 refused", "1 orphaned", "get_weather", "os|bob", "roles"} {
		if code != 0 || errs != "" || !strings.Contains(out, want) || strings.ContainsAny(out, "\x7f\u202e") {
			t.Errorf("exit %d %s: no %q in\n%s", code, errs, want, out)
		}
	}
	out, _, code = within(t, "audit", "stats", dir, "--json", "--tool", "get_*")
	var s struct {
		Events, Calls uint64
		Tools         []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || s.Events != 3 || s.Calls != 2 || len(s.Tools) != 2 || strings.Count(out, "\n") != 1 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

func TestExportIsWholeAndItsOwnersAlone(t *testing.T) {
	t.Parallel()
	dir, _ := mixed(t)
	for _, format := range []string{"ocsf", "cloudevents", "csv"} {
		stdout, errs, code := within(t, "audit", "export", dir, "--format", format, "--decision", "permit")
		rows := strings.Count(stdout, "\n")
		if format == "csv" {
			rows--
		}
		if code != 0 || errs != "" || rows != 3 {
			t.Errorf("%s: exit %d %s\n%s", format, code, errs, stdout)
		}
		path := filepath.Join(t.TempDir(), "out")
		write(t, path, "old")
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, errs, code := within(t, "audit", "export", "--format="+format, "-o", path, dir, "--decision=permit"); code != 0 || out+errs != "" {
			t.Errorf("%s: exit %d %s%s", format, code, out, errs)
		}
		content, err := os.ReadFile(path)
		if err != nil || string(content) != stdout {
			t.Errorf("%s: %v\n%s", format, err, content)
		}
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", format, info.Mode(), err)
		}
	}
}

// Where the log cannot be read to its end, no file is there that looks as if it were all.
func TestNoHalfOfAnExportTakesAFilesPlace(t *testing.T) {
	t.Parallel()
	dir, _ := mixed(t)
	path := filepath.Join(t.TempDir(), "out.csv")
	write(t, path, "old")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if code := run(ended, []string{"audit", "export", "--format", "csv", "-o", path, dir}, &out, &out); code != 1 || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("interrupted: exit %d %s", code, out.String())
	}
	write(t, filepath.Join(dir, "audit-00000003.jsonl"), "nonsense\n")
	if out, errs, code := within(t, "audit", "export", "--format", "csv", "-o", path, dir); code != 1 || out != "" || !strings.Contains(errs, "audit-00000003.jsonl, line 1") {
		t.Errorf("exit %d %s%s", code, out, errs)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "old" {
		t.Errorf("%q, %v", content, err)
	}
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	for _, command := range [][]string{{"show"}, {"show", "--json"}, {"stats"}, {"export", "--format", "ocsf"}} {
		if _, errs, code := within(t, append(append([]string{"audit"}, command...), dir)...); code != 1 || !strings.Contains(errs, "line 1") {
			t.Errorf("%v: exit %d %s", command, code, errs)
		}
	}
}

// A link at the place of the output is not followed into the log, nor replaced.
func TestExportDoesNotReplaceALink(t *testing.T) {
	t.Parallel()
	dir, _ := mixed(t)
	link := filepath.Join(t.TempDir(), "out")
	if err := os.Symlink(filepath.Join(dir, "audit-00000001.jsonl"), link); err != nil {
		t.Skip(err)
	}
	if _, errs, code := within(t, "audit", "export", "--format", "csv", "-o", link, dir); code != 2 || !strings.Contains(errs, "no regular file") {
		t.Errorf("exit %d %s", code, errs)
	}
}

// Everything that reads a log does so beside its writer.
func TestALogIsReadWhileItIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	record := func() {
		if err := l.Record(t.Context(), &audit.Event{Phase: audit.PhaseOutcome, MCP: audit.MCP{Tool: "t"}, Outcome: audit.Outcome{Status: audit.StatusOK}}); err != nil {
			t.Error(err)
		}
	}
	record()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond): // or the log would be longer than can be read meanwhile
				record()
			}
		}
	}()
	for range 5 {
		for _, command := range [][]string{{"show"}, {"show", "--json"}, {"stats"}, {"export", "--format", "csv"}, {"export", "--format", "ocsf"}} {
			out, errs, code := within(t, append(append([]string{"audit"}, command...), dir)...)
			if code != 0 || errs != "" || out == "" {
				t.Errorf("%v: exit %d %s", command, code, errs)
			}
			if command[0] == "export" && command[2] == "csv" {
				if _, err := csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil {
					t.Error(err)
				}
			}
		}
	}
	close(stop)
	<-stopped
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestProgressIsOneLineThatIsTakenBack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &progress{w: &out, total: 2_000_000}
	now := time.Now()
	p.at, p.lines = 500_000, 10
	p.tick(now)
	if out.Len() != 0 {
		t.Errorf("a short log has progress: %q", out.String())
	}
	p.tick(now.Add(time.Second))
	p.at = 3_000_000 // the log grew
	p.tick(now.Add(2 * time.Second))
	p.end()
	p.end()
	if got := out.String(); got != "\r\x1b[K 25 %  10 events of 2 MB\r\x1b[K100 %  10 events of 2 MB\r\x1b[K" {
		t.Errorf("%q", got)
	}
}

func TestABrokenPipeEndsTheCommand(t *testing.T) {
	t.Parallel()
	dir, _ := mixed(t)
	for _, command := range [][]string{{"show"}, {"show", "--json"}, {"stats"}, {"stats", "--json"}, {"export", "--format", "ocsf"}} {
		var errs bytes.Buffer
		if code := run(t.Context(), append(append([]string{"audit"}, command...), dir), broken{}, &errs); code != 1 || !strings.Contains(errs.String(), "broken") {
			t.Errorf("%v: exit %d %s", command, code, errs.String())
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }
