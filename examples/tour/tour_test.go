package main

import (
	"os"
	"strings"
	"testing"
)

// The tour keeps its promises, prints every section, and leaves nothing behind.
func TestTheTour(t *testing.T) {
	if testing.Short() {
		t.Skip("the tour compiles the quickstart")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	var out strings.Builder
	if err := run(t.Context(), &out, false); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"1  A good call", "2  A city", "Paris, London, Tokyo, Nairobi, Lima", "3  A hostile argument", "4  A handler that panics", "5  A high-risk call", "a person has to approve",
		"6  A link signed", "signature=", "7  The audit trail", "! panic", "8  Is the log", "OK", "9  And after one byte", "WRONG", "line 3",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tour does not say %q", want)
		}
	}
	for _, never := range []string{"\x1b", "index out of range [-1]\ngoroutine", "kelvin must"} {
		if strings.Contains(out.String(), never) {
			t.Errorf("the tour says %q", never)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(line)); n > 200 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
}
