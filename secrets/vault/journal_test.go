//go:build unix

package vault_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// A doomed process issues credentials until it is killed.
type doomed struct {
	Address, RoleID, SecretID, Token, Journal string
	Tools                                     bool // have tokens of their own
}

func (d *doomed) options() *vault.Options {
	o := &vault.Options{Timeout: 30 * time.Second, Journal: d.Journal}
	if d.Token == "" {
		o.Login = appRole(d.RoleID, d.SecretID)
	} else {
		o.Login = vault.Token(secrets.NewSecret([]byte(d.Token)))
	}
	if d.Tools {
		o.ToolPolicies = perTool
	}
	return o
}

// TestMain is the doomed process where the environment says so.
func TestMain(m *testing.M) {
	vault.InheritEvery(100 * time.Millisecond)
	if text := os.Getenv("SAFEMCP_TEST_DOOMED"); text != "" {
		var d doomed
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			panic(err)
		}
		p, err := vault.New(d.Address, d.options())
		if err != nil {
			panic(err)
		}
		for range 3 {
			if _, err := p.Issue(context.Background(), secrets.Request{Tool: "query", Binding: secrets.Database("readonly")}); err != nil {
				panic(err)
			}
		}
		fmt.Println("issued")
		_, _ = io.Copy(io.Discard, os.Stdin) // it does not outlive the test
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// doom starts such a process, and returns it when it has issued its credentials.
func doom(t *testing.T, d *doomed) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SAFEMCP_TEST_DOOMED="+string(text))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "issued\n" {
		t.Fatalf("%q %v", line, err)
	}
	return cmd
}

func kill(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Kill() // SIGKILL
		_ = cmd.Wait()
	}
}

// files are those of a journal.
func files(t *testing.T, dir string) (journals []string) {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return journals
}

// A log keeps what it is told.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *told) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *told) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// What a process that was killed has left is revoked by the next, whatever its login; what
// a living one has is left alone; and nothing secret is on the disk.
func TestWhatAKilledProcessLeftIsRevoked(t *testing.T) {
	t.Parallel()
	v, db, roleID, secretID := withDatabase(t)
	given := v.Token("server", "tool-query")
	for name, d := range map[string]*doomed{
		"a role":                    {RoleID: roleID, SecretID: secretID},
		"a role, and tools' tokens": {RoleID: roleID, SecretID: secretID, Tools: true},
		"a given token":             {Token: given},
		"a given token, and tools'": {Token: given, Tools: true},
	} {
		before := len(v.List("auth/token/accessors"))
		d.Address, d.Journal = v.Address, filepath.Join(t.TempDir(), "journal")
		dies, lives := doom(t, d), doom(t, d)
		kill(dies)
		journals := files(t, d.Journal)
		if len(journals) != 2 {
			t.Fatalf("%s: %v", name, journals)
		}
		for _, path := range journals {
			text, err := os.ReadFile(path)
			if err != nil || strings.Contains(string(text), "hvs.") || strings.Contains(string(text), secretID) {
				t.Errorf("%s: the journal holds a secret, or cannot be read: %v", name, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", name, info.Mode(), err)
			}
		}
		// What kill -9 may leave of a line that was being written.
		for _, path := range journals {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(`{"accessor":"abc`); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		if n := len(v.List("sys/leases/lookup/database/creds/readonly")); n != 6 {
			t.Fatalf("%s: %d leases of two processes", name, n)
		}
		var log told
		o := d.options()
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		heir := provider(t, v, o)
		if n := len(v.List("sys/leases/lookup/database/creds/readonly")); n != 6 {
			t.Errorf("%s: something was sent before there was need", name)
		}
		if err := heir.Healthy(t.Context()); err != nil { // a probe is enough
			t.Fatalf("%s: %v", name, err)
		}
		v.Until("the dead process's leases are revoked", func() bool { return len(v.List("sys/leases/lookup/database/creds/readonly")) == 3 })
		v.Until("its journal is gone", func() bool { return len(files(t, d.Journal)) == 2 })
		kill(lives)
		v.Until("the other's leases are revoked", func() bool { return len(v.List("sys/leases/lookup/database/creds/readonly")) == 0 })
		v.Until("its journal is gone", func() bool { return len(files(t, d.Journal)) == 1 })
		if err := heir.Close(t.Context()); err != nil {
			t.Error(err)
		}
		noUsers(t, v, db)
		if n := len(v.List("auth/token/accessors")); n != before {
			t.Errorf("%s: %d tokens are left", name, n-before)
		}
		if left := files(t, d.Journal); len(left) != 0 {
			t.Errorf("%s: %v is left", name, left)
		}
		next := provider(t, v, d.options())
		if err := next.Healthy(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.Until("nothing but its own files is there", func() bool { all, _ := os.ReadDir(d.Journal); return len(all) == 2 })
		if err := next.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(d.Journal); len(left) != 0 {
			t.Errorf("%s: %v is left", name, left)
		}
		if text := log.String(); !strings.Contains(text, "has been revoked") || strings.Contains(text, "could not") || strings.Contains(text, "cannot") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// While Vault is away what was left is kept, and revoked when Vault is back.
func TestWhatWasLeftWaitsForVault(t *testing.T) {
	t.Parallel()
	v, db, roleID, secretID := withDatabase(t)
	d := &doomed{Address: v.Address, RoleID: roleID, SecretID: secretID, Tools: true, Journal: t.TempDir()}
	if err := os.Chmod(d.Journal, 0o700); err != nil {
		t.Fatal(err)
	}
	kill(doom(t, d))
	v.Seal()
	o := d.options()
	var log told
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	heir := provider(t, v, o)
	if err := heir.Healthy(t.Context()); err == nil {
		t.Error("sealed, and healthy")
	}
	v.Unseal()
	v.Until("it is healthy", func() bool { return heir.Healthy(t.Context()) == nil })
	noUsers(t, v, db)

	// Without the right to revoke, the file stays, and somebody is told once.
	kill(doom(t, d))
	v.Write("sys/policies/acl/server", map[string]any{"policy": `path "auth/token/create" { capabilities = ["update", "sudo"] }`})
	v.Until("somebody is told", func() bool { return strings.Contains(log.String(), "cannot be revoked") })
	if n := len(files(t, d.Journal)); n != 2 {
		t.Errorf("%d files", n)
	}
	if n := len(paths(v.Audit(), "auth/token/revoke-accessor")); n > 5 {
		t.Errorf("%d requests for what is denied", n)
	}
}

// Whoever may write into the journal could have us revoke what they like, and without it
// nothing is issued.
func TestAJournalThatCannotBeKept(t *testing.T) {
	t.Parallel()
	login := vault.Token(secrets.NewSecret([]byte("hvs.something")))
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"others may write": open, "a file": file, "under a file": filepath.Join(file, "journal")} {
		if p, err := vault.New("https://vault.example.org:8200", &vault.Options{Login: login, Journal: dir}); err == nil {
			t.Errorf("%s: taken", name)
			_ = p.Close(t.Context())
		}
	}
	v, roleID, secretID := furnished(t)
	before := len(v.List("auth/token/accessors"))
	dir := filepath.Join(t.TempDir(), "journal")
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), Journal: dir})
	vault.BreakJournal(p)
	for range 5 {
		if _, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}); err == nil || !strings.Contains(err.Error(), "journal") {
			t.Errorf("it is issued what is not written down: %v", err)
		}
	}
	if n := len(v.List("auth/token/accessors")); n != before {
		t.Errorf("%d tokens are left", n-before)
	}
}

// The journal of another Vault is left to whoever uses that.
func TestAJournalOfAnotherVault(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	dir := filepath.Join(t.TempDir(), "journal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "OTHER.jsonl")
	if err := os.WriteFile(other, []byte("{\"vault\":\"https://vault.example.org/v1/\"}\n{\"accessor\":\"a\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	junk := filepath.Join(dir, "JUNK.jsonl")
	if err := os.WriteFile(junk, []byte("{\"vault\":\""+v.Address+"/v1/\"}\nnonsense\n{\"accessor\":\"../../sys/seal\"}\n{\"lease\":\"a b\"}\n{\"accessor\":\"unknownAccessor\"}\n{\"lease\":\"database/creds/none/x\"}\n{\"acc"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.Write("sys/policies/acl/server", map[string]any{"policy": `
path "auth/token/revoke-accessor" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }`})
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID), Journal: dir})
	if err := p.Healthy(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.Until("what makes no sense is gone", func() bool { _, err := os.Stat(junk); return err != nil })
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	if n := len(paths(v.Audit(), "auth/token/revoke-accessor")) + len(paths(v.Audit(), "sys/leases/revoke")); n != 2 {
		t.Errorf("%d requests", n)
	}
}
