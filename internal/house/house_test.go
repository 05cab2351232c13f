package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/safemcp/safemcp"

// root is the repository's, seen from this package.
const root = "../.."

// A listed package is what go list says of it.
type listed struct {
	ImportPath string
	Name       string
	Dir        string
	Export     string
	GoFiles    []string
	Imports    []string
	Deps       []string
	Standard   bool
}

// room is the path below the module's, "." for its root and "" outside of it.
func (p listed) room() string { return roomOf(p.ImportPath) }

func roomOf(path string) string {
	if path == module {
		return "."
	}
	room, inside := strings.CutPrefix(path, module+"/")
	if !inside {
		return ""
	}
	return room
}

// public says that users can import the package.
func (p listed) public() bool {
	return p.Name != "main" && p.room() != "" && !under(p.room(), "internal")
}

// under says that a room is top or lies below it.
func under(room, top string) bool { return room == top || strings.HasPrefix(room, top+"/") }

// packages lists the module's packages and whatever they depend on, compiled, so
// that their export data can be read.
var packages = sync.OnceValues(func() ([]listed, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Dir,Export,GoFiles,Imports,Deps,Standard", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, errors.New("go list: " + string(failed.Stderr))
		}
		return nil, err
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

// ours returns the module's own packages.
func ours(t *testing.T) []listed {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	var own []listed
	for _, p := range all {
		if p.room() != "" {
			own = append(own, p)
		}
	}
	if len(own) < 5 {
		t.Fatalf("go list found %d packages of this module: this test looks at too little", len(own))
	}
	return own
}

// files calls f with each file of the repository whose name ends in suffix, nested
// modules included, by its path below the root.
func files(t *testing.T, suffix string, f func(path string, content []byte)) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, suffix):
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		found++
		f(filepath.ToSlash(rel), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Fatalf("there is no file that ends in %s: this test looks at nothing", suffix)
	}
}
