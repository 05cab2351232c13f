package arg_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate/arg"
)

// A list of patterns is decoded before anybody counts them: what each is compiled to, two
// megabytes of it, is not there until it is used.
func TestPatternsTakeNoMemoryBeforeTheyAreUsed(t *testing.T) {
	raw, err := json.Marshal(slicesOf(strings.Repeat(`\PL`, 14), 500))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var patterns []arg.Pattern
	if err := json.Unmarshal(raw, &patterns); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int(after.HeapAlloc) - int(before.HeapAlloc); grown > 20*len(raw) {
		t.Errorf("%d bytes of patterns take %d bytes", len(raw), grown)
	}
	if ok, err := patterns[499].MatchString(strings.Repeat("1", 14)); err != nil || !ok {
		t.Error(ok, err)
	}
}

func slicesOf(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// Programs that run what their first operand names, each of which was seen to.
func TestNoProgramThatRunsItsArgumentsIsNew(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"capsh", "choom", "dbus-run-session", "gpg-agent", "logsave", "npm", "run-parts", "ssh-agent"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("#!/bin/true\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := arg.NewProgram(path, nil); err == nil || !strings.Contains(err.Error(), "runs what its arguments say") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type anyHost struct{}

func (anyHost) URL() arg.URLOptions { return arg.URLOptions{AnyHost: true} }

// Names that only a cluster's own DNS answers are no public ones.
func TestNamesOfAClusterAreNotPublic(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"kubernetes.default.svc": false, "vault.kube-system": false, "db.ns_1": false, "vault.service.consul": false, "a.b1": false,
		"example.org": true, "example.xn--p1ai": true, "a-b.co.uk": true,
	} {
		var u arg.URL[anyHost]
		if err := u.UnmarshalText([]byte("https://" + host + "/")); (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
}
