package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/safemcp/safemcp/secrets"
)

// origin joins what was issued with Vault's audit log. Where no role was asked for, it is
// the one that logged in.
func (t *token) origin(a *answer, role string) secrets.Origin {
	if role == "" {
		role = t.role
	}
	return secrets.Origin{Request: within(a.RequestID), Role: within(role), Accessor: t.mark}
}

// within keeps a name that Vault gave to what a credential may have: one that is too long
// would make it unusable.
func within(name string) string {
	const most = 256
	return name[:min(len(name), most)]
}

// markOf returns the hash of a token's accessor, as an audit device writes it where one
// is named and may be asked, and else by ourselves. That it cannot be asked is no reason
// to have no credentials.
func (p *provider) markOf(ctx context.Context, t *token) string {
	if t.accessor == "" {
		return "" // a batch token has none
	}
	sum := sha256.Sum256([]byte(t.accessor))
	own := "sha256:" + hex.EncodeToString(sum[:])
	if p.options.AuditDevice == "" {
		return own
	}
	asks := t
	if t.parent != nil {
		asks = t.parent
	}
	a, err := p.client.do(ctx, http.MethodPost, "sys/audit-hash/"+p.options.AuditDevice, asks.value, map[string]string{"input": t.accessor})
	if err != nil {
		return own
	}
	var data struct {
		Hash string `json:"hash"`
	}
	if a.into(&data) != nil || data.Hash == "" || len(data.Hash) > 256 {
		return own
	}
	return data.Hash
}
