package vaulttest_test

import (
	"testing"

	"github.com/safemcp/safemcp/internal/vaulttest"
)

// The helper does what it says: what is written survives a kill and a seal, and the
// audit device tells of it.
func TestAVaultSurvives(t *testing.T) {
	t.Parallel()
	v := vaulttest.Start(t)
	v.Write("sys/mounts/kv", map[string]any{"type": "kv-v2"})
	v.Write("kv/data/app", map[string]any{"data": map[string]any{"key": "a value"}})
	v.Kill()
	v.Restart()
	v.Seal()
	v.Unseal()
	data, _ := v.Read("kv/data/app")["data"].(map[string]any)
	inner, _ := data["data"].(map[string]any)
	if inner["key"] != "a value" {
		t.Errorf("got %v", data)
	}
	if names := v.List("kv/metadata"); len(names) != 1 || names[0] != "app" {
		t.Errorf("got %v", names)
	}
	v.Delete("kv/metadata/app")
	if names := v.List("kv/metadata"); len(names) != 0 {
		t.Errorf("got %v", names)
	}
	if len(v.Audit()) < 8 {
		t.Errorf("%d events of audit", len(v.Audit()))
	}
}
