//go:build unix

// Package postgrestest runs a real PostgreSQL for a test, from the programs that the
// machine has, over a directory of its own.
//
//	db := postgrestest.Start(t)
//	db.Run("CREATE TABLE things (name text)")
package postgrestest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/safemcp/safemcp/internal/harness"
)

// A Server is a PostgreSQL process. Its methods end the test where something does not
// work.
type Server struct {
	Host, Port string // on loopback
	Password   string // of the superuser, "postgres"

	t   harness.T
	bin string
	dir string
	cmd *exec.Cmd
}

const patience = 60 * time.Second

// Start starts a PostgreSQL and ends it with the test.
func Start(t harness.T) *Server {
	t.Helper()
	bin, err := Programs()
	if err != nil {
		t.Fatal(err)
	}
	// The socket's path must be short, and the directory another user's where root
	// runs the test, since PostgreSQL does not run as root.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Host: "127.0.0.1", Password: "a-password-of-the-test", t: t, bin: bin, dir: dir}
	t.Cleanup(s.end)
	if id := s.account(); id != nil {
		if err := os.Chown(dir, int(id.Uid), int(id.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	s.Port = freePort(t)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(s.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if id := s.account(); id != nil {
		if err := os.Chown(password, int(id.Uid), int(id.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	if out, err := s.command("initdb", "-D", data, "-U", "postgres", "--auth=scram-sha-256", "--pwfile="+password, "--no-sync", "--encoding=UTF8").CombinedOutput(); err != nil {
		t.Fatalf("postgrestest: initdb: %v\n%s", err, out)
	}
	s.cmd = s.command("postgres", "-D", data, "-p", s.Port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
		"-c", "logging_collector=off", "-c", "log_destination=stderr", "-c", "log_connections=on", "-c", "log_statement=all", "-c", "log_line_prefix=%u ")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	err = s.cmd.Start()
	_ = log.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.wait()
	return s
}

// Programs returns the directory of PostgreSQL's programs: in the PATH, or where Debian
// puts them. The error says how to get them.
func Programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is needed and was not found. On Debian: apt-get install -y postgresql; on macOS: brew install postgresql")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

func freePort(t harness.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// account is who PostgreSQL runs as where that is not who runs the test.
func (s *Server) account() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if uerr == nil && gerr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	s.t.Fatal("postgrestest: PostgreSQL does not run as root, and there is no user postgres or nobody")
	return nil
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + s.bin + ":/usr/bin:/bin", "LC_ALL=C", "PGPASSWORD=" + s.Password}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account()}
	return cmd
}

// wait waits until a query is answered.
func (s *Server) wait() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := s.query("postgres", "SELECT 1"); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("postgrestest: it does not answer; its log:\n%s", s.Log())
		}
	}
}

func (s *Server) query(database, sql string) (string, error) {
	cmd := s.command("psql", "-h", s.Host, "-p", s.Port, "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-X", "-A", "-t", "-c", sql)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Run runs a statement as the superuser, and returns what it answered, a line a row.
func (s *Server) Run(sql string) string {
	s.t.Helper()
	return s.In("postgres", sql)
}

// In is Run in another database than "postgres".
func (s *Server) In(database, sql string) string {
	s.t.Helper()
	out, err := s.query(database, sql)
	if err != nil {
		s.t.Fatalf("postgrestest: %v: %s", err, out)
	}
	return out
}

// Can says whether somebody can log in.
func (s *Server) Can(name, password string) bool {
	cmd := s.command("psql", "-h", s.Host, "-p", s.Port, "-U", name, "-d", "postgres", "-X", "-c", "SELECT 1")
	cmd.Env = append(cmd.Env, "PGPASSWORD="+password)
	return cmd.Run() == nil
}

// Log returns its log, in which each line begins with the user.
func (s *Server) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text)
}

func (s *Server) end() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		_ = s.cmd.Wait()
	}
	if err := os.RemoveAll(s.dir); err != nil {
		s.t.Errorf("postgrestest: %v", err)
	}
}
