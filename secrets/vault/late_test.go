//go:build unix

package vault_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// A user of a database that is made while Close runs out of time is not left behind in
// silence: Close says so, keeps the journal, and the user is revoked and issued to nobody.
func TestALeaseThatComesAfterCloseIsRevoked(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"with a journal": filepath.Join(t.TempDir(), "journal"), "without one": ""} {
		asked, slow, revoked := make(chan struct{}), make(chan struct{}), make(chan string, 10)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.Contains(r.URL.Path, "/creds/"):
				close(asked)
				<-slow
				_, _ = w.Write([]byte(`{"lease_id":"database/creds/r/late","lease_duration":3600,"data":{"username":"the-user","password":"the-password"}}`))
			case strings.HasSuffix(r.URL.Path, "/leases/revoke"):
				text, _ := io.ReadAll(r.Body)
				revoked <- string(text)
			default:
				fine(w)
			}
		}))
		t.Cleanup(server.Close)
		p, err := vault.New(server.URL, &vault.Options{Login: vault.Token(secrets.NewSecret([]byte("hvs.the-token-of-the-test"))), Journal: dir, Timeout: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		issued := make(chan error, 1)
		go func() {
			_, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.Database("r")})
			issued <- err
		}()
		<-asked
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Close(ctx); err == nil {
			t.Errorf("%s: Close says that nothing is left", name)
		}
		if dir != "" && len(files(t, dir)) != 1 {
			t.Errorf("%s: it is not there any more", name)
		}
		close(slow)
		if err := <-issued; err == nil {
			t.Errorf("%s: it was issued", name)
		}
		select {
		case text := <-revoked:
			if !strings.Contains(text, "database/creds/r/late") {
				t.Errorf("%s: %s", name, text)
			}
		default:
			t.Errorf("%s: it was not revoked", name)
		}
	}
}

// A token whose login Close did not wait for, and that is in the journal already, stays
// there for the next start.
func TestALoginThatCloseLeavesStaysInTheJournal(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	asked, slow := make(chan struct{}), make(chan struct{})
	p, _ := pretended(t, &vault.Options{Journal: dir, AuditDevice: "file", Timeout: 30 * time.Second}, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/audit-hash/") { // which is asked with a token that is written down
			close(asked)
			<-slow
		}
		fine(w)
	})
	defer close(slow)
	go func() { _ = p.Healthy(t.Context()) }()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ctx); err == nil || len(files(t, dir)) != 1 {
		t.Errorf("%v, and %d journals", err, len(files(t, dir)))
	}
}

// What the author's functions do ends no process: they are called where nobody recovers.
func TestAPanicOfTheAuthorsIsADenial(t *testing.T) {
	t.Parallel()
	p, _ := pretended(t, &vault.Options{ToolPolicies: func(string) []string { panic("canary") }}, func(w http.ResponseWriter, _ *http.Request) { fine(w) })
	if c, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v %v", c, err)
	}
}

// What cannot be written down is no reason to log in with each call: a SecretID may have
// few uses.
func TestAFullDiskIsNoStormOfLogins(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	p, logins := pretended(t, &vault.Options{Journal: dir}, func(w http.ResponseWriter, _ *http.Request) { fine(w) })
	vault.BreakJournal(p)
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // so that it is not made again
		t.Fatal(err)
	}
	began := time.Now()
	for range 300 {
		if _, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}); err == nil {
			t.Fatal("it was issued")
		}
	}
	if n, most := logins.Load(), 2+int64(time.Since(began)/(250*time.Millisecond)); n > most {
		t.Errorf("%d logins for 300 calls, at most %d were to be sent", n, most)
	}
}

// A mistake of wiring is said at the start, and not taken for a Vault that is away.
func TestALoginThatCannotBeSentIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "jwt")
	for name, login := range map[string]func(){
		"no token":            func() { vault.Token(secrets.Secret{}) },
		"a newline":           func() { vault.Token(secrets.NewSecret([]byte("hvs.canary\n"))) },
		"a mount like a path": func() { vault.JWT("role", file, "../../sys/seal?") },
		"slashes":             func() { vault.Kubernetes("role", "/kubernetes/") },
		"an AppRole's elsewhere": func() {
			vault.AppRole(vault.AppRoleOptions{RoleID: "r", SecretIDFile: file, Mount: "approle/../../sys"})
		},
	} {
		func() {
			defer func() {
				if text, is := recover().(string); !is || strings.Contains(text, "canary") {
					t.Errorf("%s: %q", name, text)
				}
			}()
			login()
		}()
	}
	if p, err := vault.New("https://vault.example.org", &vault.Options{Login: vault.JWT("role", file, "team/jwt.k8s"), Namespace: "team\n"}); err == nil {
		t.Error("a namespace that cannot be sent is taken")
		_ = p.Close(t.Context())
	}
}

// The file of a login is read whole and at once, or not at all.
func TestTheFileOfALoginIsOne(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/dev/zero", os.DevNull, t.TempDir()} {
		p, err := vault.New("https://vault.example.org", &vault.Options{Login: vault.JWT("role", path, "")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}); err == nil || !strings.Contains(err.Error(), "is not a file") {
			t.Errorf("%s: %v", path, err)
		}
		_ = p.Close(t.Context())
	}
}

// Whose directory it is can have a link lead what we write elsewhere.
func TestAJournalInADirectoryOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a file of another user")
	}
	dir := filepath.Join(t.TempDir(), "journal")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	p, err := vault.New("https://vault.example.org", &vault.Options{Login: vault.Token(secrets.NewSecret([]byte("hvs.something"))), Journal: dir})
	if err == nil {
		t.Error("a directory of another user is taken")
		_ = p.Close(t.Context())
	}
}
