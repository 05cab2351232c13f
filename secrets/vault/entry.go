package vault

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/safemcp/safemcp/secrets"
)

// Entry returns the values of all fields of a stored entry (KV version 2), as they
// stand in its latest version: for a program that copies them, not for a tool, which
// gets the one that its binding names. Fields that hold no text, or an empty one, are
// not among the values; others are their names, sorted. It works with the provider's
// own token. The error wraps [secrets.ErrNotFound] where there is no such entry.
func (p *Provider) Entry(ctx context.Context, path string) (values map[string]secrets.Secret, others []string, err error) {
	b := secrets.KV(path, "field")
	if err := p.Supports(b); err != nil {
		return nil, nil, err
	}
	escaped, err := pathOf(path, "") // {tenant} has no caller here
	if err != nil {
		return nil, nil, err
	}
	in := p.state()
	a, _, err := in.as(ctx, "", http.MethodGet, in.options.KVMount+"/data/"+escaped, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("vault: the entry %s: %w", path, err)
	}
	var entry struct {
		Data map[string]any `json:"data"`
	}
	if err := a.into(&entry); err != nil {
		return nil, nil, fmt.Errorf("vault: the entry %s: %w", path, err)
	}
	values = map[string]secrets.Secret{}
	for _, field := range slices.Sorted(maps.Keys(entry.Data)) {
		if text, is := entry.Data[field].(string); is && text != "" {
			values[field] = secrets.NewSecret([]byte(text))
			continue
		}
		others = append(others, field)
	}
	return values, others, nil
}
