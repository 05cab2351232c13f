// Postgres is a guarded MCP server that lets a model read a PostgreSQL, and nothing else.
// Every call runs under a database role of its own tool and caller, which Vault makes with
// a lease of five minutes and which may only SELECT.
//
//	go run ./examples/postgres
//
// starts a PostgreSQL and a Vault of its own, runs a session with a real client, and leaves
// nothing behind. With VAULT_ADDR set, or with -serve, it is the server itself; README.md
// says how one's own Vault and PostgreSQL are set up for it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

func run(ctx context.Context) error {
	var s settings
	serving := flag.Bool("serve", false, "be the server, also where VAULT_ADDR is not set")
	flag.StringVar(&s.address, "database", os.Getenv("MCP_DATABASE_URL"), "the PostgreSQL, as postgres://db.example.org:5432/shop?sslmode=verify-full, without a user and a password")
	flag.StringVar(&s.role, "role", "mcp-readonly", "the role of Vault's database engine that makes the users")
	flag.StringVar(&s.policy, "tool-policy", "", "the policy that each tool's own token of Vault has; without it they share the server's")
	flag.StringVar(&s.audit, "audit", "audit", "where the audit log goes")
	flag.StringVar(&s.journal, "journal", "vault-journal", "where it is noted what Vault is to revoke, should this program be killed")
	flag.DurationVar(&s.timeout, "statement-timeout", 5*time.Second, "how long a statement may take")
	flag.StringVar(&s.http, "http", "", "serve over HTTP at this address instead of stdio, as 127.0.0.1:8080")
	flag.StringVar(&s.keys, "keys", "", "with -http: let in who has one of these API keys (safetool keys create --file FILE --name NAME)")
	flag.Parse()
	if *serving || os.Getenv("VAULT_ADDR") != "" {
		return serveDatabase(ctx, &s)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return session(ctx, os.Stdout, program)
}

// serveDatabase is the server, with the Vault and the PostgreSQL that it is given.
func serveDatabase(ctx context.Context, s *settings) (err error) {
	trail, err := audit.Open(s.audit, nil)
	if err != nil {
		return err
	}
	defer closing(&err, trail.Close)
	options := vault.Options{Journal: s.journal}
	if s.policy != "" {
		options.ToolPolicies = func(string) []string { return []string{s.policy} }
	}
	provider, err := vault.FromEnvironment(&options)
	if err != nil {
		return err
	}
	// The end comes after ctx has ended, and revokes what there is within a while.
	ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer closing(&err, func() error { return provider.Close(ended) })
	broker := secrets.NewBroker(provider, nil)
	defer closing(&err, func() error {
		ctx, cancel := context.WithTimeout(ended, 5*time.Second)
		defer cancel()
		return broker.Close(ctx)
	})
	database, err := openDatabase(s.address, s.timeout)
	if err != nil {
		return err
	}
	defer closing(&err, database.close)
	server, err := newServer(trail, broker, database, s.role)
	if err != nil {
		return err
	}
	return listen(ctx, server, s)
}

// newServer makes the server without saying how it is run: tests call it too.
func newServer(trail audit.Recorder, broker *secrets.Broker, d *database, role string) (*safetool.Server, error) {
	server, err := safetool.NewServer(
		&mcp.Implementation{Name: "postgres", Version: "v0.1.0"},
		&safetool.Options{
			Audit: trail, Secrets: broker, Explain: explain, Middleware: []safetool.Middleware{d.inTurn},
			Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		})
	if err != nil {
		return nil, err
	}
	addTools(server, d, role)
	return server, nil
}

// closing closes what was opened, and loses no error.
func closing(err *error, closer func() error) { *err = errors.Join(*err, closer()) }
