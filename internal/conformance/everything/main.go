// Everything is the server that the official conformance suite is run against: every
// feature that the suite asks for, by this library's AddTool and its siblings, over
// serve.HTTP. Names and answers are those that the suite expects.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/serve"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "everything:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	address := flag.String("http", "127.0.0.1:8080", "where to listen")
	dir := flag.String("audit", "", "where the audit log goes; empty is a directory that is removed at the end")
	flag.Parse()
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "everything"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(*dir) }()
	}
	trail, err := audit.Open(*dir, nil)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := trail.Close(); err == nil {
			err = cerr
		}
	}()
	server, err := newServer(trail)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go watch(ctx, server)
	return serve.HTTP(ctx, server, &serve.HTTPOptions{
		Address:           *address,
		InsecureAnonymous: "the conformance suite has no credentials",
		Listening:         func(at net.Addr) { fmt.Printf("listening on http://%s/mcp\n", at) },
	})
}

// anyone may call what is read here: the suite has no roles.
var anyone = safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}

func newServer(trail audit.Recorder) (*safetool.Server, error) {
	server, err := safetool.NewServer(&mcp.Implementation{Name: "everything", Version: "v1.0.0"}, &safetool.Options{
		Audit:  trail,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Limits: limit.Limits{CallerRate: limit.Rate{Count: 10_000, Per: time.Second}},
		SDK: &mcp.ServerOptions{
			CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
				return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{}}}, nil
			},
			SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
			UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		},
	})
	if err != nil {
		return nil, err
	}
	addContent(server)
	addMessages(server)
	addQuestions(server)
	addRounds(server)
	addResources(server)
	addPrompts(server)
	return server, nil
}

// none are the arguments of a tool that has none.
type none struct{}

// tool adds a tool without arguments.
func tool(s *safetool.Server, name, description string, h func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error)) {
	safetool.AddTool(s, &mcp.Tool{Name: name, Description: description}, anyone,
		func(ctx context.Context, req *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
			res, err := h(ctx, req)
			return res, nil, err
		})
}

func content(all ...mcp.Content) *mcp.CallToolResult { return &mcp.CallToolResult{Content: all} }

func text(format string, args ...any) *mcp.CallToolResult {
	return content(&mcp.TextContent{Text: fmt.Sprintf(format, args...)})
}
