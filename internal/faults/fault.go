package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// list is where the faults are, from the module's root.
const list = "validate/testdata/faults.json"

// A fault is planted in files, and found by a fuzz target of a package.
type fault struct {
	Name    string   `json:"name"`
	What    string   `json:"what"` // in a sentence
	Package string   `json:"package"`
	Target  string   `json:"target"`
	Changes []change `json:"changes"`
}

// A change puts one text in the place of another, which is there exactly once.
type change struct {
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// faults reads the list below root.
func faults(root string) ([]fault, error) {
	content, err := os.ReadFile(filepath.Join(root, list))
	if err != nil {
		return nil, fmt.Errorf("the list of faults: %w", err)
	}
	var all []fault
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, fmt.Errorf("the list of faults: %w", err)
	}
	return all, nil
}

// changed returns the files below root that a fault is planted in, as they would be.
func (f *fault) changed(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, c := range f.Changes {
		text, known := files[c.File]
		if !known {
			content, err := os.ReadFile(filepath.Join(root, c.File))
			if err != nil {
				return nil, fmt.Errorf("the fault %s: %w", f.Name, err)
			}
			text = string(content)
		}
		if n := strings.Count(text, c.Old); n != 1 || c.Old == c.New {
			return nil, fmt.Errorf("the fault %s does not apply: %s holds %d times, not once: %s", f.Name, c.File, n, c.Old)
		}
		files[c.File] = strings.Replace(text, c.Old, c.New, 1)
	}
	return files, nil
}

// plant changes the files below root, and returns how to change them back.
func (f *fault) plant(root string) (restore func() error, err error) {
	files, err := f.changed(root)
	if err != nil {
		return nil, err
	}
	was := map[string][]byte{}
	for file, text := range files {
		path := filepath.Join(root, file)
		if was[path], err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("the fault %s: %w", f.Name, err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("the fault %s: %w", f.Name, err)
		}
	}
	return func() error {
		for path, content := range was {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				return fmt.Errorf("the fault %s: %w", f.Name, err)
			}
		}
		return nil
	}, nil
}
