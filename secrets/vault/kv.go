package vault

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/safemcp/safemcp/secrets"
)

// kv reads a stored value, in the version that the binding pins or the latest. Vault
// answers with a 404 for a version that was deleted or destroyed, and data that is null.
func (p *provider) kv(ctx context.Context, r secrets.Request, path string) (*secrets.Credential, error) {
	path = p.options.KVMount + "/data/" + path
	pinned := r.Binding.Version()
	if pinned > 0 {
		path += "?version=" + strconv.Itoa(pinned)
	}
	a, t, err := p.as(ctx, r.Tool, http.MethodGet, path, nil)
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	var entry struct {
		Data     map[string]any `json:"data"`
		Metadata struct {
			Version   int  `json:"version"`
			Destroyed bool `json:"destroyed"`
		} `json:"metadata"`
	}
	if err := a.into(&entry); err != nil {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	field, there := entry.Data[r.Binding.Field()]
	if !there || entry.Metadata.Destroyed {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, secrets.ErrNotFound)
	}
	if pinned > 0 && entry.Metadata.Version != pinned {
		return nil, fmt.Errorf("vault: %s: another version was answered, %d: is the engine one of KV version 2?", r.Binding, entry.Metadata.Version)
	}
	text, is := field.(string)
	if !is || text == "" {
		return nil, fmt.Errorf("vault: %s: the field is no text, or an empty one", r.Binding)
	}
	return secrets.NewCredential(secrets.CredentialData{
		Binding: r.Binding, Value: secrets.NewSecret([]byte(text)), Version: fmt.Sprintf("v%d", entry.Metadata.Version),
		Origin: t.origin(a, ""),
	})
}
