package validate_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"regexp"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

const comparing = `let text = "";
process.stdin.on("data", d => text += d).on("end", () => {
	for (const c of JSON.parse(text)) {
		const re = new RegExp(c.pattern, "u");
		c.texts.forEach((s, i) => { if (re.test(s) !== c.matches[i]) console.log(c.pattern, JSON.stringify(s), !c.matches[i]); });
	}
});`

// The patterns match the same texts in the engine that most clients have.
func TestPatternsMeanTheSameToECMAScript(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Install Node.js to compare patterns with ECMA-262.")
	}
	type matched struct {
		Pattern string   `json:"pattern"`
		Texts   []string `json:"texts"`
		Matches []bool   `json:"matches"`
	}
	var all []matched
	m := maker{rand.New(rand.NewPCG(3, 4))}
	add := func(expression string, seeds []string) {
		re, err := regexp.Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		c := matched{Pattern: expression, Texts: m.texts(t, []string{expression}, seeds, 150)}
		for _, s := range c.Texts {
			c.Matches = append(c.Matches, re.MatchString(s))
		}
		all = append(all, c)
	}
	for _, rule := range append(validate.TextRules(), "containsany=a-]^\\[.é", "excludesall=a-]^\\[é\U0001F600", "startswith=a+b/\"", "endswith=${}()", "eq_ignore_case=Straße k.", "spicedb=id", "contains=*?0x7C") {
		raw, _, _, err := validate.CompileRules(reflect.TypeFor[string](), rule)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range patternsIn(t, raw) {
			add(e, seedsOf[rule])
		}
	}
	add(validate.WholeNumbers(big.NewInt(-128), big.NewInt(127)), []string{"-128", "-129", "127", "128"})
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "-e", comparing)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%.4000s", err, out)
	}
	if len(all) < 100 {
		t.Errorf("only %d patterns were compared", len(all))
	}
}
