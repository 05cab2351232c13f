//go:build unix

package vault_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// Close ends what a given token made, whether tools have tokens of their own or not, and
// says what it could not.
func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	v, db, roleID, secretID := withDatabase(t)
	given := secrets.NewSecret([]byte(v.Token("server", "tool-query")))
	before := len(v.List("auth/token/accessors"))
	for name, o := range map[string]*vault.Options{
		"a given token":   {Login: vault.Token(given)},
		"and tools'":      {Login: vault.Token(given), ToolPolicies: perTool},
		"a role":          {Login: appRole(roleID, secretID)},
		"with a journal":  {Login: vault.Token(given), Journal: filepath.Join(t.TempDir(), "a", "b")},
		"a role's tools'": {Login: appRole(roleID, secretID), ToolPolicies: perTool},
	} {
		p := provider(t, v, o)
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				if i > 0 { // some are under way when it is closed
					time.Sleep(time.Duration(i) * time.Millisecond)
				}
				_, _ = p.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.Database("readonly")})
			})
		}
		if _, err := p.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.Database("readonly")}); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wait.Wait()
		noUsers(t, v, db)
		if n := len(v.List("auth/token/accessors")); n != before {
			t.Errorf("%s: %d tokens are left", name, n-before)
		}
		if _, err := p.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.Database("readonly")}); err == nil {
			t.Errorf("%s: it issues after Close", name)
		}
	}

	// A Vault that is away for good: within the budget, and said; the next start does it.
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p := provider(t, v, &vault.Options{Login: vault.Token(given), Journal: dir})
	if _, err := p.Issue(t.Context(), secrets.Request{Tool: "query", Binding: secrets.Database("readonly")}); err != nil {
		t.Fatal(err)
	}
	v.Seal()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := p.Close(ctx); err == nil || !strings.Contains(err.Error(), "database/creds/readonly/") || !strings.Contains(err.Error(), "journal") {
		t.Errorf("what could not be revoked: %v", err)
	}
	v.Unseal()
	heir := provider(t, v, &vault.Options{Login: vault.Token(given), Journal: dir})
	v.Until("it is healthy", func() bool { return heir.Healthy(t.Context()) == nil })
	noUsers(t, v, db)
}
