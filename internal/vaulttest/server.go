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
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	s := &Server{t: t, program: program, dir: t.TempDir(), client: &http.Client{Timeout: patience, Transport: &http.Transport{}}}
	t.Cleanup(s.end)
	s.configure()
	s.run()
	var keys struct {
		Keys []string `json:"keys"`
		Root string   `json:"root_token"`
	}
	s.must(http.MethodPut, "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1}, &keys)
	s.key, s.RootToken = keys.Keys[0], keys.Root
	s.Unseal()
	s.Write("sys/audit/file", map[string]any{"type": "file", "options": map[string]any{"file_path": filepath.Join(s.dir, "audit.log")}})
	return s
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.Address = "http://" + address
	config := fmt.Sprintf(`
disable_mlock = true
ui = false
log_level = "warn"
api_addr = %q
storage "file" { path = %q }
listener "tcp" {
  address = %q
  tls_disable = true
}
`, s.Address, filepath.Join(s.dir, "data"), address)
	if err := os.WriteFile(filepath.Join(s.dir, "vault.hcl"), []byte(config), 0o600); err != nil {
		s.t.Fatal(err)
	}
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

// Write writes to a path with the root token, and returns what it answered.
func (s *Server) Write(path string, body map[string]any) map[string]any {
	s.t.Helper()
	var out map[string]any
	s.must(http.MethodPost, path, body, &out)
	return out
}

// Wrap writes to a path, and returns a token that gives what it answered, once.
func (s *Server) Wrap(path string) string {
	s.t.Helper()
	var out struct {
		Info struct {
			Token string `json:"token"`
		} `json:"wrap_info"`
	}
	s.wrap = "5m"
	s.must(http.MethodPost, path, nil, &out)
	s.wrap = ""
	return out.Info.Token
}

// Read reads a path with the root token.
func (s *Server) Read(path string) map[string]any {
	s.t.Helper()
	var out map[string]any
	s.must(http.MethodGet, path, nil, &out)
	return out
}

// List returns the names under a path, none where there are none.
func (s *Server) List(path string) []string {
	s.t.Helper()
	var out struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	if err := s.do("LIST", path, nil, &out); err != nil && !errors.Is(err, errNothing) {
		s.t.Fatal(err)
	}
	return out.Data.Keys
}

// Delete deletes a path.
func (s *Server) Delete(path string) {
	s.t.Helper()
	s.must(http.MethodDelete, path, nil, nil)
}

// Audit returns the events of its audit device so far.
func (s *Server) Audit() []map[string]any {
	s.t.Helper()
	file, err := os.Open(filepath.Join(s.dir, "audit.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var all []map[string]any
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all // a line that is not whole is under way
		}
		var event map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, event)
	}
}

var errNothing = errors.New("vaulttest: there is nothing")

func (s *Server) must(method, path string, body map[string]any, out any) {
	s.t.Helper()
	if err := s.do(method, path, body, out); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) do(method, path string, body map[string]any, out any) error {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("vaulttest: %w", err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.Address+"/v1/"+path, reader)
	if err != nil {
		return fmt.Errorf("vaulttest: %w", err)
	}
	req.Header.Set("X-Vault-Token", s.RootToken)
	if s.wrap != "" {
		req.Header.Set("X-Vault-Wrap-Ttl", s.wrap)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("vaulttest: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return fmt.Errorf("vaulttest: %s %s: %w", method, path, err)
	case res.StatusCode == http.StatusNotFound:
		return errNothing
	case res.StatusCode/100 != 2:
		return fmt.Errorf("vaulttest: %s %s: %s: %s", method, path, res.Status, answer)
	case out == nil || len(answer) == 0:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("vaulttest: %s %s: %w", method, path, err)
	}
	return nil
}
