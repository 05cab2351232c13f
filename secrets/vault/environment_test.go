package vault_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

func TestTheEnvironmentIsEnough(t *testing.T) {
	v, roleID, secretID := furnished(t)
	file := filepath.Join(t.TempDir(), "secret-id")
	if err := os.WriteFile(file, []byte(secretID+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := []string{"VAULT_ADDR", "VAULT_TOKEN", "VAULT_ROLE_ID", "VAULT_SECRET_ID", "VAULT_SECRET_ID_FILE", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY", "VAULT_TLS_SERVER_NAME"}
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a token":              {map[string]string{"VAULT_ADDR": v.Address, "VAULT_TOKEN": v.RootToken}, ""},
		"a role":               {map[string]string{"VAULT_ADDR": v.Address, "VAULT_ROLE_ID": roleID, "VAULT_SECRET_ID": secretID}, ""},
		"a role and a file":    {map[string]string{"VAULT_ADDR": v.Address, "VAULT_ROLE_ID": roleID, "VAULT_SECRET_ID_FILE": file, "VAULT_TOKEN": "hvs.unused"}, ""},
		"nothing":              {nil, "VAULT_ADDR is not set"},
		"nobody":               {map[string]string{"VAULT_ADDR": v.Address}, "nothing says who this is"},
		"half a role":          {map[string]string{"VAULT_ADDR": v.Address, "VAULT_ROLE_ID": roleID}, "VAULT_SECRET_ID"},
		"a role twice":         {map[string]string{"VAULT_ADDR": v.Address, "VAULT_ROLE_ID": roleID, "VAULT_SECRET_ID": "x", "VAULT_SECRET_ID_FILE": file}, "either"},
		"no verification":      {map[string]string{"VAULT_ADDR": v.Address, "VAULT_TOKEN": "hvs.x", "VAULT_SKIP_VERIFY": "1"}, "VAULT_CACERT"},
		"no such certificates": {map[string]string{"VAULT_ADDR": v.Address, "VAULT_TOKEN": "hvs.x", "VAULT_CACERT": file + ".none"}, "VAULT_CACERT"},
	} {
		for _, name := range all {
			t.Setenv(name, c.env[name])
		}
		p, err := vault.FromEnvironment(nil)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hvs.") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := p.Issue(t.Context(), secrets.Request{Tool: "share", Binding: secrets.KV("app/share", "key")}); err != nil || shown(got) != value {
			t.Errorf("%s: %v %v", name, got, err)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
