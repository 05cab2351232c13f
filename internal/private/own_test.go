package private

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// onUnix skips a test where there are no such owners and modes.
func onUnix(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps owners, links and modes elsewhere")
	}
}

func written(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// faulty is a file on a disk that fails at one step.
type faulty struct {
	*os.File
	write, sync, closing error
}

func (f *faulty) Write(b []byte) (int, error) {
	if f.write != nil {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, f.write
	}
	return f.File.Write(b)
}

func (f *faulty) Sync() error { return errors.Join(f.sync, f.File.Sync()) }

func (f *faulty) Close() error { return errors.Join(f.File.Close(), f.closing) }

// Whichever step fails, the file is the old one or the new one, nothing lies about, and
// the error says which of the two.
func TestAFaultAtAnyStepLeavesAWholeFile(t *testing.T) {
	t.Parallel()
	fault := errors.New("the disk is full")
	for name, c := range map[string]struct {
		create, write, sync, closing, place, dir error
		want                                     string
	}{
		"none":   {want: "new"},
		"create": {create: fault, want: "old"},
		"write":  {write: fault, want: "old"},
		"sync":   {sync: fault, want: "old"},
		"close":  {closing: fault, want: "old"},
		"place":  {place: fault, want: "old"},
		"dir":    {dir: fault, want: "new"},
	} {
		path := written(t, filepath.Join(t.TempDir(), "f"), "old")
		steps := []string{}
		step := func(name string, err error) error { steps = append(steps, name); return err }
		err := put(path, func(w io.Writer) error { _, err := w.Write([]byte("new")); return err }, disk{
			create: func(dir, pattern string) (file, error) {
				if c.create != nil {
					return nil, c.create
				}
				f, err := os.CreateTemp(dir, pattern)
				return &faulty{f, c.write, c.sync, c.closing}, err
			},
			place: func(from, to string) error {
				if err := step("place", c.place); err != nil {
					return err
				}
				return os.Rename(from, to)
			},
			syncDir: func(dir string) error { return errors.Join(step("sync", c.dir), syncDir(dir)) },
		})
		if (err != nil) != (name != "none") || (err != nil && (!errors.Is(err, fault) || strings.Contains(err.Error(), "nothing was changed") != (c.want == "old"))) {
			t.Errorf("%s: %v", name, err)
		}
		if content, err := os.ReadFile(path); err != nil || string(content) != c.want {
			t.Errorf("%s: %q, %v", name, content, err)
		}
		if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v", name, all, err)
		}
		if c.want == "new" && strings.Join(steps, " ") != "place sync" {
			t.Errorf("%s: %v", name, steps)
		}
	}
}

func TestALinkThatOthersCouldHaveMadeIsNotFollowed(t *testing.T) {
	t.Parallel()
	onUnix(t)
	dir := t.TempDir()
	target := written(t, filepath.Join(dir, "real", "f"), "text")
	want, err := filepath.EvalSymlinks(target)
	if err != nil {
		t.Fatal(err)
	}
	links := filepath.Join(dir, "links")
	if err := os.Mkdir(links, 0o700); err != nil {
		t.Fatal(err)
	}
	one, two, dangling, loop := filepath.Join(links, "one"), filepath.Join(links, "two"), filepath.Join(links, "dangling"), filepath.Join(links, "loop")
	for link, to := range map[string]string{one: "../real/f", two: one, dangling: "../real/new", loop: "loop"} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	for path, end := range map[string]string{target: want, one: want, two: want, dangling: filepath.Join(filepath.Dir(want), "new"), filepath.Join(dir, "absent", "f"): filepath.Join(dir, "absent", "f")} {
		if got, err := Resolve(path); got != end || err != nil {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
	if _, err := Resolve(loop); err == nil || !strings.Contains(err.Error(), "more than 40 links") {
		t.Errorf("got %v", err)
	}
	if _, _, err := OpenOwn(one, 100, ""); err == nil || !strings.Contains(err.Error(), "has become a link") {
		t.Errorf("a link that Resolve has not seen: %v", err)
	}
	for _, mode := range []os.FileMode{0o777, 0o770, 0o702} { // others can replace it
		if err := os.Chmod(links, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Resolve(two); err == nil || !strings.Contains(err.Error(), "can replace") {
			t.Errorf("%v: %v", mode, err)
		}
	}
	if err := os.Chmod(links, 0o777|os.ModeSticky); err != nil { // they cannot
		t.Fatal(err)
	}
	if got, err := Resolve(two); got != want || err != nil {
		t.Errorf("in a directory like /tmp: %s, %v", got, err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of others")
	}
	for _, link := range []string{one, two} {
		if err := os.Lchown(link, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if _, err := Resolve(two); err == nil || !strings.Contains(err.Error(), "another user made") {
			t.Errorf("a link of another user: %v", err)
		}
		if err := os.Lchown(link, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatBelongsToOthersIsRefused(t *testing.T) {
	t.Parallel()
	onUnix(t)
	path := written(t, filepath.Join(t.TempDir(), "d", "f"), "text")
	dir := filepath.Dir(path)
	for mode, ok := range map[os.FileMode]bool{0o700: true, 0o755: true, 0o500: true, 0o770: false, 0o720: false, 0o702: false, 0o777 | os.ModeSticky: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := Dir(dir); (err == nil) != ok || (!ok && !strings.Contains(err.Error(), "others can write")) {
			t.Errorf("%v: %v", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Dir(path); err == nil {
		t.Error("a file passes for a directory")
	}
	if err := Dir(dir + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	f, _, err := OpenOwn(path, 4, "")
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of others")
	}
	for _, p := range []string{path, dir} {
		if err := os.Chown(p, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := OpenOwn(path, 4, ""); err == nil || !strings.Contains(err.Error(), "belongs to the user 12345") {
		t.Errorf("a file of another user: %v", err)
	}
	if err := Dir(dir); err == nil || !strings.Contains(err.Error(), "belongs to the user 12345") {
		t.Errorf("a directory of another user: %v", err)
	}
}
