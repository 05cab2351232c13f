package validate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

// A volume is a directory as the kubelet keeps that of a ConfigMap: the files are in a
// directory with a name of its own, ..data is a link to that, and each file a link through
// ..data. A change is a new directory, and ..data renamed over; the old one is removed.
type volume struct {
	dir, data string
	n         int
}

func (v *volume) publish(t *testing.T, text string) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old := v.data
	v.n++
	v.data = fmt.Sprintf("..2026_11_26_%d", v.n)
	check(os.Mkdir(filepath.Join(v.dir, v.data), 0o755))
	check(os.WriteFile(filepath.Join(v.dir, v.data, "cities"), []byte(text), 0o644))
	check(os.Symlink(v.data, filepath.Join(v.dir, "..data_tmp")))
	check(os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
	if old == "" {
		check(os.Symlink("..data/cities", filepath.Join(v.dir, "cities")))
		return
	}
	check(os.RemoveAll(filepath.Join(v.dir, old)))
}

// swapped reads the list from there while the volume is changed here, and as long as it
// takes to have seen many changes. It never fails, and is never of two versions.
func swapped(t *testing.T, v *volume, there string) {
	t.Helper()
	text := func(n int) string {
		return strings.Repeat("# a comment that is as long as others\n", 500) + fmt.Sprintf("A%d\nB%d\n", n, n)
	}
	v.publish(t, text(0))
	list := validate.Cached(validate.AllowFile(filepath.Join(there, "cities")), &validate.CacheOptions{Lifetime: time.Nanosecond})
	if got, err := list.Values(t.Context()); err != nil || !slices.Equal(got, []string{"A0", "B0"}) {
		t.Fatalf("%v, %v", got, err)
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
				v.publish(t, text(i))
			}
		}
	})
	seen := map[string]bool{}
	for until, tries := time.Now().Add(time.Minute), 0; (len(seen) < 100 || tries < 2000) && time.Now().Before(until); tries++ {
		got, err := list.Values(t.Context())
		if err != nil || len(got) != 2 || got[0][1:] != got[1][1:] {
			t.Errorf("%v, %v", got, err)
			break
		}
		seen[got[0]] = true
	}
	close(stop)
	writer.Wait()
	if !t.Failed() && len(seen) < 100 {
		t.Errorf("saw %d of its versions", len(seen))
	}
	v.publish(t, "Oslo\n")
	if got, err := list.Values(t.Context()); err != nil || !slices.Equal(got, []string{"Oslo"}) {
		t.Errorf("the last one: %v, %v", got, err)
	}
}

func TestAVolumeThatIsSwappedIsReadAnewAndNeverHalf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	swapped(t, &volume{dir: dir}, dir)
}

// What everybody may write to is not followed, unless it is mounted so that nobody can: a
// ConfigMap's directory has the mode 0777, and is mounted read-only.
func TestAVolumeThatAnybodyCouldSwapAllowsNothing(t *testing.T) {
	t.Parallel()
	v := &volume{dir: t.TempDir()}
	v.publish(t, "Oslo\n")
	if err := os.Chmod(v.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if got, err := validate.AllowFile(filepath.Join(v.dir, "cities")).Values(t.Context()); err == nil || got != nil || !strings.Contains(err.Error(), "can replace") {
		t.Errorf("%v, %v", got, err)
	}
}

// mountEnv tells the test's own program, in a namespace of mounts of its own, to be the pod.
const mountEnv = "SAFEMCP_TEST_CONFIGMAP"

func TestAMountedConfigMapIsAnAllowlist(t *testing.T) {
	if dir := os.Getenv(mountEnv); dir != "" {
		inPod(t, dir)
		return
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAMountedConfigMapIsAnAllowlist$", "-test.v")
	cmd.Env = append(os.Environ(), mountEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSPC), strings.Contains(string(out), "may not mount"):
		t.Skipf("this system lets a test mount nothing: %v, %s", err, out)
	case err != nil:
		t.Fatalf("%v: %s", err, out)
	}
}

// inPod mounts one volume twice: as the kubelet has it, and read-only, as the pod does.
func inPod(t *testing.T, dir string) {
	t.Helper()
	here, there := filepath.Join(dir, "kubelet"), filepath.Join(dir, "pod")
	for _, d := range []string{here, there} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount := func(source, target, kind string, flags uintptr, data string) {
		t.Helper()
		if err := syscall.Mount(source, target, kind, flags, data); err != nil {
			t.Fatalf("may not mount: %v", err)
		}
	}
	mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, "")
	mount("volume", here, "tmpfs", 0, "mode=0777")
	mount(here, there, "", syscall.MS_BIND, "")
	mount("", there, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	if info, err := os.Stat(there); err != nil || info.Mode().Perm() != 0o777 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	swapped(t, &volume{dir: here}, there)
	if got, err := validate.AllowFile(filepath.Join(here, "cities")).Values(context.Background()); err == nil {
		t.Errorf("what anybody can write to is taken: %v", got)
	}
}
