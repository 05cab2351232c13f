package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	_ "github.com/safemcp/safemcp/serve" // whose door it is
)

var caller = bridge.Caller{Principal: access.NewPrincipal("bench", "caller"), Transport: "memory"}

// A rig is a server with a client in memory.
type rig struct {
	client *mcp.ClientSession
	next   mcp.MethodHandler // what a request goes through in the server
	req    *mcp.CallToolRequest
}

// newRig connects the server, which answers at near, and a client at far.
func newRig(ctx context.Context, server *mcp.Server, near, far mcp.Transport) (*rig, error) {
	r := &rig{}
	server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		r.next = next
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if call, ok := req.(*mcp.CallToolRequest); ok && r.req == nil {
				r.req = call
			}
			return next(ctx, method, req)
		}
	})
	if _, err := server.Connect(ctx, near, nil); err != nil {
		return nil, err
	}
	client, err := mcp.NewClient(impl, nil).Connect(ctx, far, nil)
	if err != nil {
		return nil, err
	}
	r.client = client
	return r, r.throughClient(ctx, 1)
}

// throughClient calls the tool from the client, n times.
func (r *rig) throughClient(ctx context.Context, n int) error {
	for range n {
		res, err := r.client.CallTool(ctx, &mcp.CallToolParams{Name: "search", Arguments: json.RawMessage(arguments)})
		if err != nil {
			return err
		}
		if err := answered(res); err != nil {
			return err
		}
	}
	return nil
}

// throughHandler calls what a request goes through in the server, n times.
func (r *rig) throughHandler(ctx context.Context, n int) error {
	for range n {
		res, err := r.next(ctx, "tools/call", &mcp.CallToolRequest{
			Session: r.req.Session, Extra: r.req.Extra,
			Params: &mcp.CallToolParamsRaw{Meta: r.req.Params.Meta, Name: "search", Arguments: json.RawMessage(arguments)},
		})
		if err != nil {
			return err
		}
		result, ok := res.(*mcp.CallToolResult)
		if !ok {
			return errors.New("the tool answered with something else")
		}
		if err := answered(result); err != nil {
			return err
		}
	}
	return nil
}

type level func(*rig, context.Context, int) error

// ours is the guarded server at a level.
func ours(at level) func(context.Context) (*side, error) {
	return func(ctx context.Context) (*side, error) { return oursWith(ctx, discard{}, at) }
}

func oursWith(ctx context.Context, trail audit.Recorder, at level) (*side, error) {
	s, err := guarded(trail)
	if err != nil {
		return nil, err
	}
	// In memory as safetooltest.NewClient has it: with our door in front of the server.
	gate := bridge.Open(s)
	near, far := net.Pipe()
	door, _ := bridge.Door(gate, near, caller)
	r, err := newRig(ctx, gate.SDK, door, &mcp.IOTransport{Reader: far, Writer: far})
	if err != nil {
		return nil, err
	}
	return r.side(ctx, at), nil
}

// theirs is a server of the SDK's at a level.
func theirs(server func() (*mcp.Server, error), at level) func(context.Context) (*side, error) {
	return func(ctx context.Context) (*side, error) {
		s, err := server()
		if err != nil {
			return nil, err
		}
		near, far := mcp.NewInMemoryTransports()
		r, err := newRig(ctx, s, near, far)
		if err != nil {
			return nil, err
		}
		return r.side(ctx, at), nil
	}
}

func (r *rig) side(ctx context.Context, at level) *side {
	return &side{do: func(n int) error { return at(r, ctx, n) }, close: r.client.Close}
}

// durable is the guarded server with the log that it has by default, on disk.
func durable(ctx context.Context) (*side, error) {
	dir, err := os.MkdirTemp("", "safemcp-bench-")
	if err != nil {
		return nil, err
	}
	trail, err := audit.Open(filepath.Join(dir, "audit"), nil)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s, err := oursWith(ctx, trail, (*rig).throughClient)
	if err != nil {
		return nil, errors.Join(err, trail.Close(), os.RemoveAll(dir))
	}
	end := s.close
	s.close = func() error { return errors.Join(end(), trail.Close(), os.RemoveAll(dir)) }
	return s, nil
}
