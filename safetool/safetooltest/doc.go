// Package safetooltest is for the tests of those who write tools with safetool.
//
// A handler is tested as a function, with a Call in its context:
//
//	ctx := safetooltest.Context(t, &safetooltest.CallOptions{
//		Tool:    "share_document",
//		Secrets: map[string]string{"share_key": "0123456789abcdef"},
//	})
//	_, link, err := shareDocument(ctx, nil, ShareArgs{ID: "d1"})
//
// A server is tested through the SDK's own client, with every guard in between,
// and its audit trail is there to be looked at:
//
//	trail := &safetooltest.Recorder{}
//	server := newServer(trail)
//	client := safetooltest.NewClient(t, server)
//	res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_weather", Arguments: map[string]any{"city": "Atlantis"}})
//	// res.IsError, and trail.Events() ends in a refusal
package safetooltest
