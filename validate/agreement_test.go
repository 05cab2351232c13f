package validate

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	santhosh "github.com/santhosh-tekuri/jsonschema/v6"
)

// What Decode takes is what the listed schema takes, as two libraries of other people read
// it, on documents in which each keyword alone decides; and validator says the same of each
// of its rules. Taking any one keyword out of a schema, or any one check out of Decode, is
// seen. Excepted are: rules about other fields and rules that no keyword says exactly, of
// which the schema may take more and never less; live allowlists; formats that stand beside
// no exact pattern.
func TestAgreement(t *testing.T) {
	// Millions of small values are made and thrown away.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	t.Run("rules", func(t *testing.T) {
		agreeInGroups(t, "texts", textFields())
		agreeInGroups(t, "numbers", numberFields())
		agreeInGroups(t, "many", manyFields())
		agreeOnTypes(t)
	})
	seenFormats.Range(func(name, _ any) bool {
		if formatExamples[fmt.Sprint(name)] == "" {
			t.Errorf("the format %s has no example of what the libraries judge differently", name)
		}
		return true
	})
}

// The libraries judge formats differently: the exceptions to their agreement, each with an
// example.
func TestFormatsThatLibrariesJudgeDifferently(t *testing.T) {
	t.Parallel()
	for name, text := range formatExamples {
		raw := []byte(`{"format":` + jsonString(name) + `}`)
		google := new(jsonschema.Schema)
		if err := google.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		resolved, err := google.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		listed, err := santhosh.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		c := santhosh.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource("format.json", listed); err != nil {
			t.Fatal(err)
		}
		other, err := c.Compile("format.json")
		if err != nil {
			t.Fatal(err)
		}
		if !valid(resolved, text) || other.Validate(text) == nil {
			t.Errorf("the libraries agree on %q in the format %s: another example is needed, or none", text, name)
		}
	}
}

// Every rule of validator is in the test of agreement, or refused, or about other fields.
func TestAgreementIsOnEveryRule(t *testing.T) {
	t.Parallel()
	held := map[string]bool{}
	for _, f := range slices.Concat(textFields(), numberFields(), manyFields()) {
		for _, name := range strings.FieldsFunc(f.rule, func(r rune) bool { return r == ',' || r == '|' }) {
			name, _, _ = strings.Cut(name, "=")
			held[name] = true
		}
	}
	for _, name := range ValidatorsRules() {
		if !held[name] && understood(name) == nil && !aboutOthers(name) {
			t.Errorf("no type of the test of agreement has the rule %s", name)
		}
	}
}
