package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var fence = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// fenced returns the code blocks of a document in one language.
func fenced(document []byte, language string) []string {
	var blocks []string
	for _, m := range fence.FindAllSubmatch(document, -1) {
		if string(m[1]) == language {
			blocks = append(blocks, string(m[2]))
		}
	}
	return blocks
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Every Go block of the README is a whole file. They are built in a module of their
// own, as a user's would be, and their tests are run.
func TestNoCodeOfTheReadmeFailsToBuildOrPass(t *testing.T) {
	t.Parallel()
	blocks := fenced(read(t, "README.md"), "go")
	if len(blocks) < 3 {
		t.Fatalf("the README has %d blocks of Go: the server before, the server after, and a test", len(blocks))
	}
	dir := t.TempDir()
	writeModule(t, dir)
	for i, block := range blocks {
		name := "main.go"
		if strings.Contains(block, "\t\"testing\"\n") {
			name = "block_test.go"
		}
		write(t, filepath.Join(dir, "block"+strconv.Itoa(i+1), name), block)
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// writeModule makes a module that requires this one as it is here, and what this
// one requires.
func writeModule(t *testing.T, dir string) {
	t.Helper()
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	mod := strings.Replace(string(read(t, "go.mod")), "module "+module, "module example.test/readme", 1)
	mod += "\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + strconv.Quote(filepath.ToSlash(absolute)) + "\n"
	write(t, filepath.Join(dir, "go.mod"), mod)
	write(t, filepath.Join(dir, "go.sum"), string(read(t, "go.sum")))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

var (
	goRun   = regexp.MustCompile(`^go run (?:-\S+ )*(\./\S+)`)
	makeRun = regexp.MustCompile(`^make ([a-z-]+)`)
)

// A command that a newcomer is told to type is there to be run.
func TestNoCommandOfTheDocumentsIsMissing(t *testing.T) {
	t.Parallel()
	makefile := string(read(t, "Makefile"))
	for _, doc := range []string{"README.md", "CONTRIBUTING.md"} {
		commands := 0
		for line := range strings.Lines(strings.Join(fenced(read(t, doc), "sh"), "")) {
			commands++
			if m := goRun.FindStringSubmatch(line); m != nil {
				if _, err := os.Stat(filepath.Join(root, m[1], "main.go")); err != nil {
					t.Errorf("%s: %s: there is no such program", doc, strings.TrimSpace(line))
				}
			}
			if m := makeRun.FindStringSubmatch(line); m != nil && !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s: %s: there is no such target", doc, strings.TrimSpace(line))
			}
		}
		if commands == 0 {
			t.Errorf("%s has no commands", doc)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)

// A link within the repository leads somewhere.
func TestNoLinkWithinTheDocumentsIsBroken(t *testing.T) {
	t.Parallel()
	files(t, ".md", func(path string, content []byte) {
		for _, m := range link.FindAllSubmatch(content, -1) {
			target := string(m[1])
			if strings.Contains(target, ":") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(path), target)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, target)
			}
		}
	})
}
