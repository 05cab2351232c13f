//go:build unix

package arg_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate/arg"
)

// Pipes, sockets, devices and files of two names are refused, without waiting for anybody
// at the pipe's other end.
func TestNothingIsOpenedThatIsNoFile(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "in")
	put(t, filepath.Join(top, "secret"), outside)
	put(t, filepath.Join(dir, "plain"), inside)
	if err := os.Link(filepath.Join(top, "secret"), filepath.Join(dir, "hard")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pipe", filepath.Join(dir, "to-pipe")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // the name of a socket is short
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wrong := map[string]error{"hard": arg.ErrHardLink, "pipe": arg.ErrKind, "to-pipe": arg.ErrKind, "socket": arg.ErrKind, ".": arg.ErrKind}
	if syscall.Mknod(filepath.Join(dir, "device"), syscall.S_IFCHR|0o600, 1<<8|3) == nil {
		wrong["device"] = arg.ErrKind
	} else {
		t.Log("no device can be made here: that one is not looked at")
	}
	bind(t, dir, arg.PathOptions{Writable: true})
	decode, _ := decoder[arg.Path[Tree]](t)
	for name, want := range wrong {
		p, err := decode(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Open(); !errors.Is(err, want) {
			t.Errorf("%s is opened: %v", name, err)
		}
		if _, err := p.Create(); !errors.Is(err, want) {
			t.Errorf("%s is written: %v", name, err)
		}
		if _, err := p.Stat(); !errors.Is(err, want) && name != "." {
			t.Errorf("%s is described: %v", name, err)
		}
		if _, err := p.List(); err == nil && name != "." {
			t.Errorf("%s is listed", name)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(top, "secret")); string(text) != outside {
		t.Errorf("the file outside is %q", text)
	}
	bind(t, dir, arg.PathOptions{HardLinks: true})
	p, err := decode("hard")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := p.ReadFile(); string(text) != outside || err != nil {
		t.Errorf("what the option takes is refused: %v", err)
	}
}

// Somebody who can write to the directory changes it while it is read: a directory
// becomes a link to one outside, a file becomes a pipe or another name of a file outside.
func TestNoRaceOpensOutsideOfTheDirectory(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "in")
	put(t, filepath.Join(top, "out", "file"), outside)
	put(t, filepath.Join(dir, "plain"), inside)
	must := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	bind(t, dir, arg.PathOptions{Writable: true})
	decode, _ := decoder[arg.Path[Tree]](t)
	below, err := decode("swap/file")
	if err != nil {
		t.Fatal(err)
	}
	swap, _ := decode("swap")
	single, _ := decode("single")
	stop, done := make(chan struct{}), make(chan struct{})
	var swapping sync.WaitGroup
	var waiting atomic.Bool
	waiting.Store(true)
	at := func(name string) string { return filepath.Join(dir, name) }
	defer func() {
		waiting.Store(false)
		close(stop)
		swapping.Wait()
	}()
	swapping.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			old := at("old" + strconv.Itoa(n)) // whole, since a file may be made in it while it is removed
			if os.Rename(at("swap"), old) == nil {
				_ = os.RemoveAll(old)
			}
			if n%2 == 0 {
				must(os.Symlink("../out", at("swap")))
			} else {
				must(os.MkdirAll(at("next"), 0o700))
				must(os.WriteFile(at("next/file"), []byte(inside), 0o600))
				must(os.Rename(at("next"), at("swap")))
			}
			_ = os.Remove(at("other"))
			switch n % 4 {
			case 0:
				must(os.Link(filepath.Join(top, "out", "file"), at("other")))
			case 1:
				must(syscall.Mkfifo(at("other"), 0o600))
			case 2:
				must(os.Symlink("../out/file", at("other")))
			case 3: // by no rename, so that it is not waited for
				must(os.Remove(at("single")))
				must(os.WriteFile(at("single"), []byte(inside), 0o600))
				continue
			}
			must(os.Rename(at("other"), at("single")))
		}
	})
	var read, refused int
	go func() {
		defer close(done)
		for n := 0; (n < 20_000 || read < 500 || refused < 500) && waiting.Load(); n++ { // until both have happened often
			for _, p := range []arg.Path[Tree]{below, single} {
				text, err := p.ReadFile()
				switch {
				case err != nil:
					refused++
				case strings.Contains(string(text), outside):
					t.Error("what is outside is read")
				default:
					read++
				}
				if f, err := p.Open(); err == nil {
					if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
						t.Errorf("what is no file is open: %v, %v", info, err)
					}
					_ = f.Close()
				}
				if f, err := p.Create(); err == nil {
					_, _ = f.Write([]byte(inside))
					_ = f.Close()
				}
			}
			if list, err := swap.List(); err == nil {
				for _, entry := range list {
					if entry.Size() == int64(len(outside)) {
						t.Error("what is outside is listed")
					}
				}
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing raced, or something waits for the other end of a pipe")
	}
	if text, _ := os.ReadFile(filepath.Join(top, "out", "file")); string(text) != outside {
		t.Errorf("the file outside is %q", text)
	}
	t.Logf("%d were read and %d refused", read, refused)
}
