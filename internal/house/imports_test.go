package house

import (
	"slices"
	"strings"
	"testing"
)

// leaves are the rooms that know nothing of each other. Those that do not exist
// yet are named, so that they are held to the rule from their first day.
var leaves = []string{"access", "approval", "audit", "egress", "limit", "pin", "sandbox", "secrets", "validate"}

// A leaf is understood, tested and replaced on its own.
func TestNoLeafDependsOnAnotherRoom(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, p := range ours(t) {
		i := slices.IndexFunc(leaves, func(leaf string) bool { return under(p.room(), leaf) })
		if i < 0 {
			continue
		}
		seen++
		for _, dep := range p.Deps { // all of them, so that nothing helps it around
			if r := roomOf(dep); r != "" && !under(r, leaves[i]) && !under(r, "internal") {
				t.Errorf("%s depends on %s: a leaf knows its own room alone; compose them in safetool", p.room(), r)
			}
		}
	}
	if seen == 0 {
		t.Error("no leaf was looked at")
	}
}

// The front doors stand on safetool and the two leaves that say who calls and how
// much; the rest is safetool's to compose.
func TestServeImportsNothingThatSafetoolComposes(t *testing.T) {
	t.Parallel()
	for _, p := range ours(t) {
		if p.room() != "serve" {
			continue
		}
		for _, dep := range p.Imports {
			if r := roomOf(dep); r != "" && !slices.Contains([]string{"safetool", "access", "limit"}, r) && !under(r, "internal") {
				t.Errorf("serve imports %s: it stands on safetool, access and limit", r)
			}
		}
	}
}

// heavy is what only programs choose to link.
var heavy = []string{
	"github.com/hashicorp/vault",
	"filippo.io/age",
	"github.com/cedar-policy/",
	"go.etcd.io/bbolt",
	"github.com/redis/",
	"github.com/jackc/pgx",
	"go.opentelemetry.io/otel/sdk",
}

// Whoever imports safetool compiles none of the adapters that they do not use.
func TestSafetoolLinksNoHeavyAdapter(t *testing.T) {
	t.Parallel()
	seen := false
	for _, p := range ours(t) {
		if p.room() != "safetool" && p.room() != "serve" && p.room() != "safetool/safetooltest" {
			continue
		}
		seen = true
		for _, dep := range p.Deps {
			for _, h := range heavy {
				if strings.HasPrefix(dep, h) {
					t.Errorf("%s depends on %s: move what needs it into a sub-package that only programs import", p.room(), dep)
				}
			}
		}
	}
	if !seen {
		t.Error("no package was looked at")
	}
}

// The tour is read, not linked.
func TestTheRootPackageHoldsNoCode(t *testing.T) {
	t.Parallel()
	for _, p := range ours(t) {
		if p.room() == "." && !slices.Equal(p.GoFiles, []string{"doc.go"}) {
			t.Errorf("the root package holds %v: it is doc.go alone", p.GoFiles)
		}
	}
}
