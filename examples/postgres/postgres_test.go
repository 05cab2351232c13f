//go:build unix

package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// The session of this package starts itself as the server: under test that is this program.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-serve") {
		main()
		return
	}
	os.Exit(m.Run())
}

// A guarded is the server as main makes it, over a stage of its own.
type guarded struct {
	*stage
	trail  *safetooltest.Recorder
	server *safetool.Server
	client *mcp.ClientSession
	end    func() // closes all of it; the test's end does, too
}

func serving(t *testing.T, lease string, timeout time.Duration) *guarded {
	t.Helper()
	return servingOn(t, setStage(t, vaulttest.Build(t), lease), timeout)
}

func servingOn(t *testing.T, s *stage, timeout time.Duration) *guarded {
	t.Helper()
	trail := &safetooltest.Recorder{}
	g := recording(t, s, trail, timeout)
	g.trail = trail
	return g
}

// recording is a server with that recorder.
func recording(t *testing.T, s *stage, trail audit.Recorder, timeout time.Duration) *guarded {
	t.Helper()
	g := &guarded{stage: s}
	provider, err := vault.New(g.vault.Address, &vault.Options{
		Login:        vault.AppRole(vault.AppRoleOptions{RoleID: g.roleID, SecretID: secrets.NewSecret([]byte(g.secretID))}),
		ToolPolicies: func(string) []string { return []string{toolPolicyName} },
	})
	if err != nil {
		t.Fatal(err)
	}
	broker := secrets.NewBroker(provider, nil)
	database, err := openDatabase(g.address, timeout)
	if err != nil {
		t.Fatal(err)
	}
	if g.server, err = newServer(trail, broker, database, vaultRole); err != nil {
		t.Fatal(err)
	}
	g.client = safetooltest.NewClient(t, g.server)
	ended := false
	g.end = func() {
		if ended {
			return
		}
		ended = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		for _, closer := range []func() error{database.close, func() error { return broker.Close(ctx) }, func() error { return provider.Close(ctx) }} {
			if err := closer(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(g.end)
	return g
}

// call calls a tool, and returns what the model reads and the structured result.
func (g *guarded) call(t *testing.T, tool, arguments string) (said string, isError bool) {
	t.Helper()
	res, err := g.client.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(arguments)})
	if err != nil {
		t.Fatalf("%s %s: %v", tool, arguments, err)
	}
	for _, c := range res.Content {
		said += c.(*mcp.TextContent).Text
	}
	return said, res.IsError
}

// query calls query.
func (g *guarded) query(t *testing.T, sql string, params ...any) (said string, isError bool) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"sql": sql, "params": append([]any{}, params...)})
	if err != nil {
		t.Fatal(err)
	}
	return g.call(t, "query", string(raw))
}

func TestWhatIsAskedIsAnswered(t *testing.T) {
	t.Parallel()
	g := serving(t, "5m", 5*time.Second)
	for _, c := range []struct{ tool, arguments, says string }{
		{"list_tables", `{}`, `{"name":"public.books","kind":"table","comment":"what the library has"},{"name":"public.loans","kind":"table"},{"name":"public.overdue","kind":"view"}`},
		{"describe_table", `{"name":"public.books"}`, `{"name":"shelf","type":"text","nullable":true,"comment":"where it stands; NULL while it is being repaired"}`},
		{"query", `{"sql":"SELECT title FROM books WHERE author = $1 AND published > $2 ORDER BY id","params":["Ursula K. Le Guin",1970]}`, `"rows":[["The Dispossessed"]]`},
		{"query", `{"sql":"SELECT id, returned, due, NULL::text FROM loans WHERE id = $1","params":[9007199254740993]}`, `"rows":[["9007199254740993",false,"2026-03-01",null]]`},
		{"query", `{"sql":"WITH x AS (SELECT 1 AS n) SELECT n, n::float8 / 3, n = 1 AS is FROM x -- and a comment"}`, `{"columns":[{"name":"n","type":"int4"},{"name":"?column?","type":"float8"},{"name":"is","type":"bool"}],"rows":[[1,"0.3333333333333333",true]]}`},
		{"query", `{"sql":"TABLE overdue"}`, `["The Left Hand of Darkness","2026-03-01"]`},
		{"query", `{"sql":"VALUES ($1), ('b; DROP TABLE books')","params":["a'; DROP TABLE books; --"]}`, `"rows":[["a'; DROP TABLE books; --"],["b; DROP TABLE books"]]`},
		{"query", `{"sql":"SELECT count(*) FROM books"}`, `"rows":[["5"]]`},
		{"query", `{"sql":"SELECT n FROM generate_series(1, 100000) n"}`, `[200]],"truncated":true}`},
	} {
		if said, isError := g.call(t, c.tool, c.arguments); isError || !strings.Contains(said, c.says) {
			t.Errorf("%s %s: %v %s", c.tool, c.arguments, isError, said)
		}
	}
	for _, c := range []struct{ tool, arguments, says string }{
		{"describe_table", `{"name":"public.nothing"}`, "There is no table"},
		{"describe_table", `{"name":"pg_catalog.pg_authid"}`, "There is no table"},
		{"describe_table", `{"name":"books; DROP TABLE books"}`, "There is no table"},
		{"query", `{"sql":"SELECT titel FROM books"}`, `column "titel" does not exist (SQLSTATE 42703, at character 8)`},
		{"query", `{"sql":"SELECT $1::int"}`, "has 1 parameters ($1, $2, …), and params has 0 values"},
		{"query", `{"sql":"SELECT 1","params":["x"]}`, "has 0 parameters"},
		{"query", `{"sql":"SELECT $1::int","params":["x"]}`, `invalid input syntax for type integer: "x"`},
		{"query", `{"sql":"SELECT $1","params":[true]}`, "params[0]"},
		{"query", `{"sql":""}`, "at least 1"},
		{"query", `{"sql":"` + strings.Repeat("x", 4001) + `"}`, "at most 4000"},
		{"query", `{"sql":"SELECT 1","params":["` + strings.Repeat("1\",\"", 21) + `"]}`, "at most 20"},
		{"query", `{"sql":"SELECT repeat('x', 300000)"}`, "more than the 262144 bytes"},
		{"query", `{"sql":"SELECT repeat('x', 30000000)"}`, "more than the 262144 bytes"},
		{"query", `{"sql":"SELECT repeat('x', 30000000)::int"}`, "more than the 262144 bytes"},
		{"query", `{"sql":"SELECT repeat('x', 100000)::int"}`, "xxx… (SQLSTATE 22P02"},
	} {
		if said, isError := g.call(t, c.tool, c.arguments); !isError || !strings.Contains(said, c.says) {
			t.Errorf("%s %.100s: %v %.300s", c.tool, c.arguments, isError, said)
		}
	}
	// What is long is cut off between rows, and its connection is not used again.
	if said, isError := g.query(t, "SELECT repeat('x', 100000) FROM generate_series(1, 9)"); isError || !strings.Contains(said, `"truncated":true`) || strings.Count(said, "xx\"]") != 2 {
		t.Errorf("%v %d", isError, len(said))
	}
	if said, isError := g.query(t, "SELECT 1 AS one"); isError || !strings.Contains(said, `[[1]]`) {
		t.Errorf("%v %s", isError, said)
	}
}
