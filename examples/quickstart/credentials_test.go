package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/vaulttest"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// The same server, and a key that lies in a real Vault.
func TestALinkIsSignedWithAKeyFromVault(t *testing.T) {
	v := vaulttest.Start(t)
	v.Write("sys/mounts/secret", map[string]any{"type": "kv-v2"})
	t.Setenv("VAULT_ADDR", v.Address)
	t.Setenv("VAULT_TOKEN", v.RootToken)
	broker, end, err := credentials(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	}()
	trail := &safetooltest.Recorder{}
	server, err := newServer(trail, broker, false)
	if err != nil {
		t.Fatal(err)
	}
	session := safetooltest.NewClient(t, server)
	share := func() (said string, isError bool) {
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "share_document", Arguments: json.RawMessage(`{"id":"d1"}`)})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(res.Content[0].(*mcp.TextContent).Text), res.IsError
	}
	if said, isError := share(); !isError || !strings.Contains(said, "The credentials that share_document needs are not there") || strings.Contains(said, "quickstart/share") {
		t.Errorf("nothing is stored: %s", said)
	}
	v.Write("secret/data/quickstart/share", map[string]any{"data": map[string]any{"key": shareKey}})
	// What could not be had is asked for again after a second.
	v.Until("the value is there", func() bool { _, isError := share(); return !isError })
	if said, isError := share(); isError || !strings.Contains(said, "signature=") || strings.Contains(said, shareKey) {
		t.Errorf("got %s", said)
	}
	calls := trail.Calls()
	if last := calls[len(calls)-1]; len(last.Credentials) != 1 || last.Credentials[0].Version != "v1" {
		t.Errorf("got %+v", last)
	}
}
