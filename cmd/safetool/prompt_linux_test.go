package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A screen is a terminal with the program in front of it.
type screen struct {
	t      *testing.T
	master *os.File
	mu     sync.Mutex
	text   bytes.Buffer
	more   chan struct{}
	over   chan struct{} // nothing more will show
}

func newScreen(t *testing.T) (s *screen, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	s = &screen{t: t, master: master, more: make(chan struct{}, 1), over: make(chan struct{})}
	go func() {
		defer close(s.over)
		buf := make([]byte, 1024)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.text.Write(buf[:n])
			s.mu.Unlock()
			select {
			case s.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return s, terminal
}

func (s *screen) shows() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return mode.Lflag&unix.ECHO != 0
}

// answer waits for a question and types what is to be typed. The terminal does not show
// it once the program has said so, which it may do after it asked.
func (s *screen) answer(terminal *os.File, question, line string) {
	s.t.Helper()
	for !strings.Contains(s.shows(), question) {
		select {
		case <-s.more:
		case <-s.t.Context().Done():
			s.t.Fatalf("%q was not asked: %q", question, s.shows())
		}
	}
	for left := 12000; echoes(s.t, terminal); left-- {
		if left == 0 {
			s.t.Fatalf("what is typed would show: %q", s.shows())
		}
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := s.master.WriteString(line); err != nil {
		s.t.Fatal(err)
	}
}

// The program asks, and what is typed does not show.
func TestWhatIsTypedDoesNotShow(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secrets.age")
	run := func(stdin func(terminal *os.File) *os.File, args []string, answers ...[2]string) (shows string, code int) {
		t.Helper()
		s, terminal := newScreen(t)
		cmd := program(t, "safetool", append([]string{"secrets", "set", "--file", file, "app/share", "key"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin(terminal), terminal, terminal
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			s.answer(terminal, a[0], a[1])
		}
		_ = cmd.Wait()
		if !echoes(t, terminal) {
			t.Error("the terminal is left without echo")
		}
		_ = terminal.Close()
		<-s.over
		return s.shows(), cmd.ProcessState.ExitCode()
	}
	typed := func(terminal *os.File) *os.File { return terminal }
	shows, code := run(typed, nil, [2]string{"The value of kv:app/share#key", stored + "\n"})
	if code != 0 || strings.Contains(shows, "canary") {
		t.Errorf("exit %d: %s", code, shows)
	}
	if value, _ := issuedFrom(t, file, "app/share", "key", nil); value != stored {
		t.Errorf("issued %q", value)
	}
	shows, code = run(typed, nil, [2]string{"The value of", "\x03"}) // the key that interrupts
	if code != 1 || !strings.Contains(shows, "interrupted: nothing was changed") {
		t.Errorf("exit %d: %s", code, shows)
	}
	shows, code = run(typed, nil, [2]string{"The value of", "\x1c"}) // and the one that ends it with a dump
	if code != 1 || !strings.Contains(shows, "interrupted: nothing was changed") {
		t.Errorf("exit %d: %s", code, shows)
	}
	if value, _ := issuedFrom(t, file, "app/share", "key", nil); value != stored {
		t.Errorf("issued %q", value)
	}

	// the value is piped in, and the passphrase typed at the terminal: twice at first
	file = filepath.Join(t.TempDir(), "secrets.age")
	const words = "correct horse battery staple"
	piped := func(*os.File) *os.File {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.WriteString(stored + "\n")
		_ = w.Close()
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	flags := []string{"--passphrase"}
	shows, code = run(piped, flags, [2]string{"A passphrase for the new", words + "\n"}, [2]string{"once more", words + "!\n"})
	if _, err := os.Lstat(file + ".identity"); code != 1 || !strings.Contains(shows, "are not the same") || err == nil {
		t.Errorf("exit %d, %v: %s", code, err, shows)
	}
	shows, code = run(piped, flags, [2]string{"A passphrase for the new", words + "\n"}, [2]string{"once more", words + "\n"})
	if code != 0 || strings.Contains(shows, words) || strings.Contains(shows, "canary") {
		t.Errorf("exit %d: %s", code, shows)
	}
	file = filepath.Join(t.TempDir(), "secrets.age")
	protect(t, file, words)
	for typed, want := range map[string]int{words: 0, words + "!": 1} {
		shows, code = run(piped, flags, [2]string{"The passphrase of the identity", typed + "\n"})
		if code != want || strings.Contains(shows, words) || (want == 1) != strings.Contains(shows, "does not open with this passphrase") {
			t.Errorf("exit %d: %s", code, shows)
		}
	}
}
