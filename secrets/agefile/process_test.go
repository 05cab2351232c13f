package agefile_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
)

// TestMain makes of the test binary the other process that the tests need.
func TestMain(m *testing.M) {
	if path := os.Getenv("AGEFILE_TEST_STORE"); path != "" {
		if err := child(path, os.Getenv("AGEFILE_TEST_NAME"), os.Getenv("AGEFILE_TEST_COUNT")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if path := os.Getenv("AGEFILE_TEST_READ"); path != "" {
		readOnly(path)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// readOnly says what becomes of a store on a file system that cannot be written.
func readOnly(path string) {
	s, err := agefile.Open(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := s.Issue(context.Background(), secrets.Request{Binding: secrets.KV("a", "b")})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = c.Secret().Use(func(b []byte) error { fmt.Printf("issued %s\n", b); return nil })
	fmt.Println("there already:", s.EnsureRandom(context.Background(), "a", "b", 16))
	fmt.Println("set:", s.Set(context.Background(), "a", "b", secrets.NewSecret([]byte(value+"!"))))
	_, err = agefile.Open(filepath.Join(filepath.Dir(path), "new", "secrets.age"), nil)
	fmt.Println("first:", err)
}

// child stores values, each as long as the last, and says so on stdout after each.
func child(path, name, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	s, err := agefile.Open(path, nil)
	if err != nil {
		return err
	}
	for i := range n {
		if err := s.Set(context.Background(), name, "f"+strconv.Itoa(i%8), secrets.NewSecret(numbered(i))); err != nil {
			return err
		}
		fmt.Println(i)
	}
	return s.Close()
}

func numbered(i int) []byte { return []byte(fmt.Sprintf("%s-%08d", strings.Repeat("x", 2000), i)) }

func start(t *testing.T, path, name string, count int) (*exec.Cmd, io.Reader) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), "AGEFILE_TEST_STORE="+path, "AGEFILE_TEST_NAME="+name, fmt.Sprint("AGEFILE_TEST_COUNT=", count))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, out
}

// All of them open a store that is not there yet, and must end up with one identity.
func TestProcessesLoseNothingOfEachOther(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "secrets.age")
	var group sync.WaitGroup
	for p := range 3 {
		c, out := start(t, path, fmt.Sprint("p", p), 8)
		group.Go(func() {
			_, _ = io.Copy(io.Discard, out)
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	s := opened(t, path)
	for p := range 3 {
		for i := range 8 {
			if got, _, err := issue(t, s, fmt.Sprint("p", p), fmt.Sprint("f", i)); got != string(numbered(i)) || err != nil {
				t.Errorf("process %d, value %d: %v", p, i, err)
			}
		}
	}
}

// A store that is open here sees what another process writes, as soon as it has said
// that it did.
func TestWhatAnotherProcessWritesIsIssued(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	c, out := start(t, path, "other", 40)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		i, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := issue(t, s, "other", fmt.Sprint("f", i%8))
		if err != nil || got < string(numbered(i)) {
			t.Fatalf("value %d is not the one that was written: %v", i, err)
		}
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}

// A server that runs gets what another process has stored, without a restart, and is
// refused what another one has removed.
func TestAServerThatRunsNoticesARotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "other", "f0", value)
	broker := secrets.NewBroker(s, &secrets.Options{Confirm: 20 * time.Millisecond})
	defer broker.Close(context.WithoutCancel(t.Context()))
	acquire := func() (version string, err error) {
		c, err := broker.Acquire(t.Context(), secrets.Request{Tool: "t", Binding: secrets.KV("other", "f0")})
		if err != nil {
			return "", err
		}
		defer broker.Release(c)
		return c.Version(), nil
	}
	first, err := acquire()
	if err != nil {
		t.Fatal(err)
	}
	c, out := start(t, path, "other", 1)
	_, _ = io.Copy(io.Discard, out)
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(time.Minute)
	for version := first; version == first; {
		if version, err = acquire(); err != nil || time.Now().After(until) {
			t.Fatalf("the version is %s still: %v", version, err)
		}
	}
	if err := opened(t, path).Delete(t.Context(), "other", "f0"); err != nil {
		t.Fatal(err)
	}
	for !errors.Is(err, secrets.ErrNotFound) {
		if _, err = acquire(); time.Now().After(until) {
			t.Fatalf("what was removed is issued still: %v", err)
		}
	}
}

// A process is killed while it writes, again and again: what it said that it wrote is
// there, the store opens, and the next change removes what was left behind.
func TestAProcessThatIsKilledLeavesAWholeStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	for round := range 10 {
		name := fmt.Sprint("round", round)
		c, out := start(t, path, name, 1<<20)
		lines := bufio.NewScanner(out)
		last := -1
		for n := 0; n < 3+round && lines.Scan(); n++ {
			last = n
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			last++
		}
		_ = c.Wait() // killed
		s := opened(t, path)
		if last < 0 {
			t.Fatal("the process stored nothing")
		}
		got, _, err := issue(t, s, name, fmt.Sprint("f", last%8))
		if err != nil || got < string(numbered(last)) {
			t.Fatalf("value %d is lost: %v", last, err)
		}
		set(t, s, "own", name, value)
		if list, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.tmp-*")); err != nil || len(list) != 0 {
			t.Errorf("left behind: %v, %v", list, err)
		}
	}
}

// Several processes write at once, one of which is killed again and again, while a
// reader looks at the bytes of the file itself: they are a whole store at any time, and
// what was acknowledged is there in the end.
func TestAmongWritersThatAreKilledNobodyReadsHalfAStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	stop := make(chan struct{})
	var reading, writing sync.WaitGroup
	reading.Go(func() {
		for looks := 0; ; looks++ {
			select {
			case <-stop:
				if looks == 0 {
					t.Error("nothing was read")
				}
				return
			default:
			}
			fresh, err := agefile.Open(path, nil)
			if err != nil {
				t.Error(err)
				continue
			}
			if got, _, err := issue(t, fresh, "a", "b"); got != value || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			_ = fresh.Close()
		}
	})
	for p := range 2 { // survivors
		c, out := start(t, path, fmt.Sprint("p", p), 24)
		writing.Go(func() {
			_, _ = io.Copy(io.Discard, out)
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	acknowledged := map[string]int{}
	for round := range 6 {
		name := fmt.Sprint("killed", round)
		c, out := start(t, path, name, 1<<20)
		lines := bufio.NewScanner(out)
		for n := 0; n <= round && lines.Scan(); n++ {
			acknowledged[name] = n
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			acknowledged[name]++
		}
		_ = c.Wait() // killed
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	for p := range 2 {
		acknowledged[fmt.Sprint("p", p)] = 23
	}
	if len(acknowledged) != 8 {
		t.Fatalf("some process stored nothing: %v", acknowledged)
	}
	for name, last := range acknowledged {
		if got, _, err := issue(t, s, name, fmt.Sprint("f", last%8)); err != nil || got < string(numbered(last)) {
			t.Errorf("%s: value %d is lost: %v", name, last, err)
		}
	}
}

func TestConcurrentSetLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	stores := []*agefile.Store{opened(t, path), opened(t, path)}
	var group sync.WaitGroup
	for i := range 40 {
		s := stores[i%2]
		group.Go(func() {
			if err := s.Set(context.Background(), "p", fmt.Sprint("f", i), secrets.NewSecret([]byte(value))); err != nil {
				t.Error(err)
			}
			if _, err := s.Issue(context.Background(), secrets.Request{Binding: secrets.KV("p", fmt.Sprint("f", i))}); err != nil {
				t.Error(err)
			}
			if err := s.EnsureRandom(context.Background(), "p", "one", 16); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, s := range stores {
		if list, err := s.List(); err != nil || len(list) != 41 {
			t.Errorf("%d values, %v", len(list), err)
		}
	}
}

// Two stores with locks of their own must not make an identity each.
func TestStoresThatShareAnIdentityMakeOne(t *testing.T) {
	t.Parallel()
	for range 10 {
		dir := t.TempDir()
		o := &agefile.Options{Identity: filepath.Join(dir, "keys", "identity")}
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				s, err := agefile.Open(filepath.Join(dir, fmt.Sprint(i)), o)
				if err == nil {
					err = errors.Join(s.EnsureRandom(context.Background(), "a", "b", 16), s.Close())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		for i := range 6 {
			s, err := agefile.Open(filepath.Join(dir, fmt.Sprint(i)), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// While another process holds the lock a change waits no longer than its caller does,
// and values are issued.
func TestALockThatIsHeldStopsNobodyWhoReads(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	s := opened(t, path)
	set(t, s, "a", "b", value)
	lock := flock.New(path + ".lock")
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- s.Set(ctx, "a", "b", secrets.NewSecret([]byte(value+"2"))) }()
	}
	if got, _, err := issue(t, opened(t, path), "a", "b"); got != value || err != nil {
		t.Errorf("opened under the lock: %q, %v", got, err)
	}
	for range 20 {
		if got, _, err := issue(t, s, "a", "b"); got != value || err != nil {
			t.Errorf("issued under the lock: %q, %v", got, err)
		}
	}
	reason := errors.New("the caller left")
	cancel(reason)
	for range 2 {
		if err := <-done; !errors.Is(err, reason) {
			t.Errorf("got %v", err)
		}
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	set(t, s, "a", "b", value+"3")
}
