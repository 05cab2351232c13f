//go:build unix

package main

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// Leases of two seconds under 64 callers at once: roles come and go while their connections
// are used and waited for, and no caller notices; afterwards nothing is left of any.
func TestNoCallFailsAndNoConnectionLeaksUnderRotation(t *testing.T) { // alone: it looks at goroutines
	s := setStage(t, vaulttest.Build(t), "2s")
	var calls, failures atomic.Int64
	t.Run("calls", func(t *testing.T) {
		g := servingOn(t, s, 5*time.Second)
		enough := make(chan struct{})
		var callers sync.WaitGroup
		for range 64 {
			callers.Go(func() {
				for {
					select {
					case <-enough:
						return
					default:
					}
					res, err := g.client.CallTool(t.Context(), &mcp.CallToolParams{Name: "query", Arguments: map[string]any{"sql": "SELECT count(*) FROM books, pg_sleep(0.05)"}})
					calls.Add(1)
					if err != nil || res.IsError {
						if failures.Add(1) <= 5 {
							t.Errorf("a call failed: %v %+v", err, res)
						}
					}
				}
			})
		}
		s.vault.Until("eight roles have been used", func() bool { return generations(g) >= 8 })
		close(enough)
		callers.Wait()
		causes := map[string]int{}
		for _, e := range g.trail.Calls() {
			if e.Outcome.Cause != "" {
				causes[e.Outcome.Cause]++
			}
		}
		for cause, n := range causes {
			t.Logf("%d× %s", n, cause)
		}
		t.Logf("%d calls under %d roles, %d failed", calls.Load(), generations(g), failures.Load())
		g.end()
		if n := s.postgres.Run("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'v-%' OR application_name = 'safemcp-postgres'"); n != "0" {
			t.Errorf("%s connections are left after the end", n)
		}
	})
	s.vault.Until("nothing of ours runs any more", func() bool {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for goroutine := range strings.SplitSeq(string(stacks), "\n\n") {
			if strings.Contains(goroutine, "jackc/") || strings.Contains(goroutine, "safemcp/secrets") || strings.Contains(goroutine, "safemcp/safetool") {
				return false
			}
		}
		return true
	})
	s.nothingIsLeft()
}

func generations(g *guarded) int {
	versions := map[string]bool{}
	for _, e := range g.trail.Calls() {
		for _, c := range e.Credentials {
			versions[c.Version] = true
		}
	}
	return len(versions)
}

// A lease that somebody revokes between two calls costs nobody a call, however the role
// is taken away.
func TestARevokedRoleIsReplacedWithinTheCall(t *testing.T) {
	t.Parallel()
	g := serving(t, "5m", 5*time.Second)
	var known []string
	user := func() string { // the newest
		for name := range strings.SplitSeq(g.postgres.Run("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'"), "\n") {
			if !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
		return known[len(known)-1]
	}
	sees := func() {
		t.Helper()
		if said, isError := g.query(t, "SELECT count(*) FROM books"); isError || !strings.Contains(said, `[["5"]]`) {
			t.Errorf("got %s", said)
		}
	}
	for name, takeAway := range map[string]func(){
		"its lease is revoked, which ends its sessions": func() {
			g.vault.Write("sys/leases/revoke-prefix/database/creds/"+vaultRole, nil)
		},
		"it is dropped, and its sessions live on": func() { g.postgres.Run(`DROP ROLE "` + user() + `"`) },
		"it has another password, and its sessions are ended": func() {
			g.postgres.Run(`ALTER ROLE "` + user() + `" PASSWORD 'another-password'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '` + user() + `'`)
		},
		"it may not log in, and its sessions are ended": func() {
			g.postgres.Run(`ALTER ROLE "` + user() + `" NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '` + user() + `'`)
		},
		"its sessions are ended, and it is as it was": func() {
			g.postgres.Run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '` + user() + `'`)
		},
	} {
		// Each with a caller, and so a role, of its own: a broker asks anew for one once a
		// second.
		g.client = safetooltest.NewClient(t, g.server, &safetooltest.ClientOptions{Principal: access.NewPrincipal("test", name)})
		sees()
		_ = user()
		before := len(g.trail.Calls())
		takeAway()
		sees()
		for _, e := range g.trail.Calls()[before:] {
			if e.Phase == audit.PhaseOutcome && e.Outcome.Status != audit.StatusOK {
				t.Errorf("%s: %+v", name, e.Outcome)
			}
		}
		_ = user()
	}
	g.end()
	g.nothingIsLeft()
}

// One call is found in our log, in that of Vault's audit device and in PostgreSQL's.
func TestOneCallIsFollowedIntoVaultAndPostgreSQL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trail, err := audit.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close()
	g := recording(t, setStage(t, vaulttest.Build(t), "5m"), trail, 5*time.Second)
	if said, isError := g.call(t, "list_tables", `{}`); isError { // under another role
		t.Fatal(said)
	}
	const sql = "SELECT title FROM books WHERE id = $1"
	if said, isError := g.query(t, sql, 3); isError {
		t.Fatal(said)
	}
	j, err := g.follow(dir)
	if err != nil {
		t.Fatal(err)
	}
	if j.Tool != "query" || j.Path != "database/creds/"+vaultRole || len(j.Statements) != 1 || j.Statements[0] != sql {
		t.Errorf("got %+v", j)
	}
	if roles := len(g.statements()); roles != 2 {
		t.Errorf("PostgreSQL saw %d roles: one for each tool", roles)
	}
}
