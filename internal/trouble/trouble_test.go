//go:build unix

package trouble_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/internal/postgrestest"
	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

const (
	confirm  = time.Second      // instead of 30: how often a credential is confirmed
	callers  = 8                // each calls both tools, ten times a second
	deadline = 10 * time.Second // of a call; no call may reach it
	// Each of the two credentials is confirmed once a second or so, and where Vault
	// does not do its work the breaker lets one request through now and then.
	mostInASecond = 4
	// What it takes once to get everything anew: a login, a token for each tool, each
	// credential, and before that the requests that were refused, with the question
	// each time whether it is the token that has ended; a probe or two.
	mostAtOnce = 16
)

// A world is a server whose credentials come from a real Vault.
type world struct {
	t      *testing.T
	vault  *vaulttest.Server
	db     *postgrestest.Server
	relay  *relay
	trail  *safetooltest.Recorder
	server *safetool.Server
	client *mcp.ClientSession

	served, refused, late, wrong atomic.Int64
}

func newWorld(t *testing.T) (w *world, end func() error) {
	t.Helper()
	w = &world{t: t, vault: vaulttest.Start(t), db: postgrestest.Start(t), trail: &safetooltest.Recorder{}}
	w.furnish()
	w.relay = newRelay(t, w.vault.Address)
	roleID := text(w.vault.Read("auth/approle/role/server/role-id"), "role_id")
	secretID := text(w.vault.Write("auth/approle/role/server/secret-id", nil), "secret_id")
	provider, err := vault.New(w.relay.URL, &vault.Options{
		Login:        vault.AppRole(vault.AppRoleOptions{RoleID: roleID, SecretID: secrets.NewSecret([]byte(secretID))}),
		ToolPolicies: func(tool string) []string { return []string{"tool-" + tool} },
		Timeout:      2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	broker := secrets.NewBroker(provider, &secrets.Options{Confirm: confirm, Stale: 3 * time.Second})
	w.server, err = safetool.NewServer(&mcp.Implementation{Name: "trouble", Version: "v1"}, &safetool.Options{Audit: w.trail, Secrets: broker})
	if err != nil {
		t.Fatal(err)
	}
	w.addTool("read", secrets.KV("app/share", "key"))
	w.addTool("query", secrets.Database("readonly"))
	w.client = safetooltest.NewClient(t, w.server)
	return w, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return errors.Join(broker.Close(ctx), provider.Close(ctx))
	}
}

func text(answer map[string]any, name string) string {
	data, _ := answer["data"].(map[string]any)
	s, _ := data[name].(string)
	return s
}

// furnish gives Vault a stored value, a database, and an AppRole with little.
func (w *world) furnish() {
	v := w.vault
	v.Write("sys/mounts/secret", map[string]any{"type": "kv-v2"})
	w.store()
	v.Write("sys/mounts/database", map[string]any{"type": "database"})
	v.Write("database/config/main", map[string]any{
		"plugin_name": "postgresql-database-plugin", "allowed_roles": "readonly", "username": "postgres", "password": w.db.Password,
		"connection_url": "postgresql://{{username}}:{{password}}@" + net.JoinHostPort(w.db.Host, w.db.Port) + "/postgres?sslmode=disable",
	})
	w.role("5m")
	v.Write("sys/policies/acl/server", map[string]any{"policy": `
path "auth/token/create" { capabilities = ["update", "sudo"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "secret/data/app/share" { capabilities = ["read"] }
path "database/creds/readonly" { capabilities = ["read"] }`})
	v.Write("sys/policies/acl/tool-read", map[string]any{"policy": `path "secret/data/app/share" { capabilities = ["read"] }`})
	v.Write("sys/policies/acl/tool-query", map[string]any{"policy": `
path "database/creds/readonly" { capabilities = ["read"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }`})
	v.Write("sys/auth/approle", map[string]any{"type": "approle"})
	v.Write("auth/approle/role/server", map[string]any{"token_policies": "server", "token_ttl": "1h"})
}

func (w *world) store() {
	w.vault.Write("secret/data/app/share", map[string]any{"data": map[string]any{"key": "a-value-of-the-test"}})
}

// role makes the database's role, with leases of that life.
func (w *world) role(life string) {
	w.vault.Write("database/roles/readonly", map[string]any{
		"db_name": "main", "default_ttl": life, "max_ttl": "1h",
		"creation_statements": `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
	})
}

func (w *world) addTool(name string, b secrets.Binding) {
	safetool.AddTool(w.server, &mcp.Tool{Name: name}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"it": b}},
		func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			_, err := safetool.CallFrom(ctx).Credential("it")
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, err
		})
}

// call calls once and counts what became of it.
func (w *world) call(tool string) (served bool) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	res, err := w.client.CallTool(ctx, &mcp.CallToolParams{Name: tool})
	switch {
	case ctx.Err() != nil:
		w.late.Add(1)
	case err != nil:
		w.wrong.Add(1)
	case !res.IsError:
		w.served.Add(1)
		return true
	default:
		w.refused.Add(1)
		if said := res.Content[0].(*mcp.TextContent).Text; !strings.Contains(said, "credentials") || strings.Contains(said, "vault") {
			w.t.Errorf("the caller is told %q", said)
		}
	}
	return false
}

// ready is what /readyz asks.
func (w *world) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return bridge.Open(w.server).Ready(ctx)
}

// notices are the kinds of notices of credentials in the audit log.
func (w *world) notices() (kinds []string) {
	for _, e := range w.trail.Events() {
		if e.Phase == audit.PhaseNotice && e.Decision.By == "secrets" && !slices.Contains(kinds, e.Decision.Rule) {
			kinds = append(kinds, e.Decision.Rule)
		}
	}
	return kinds
}

// A trouble is what happens to the Vault, and how it ends.
type trouble struct {
	name       string
	make, mend func(*world)
	notice     string // that has to be on record; empty: nobody notices anything
	refuses    bool   // calls are refused while it lasts
}

var troubles = []trouble{
	{"none", func(*world) {}, func(*world) {}, "", false},
	{"kill -9 and restart", func(w *world) { w.vault.Kill() }, func(w *world) { w.vault.Restart() }, "unavailable", true},
	{"seal and unseal", func(w *world) { w.vault.Seal() }, func(w *world) { w.vault.Unseal() }, "unavailable", true},
	{"every token revoked", func(w *world) { w.revokeTokens() }, func(*world) {}, "", false},
	{"every lease revoked", func(w *world) { w.vault.Write("sys/leases/revoke-prefix/database/creds/readonly", nil) }, func(*world) {}, "ended", false},
	{"role deleted", func(w *world) {
		w.vault.Delete("database/roles/readonly")
		w.vault.Write("sys/leases/revoke-prefix/database/creds", nil)
	}, func(w *world) { w.role("5m") }, "ended", true},
	{"value deleted", func(w *world) { w.vault.Delete("secret/data/app/share") }, func(w *world) { w.store() }, "ended", true},
	{"leases of 2 s", func(w *world) { w.role("2s"); w.vault.Write("sys/leases/revoke-prefix/database/creds/readonly", nil) }, func(w *world) { w.role("5m") }, "ended", false},
	{"black hole", func(w *world) { w.relay.swallow() }, func(w *world) { w.relay.restore() }, "unavailable", true},
	{"storm of 500", func(w *world) { w.relay.answer(500)() }, func(w *world) { w.relay.answer(0)() }, "unavailable", true},
	{"storm of 503", func(w *world) { w.relay.answer(503)() }, func(w *world) { w.relay.answer(0)() }, "unavailable", true},
	{"storm of 429", func(w *world) { w.relay.answer(429)() }, func(w *world) { w.relay.answer(0)() }, "unavailable", true},
}

// revokeTokens ends all tokens but the test's own.
func (w *world) revokeTokens() {
	root := text(w.vault.Read("auth/token/lookup-self"), "accessor")
	for _, accessor := range w.vault.List("auth/token/accessors") {
		if accessor != root {
			w.vault.Write("auth/token/revoke-accessor", map[string]any{"accessor": accessor})
		}
	}
}

// Whatever happens to a real Vault: no call hangs, few requests are sent, the log is
// told, credentials that are good are used meanwhile, and all is well afterwards without
// a restart, with nothing left behind.
func TestTrouble(t *testing.T) {
	var table bytes.Buffer
	out := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "trouble\tlasted\trequests\tat most\tserved\trefused\tpast deadline\tnotices\tgoroutines left")
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) { through(t, trouble, out) })
	}
	_ = out.Flush()
	t.Log("\n" + table.String())
}

func through(t *testing.T, trouble trouble, out *tabwriter.Writer) {
	w, end := newWorld(t)
	if !w.call("read") || !w.call("query") {
		t.Fatal("there is trouble before it is made")
	}
	before := runtime.NumGoroutine()
	stop := make(chan struct{})
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				w.call([]string{"read", "query"}[i%2])
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		})
	}
	sent, served, refused, begun := w.relay.sent.Load(), w.served.Load(), w.refused.Load(), time.Now()
	trouble.make(w)
	w.vault.Until("the trouble is on record", func() bool { return trouble.notice == "" || slices.Contains(w.notices(), trouble.notice) })
	noticed := time.Since(begun)
	if trouble.refuses {
		w.vault.Until("calls are refused", func() bool { return w.refused.Load() > refused+5 })
	}
	if ready := w.ready(); trouble.notice == "unavailable" && ready == nil {
		t.Error("the server says that it is ready")
	}
	hold := time.NewTimer(3 * time.Second)
	<-hold.C
	lasted := time.Since(begun)
	sent, served, refused = w.relay.sent.Load()-sent, w.served.Load()-served, w.refused.Load()-refused
	trouble.mend(w)
	w.vault.Until("all is well again", func() bool { return w.call("read") && w.call("query") })
	close(stop)
	group.Wait()
	w.vault.Until("the server is ready", func() bool { return w.ready() == nil })
	if trouble.notice == "unavailable" {
		w.vault.Until("the end is on record", func() bool { return slices.Contains(w.notices(), "available") })
	}
	if err := end(); err != nil {
		t.Errorf("closing: %v", err)
	}
	w.vault.Until("no lease is left", func() bool { return len(w.vault.List("sys/leases/lookup/database/creds/readonly")) == 0 })
	w.vault.Until("the goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	most := int64(mostAtOnce + mostInASecond*lasted.Seconds())
	if late, wrong := w.late.Load(), w.wrong.Load(); late+wrong > 0 || sent > most {
		t.Errorf("%d calls past their deadline, %d failed in another way, %d requests of %d at most", late, wrong, sent, most)
	}
	if served == 0 || (!trouble.refuses && trouble.notice == "" && refused > 0) {
		t.Errorf("served %d, refused %d", served, refused)
	}
	fmt.Fprintf(out, "%s\t%.1f s\t%d\t%d\t%d\t%d\t%d\t%s (after %.1f s)\t%d\n", trouble.name, lasted.Seconds(), sent, most,
		served, refused, w.late.Load(), strings.Join(w.notices(), ", "), noticed.Seconds(), max(0, runtime.NumGoroutine()-before))
}
