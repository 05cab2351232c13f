//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/harness"
	"github.com/safemcp/safemcp/internal/page"
	"github.com/safemcp/safemcp/internal/postgrestest"
	"github.com/safemcp/safemcp/internal/vaulttest"
)

// session starts a PostgreSQL and a Vault, then program as the server, which a real client
// calls, and prints what happens. It fails where anything is not as it says, and leaves
// nothing behind.
func session(ctx context.Context, out io.Writer, program string) error {
	file, _ := out.(*os.File)
	_, noPostgres := postgrestest.Programs()
	vaultProgram, noVault := vaulttest.Program()
	if err := errors.Join(noPostgres, noVault); err != nil {
		return err
	}
	return harness.Run(ctx, func(t *harness.Stage) error {
		g := &guide{page: page.Page{W: out, Colour: file != nil && page.Terminal(file)}, dir: t.TempDir()}
		g.page.Title("A model reads a PostgreSQL, and can do nothing else")
		g.page.Sayf("A PostgreSQL, a Vault and this program as the server are started, each in a process of its own; the client is the SDK's. Vault makes the database's users as README.md sets it up.")
		g.stage = setStage(t, vaultProgram, "5m")
		if err := g.visit(ctx, program); err != nil {
			return err
		}
		return g.afterwards()
	})
}

// A guide leads through the session.
type guide struct {
	*stage
	page    page.Page
	dir     string
	client  *mcp.ClientSession
	stderr  kept
	count   int
	answers strings.Builder // all that the model has read
}

// A kept is what the server writes to its standard error, which is read while it may
// still write.
type kept struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (k *kept) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(b)
}

// String implements [fmt.Stringer].
func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

func (g *guide) trail() string { return filepath.Join(g.dir, "audit") }

// visit starts the server, shows each section, and lets the server end.
func (g *guide) visit(ctx context.Context, program string) (err error) {
	secretID := filepath.Join(g.dir, "secret-id")
	if err := os.WriteFile(secretID, []byte(g.secretID), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "-serve", "-database", g.address, "-role", vaultRole, "-tool-policy", toolPolicyName,
		"-audit", g.trail(), "-journal", filepath.Join(g.dir, "journal"), "-statement-timeout", "1s")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + g.vault.Address, "VAULT_ROLE_ID=" + g.roleID, "VAULT_SECRET_ID_FILE=" + secretID}
	cmd.Stderr = &g.stderr
	client := mcp.NewClient(&mcp.Implementation{Name: "session", Version: "v1"}, nil)
	g.client, err = client.Connect(ctx, &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		return fmt.Errorf("connecting: %w\n%s", err, g.stderr.String())
	}
	defer func() {
		if cerr := g.client.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("the server did not end well: %w\n%s", cerr, g.stderr.String())
		}
	}()
	for _, section := range []func(context.Context) error{g.goodQuery, g.write, g.secondStatement, g.files, g.tooMuch, g.revoked, g.followed} {
		if err := section(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (g *guide) section(title string) {
	g.count++
	g.page.Section(g.count, title)
}

// query calls query with one statement and its values.
func (g *guide) query(ctx context.Context, refused bool, promise, sql string, params ...any) error {
	arguments := map[string]any{"sql": sql}
	if len(params) > 0 {
		arguments["params"] = params
	}
	return g.call(ctx, "query", arguments, refused, promise)
}

// call calls a tool and prints both sides. It fails if the answer does not hold what is
// promised.
func (g *guide) call(ctx context.Context, tool string, arguments map[string]any, refused bool, promise string) error {
	var sent bytes.Buffer
	encoder := json.NewEncoder(&sent)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(arguments); err != nil {
		return err
	}
	g.page.Labelled("client sends", "2", tool+" "+sent.String())
	res, err := g.client.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(sent.Bytes())})
	if err != nil {
		return fmt.Errorf("calling %s: %w\n%s", tool, err, g.stderr.String())
	}
	var said strings.Builder
	for _, c := range res.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			said.WriteString(text.Text + "\n")
		}
	}
	g.answers.WriteString(said.String())
	code, shown := "32", said.String()
	if res.IsError {
		code = "33"
	}
	const most = 400
	if runes := []rune(shown); len(runes) > most {
		shown = string(runes[:most*2/5]) + " … " + string(runes[len(runes)-most/5:])
	}
	g.page.Labelled("model reads", code, shown)
	if res.IsError != refused || !strings.Contains(said.String(), promise) {
		return fmt.Errorf("%s: refused is %v, and the session says %v and %q:\n%s", tool, res.IsError, refused, promise, said.String())
	}
	return nil
}
