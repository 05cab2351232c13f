package main

import (
	"fmt"
	"net"
	"os"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/access/apikey"
	"github.com/safemcp/safemcp/serve"
)

// httpOptions say who is let in over HTTP: whoever has a key of the file, or, without
// one, whoever is on this machine. Elsewhere the server then does not start.
func httpOptions(address, keyFile string) (*serve.HTTPOptions, error) {
	options := &serve.HTTPOptions{Address: address, Listening: func(at net.Addr) {
		fmt.Fprintf(os.Stderr, "quickstart: serving on http://%s/mcp\n", at)
	}}
	if keyFile == "" {
		options.InsecureAnonymous = "the quickstart is tried on one's own machine"
		return options, nil
	}
	keys, err := apikey.Open(keyFile, nil)
	if err != nil {
		return nil, err
	}
	options.Authenticators = []access.Authenticator{keys}
	return options, nil
}
