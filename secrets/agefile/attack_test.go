package agefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/secrets"
)

// The new file is written and cannot take the old one's place: the old one and what was
// read from it stay, nothing lies about, and the next change works.
func TestAChangeThatCannotBePlacedChangesNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	in := s.inner()
	fault := errors.New("the disk is full")
	in.place = func(string, string) error { return fault }
	before, err := os.ReadFile(in.path)
	if err != nil {
		t.Fatal(err)
	}
	version := must(s.List())[0].Version
	for name, change := range map[string]func() error{
		"Set": func() error { return s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte("another-"+canary))) },
		"SetFields": func() error {
			return s.SetFields(t.Context(), "a", map[string]secrets.Secret{"c": secrets.NewSecret([]byte(canary))})
		},
		"Ensure": func() error { return s.EnsureRandom(t.Context(), "a", "d", 16) },
		"Delete": func() error { return s.Delete(t.Context(), "a", "b") },
	} {
		if err := change(); !errors.Is(err, fault) || !strings.Contains(err.Error(), "nothing was changed") || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(in.path); err != nil || !bytes.Equal(now, before) {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
		if all := must(s.List()); len(all) != 1 || all[0].Version != version || issued(t, s, "a", "b") != canary {
			t.Errorf("%s: what was read was changed: %v", name, all)
		}
	}
	if all := must(os.ReadDir(filepath.Dir(in.path))); len(all) != 3 {
		t.Errorf("left behind: %v", all)
	}
	in.place = os.Rename
	if err := s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte("another-"+canary))); err != nil || issued(t, s, "a", "b") != "another-"+canary {
		t.Error(err)
	}
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// All fields are stored, or none.
func TestFieldsAreSetTogether(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	good := secrets.NewSecret([]byte(canary))
	for name, bad := range map[string]map[string]secrets.Secret{
		"none": {}, "empty": {"c": good, "d": {}}, "long": {"c": good, "d": secrets.NewSecret(make([]byte, maxValue+1))}, "name": {"c": good, "a/../b": good},
	} {
		if err := s.SetFields(t.Context(), "a", bad); err == nil {
			t.Errorf("%s: no error", name)
		}
		if all := must(s.List()); len(all) != 1 {
			t.Errorf("%s: %v", name, all)
		}
	}
	before := must(s.List())[0]
	if err := s.SetFields(t.Context(), "a", map[string]secrets.Secret{"b": good, "c": good}); err != nil {
		t.Fatal(err)
	}
	all := must(s.List())
	if len(all) != 2 || all[0] != before || all[1].Binding.Field() != "c" || all[1].Bytes != len(canary) || all[1].Changed.IsZero() || time.Since(all[1].Changed) > time.Hour {
		t.Errorf("%v", all)
	}
	if text := fmt.Sprintf("%+v %#v", all, all); strings.Contains(text, canary) {
		t.Error("a list shows a value")
	}
}

// A store is mounted where nothing can be written: it is read, and a change says why it
// cannot be made before it touches anything.
func TestAMediumThatCannotBeWrittenIsForReading(t *testing.T) {
	t.Parallel()
	for why, want := range map[error]string{errReadOnly: "file system is read-only", syscall.EACCES: "may not write to"} {
		path := openStore(t).inner().path
		if err := os.Remove(path + ".lock"); err != nil {
			t.Fatal(err)
		}
		medium := func(string) error { return why }
		begin := func(path string, o *Options) (*Store, error) {
			return open(path, o, &store{patience: lockTimeout, place: os.Rename, medium: medium, turn: make(chan struct{}, 1)})
		}
		s, err := begin(path, nil)
		if err != nil || issued(t, s, "a", "b") != canary || len(must(s.List())) != 1 || s.Healthy(t.Context()) != nil {
			t.Fatalf("it cannot be read: %v", err)
		}
		if err := s.EnsureRandom(t.Context(), "a", "b", 16); err != nil {
			t.Errorf("a value that is there already: %v", err)
		}
		for method, err := range map[string]error{
			"Writable":     s.Writable(),
			"Set":          s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(canary+"!"))),
			"Delete":       s.Delete(t.Context(), "a", "b"),
			"EnsureRandom": s.EnsureRandom(t.Context(), "a", "c", 16),
		} {
			if !errors.Is(err, why) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "can be read and not changed") {
				t.Errorf("%s: %v", method, err)
			}
		}
		if all := must(os.ReadDir(filepath.Dir(path))); len(all) != 2 {
			t.Errorf("something was written: %v", all)
		}
		// a store that is not there, with an identity and without
		for _, o := range []*Options{nil, {Identity: path + ".identity"}} {
			fresh := filepath.Join(filepath.Dir(path), "new", "secrets.age")
			if _, err := begin(fresh, o); !errors.Is(err, why) || !strings.Contains(err.Error(), "there is no store") || !strings.Contains(err.Error(), "safetool secrets set") {
				t.Errorf("a first run: %v", err)
			}
		}
	}
	if s := openStore(t); s.Writable() != nil {
		t.Error(s.Writable())
	}
}

// Between two looks somebody puts a link, a directory, a longer file or one that others
// can read in the store's place. What it leads to is neither read nor written.
func TestWhatTakesTheStoresPlaceIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps links and modes elsewhere")
	}
	victim := openStore(t) // of the same user, elsewhere
	whole := must(os.ReadFile(victim.inner().path))
	for name, put := range map[string]func(path string) error{
		"a link":       func(path string) error { return os.Symlink(victim.inner().path, path) },
		"a directory":  func(path string) error { return os.Mkdir(path, 0o700) },
		"a pipe":       mkfifo,
		"a long file":  func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)) },
		"an open file": func(path string) error { return errors.Join(os.WriteFile(path, whole, 0o600), os.Chmod(path, 0o660)) },
	} {
		s := openStore(t)
		path := s.inner().path
		if err := errors.Join(os.Remove(path), put(path)); err != nil {
			t.Errorf("%s cannot be made here: %v", name, err)
			continue
		}
		for method, err := range map[string]error{
			"Healthy": s.Healthy(t.Context()),
			"Set":     s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte("another-"+canary))),
			"Delete":  s.Delete(t.Context(), "a", "b"),
		} {
			if err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: %s: %v", name, method, err)
			}
		}
		if now := must(os.ReadFile(victim.inner().path)); !bytes.Equal(now, whole) {
			t.Errorf("%s: what it leads to was changed", name)
		}
	}
	// the directory is opened to others while the store is in use: nothing is put there
	s := openStore(t)
	before := must(os.ReadFile(s.inner().path))
	key := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(key, must(os.ReadFile(s.inner().path+".identity")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(s.inner().path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte("another-"+canary))); err == nil || !strings.Contains(err.Error(), "nothing was changed: others can write") {
		t.Errorf("got %v", err)
	}
	if now := must(os.ReadFile(s.inner().path)); !bytes.Equal(now, before) {
		t.Error("it was changed")
	}
	for _, o := range []*Options{nil, {Identity: key}} {
		if _, err := Open(s.inner().path, o); err == nil || !strings.Contains(err.Error(), "others can write") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := Open(filepath.Join(filepath.Dir(s.inner().path), "new.age"), nil); err == nil || !strings.Contains(err.Error(), "others can write") {
		t.Errorf("got %v", err)
	}
}

// A link and the file change places without end while the store is used. It is read as
// itself or refused, and what the link leads to stays as it is.
func TestARaceOfLinksLeadsNowhere(t *testing.T) {
	t.Parallel()
	s, victim := openStore(t), openStore(t)
	if err := victim.Set(t.Context(), "a", "b", secrets.NewSecret([]byte("of the victim"))); err != nil {
		t.Fatal(err)
	}
	path := s.inner().path
	link, file, target := path+".link", path+".file", must(os.ReadFile(victim.inner().path))
	if err := os.Symlink(victim.inner().path, link); err != nil {
		t.Skipf("this system makes no links: %v", err)
	}
	whole := must(os.ReadFile(path))
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Remove(link)
			_ = os.Symlink(victim.inner().path, link)
			_ = os.Rename(link, path)
			_ = os.WriteFile(file, whole, 0o600)
			_ = os.Rename(file, path)
		}
	})
	read := 0
	for range 400 {
		c, err := s.Issue(t.Context(), secrets.Request{Binding: secrets.KV("a", "b")})
		if err != nil {
			continue // refused
		}
		read++
		_ = c.Secret().Use(func(b []byte) error {
			if string(b) != canary {
				t.Errorf("issued %q", b)
			}
			return nil
		})
	}
	for i := range 20 {
		_ = s.Set(t.Context(), "a", "c", secrets.NewSecret(fmt.Appendf(nil, "%s-%d", canary, i))) // either
	}
	close(stop)
	group.Wait()
	if now := must(os.ReadFile(victim.inner().path)); !bytes.Equal(now, target) {
		t.Error("the file that the link leads to was changed")
	}
	if read == 0 {
		t.Error("nothing was ever read")
	}
}

// What mounts a new version of a store puts another link in the old one's place, and
// removes what that led to.
func TestALinkThatLeadsElsewhereIsFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(t.TempDir(), "identity")
	link := filepath.Join(dir, "..data")
	place := func(version string) {
		t.Helper()
		made := must(Open(filepath.Join(dir, version, "secrets.age"), &Options{Identity: key}))
		if err := made.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(canary+version))); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Symlink(version, link+".new"), os.Rename(link+".new", link)); err != nil {
			t.Skipf("this system makes no links: %v", err)
		}
	}
	place("1")
	if err := os.Symlink(filepath.Join("..data", "secrets.age"), filepath.Join(dir, "secrets.age")); err != nil {
		t.Fatal(err)
	}
	s := must(Open(filepath.Join(dir, "secrets.age"), &Options{Identity: key}))
	for _, version := range []string{"2", "3"} {
		place(version)
		if got := issued(t, s, "a", "b"); got != canary+version {
			t.Errorf("version %s: got %q", version, got)
		}
	}
	if err := s.Set(t.Context(), "a", "c", secrets.NewSecret([]byte(canary))); err != nil {
		t.Fatal(err)
	}
	if all := must(os.ReadDir(dir)); len(all) != 5 { // 1, 2, 3 and the links
		t.Errorf("%v", all)
	}
	if got := issued(t, must(Open(filepath.Join(dir, "3", "secrets.age"), &Options{Identity: key})), "a", "c"); got != canary {
		t.Errorf("got %q", got)
	}
}

// Whoever waits in vain is told for whom.
func TestALockThatIsHeldNamesItsHolder(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	in := s.inner()
	in.patience = 200 * time.Millisecond
	inside, leave := make(chan struct{}), make(chan struct{})
	other := must(Open(in.path, nil))
	done := make(chan error)
	go func() {
		done <- other.inner().alone(context.Background(), func(string) error { close(inside); <-leave; return nil })
	}()
	<-inside
	err := s.EnsureRandom(t.Context(), "a", "c", 16)
	want := fmt.Sprintf("the process %d (%s)", os.Getpid(), filepath.Base(os.Args[0]))
	if runtime.GOOS == "windows" {
		want = "another process"
	}
	if !errors.Is(err, errPatience) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("got %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	lock := flock.New(in.path + ".lock") // of a program that says nothing of itself
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureRandom(t.Context(), "a", "c", 16); err == nil || !strings.Contains(err.Error(), "fuser") {
		t.Errorf("got %v", err)
	}
	// the lock's file is removed: the one who holds it keeps nobody out
	in.patience = lockTimeout
	if err := os.Remove(in.path + ".lock"); err != nil {
		t.Log(err)
	} else if err := s.EnsureRandom(t.Context(), "a", "c", 16); err != nil {
		t.Error(err)
	}
	_ = lock.Unlock()
	if err := os.WriteFile(in.path+".lock", []byte("\x1b[31m"+strings.Repeat("x", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := holder(in.path + ".lock"); strings.Contains(said, "\x1b") || len(said) > 600 {
		t.Errorf("%q", said)
	}
	if _, err := os.Lstat(in.path); errors.Is(err, fs.ErrNotExist) {
		t.Error("the store is gone")
	}
}
