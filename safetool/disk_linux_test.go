package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

const diskVariable = "SAFETOOL_TEST_DISK"

// Real file systems that fail under a real log, behind a real client: in a name space of
// mounts of this test's own, which ends with its process.
func TestARealDiskThatFailsRefusesCallsPlainly(t *testing.T) {
	if base := os.Getenv(diskVariable); base != "" {
		onFailingDisks(t, base)
		return
	}
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), diskVariable+"="+t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		c.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
	}
	out, err := c.CombinedOutput()
	if !strings.Contains(string(out), "mounted\n") {
		t.Skipf("nothing can be mounted here: %v, %s", err, out)
	}
	if n := strings.Count(string(out), "--- PASS: "+t.Name()+"/"); err != nil || n != 4 {
		t.Fatalf("%d of 4 passed, %v\n%s", n, err, out)
	}
}

func onFailingDisks(t *testing.T, base string) {
	mounted := func(t *testing.T, name string) string {
		t.Helper()
		at := filepath.Join(base, name)
		if err := errors.Join(os.Mkdir(at, 0o700), syscall.Mount("tmpfs", at, "tmpfs", 0, "size=3m,mode=0700")); err != nil {
			t.Fatal(err)
		}
		return at
	}
	mounted(t, "first")
	fmt.Println("mounted")
	t.Run("full", func(t *testing.T) { onFullDisk(t, mounted(t, "full")) })
	t.Run("read-only", func(t *testing.T) { onReadOnlyDisk(t, mounted(t, "ro")) })
	t.Run("directory moved away", func(t *testing.T) { withoutDirectory(t, mounted(t, "moved")) })
	t.Run("directory removed", func(t *testing.T) { withDirectoryRemoved(t, mounted(t, "removed")) })
}

// When the disk is full calls are refused, and one that had begun is answered; where not even
// the reserve is left, its answer is withheld.
func onFullDisk(t *testing.T, at string) {
	g := onDisk(t, at, nil)
	ballast := filepath.Join(at, "ballast")
	fill := func() {
		file, err := os.OpenFile(ballast, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Error(err)
			return
		}
		defer file.Close()
		for err == nil {
			_, err = file.Write(make([]byte, 4<<10))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("filling the disk: %v", err)
		}
	}
	makeRoom := func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}
	g.answered()
	fill()
	g.refusedWithin(100) // what has been begun of a page has room
	g.refused()
	makeRoom()
	g.resumes()

	g.during(fill)
	g.answered()
	g.refusedWithin(100)
	makeRoom()
	g.resumes()

	g.withheldWithin(1000, func() bool {
		if size := g.segmentSize(); size%4096 < 4096-300 {
			return false // the outcome may have room in the page
		}
		if err := os.Remove(filepath.Join(g.dir, "reserve")); err != nil {
			t.Error(err)
		}
		fill()
		return true
	})
	g.refused()
	makeRoom()
	g.resumes()
	g.ends()
}

// A file system that becomes read-only refuses to make the next segment, and then all.
func onReadOnlyDisk(t *testing.T, at string) {
	g := onDisk(t, at, &audit.Options{SegmentBytes: 1 << 10})
	mount := func(source, kind string, flags uintptr) {
		if err := syscall.Mount(source, at, kind, flags, ""); err != nil {
			t.Errorf("mounting: %v", err)
		}
	}
	readOnly := func() { // for whoever opens something from now on
		mount(at, "", syscall.MS_BIND)
		mount("", "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY)
	}
	writable := func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	}
	g.answered()
	readOnly()
	for calls := 0; g.call() == ""; calls++ { // whichever of its events is the first of a segment
		if calls == 10 {
			t.Fatal("calls are answered and no segment can be begun")
		}
	}
	g.refused()
	writable()
	g.resumes()

	g.withheldWithin(100, func() bool {
		if g.segmentSize() < 1<<10 {
			return false // the outcome goes into the same segment
		}
		readOnly()
		return true
	})
	g.refused()
	mount("", "", syscall.MS_REMOUNT|syscall.MS_RDONLY) // nothing is open for writing, so that all of it can
	writable()
	g.refused()
	mount("", "", syscall.MS_REMOUNT)
	g.resumes()
	g.ends()
}

func withoutDirectory(t *testing.T, at string) {
	g := onDisk(t, at, nil)
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Error(err)
		}
	}
	away := func() { move(g.dir, g.dir+"-away") }
	back := func() { move(g.dir+"-away", g.dir) }
	g.answered()
	away()
	g.refused()
	g.refused()
	back()
	g.resumes()
	g.withheldWithin(1, func() bool { away(); return true })
	g.refused()
	back()
	g.resumes()
	g.ends()
}

// A directory that is removed for good takes a restart, until which nothing runs.
func withDirectoryRemoved(t *testing.T, at string) {
	g := onDisk(t, at, nil)
	g.answered()
	if err := os.RemoveAll(g.dir); err != nil {
		t.Fatal(err)
	}
	g.refused()
	if err := os.Mkdir(g.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	g.refused()
	if err := g.trail.Close(); err == nil {
		t.Error("closing says that all is well")
	}
	again := onDisk(t, at, nil)
	again.answered()
	again.ends()
}

// A guardedDisk is a guarded server whose log is on a disk that fails.
type guardedDisk struct {
	t      *testing.T
	dir    string
	trail  *audit.Log
	client *mcp.ClientSession

	mu     sync.Mutex
	ran    []string // calls whose handler ran
	meddle func()   // in the handler, once
	denied []string // calls that were refused
}

func onDisk(t *testing.T, at string, o *audit.Options) *guardedDisk {
	t.Helper()
	g := &guardedDisk{t: t, dir: filepath.Join(at, "log")}
	var err error
	if g.trail, err = audit.Open(g.dir, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.trail.Close() })
	server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{
		Audit: g.trail, Logger: discard(), Limits: limit.Limits{CallerRate: limit.Rate{Count: 1 << 30, Per: time.Second}},
	})
	if err != nil {
		t.Fatal(err)
	}
	safetool.AddTool(server, &mcp.Tool{Name: "act"}, open, func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, greeted, error) {
		g.runs(safetool.CallFrom(ctx).ID())
		return nil, greeted{"the answer"}, nil
	})
	g.client = safetooltest.NewClient(t, server)
	return g
}

// runs is the handler's work.
func (g *guardedDisk) runs(call string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Contains(g.recorded(audit.PhaseIntent), call) {
		g.t.Errorf("the handler of %s runs, and its intent is not in the log", call)
	}
	g.ran = append(g.ran, call)
	if meddle := g.meddle; meddle != nil {
		g.meddle = nil
		meddle()
	}
}

// recorded are the calls of which the log has an event of a phase.
func (g *guardedDisk) recorded(phase audit.Phase) (calls []string) {
	for e, err := range audit.Read(g.dir) {
		if err != nil {
			g.t.Error(err)
			return nil
		}
		if e.Phase == phase {
			calls = append(calls, e.Call)
		}
	}
	return calls
}

// during has f done in the next handler.
func (g *guardedDisk) during(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.meddle = f
}

func (g *guardedDisk) handlers() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.ran)
}

// segmentSize is the size of the newest segment.
func (g *guardedDisk) segmentSize() int64 {
	segments, err := filepath.Glob(filepath.Join(g.dir, "*.jsonl"))
	if err != nil || len(segments) == 0 {
		g.t.Errorf("%d segments, %v", len(segments), err)
		return 0
	}
	info, err := os.Stat(slices.Max(segments))
	if err != nil {
		g.t.Error(err)
		return 0
	}
	return info.Size()
}

// call makes a call, and returns the code of its refusal, or "".
func (g *guardedDisk) call() (code string) {
	g.t.Helper()
	before := g.handlers()
	res := call(g.t, g.client, "act", nil)
	ran := g.handlers() - before
	if !res.IsError {
		if ran != 1 || !strings.Contains(dump(res), "the answer") {
			g.t.Errorf("answered, the handler ran %d times: %s", ran, dump(res))
		}
		return ""
	}
	raw, err := json.Marshal(res.Meta["safemcp/problem"])
	var p safetool.Problem
	if err = errors.Join(err, json.Unmarshal(raw, &p)); err != nil {
		g.t.Fatalf("%v: %s", err, dump(res))
	}
	g.plain(res, &p)
	switch {
	case p.Code == safetool.CodeAuditUnavailable && ran == 0:
		g.denied = append(g.denied, p.Reference)
	case p.Code == safetool.CodeOutcomeUnrecorded && ran == 1:
	default:
		g.t.Fatalf("the handler ran %d times, answered: %s", ran, dump(res))
	}
	return p.Code
}

// What a caller reads when the log is in trouble, all of it.
var troubled = map[string]*regexp.Regexp{
	safetool.CodeAuditUnavailable: regexp.MustCompile(`^The call was refused because it cannot be recorded: this server's audit log does not accept records at the moment\. ` +
		`Nothing was done\.\nTry again later\.\nReference: [A-Z2-7]{26}$`),
	safetool.CodeOutcomeUnrecorded: regexp.MustCompile(`^The operation may have happened, but its outcome could not be recorded, so its answer is withheld\.\n` +
		`Do not simply repeat it: check the effect first\.\nReference: [A-Z2-7]{26}$`),
}

// plain says that a refusal is in words for a caller, and names nothing inside.
func (g *guardedDisk) plain(res *mcp.CallToolResult, p *safetool.Problem) {
	g.t.Helper()
	if words := troubled[p.Code]; words == nil || !words.MatchString(textOf(res)) {
		g.t.Errorf("told: %s", dump(res))
	}
	if p.Category != safetool.CategoryServer || p.Retry != (p.Code == safetool.CodeAuditUnavailable) || len(p.Fields) > 0 {
		g.t.Errorf("the problem is %+v", p)
	}
	told := strings.ToLower(strings.ReplaceAll(dump(res), p.Reference, ""))
	for _, inside := range []string{g.dir, filepath.Base(filepath.Dir(g.dir)) + "/", ".jsonl", "checkpoint", "segment", "lock", "errno", "space", "disk", "read-only", "no such file", "input/output", "the answer"} {
		if strings.Contains(told, strings.ToLower(inside)) {
			g.t.Errorf("%q is told: %s", inside, told)
		}
	}
}

func (g *guardedDisk) answered() {
	g.t.Helper()
	if code := g.call(); code != "" {
		g.t.Errorf("a call was refused: %s", code)
	}
}

func (g *guardedDisk) refused() {
	g.t.Helper()
	g.refusedWithin(1)
}

// refusedWithin makes calls until one is refused.
func (g *guardedDisk) refusedWithin(calls int) {
	g.t.Helper()
	for range calls {
		if code := g.call(); code == safetool.CodeAuditUnavailable {
			g.unwell()
			return
		} else if code != "" {
			g.t.Errorf("a call ended as %s", code)
		}
	}
	g.t.Fatalf("%d calls were answered on a disk that fails", calls)
}

// withheldWithin makes calls until the handler of one could have the disk fail, whose answer
// is withheld.
func (g *guardedDisk) withheldWithin(calls int, fail func() bool) {
	g.t.Helper()
	for range calls {
		failed := false
		g.during(func() { failed = fail() })
		code := g.call()
		if failed && code != safetool.CodeOutcomeUnrecorded || !failed && code != "" {
			g.t.Fatalf("the disk has failed: %v, and the call ended as %q", failed, code)
		}
		if failed {
			g.unwell()
			return
		}
	}
	g.t.Fatal("no call was at the right place")
}

func (g *guardedDisk) unwell() {
	g.t.Helper()
	if g.trail.Healthy() == nil {
		g.t.Error("calls are refused, and the log says that it is well")
	}
}

// resumes waits until calls are answered again.
func (g *guardedDisk) resumes() {
	g.t.Helper()
	eventually(g.t, func() bool { return g.call() == "" }, func() string { return fmt.Sprint(g.trail.Healthy()) })
	if err := g.trail.Healthy(); err != nil {
		g.t.Errorf("calls are answered, and the log says %v", err)
	}
}

// ends closes the log, and looks at all of it.
func (g *guardedDisk) ends() {
	g.t.Helper()
	_ = g.client.Close()
	if err := g.trail.Close(); err != nil {
		g.t.Errorf("closing the log: %v", err)
	}
	intents := g.recorded(audit.PhaseIntent)
	for _, call := range g.ran {
		if !slices.Contains(intents, call) {
			g.t.Errorf("%s ran, and its intent is not in the log", call)
		}
	}
	for _, call := range g.denied {
		if slices.Contains(intents, call) {
			g.t.Errorf("%s was refused, and its intent is in the log", call)
		}
	}
	if r, err := audit.Verify(g.dir, nil); err != nil || r.Bad != nil {
		g.t.Errorf("%v, %v", r.Bad, err)
	}
}
