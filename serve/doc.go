// Package serve runs a guarded server for its clients. [Stdio] serves the one
// client that started the program, over standard input and output:
//
//	server, err := safetool.NewServer(&mcp.Implementation{Name: "weather", Version: "v1.2.0"}, options)
//	// … safetool.AddTool and its siblings …
//	err = serve.Stdio(ctx, server, nil)
//
// [HTTP] serves many, of every protocol version, on one endpoint, and lets in who can
// say who they are:
//
//	err = serve.HTTP(ctx, server, &serve.HTTPOptions{
//		Address: ":8443", Hosts: []string{"mcp.example.com"}, CertFile: "tls.crt", KeyFile: "tls.key",
//		Authenticators: []access.Authenticator{tokens}, // of access/oauth, access/apikey, …
//	})
//
// A front door does what has to happen before the MCP SDK sees a message: it
// bounds the message, refuses what is not exactly one well-formed JSON-RPC
// message (RFC 7493 and the MCP base protocol), checks the shape of the
// parameters, says who is calling, and keeps the SDK's words for an error, which
// quote what was sent, from leaving. What it refuses is answered with a JSON-RPC
// error whose data is a [safetool.Problem], is recorded in the audit log, and
// does not end the session.
package serve
