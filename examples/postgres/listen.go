package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/access/apikey"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/serve"
)

// settings are what the flags say.
type settings struct {
	address, role, policy, audit, journal, http, keys string
	timeout                                           time.Duration
}

// listen serves over standard input and output, or over HTTP whoever has a key of the
// file, or, without one, whoever is on this machine. Elsewhere it then does not start.
func listen(ctx context.Context, server *safetool.Server, s *settings) error {
	if s.http == "" {
		return serve.Stdio(ctx, server, nil)
	}
	options := &serve.HTTPOptions{Address: s.http, Listening: func(at net.Addr) {
		fmt.Fprintf(os.Stderr, "postgres: serving on http://%s/mcp\n", at)
	}}
	if s.keys == "" {
		options.InsecureAnonymous = "the example is tried on one's own machine"
		return serve.HTTP(ctx, server, options)
	}
	keys, err := apikey.Open(s.keys, nil)
	if err != nil {
		return err
	}
	options.Authenticators = []access.Authenticator{keys}
	return serve.HTTP(ctx, server, options)
}
