package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A hunt looks for faults in a copy of the tree.
type hunt struct {
	root     string // of the copy
	scratch  string
	most     time.Duration
	parallel int
}

// copied makes a copy of the tree below root in a new directory. What begins with a dot
// is no part of it, nor is what npm installs.
func copied(root, to string) error {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		switch {
		case path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path) //nolint:gosec // the tree is the developer's own
		if err != nil {
			return err //nolint:wrapcheck // the same
		}
		return os.WriteFile(filepath.Join(to, name), content, 0o600) //nolint:gosec // the same
	})
	if err != nil {
		return fmt.Errorf("copying the tree: %w", err)
	}
	return nil
}

// errMissed is a fault that was not found in the time that there is.
var errMissed = errors.New("not found")

// A finding is how a fault was found.
type finding struct {
	bySeeds bool
	after   time.Duration
	said    string // by the target, its first line
}

// find looks for a fault so often, and then whether what was found is its doing.
func (h *hunt) find(ctx context.Context, f *fault, runs int, tell func(finding, error)) error {
	restore, err := f.plant(h.root)
	if err != nil {
		return err
	}
	err = errors.Join(h.fuzz(ctx, f, runs, tell), restore())
	found := filepath.Join(h.root, f.Package, "testdata", "fuzz", f.Target)
	if _, none := os.Stat(found); none == nil {
		err = errors.Join(err, h.innocent(ctx, f), os.RemoveAll(found))
	}
	return err
}

// innocent holds that the target takes what was found where no fault is planted.
func (h *hunt) innocent(ctx context.Context, f *fault) error {
	binary, err := h.build(ctx, f)
	if err != nil {
		return err
	}
	if out, err := h.run(ctx, binary, filepath.Join(h.root, f.Package), "-test.run", "^"+f.Target+"$"); err != nil {
		return fmt.Errorf("the fault %s: %s fails on what it found without the fault, too: %w\n%s", f.Name, f.Target, err, out)
	}
	return nil
}

func (h *hunt) build(ctx context.Context, f *fault) (binary string, err error) {
	binary = filepath.Join(h.scratch, "target.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "-fuzz", "^"+f.Target+"$", f.Package) //nolint:gosec // the list is part of the repository
	build.Dir = h.root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the target of the fault %s does not compile: %w\n%s", f.Name, err, out)
	}
	return binary, nil
}

// fuzz builds the target with the fault planted, runs its seeds, and then fuzzes so often.
// What makes it fail stays in its directory of seeds.
func (h *hunt) fuzz(ctx context.Context, f *fault, runs int, tell func(finding, error)) error {
	binary, err := h.build(ctx, f)
	if err != nil {
		return err
	}
	dir := filepath.Join(h.root, f.Package)
	seeds, kept := filepath.Join(dir, "testdata", "fuzz", f.Target), filepath.Join(h.scratch, "kept")
	defer func() { _ = os.RemoveAll(kept) }()
	if out, err := h.run(ctx, binary, dir, "-test.run", "^"+f.Target+"$"); err != nil {
		said, failed := failure(out)
		if !failed {
			return fmt.Errorf("the seeds of %s do not run: %w\n%s", f.Target, err, out)
		}
		tell(finding{bySeeds: true, said: said}, nil)
		return nil
	}
	missed := 0
	for range runs {
		cache, err := os.MkdirTemp(h.scratch, "cache")
		if err != nil {
			return fmt.Errorf("a directory for what is found: %w", err)
		}
		began := time.Now()
		out, err := h.run(ctx, binary, dir, "-test.run", "^$", "-test.fuzz", "^"+f.Target+"$", "-test.fuzzcachedir", cache,
			"-test.fuzztime", h.most.String(), "-test.fuzzminimizetime", "1x", "-test.parallel", strconv.Itoa(h.parallel))
		after := time.Since(began)
		said, failed := failure(out)
		switch {
		case err == nil:
			missed++
			tell(finding{after: after}, errMissed)
		case !failed:
			return fmt.Errorf("%s does not run: %w\n%s", f.Target, err, out)
		default:
			tell(finding{after: after, said: said}, nil)
		}
		if err := moved(seeds, kept); err != nil { // or it is a seed of the next run
			return fmt.Errorf("what was found: %w", err)
		}
	}
	if err := moved(kept, seeds); err != nil {
		return fmt.Errorf("what was found: %w", err)
	}
	if missed > 0 {
		return fmt.Errorf("the fault %s: %w by %s in %s, %d times of %d", f.Name, errMissed, f.Target, h.most, missed, runs)
	}
	return nil
}

// moved moves the files of a directory, if there is one, into another.
func moved(from, to string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.MkdirAll(to, 0o700)
	}
	for _, e := range entries {
		err = errors.Join(err, os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())))
	}
	return err
}

func (h *hunt) run(ctx context.Context, binary, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, binary, args...) //nolint:gosec // it was built just now
	cmd.Dir = dir
	// Not everybody has the corpora, of which lines would be seeds.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SAFEMCP_CORPORA=") })
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.Bytes(), err
}

// failure is the first line that a target says of what it found.
func failure(out []byte) (said string, failed bool) {
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "--- FAIL"):
			failed = true
		case failed && line != "":
			return line, true
		}
	}
	return "", failed
}
