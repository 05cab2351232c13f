package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// A fault that does not apply shows nothing: the list is kept with the tree.
func TestEveryFaultOfTheListAppliesToTheTree(t *testing.T) {
	t.Parallel()
	all, err := faults(root)
	if err != nil {
		t.Fatal(err)
	}
	names, targets := map[string]bool{}, map[string]int{}
	for _, f := range all {
		if f.Name == "" || !strings.HasSuffix(f.What, ".") || names[f.Name] {
			t.Errorf("%q needs a name of its own, and a sentence: %q", f.Name, f.What)
		}
		names[f.Name] = true
		targets[f.Target]++
		if _, err := f.changed(root); err != nil {
			t.Error(err)
		}
		if !declared(t, f.Package, f.Target) {
			t.Errorf("the fault %s: %s has no fuzz target %s", f.Name, f.Package, f.Target)
		}
	}
	if len(all) < 10 {
		t.Errorf("there are %d faults", len(all))
	}
	arg := targets["FuzzPath"] + targets["FuzzURL"] + targets["FuzzIdentifier"] + targets["FuzzOption"] + targets["FuzzPattern"]
	if targets["FuzzDecode"] < 2 || targets["FuzzFind"] < 2 || arg < 2 || targets["FuzzSchema"]+targets["FuzzTags"] < 2 {
		t.Errorf("a part has fewer than two: %v", targets)
	}
}

func declared(t *testing.T, dir, target string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(target) + `\(f \*testing\.F\)`).Match(content) {
			return true
		}
	}
	return false
}

func TestAFaultThatDoesNotApplyFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.go"), []byte("one two two"), 0o600); err != nil {
		t.Fatal(err)
	}
	for old, applies := range map[string]bool{"one": true, "two": false, "three": false, "ONE": false} {
		f := fault{Name: "x", Changes: []change{{"a.go", old, "ONE"}}}
		if _, err := f.changed(dir); (err == nil) != applies {
			t.Errorf("%q: %v", old, err)
		}
	}
	f := fault{Name: "x", Changes: []change{{"a.go", "one", "1"}, {"a.go", "1 two", "3"}}}
	restore, err := f.plant(dir)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "a.go")); err != nil || string(content) != "3 two" {
		t.Errorf("%s, %v", content, err)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "a.go")); err != nil || string(content) != "one two two" {
		t.Errorf("%s, %v", content, err)
	}
}

func TestWhatATargetSaysIsItsFirstLine(t *testing.T) {
	t.Parallel()
	out := "fuzz: elapsed: 3s\n--- FAIL: FuzzX (2.33s)\n    --- FAIL: FuzzX (0.00s)\n        x_test.go:3: \"a\" is taken\n"
	if said, failed := failure([]byte(out)); !failed || said != `x_test.go:3: "a" is taken` {
		t.Errorf("%q %v", said, failed)
	}
	if _, failed := failure([]byte("flag provided but not defined")); failed {
		t.Error("a program that does not run has found nothing")
	}
}
