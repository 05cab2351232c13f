package validate_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

// listsOf reads the lists of codes out of validator's source.
func listsOf(t *testing.T) map[string][]string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-playground/validator/v10").Output()
	if err != nil {
		t.Fatal(err)
	}
	lists := map[string][]string{}
	for _, name := range []string{"country_codes.go", "currency_codes.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, is := n.(*ast.ValueSpec); is && len(spec.Values) == 1 {
				if list, is := spec.Values[0].(*ast.CompositeLit); is {
					for _, e := range list.Elts {
						key := e.(*ast.KeyValueExpr).Key.(*ast.BasicLit).Value
						lists[spec.Names[0].Name] = append(lists[spec.Names[0].Name], strings.Trim(key, `"`))
					}
				}
			}
			return true
		})
	}
	return lists
}

// The patterns of codes take all that validator lists, and no other code of as many letters.
func TestPatternsOfCodesAreThoseOfValidator(t *testing.T) {
	t.Parallel()
	lists := listsOf(t)
	for _, rule := range []string{"iso3166_1_alpha2", "iso3166_1_alpha2_eu", "iso3166_1_alpha3", "iso3166_1_alpha3_eu", "iso4217", "iso3166_2", "iso3166_1_alpha_numeric", "iso3166_1_alpha_numeric_eu"} {
		raw, _, exact, err := validate.CompileRules(reflect.TypeFor[string](), rule)
		if err != nil {
			t.Fatal(err)
		}
		re := regexp.MustCompile(patternsIn(t, raw)[0])
		if len(lists[rule]) < 20 {
			t.Fatalf("%s has %d codes", rule, len(lists[rule]))
		}
		in := map[string]bool{}
		for _, code := range lists[rule] {
			in[code] = true
			if !re.MatchString(code) {
				t.Errorf("%s: %s is not in %s", rule, code, re)
			}
		}
		for n := 0; exact && n < 26*26*26; n++ {
			code := string([]byte{'A' + byte(n/676), 'A' + byte(n/26%26), 'A' + byte(n%26)})
			for _, s := range []string{code, code[1:]} {
				if re.MatchString(s) != in[s] {
					t.Fatalf("%s: %s is wrong about %s", rule, re, s)
				}
			}
		}
		for n := 0; strings.Contains(rule, "numeric") && n < 3000; n++ {
			if s := strconv.Itoa(n); re.MatchString(s) != in[strconv.Itoa(n%1000)] || re.MatchString("00"+s) != in[strconv.Itoa(n%1000)] {
				t.Fatalf("%s: %s is wrong about %s", rule, re, s)
			}
		}
	}
	raw, ok, _, err := validate.CompileRules(reflect.TypeFor[int](), "iso4217_numeric")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range lists["iso4217_numeric"] {
		n, err := strconv.Atoi(code)
		if err != nil || !ok(reflect.ValueOf(n)) || !regexp.MustCompile(`[\[,]`+code+`[\],]`).Match(raw) {
			t.Errorf("%s is not in %s: %v", code, raw, err)
		}
	}
}
