package vault_test

import (
	"errors"
	"testing"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// A version that is pinned stays what it is, and one that was deleted or destroyed is not
// there, however Vault says so.
func TestAVersionIsPinned(t *testing.T) {
	t.Parallel()
	v, roleID, secretID := furnished(t)
	p := provider(t, v, &vault.Options{Login: appRole(roleID, secretID)})
	for _, text := range []string{"the-second-value", "the-third-value", "the-fourth-value"} {
		v.Write("secret/data/app/share", map[string]any{"data": map[string]any{"key": text}})
	}
	b := secrets.KV("app/share", "key")
	is := func(what string, b secrets.Binding, text, version string) {
		t.Helper()
		c, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: b})
		if err != nil || shown(c) != text || c.Version() != version || c.Binding() != b {
			t.Errorf("%s: %v %v", what, c, err)
		}
	}
	isGone := func(what string, b secrets.Binding) {
		t.Helper()
		if c, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: b}); !errors.Is(err, secrets.ErrNotFound) || errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("%s: %v %v", what, c, err)
		}
	}
	is("the first", b.AtVersion(1), value, "v1")
	is("the second", b.AtVersion(2), "the-second-value", "v2")
	is("the latest", b, "the-fourth-value", "v4")
	isGone("one that was never written", b.AtVersion(9))

	v.Write("secret/delete/app/share", map[string]any{"versions": []int{2, 4}})
	isGone("one that was deleted", b.AtVersion(2))
	isGone("the latest that was deleted", b)
	is("another", b.AtVersion(3), "the-third-value", "v3")
	v.Write("secret/undelete/app/share", map[string]any{"versions": []int{2}})
	is("one that came back", b.AtVersion(2), "the-second-value", "v2")
	v.Write("secret/destroy/app/share", map[string]any{"versions": []int{2}})
	isGone("one that was destroyed", b.AtVersion(2))
	v.Delete("secret/metadata/app/share")
	isGone("all", b.AtVersion(3))
}
