//go:build unix

package agefile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o600) }

// A file of another user is not this user's, even where root could read it: what root
// then wrote would be root's, and the server could not open it any more.
func TestFilesOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of others")
	}
	path := openStore(t).inner().path
	for _, p := range []string{path, path + ".identity", filepath.Dir(path)} {
		if err := os.Chown(p, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "belongs to the user 12345, and this is user 0") {
			t.Errorf("%s: %v", filepath.Base(p), err)
		}
		if err := os.Chown(p, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// A real file system that cannot be written, in a name space of this test's own.
func TestAReadOnlyMountIsForReading(t *testing.T) {
	t.Parallel()
	path := openStore(t).inner().path
	c := exec.CommandContext(t.Context(), "unshare", "-r", "-m", "sh", "-c", `mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && echo mounted && exec "$2"`,
		"sh", filepath.Dir(path), must(os.Executable()))
	c.Env = append(os.Environ(), "AGEFILE_TEST_READ="+path)
	out, err := c.CombinedOutput()
	if !strings.HasPrefix(string(out), "mounted\n") {
		t.Skipf("nothing can be mounted here: %v, %s", err, out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"issued " + canary, "there already: <nil>",
		"set: agefile: " + path + " can be read and not changed, since its file system is read-only",
		"first: agefile: there is no store",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
