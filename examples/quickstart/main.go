// Quickstart is a guarded MCP server to copy from: six tools, an audit log, and a
// credential from an encrypted file, or from a Vault where VAULT_ADDR names one. Put it under an MCP client as
//
//	go run github.com/safemcp/safemcp/examples/quickstart -audit ./audit
//
// or serve it over HTTP, at http://127.0.0.1:8080/mcp, with -http 127.0.0.1:8080.
//
// This file wires the server; the tools stand beside it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/serve"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	home := flag.String("home", defaultHome(), "where the secret store is kept")
	auditDir := flag.String("audit", "", "where the audit log goes (default HOME/audit)")
	address := flag.String("http", "", "serve over HTTP at this address instead of stdio, as 127.0.0.1:8080")
	keyFile := flag.String("keys", "", "with -http: let in who has one of these API keys (safetool keys create --file FILE --name NAME)")
	faults := flag.Bool("demo-faults", false, "add the tool crash, which panics")
	describe := flag.Bool("describe", false, "print what the tools may do, and exit")
	flag.Parse()
	if *auditDir == "" {
		*auditDir = filepath.Join(*home, "audit")
	}

	// The audit log: no record, no call.
	trail, err := audit.Open(*auditDir, nil)
	if err != nil {
		return err
	}
	defer closing(&err, trail.Close)

	// The credentials: from a Vault, or from an encrypted file.
	broker, closeBroker, err := credentials(ctx, *home)
	if err != nil {
		return err
	}
	defer closing(&err, closeBroker)

	server, err := newServer(trail, broker, *faults)
	if err != nil {
		return err
	}
	if *describe {
		return safetool.WriteCards(os.Stdout, server.Describe())
	}
	if *address == "" {
		return serve.Stdio(ctx, server, nil)
	}
	options, err := httpOptions(*address, *keyFile)
	if err != nil {
		return err
	}
	return serve.HTTP(ctx, server, options)
}

// newServer makes the server without saying how it is run: tests call it too.
func newServer(trail audit.Recorder, broker *secrets.Broker, faults bool) (*safetool.Server, error) {
	server, err := safetool.NewServer(
		&mcp.Implementation{Name: "quickstart", Version: "v0.1.0"},
		&safetool.Options{Audit: trail, Secrets: broker, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return nil, err
	}
	addTools(server)
	if faults {
		addCrash(server)
	}
	return server, nil
}

// defaultHome is a directory of the user's own.
func defaultHome() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = "."
	}
	return filepath.Join(dir, "safemcp-quickstart")
}

// closing closes what main opened, and reports an error that nothing else hides.
func closing(err *error, closer func() error) {
	if cerr := closer(); *err == nil {
		*err = cerr
	}
}
