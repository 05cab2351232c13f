package arg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate/arg"
)

// ownEnvironment has the program print, and end without the second that the race detector
// waits.
var ownEnvironment = []string{printArguments, "GORACE=atexit_sleep_ms=0"}

// program is this test's own, which prints what it was given.
func program(t *testing.T, o arg.ProgramOptions) *arg.Program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Env = append(o.Env, ownEnvironment...)
	p, err := arg.NewProgram(self, &o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, p *arg.Program, args ...arg.Option) (out printed) {
	t.Helper()
	cmd, err := arg.Command(t.Context(), p, args...)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	return out
}

// Each payload that is taken is one argument behind "--", byte by byte, and nothing else
// has happened.
func TestNoPayloadIsExecutedOrTakenForAnOption(t *testing.T) {
	t.Parallel()
	decode, _ := decoder[arg.Option](t)
	dir := t.TempDir()
	p := program(t, arg.ProgramOptions{Options: []string{"-n", "--fixed"}, Dir: dir})
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	var batch []arg.Option
	var texts []string
	taken, refused := 0, 0
	flush := func() {
		got := run(t, p, batch...)
		if want := append([]string{"-n", "--fixed", "--"}, texts...); !slices.Equal(got.Args[1:], want) {
			t.Errorf("it was given %q, not %q", got.Args[1:], want)
		}
		if got.Dir != dir || !slices.Equal(got.Env, ownEnvironment) && os.PathSeparator == '/' {
			t.Errorf("it ran in %s with %q", got.Dir, got.Env)
		}
		// As somebody would who prints it into a shell's line, against all advice.
		words := make([]string, len(batch))
		for i, o := range batch {
			words[i] = o.String()
		}
		line := exec.CommandContext(t.Context(), shell, "-c", `printf '%s\n' `+strings.Join(words, " "))
		line.Dir = dir
		out, err := line.CombinedOutput()
		if want := strings.Join(texts, "\n") + "\n"; string(out) != want || err != nil {
			t.Errorf("printed into a shell's line it is %q, not %q: %v", out, want, err)
		}
		batch, texts = nil, nil
	}
	for _, part := range []string{"Command Injection", "SQL Injection", "Directory Traversal"} {
		for _, payload := range payloads(t, part) {
			o, err := decode(payload)
			if err != nil {
				mustNotEcho(t, err, payload)
				refused++
				continue
			}
			if payload[0] == '-' {
				t.Errorf("%q is taken", payload)
			}
			taken++
			batch, texts = append(batch, o), append(texts, payload)
			if len(batch) == 64 {
				flush()
			}
		}
	}
	flush()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("something was made: %v, %v", left, err)
	}
	t.Logf("%d taken, %d refused", taken, refused)
}

func TestNoOptionIsTaken(t *testing.T) {
	t.Parallel()
	decode, _ := decoder[arg.Option](t)
	for _, s := range []string{
		"", "-", "--", "-rf", "--help", "-exec=sh", "\u2010a", "\u2011a", "\u2012a", "–a", "—a", "―a", "−a", "﹘a", "﹣a", "－a", "\u00ada", "\u2e3aa", "\u2053a", "⁻a", "₋a", "\u200b-a", "\ufeff-a",
		"a\x00b", "a\nb", "a\rb", "a\tb", "a\x1b]0;x\x07", "a\u2028b", "a\u202eb", "a\U000e0041", "\x7f", strings.Repeat("a", 4097),
	} {
		if o, err := decode(s); err == nil || !o.IsZero() {
			t.Errorf("%q is taken", s)
		}
	}
	for _, s := range []string{"a", "a-b", " -a", "+x", "/etc/passwd", "$(id)", "`id`", "a;b|c&d", "it's", "a  b", "*", "~", "é", "日本", "👩‍💻", strings.Repeat("a", 4096)} {
		if _, err := decode(s); err != nil {
			t.Errorf("%q is refused: %v", s, err)
		}
	}
}

// No environment, no directory and no argument is there that nobody gave.
func TestNothingOfTheServerReachesACommand(t *testing.T) {
	t.Setenv("ARG_TEST_SECRET", "canary")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bare, err := arg.NewProgram(self, nil)
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := arg.Command(t.Context(), bare)
	if err != nil || cmd.Env == nil || len(cmd.Env) > 0 || cmd.Stdin != nil || !filepath.IsAbs(cmd.Dir) || cmd.Cancel == nil || cmd.WaitDelay == 0 {
		t.Fatalf("%+v, %v", cmd, err)
	}
	cmd.Env = append(cmd.Env, "ADDED=1") // is the caller's own
	got := run(t, program(t, arg.ProgramOptions{Env: []string{"A=b"}}))
	if strings.Contains(strings.Join(got.Env, " "), "canary") || !slices.Contains(got.Env, "A=b") || slices.Contains(got.Env, "ADDED=1") || !slices.Equal(got.Args[1:], []string{"--"}) {
		t.Errorf("it was given %+v", got)
	}
	var unset arg.Option
	if _, err := arg.Command(t.Context(), bare, unset); !errors.Is(err, arg.ErrUnset) {
		t.Errorf("an argument that was not decoded is given: %v", err)
	}
	for _, p := range []*arg.Program{nil, {}} {
		if _, err := arg.Command(t.Context(), p); err == nil {
			t.Error("no program runs")
		}
	}
	o := unset
	if err := o.UnmarshalText(bytes.Repeat([]byte("a"), 4096)); err != nil {
		t.Fatal(err)
	}
	if _, err := arg.Command(t.Context(), bare, slices.Repeat([]arg.Option{o}, 17)...); err == nil {
		t.Error("68 KiB are given")
	}
	if _, err := arg.Command(t.Context(), bare, slices.Repeat([]arg.Option{o}, 65)...); err == nil {
		t.Error("65 arguments are given")
	}
}

// Who allows a program that runs what its arguments say has allowed every program.
func TestNoProgramIsAllowedThatRunsItsArguments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(to, name string) string {
		path := filepath.Join(dir, name)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := at("tool", 0o700)
	wrong := []string{
		"", "tool", "./tool", dir, filepath.Join(dir, "missing"), dir + "/../" + filepath.Base(dir) + "/tool", dir + "//tool", good + "\x00",
		at("sh", 0o700), at("bash", 0o700), at("python3.12", 0o700), at("env", 0o700), at("xargs", 0o700), at("sudo", 0o700), at("cmd.exe", 0o700), at("PowerShell.EXE", 0o700), at("x.bat", 0o700), at("y.CMD", 0o700), at("perl5.36", 0o700), at("busybox", 0o700), at("gsed", 0o700), at("sqlite3", 0o700), at("gmake", 0o700), at("ld-linux-x86-64.so.2", 0o700), at("vim.tiny", 0o700),
		link("bash", "harmless"), link(at("busybox-x", 0o700), "ash"),
	}
	if os.PathSeparator == '/' {
		wrong = append(wrong, at("data", 0o600), at("anybody", 0o777))
	}
	for _, path := range wrong {
		if _, err := arg.NewProgram(path, nil); err == nil {
			t.Errorf("%q is allowed", path)
		}
	}
	for _, o := range []arg.ProgramOptions{
		{Options: []string{"--"}},
		{Options: []string{"a\x00"}},
		{Env: []string{"A"}},
		{Env: []string{"=a"}},
		{Env: []string{"A=\x00"}},
		{Dir: "relative"},
		{MaxArgs: -1},
	} {
		if p, err := arg.NewProgram(good, &o); err == nil || p != nil {
			t.Errorf("%+v is taken", o)
		}
	}
	for _, path := range []string{good, link("busybox", "ls"), at("shuf", 0o755), at("basher", 0o700)} {
		if _, err := arg.NewProgram(path, nil); err != nil {
			t.Error(err)
		}
	}
}
