// Package vaulttest runs a real Vault for a test, as a process of its own over a
// directory of its own: it can be sealed, killed and started again, and its audit
// device can be read.
//
//	v := vaulttest.Start(t)
//	v.Write("sys/mounts/kv", map[string]any{"type": "kv-v2"})
//	v.Kill()
//	v.Restart() // the same data, unsealed
package vaulttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/internal/harness"
)

// A Server is a Vault process. Its methods end the test where something does not work.
// They are for the test's own goroutine.
type Server struct {
	// Address is where it listens: "http://127.0.0.1:…". It stays the same over restarts.
	Address string
	// RootToken may do everything.
	RootToken string

	t       harness.T
	program string
	dir     string
	node    string // its name in a pair; empty where it is alone
	key     string // that unseals it
	wrap    string // how long what is answered is wrapped
	cmd     *exec.Cmd
	client  *http.Client
}

const patience = 60 * time.Second

// Start starts a Vault that is unsealed and has an audit device, and ends it with the
// test. It builds the program where that is not there yet, which takes minutes: "make
// vault" does it beforehand.
func Start(t harness.T) *Server {
	t.Helper()
	return StartProgram(t, Build(t))
}

// Build returns the path of the program, which it builds where it is not there yet.
func Build(t harness.T) string {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// Program returns the path of a Vault that is there: the one that "make vault" has built,
// or one in the PATH. The error says how to get one.
func Program() (string, error) {
	name := filepath.Join(root(), ".cache", "vault", "vault")
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		return name, nil
	}
	if name, err := exec.LookPath("vault"); err == nil {
		return name, nil
	}
	return "", errors.New("Vault is needed and was not found. In this repository: make vault, which builds it and takes some minutes; or put the program vault into the PATH") //nolint:staticcheck // a name begins it
}

// StartProgram is Start with that program.
func StartProgram(t harness.T, program string) *Server {
	t.Helper()
	s := prepare(t, program, "")
	s.begin()
	return s
}

// prepare makes a server that does not run yet.
func prepare(t harness.T, program, node string) *Server {
	t.Helper()
	s := &Server{t: t, program: program, dir: t.TempDir(), node: node, client: &http.Client{Timeout: patience, Transport: &http.Transport{}}}
	t.Cleanup(s.end)
	s.configure()
	return s
}

// begin runs it for the first time.
func (s *Server) begin() {
	s.t.Helper()
	s.run()
	var keys struct {
		Keys []string `json:"keys"`
		Root string   `json:"root_token"`
	}
	s.must(http.MethodPut, "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1}, &keys)
	s.key, s.RootToken = keys.Keys[0], keys.Root
	s.Unseal()
	s.Write("sys/audit/file", map[string]any{"type": "file", "options": map[string]any{"file_path": filepath.Join(s.dir, "audit.log")}})
}

// root is the repository's.
func root() string {
	_, here, _, _ := runtime.Caller(0) //nolint:dogsled // the file alone is of interest
	return filepath.Join(filepath.Dir(here), "..", "..")
}

var built = sync.OnceValues(func() (string, error) {
	root := root()
	lock := flock.New(filepath.Join(root, ".cache", "vault.lock"))
	if err := os.MkdirAll(filepath.Join(root, ".cache"), 0o700); err != nil {
		return "", fmt.Errorf("vaulttest: %w", err)
	}
	if err := lock.Lock(); err != nil { // several packages' tests run at once
		return "", fmt.Errorf("vaulttest: %w", err)
	}
	defer func() { _ = lock.Close() }()
	cmd := exec.Command(filepath.Join(root, "internal", "vaultserver", "build.sh"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("vaulttest: building Vault, which \"make vault\" does, too: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// configure writes the configuration, with a port that is free now.
func (s *Server) configure() {
	s.t.Helper()
	address, cluster := s.free(), s.free()
	s.Address = "http://" + address
	storage := fmt.Sprintf("storage \"file\" { path = %q }", filepath.Join(s.dir, "data"))
	if s.node != "" {
		storage = fmt.Sprintf("storage \"raft\" {\n  path = %q\n  node_id = %q\n}", filepath.Join(s.dir, "data"), s.node)
		if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	config := fmt.Sprintf(`
disable_mlock = true
ui = false
log_level = "warn"
api_addr = %q
cluster_addr = "https://%s"
%s
listener "tcp" {
  address = %q
  cluster_address = %q
  tls_disable = true
}
`, s.Address, cluster, storage, address, cluster)
	if err := os.WriteFile(filepath.Join(s.dir, "vault.hcl"), []byte(config), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// free returns an address on loopback with a port that is free now.
func (s *Server) free() string {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		s.t.Fatal(err)
	}
	return address
}

// run starts the process and waits until it answers.
func (s *Server) run() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "vault.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(s.program, "server", "-config", filepath.Join(s.dir, "vault.hcl"))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Env = []string{"HOME=" + s.dir, "PATH=/usr/bin:/bin"}
	err = s.cmd.Start()
	_ = log.Close() // the process has it
	if err != nil {
		s.t.Fatal(err)
	}
	s.Until("Vault answers", func() bool {
		res, err := s.client.Get(s.Address + "/v1/sys/seal-status")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// Until waits for something that Vault does by itself, and ends the test where that takes
// longer than a minute.
func (s *Server) Until(what string, done func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "vault.log"))
			s.t.Fatalf("vaulttest: it took longer than %s until %s; its log:\n%s", patience, what, log)
		}
	}
}

func (s *Server) end() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	s.client.CloseIdleConnections()
}

// Seal makes it forget its keys: every request is answered with 503.
func (s *Server) Seal() {
	s.t.Helper()
	s.must(http.MethodPut, "sys/seal", nil, nil)
}

// Unseal ends that.
func (s *Server) Unseal() {
	s.t.Helper()
	s.must(http.MethodPut, "sys/unseal", map[string]any{"key": s.key}, nil)
	s.Until("Vault is unsealed", func() bool {
		res, err := s.client.Get(s.Address + "/v1/sys/health")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// Kill ends the process with SIGKILL.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Wait()
	s.cmd = nil
	s.client.CloseIdleConnections()
}

// Restart starts it again after Kill, over the same data, and unseals it.
func (s *Server) Restart() {
	s.t.Helper()
	s.run()
	s.Unseal()
}
