package apikey

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// What a child does stands in its environment; its store is in its directory.
const (
	doEnv     = "APIKEY_TEST_DO"
	storeName = "keys.json"
)

// TestMain makes of the test binary the other process that the tests need.
func TestMain(m *testing.M) {
	if do := os.Getenv(doEnv); do != "" {
		if err := child(do); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child makes ten keys and prints them, revokes one, or stops before the new file is
// put in place.
func child(do string) error {
	s, err := Open(storeName, &Options{Create: true})
	if err != nil {
		return err
	}
	verb, id, _ := strings.Cut(do, " ")
	switch verb {
	case "create":
		for range 10 {
			key, _, err := s.Create(context.Background(), Grant{Name: id})
			if err != nil {
				return err
			}
			fmt.Println(key)
		}
		return nil
	case "halt":
		s.state().place = func(string, string) error {
			fmt.Println("written")
			_, err := io.Copy(io.Discard, os.Stdin) // until it is killed
			return err
		}
	}
	_, err = s.Revoke(context.Background(), id)
	return err
}

func command(t *testing.T, path, do string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), must(os.Executable()))
	c.Dir = filepath.Dir(path)
	c.Env = append(os.Environ(), doEnv+"="+do)
	c.Stderr = os.Stderr
	return c
}

// Processes and goroutines make keys in one file, which is not there at first: each
// key that was returned is one that is known.
func TestNoKeyIsLostWhereManyAreMadeAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), storeName)
	var mu sync.Mutex
	var group sync.WaitGroup
	names := map[string]string{}
	for p := range 3 {
		group.Go(func() {
			name := fmt.Sprint("process ", p)
			out, err := command(t, path, "create "+name).Output()
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for key := range strings.FieldsSeq(string(out)) {
				names[key] = name
			}
		})
	}
	for range 2 { // stores of one process
		s, err := Open(path, &Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			group.Go(func() {
				name := fmt.Sprint("goroutine ", i)
				key, _, err := s.Create(t.Context(), Grant{Name: name})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				names[key] = name
			})
		}
	}
	group.Wait()
	s, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if all := must(s.List()); len(all) != 50 || len(names) != 50 {
		t.Errorf("%d entries, %d keys", len(all), len(names))
	}
	for key, name := range names {
		if p, err := ask(s, key); err != nil || p.Subject != name {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// The new file is on disk and not in its place when the process is killed: the old one
// is as it was, nobody waits for the lock of the dead, and the next change removes what
// it left.
func TestAProcessThatIsKilledLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	path := s.state().path
	key, e := create(t, s, ada)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := command(t, path, "halt "+e.ID)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	leftovers := func() []string { return must(filepath.Glob(filepath.Join(filepath.Dir(path), ".*.tmp-*"))) }
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // killed
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) || len(leftovers()) != 1 {
		t.Errorf("the file was changed, or nothing was left: %v, %v", err, leftovers())
	}
	reopened, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(reopened, key); err != nil {
		t.Error(err)
	}
	create(t, reopened, ada)
	if left := leftovers(); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// With the clock of the machine: a store that is serving refuses a key some time after
// another process has revoked it. How soon is in TestARevokedKeyStopsWithinASecond.
func TestAnotherProcessStopsAKeyThatIsInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), storeName)
	s, err := Open(path, &Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	key, e := create(t, s, ada)
	if out, err := command(t, path, "revoke "+e.ID).Output(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for {
		_, err := ask(s, key)
		if errors.Is(err, ErrRevoked) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
