package arg_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

// printArguments in the environment has the test's own program print its arguments, and
// its environment and directory, in JSON: it is the program that commands run.
const printArguments = "ARG_TEST_PRINT=1"

type printed struct {
	Args, Env []string
	Dir       string
}

func TestMain(m *testing.M) {
	if os.Getenv("ARG_TEST_PRINT") == "1" {
		dir, _ := os.Getwd()
		_ = json.NewEncoder(os.Stdout).Encode(printed{os.Args, os.Environ(), dir})
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// payloads returns the lines of a part of the corpus, each as it is and within its
// quotes or after its name, without repetition.
func payloads(t *testing.T, part string) []string {
	t.Helper()
	corpora := os.Getenv("SAFEMCP_CORPORA")
	if corpora == "" {
		t.Skip("Set SAFEMCP_CORPORA to a directory of attack data that holds PayloadsAllTheThings in patt.")
	}
	var all []string
	known := map[string]bool{}
	add := func(s string) {
		if s != "" && !known[s] {
			known[s] = true
			all = append(all, s)
		}
	}
	dir := filepath.Join(corpora, "patt", part)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\r\n")
			add(line)
			add(strings.TrimSpace(line))
			for _, m := range inner.FindAllString(line, -1) {
				add(strings.Trim(m, "`\"'()<>"))
			}
			for word := range strings.FieldsSeq(line) {
				add(word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("%s has %d payloads: the test looks at too little", dir, len(all))
	}
	return all
}

// inner are what stands in code marks or is a URL.
var inner = regexp.MustCompile("`[^`]+`|[a-zA-Z][a-zA-Z0-9+.-]*:[^\\s`]+")

// decoder returns a function that decodes one argument through package validate, as a
// server does, and what its schema says.
func decoder[T any](t testing.TB) (decode func(string) (T, error), schema fieldSchema) {
	t.Helper()
	type arguments struct {
		Value T `json:"value"`
	}
	args, err := validate.For[arguments](nil)
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Properties struct{ Value fieldSchema }
	}
	if err := json.Unmarshal(args.Schema(), &whole); err != nil {
		t.Fatal(err)
	}
	return func(s string) (T, error) {
		raw, err := json.Marshal(map[string]string{"value": s})
		if err != nil {
			t.Fatal(err)
		}
		in, err := args.Decode(t.Context(), raw)
		return in.Value, err
	}, whole.Properties.Value
}

type fieldSchema struct {
	Type, Pattern, Description, Format string
	MaxLength, MinLength               int
}

// takes says that the schema takes a text, as far as it says so by keywords.
func (s fieldSchema) takes(t testing.TB, text string) error {
	t.Helper()
	re, err := regexp.Compile(s.Pattern) // what is said reads the same in ECMA-262
	if err != nil {
		t.Fatal(err)
	}
	n := len([]rune(text))
	if n > s.MaxLength || n < s.MinLength || !re.MatchString(text) {
		return fmt.Errorf("%d characters, %s", n, s.Pattern)
	}
	return nil
}

// mustNotEcho fails where a refusal holds what was sent.
func mustNotEcho(t testing.TB, err error, sent string) {
	t.Helper()
	if len(sent) > 12 && strings.Contains(err.Error(), sent) {
		t.Errorf("the refusal of %q says it: %v", sent, err)
	}
}
