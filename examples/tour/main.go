// Command tour shows what safemcp does: it starts the quickstart as the real server
// that it is, calls it with the SDK's real client, and prints what happens, with the
// audit trail of the run at the end.
//
//	go run ./examples/tour
//
// It needs nothing but Go, takes seconds, leaves nothing behind, and exits with an
// error if anything was not as it says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/page"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, page.Terminal(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// run gives the tour.
func run(ctx context.Context, out io.Writer, colour bool) (err error) {
	dir, err := os.MkdirTemp("", "safemcp-tour-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	g := &guide{page: page.Page{W: out, Colour: colour}, dir: dir, trail: filepath.Join(dir, "audit")}
	g.page.Title("A guarded MCP server, called by a real client")
	g.page.Sayf("The server is examples/quickstart, in a process of its own, over standard input and output.")
	server, err := build(ctx, dir)
	if err != nil {
		return err
	}
	if err := g.visit(ctx, server); err != nil {
		return err
	}
	return g.auditTrail()
}

// build compiles the quickstart.
func build(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "quickstart.exe") // Windows wants the ending, others do not mind
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/safemcp/safemcp/examples/quickstart")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the quickstart, from within its repository: %w\n%s", err, said)
	}
	return program, nil
}

// visit connects to the server, shows each section, and lets the server end.
func (g *guide) visit(ctx context.Context, server string) (err error) {
	cmd := exec.CommandContext(ctx, server, "-home", g.dir, "-audit", g.trail, "-demo-faults")
	cmd.Stderr = &g.stderr
	client := mcp.NewClient(&mcp.Implementation{Name: "tour", Version: "v1"}, nil)
	g.session, err = client.Connect(ctx, &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		return fmt.Errorf("connecting: %w\n%s", err, g.stderr.String())
	}
	defer func() {
		if cerr := g.session.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("the server did not end well: %w\n%s", cerr, g.stderr.String())
		}
	}()
	for _, section := range []func(context.Context) error{g.goodCall, g.refusedCity, g.hostileArgument, g.panics, g.highRisk, g.signedLink} {
		if err := section(ctx); err != nil {
			return err
		}
	}
	return nil
}
