package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/internal/vaulttest"
)

// The entry is in a real Vault, and the program is a real process.
func TestAnEntryIsImportedFromVault(t *testing.T) {
	v := vaulttest.Start(t)
	v.Write("sys/mounts/secret", map[string]any{"type": "kv-v2"})
	v.Write("sys/mounts/team/kv", map[string]any{"type": "kv-v2"})
	v.Write("sys/auth/approle", map[string]any{"type": "approle"})
	v.Write("sys/policies/acl/reader", map[string]any{"policy": `path "secret/data/app/*" { capabilities = ["read"] }`})
	v.Write("auth/approle/role/reader", map[string]any{"token_policies": "reader", "token_ttl": "1h"})
	roleID := said(v.Read("auth/approle/role/reader/role-id"), "role_id")
	secretID := said(v.Write("auth/approle/role/reader/secret-id", nil), "secret_id")
	old := map[string]any{"data": map[string]any{"key": "of-version-one", "gone": "of-version-one"}}
	v.Write("secret/data/app/share", old)
	v.Write("secret/data/app/share", map[string]any{"data": map[string]any{"key": stored, "two": stored + "-two", "number": 7, "empty": "", "\x1b[2Jx": 7}})
	v.Write("secret/data/app/short", map[string]any{"data": map[string]any{"pin": "1234", "key": stored}})
	v.Write("secret/data/app/numbers", map[string]any{"data": map[string]any{"number": 7}})
	v.Write("secret/data/denied", map[string]any{"data": map[string]any{"key": stored}})
	v.Write("team/kv/data/app/share", map[string]any{"data": map[string]any{"key": stored + "-team"}})
	for _, name := range []string{"VAULT_TOKEN", "VAULT_SECRET_ID_FILE", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY", "VAULT_TLS_SERVER_NAME"} {
		t.Setenv(name, "")
	}
	t.Setenv("VAULT_ADDR", v.Address)
	t.Setenv("VAULT_ROLE_ID", roleID)
	t.Setenv("VAULT_SECRET_ID", secretID)

	file := filepath.Join(t.TempDir(), "secrets.age")
	holds := func(want string) {
		t.Helper()
		table, _, _ := secretsTool(t, file, "", "list")
		var names []string
		for line := range strings.Lines(table) {
			if name, is := strings.CutPrefix(strings.Fields(line)[0], "kv:"); is {
				names = append(names, name)
			}
		}
		if strings.Join(names, " ") != want {
			t.Errorf("it holds %v, want %s", names, want)
		}
	}
	out, errs, code := secretsTool(t, file, "", "import-vault", "app/share")
	if code != 0 || out != "" || !strings.Contains(errs, "2 fields were copied") || !strings.Contains(errs, "no text: _[2Jx, empty, number") || strings.Contains(errs, "canary") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	holds("app/share#key app/share#two")
	if value, _ := issuedFrom(t, file, "app/share", "key", nil); value != stored {
		t.Errorf("issued %q", value)
	}
	if _, errs, code := secretsTool(t, file, "", "import-vault", "app/share", "two", "--as", "copy"); code != 0 || !strings.Contains(errs, "1 field was copied") {
		t.Errorf("exit %d: %s", code, errs)
	}
	holds("app/share#key app/share#two copy#two")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"app/short"}, "fewer than 8 bytes"},
		{[]string{"app/share", "key", "absent", "--as", "x"}, "no field absent"},
		{[]string{"app/share", "number", "--as", "x"}, "no field number"},
		{[]string{"app/numbers"}, "no field with a text"},
		{[]string{"app/absent"}, "--mount"},
		{[]string{"secret/data/app/share"}, "without data/ in it"},
		{[]string{"denied"}, "denied it"},
		{[]string{"app/share", "--mount", "team/kv"}, "denied it"},
		{[]string{"app/share", "--mount", "../sys"}, "mount"},
		{[]string{"{tenant}/share"}, "tenant"},
	} {
		if out, errs, code := secretsTool(t, file, "", append([]string{"import-vault"}, c.args...)...); code != 1 || out != "" || !strings.Contains(errs, c.says) || strings.Contains(errs, "canary") || strings.Contains(errs, secretID) {
			t.Errorf("%q: exit %d: %s%s", c.args, code, out, errs)
		}
	}
	holds("app/share#key app/share#two copy#two")
	if _, errs, code := secretsTool(t, file, "", "import-vault", "app/short", "--insecure-short", "a door that has four digits"); code != 0 {
		t.Error(errs)
	}
	t.Setenv("VAULT_ROLE_ID", "")
	t.Setenv("VAULT_TOKEN", v.RootToken)
	if _, errs, code := secretsTool(t, file, "", "import-vault", "app/share", "--mount", "team/kv", "--as", "team"); code != 0 {
		t.Error(errs)
	}
	holds("app/share#key app/share#two app/short#key app/short#pin copy#two team#key")
	if value, _ := issuedFrom(t, file, "team", "key", nil); value != stored+"-team" {
		t.Errorf("issued %q", value)
	}
	v.Seal()
	if _, errs, code := secretsTool(t, file, "", "import-vault", "app/share"); code != 1 || !strings.Contains(errs, "sealed") {
		t.Errorf("exit %d: %s", code, errs)
	}
	v.Kill()
	if _, errs, code := secretsTool(t, file, "", "import-vault", "app/share"); code != 1 || !strings.Contains(errs, "cannot be reached") {
		t.Errorf("exit %d: %s", code, errs)
	}
	holds("app/share#key app/share#two app/short#key app/short#pin copy#two team#key")
}

// said is a text of an answer.
func said(answer map[string]any, name string) string {
	data, _ := answer["data"].(map[string]any)
	s, _ := data[name].(string)
	return s
}
