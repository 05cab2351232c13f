package validate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/safemcp/safemcp/validate"
)

var writeRules = flag.Bool("write-rules", false, "write the table of rules in rules_doc.go anew")

// kinds are the values that rules are made for, as the table calls them.
var kinds = map[string]reflect.Type{
	"text": reflect.TypeFor[string](), "integer": reflect.TypeFor[int](), "number": reflect.TypeFor[float64](), "boolean": reflect.TypeFor[bool](),
	"list": reflect.TypeFor[[]string](), "map": reflect.TypeFor[map[string]string](), "bytes": reflect.TypeFor[[]byte](),
	"time": reflect.TypeFor[time.Time](), "duration": reflect.TypeFor[time.Duration](),
}

const (
	everyLength = "text:=3 integer:=3 list:=3 map:=3 bytes:=3 duration:=1h"
	pairOfTexts = "other:=Other"
	pairOfBoth  = "othernumber:=Other"
)

// shownWith says how the table shows rules that are not for texts alone, or that take a
// parameter: by kind, and how it is written there.
var shownWith = map[string]string{
	"min": everyLength + " time:", "max": everyLength + " time:", "gte": everyLength + " time:", "lte": everyLength + " time:", "gt": everyLength + " time:", "lt": everyLength + " time:",
	"len": everyLength, "eq": "text:=a integer:=3 boolean:=true list:=3 map:=3 bytes:=3 duration:=1h", "ne": "text:=a integer:=3 boolean:=true list:=3 map:=3 bytes:=3 duration:=1h",
	"isdefault": "text: integer: boolean:", "oneof": "text:=a_b integer:=1_2", "noneof": "text:=a_b integer:=1_2", "oneofci": "text:=a_b", "noneofci": "text:=a_b", "unique": "list: map:",
	"eq_ignore_case": "text:=a", "ne_ignore_case": "text:=a",
	"boolean": "text: boolean:", "numeric": "text: integer:", "number": "text: integer:", "latitude": "text: integer:", "longitude": "text: integer:", "port": "integer:",
	"luhn_checksum": "text: integer:", "iso3166_1_alpha_numeric": "text: integer:", "iso3166_1_alpha_numeric_eu": "text: integer:", "iso4217_numeric": "integer:", "json": "text: bytes:",
	"contains": "text:=a.b", "containsany": "text:=ab", "containsrune": "text:=a", "excludes": "text:=ab", "excludesall": "text:=ab", "excludesrune": "text:=a",
	"startswith": "text:=a", "endswith": "text:=a", "startsnotwith": "text:=a", "endsnotwith": "text:=a",
	"datetime": "text:=2006-01-02 text:=15:04", "spicedb": "text:=id text:=permission text:=type", "postcode_iso3166_alpha2": "text:=FR",
	"required_if": "other:=Other_a", "required_unless": "other:=Other_a", "excluded_if": "other:=Other_a", "excluded_unless": "other:=Other_a",
	"required_with": pairOfTexts, "required_with_all": pairOfTexts, "required_without": pairOfTexts, "required_without_all": pairOfTexts,
	"excluded_with": pairOfTexts, "excluded_with_all": pairOfTexts, "excluded_without": pairOfTexts, "excluded_without_all": pairOfTexts,
	"eqfield": pairOfTexts, "nefield": pairOfTexts, "eqcsfield": pairOfTexts, "necsfield": pairOfTexts, "fieldcontains": pairOfTexts, "fieldexcludes": pairOfTexts,
	"postcode_iso3166_alpha2_field": pairOfTexts,
	"gtfield":                       pairOfBoth, "gtefield": pairOfBoth, "ltfield": pairOfBoth, "ltefield": pairOfBoth, "gtcsfield": pairOfBoth, "gtecsfield": pairOfBoth, "ltcsfield": pairOfBoth, "ltecsfield": pairOfBoth,
}

// rowsOf are what the table shows of a rule, each with its columns.
func rowsOf(t *testing.T, name string) (rows []string) {
	t.Helper()
	if name == "required" {
		return []string{"required\tany\trequired, of the object\tis required"}
	}
	with := shownWith[name]
	if with == "" {
		with = "text:"
	}
	for form := range strings.FieldsSeq(with) {
		kind, param, _ := strings.Cut(form, ":")
		rule := name + strings.ReplaceAll(param, "_", " ")
		var says, phrase string
		if typ := kinds[kind]; typ != nil {
			row, err := validate.RowOf(typ, rule)
			if err != nil {
				return []string{name + "\t-\trefused\t" + why(t, name, err)}
			}
			if phrase, says = row.Phrase, keywordsShown(t, row); says == "none" {
				phrase = "(none is refused)"
			}
		} else {
			typ, field := reflect.TypeFor[string](), "text"
			if kind == "othernumber" {
				typ, field = reflect.TypeFor[int](), "integer"
			}
			kind, says, phrase = field, "words", relationOf(t, typ, rule)
		}
		rows = append(rows, rule+"\t"+kind+"\t"+says+"\t"+phrase)
	}
	return rows
}

// why is the reason for which a rule is refused, which has to be a sentence of ours.
func why(t *testing.T, name string, err error) string {
	t.Helper()
	reason, ours := strings.CutPrefix(err.Error(), "the rule "+name+" ")
	if !ours {
		t.Errorf("the rule %s is refused with %q: say how the table shows it", name, err)
	}
	return reason
}

// keywordsShown are keywords as the table has them: of a long one the name.
func keywordsShown(t *testing.T, row validate.Row) string {
	t.Helper()
	var parts []string
	for _, k := range row.Keywords {
		value := k[1]
		if k[0] == "pattern" || k[0] == "format" {
			if err := json.Unmarshal([]byte(value), &value); err != nil {
				t.Fatal(err)
			}
		}
		if len(value) > 48 {
			value = "…"
		}
		parts = append(parts, k[0]+" "+value)
	}
	if !row.Exact {
		parts = append(parts, "words")
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// relationOf is what the schema says of a rule about another field.
func relationOf(t *testing.T, typ reflect.Type, rule string) string {
	t.Helper()
	raw, _, err := validate.OfType(reflect.StructOf([]reflect.StructField{
		{Name: "F", Type: typ, Tag: reflect.StructTag(`json:"f,omitempty" validate:"omitempty,` + rule + `"`)},
		{Name: "Other", Type: typ, Tag: `json:"other"`},
	}), &validate.Options{})
	if err != nil {
		t.Errorf("%s: %v", rule, err)
	}
	var schema struct {
		Properties map[string]struct{ Description string }
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	return schema.Properties["f"].Description
}

const rulesHead = `// Code generated by go generate; DO NOT EDIT.

// # The rules of validator, one by one
//
// What each says in the schema, and to whoever breaks it. A rule that keywords say takes
// exactly what they take; where words are named the description of the field has the
// message, and the keywords beside them, if any, take more than the rule. … stands for what
// is too long for this table. A rule that is refused fails when its type is compiled, and so
// does each on a kind of value that the table does not name for it. integer rows hold for
// all types of whole numbers, and those of min, max, len, eq, ne, gt, gte, lt, lte, latitude,
// longitude, numeric, number and isdefault for floating point, too.
//
`

// The table in the documentation is that of the rules as they are compiled, and has all that
// validator has.
func TestTheTableOfRulesIsThatOfTheRules(t *testing.T) {
	t.Parallel()
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 1, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tOF\tKEYWORDS\tMESSAGE")
	all := validate.ValidatorsRules()
	if len(all) < 180 || !slices.Contains(all, "uuid4") || !slices.Contains(all, "iscolor") {
		t.Fatalf("these cannot be all rules of validator: %v", all)
	}
	for _, name := range all {
		for _, row := range rowsOf(t, name) {
			if strings.Contains(row, "must meet the rule") || strings.HasSuffix(row, "\t") {
				t.Errorf("%s: there is no plain message", row)
			}
			fmt.Fprintln(w, row)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(rulesHead)
	for line := range strings.Lines(table.String()) {
		b.WriteString("//\t" + strings.TrimRight(line, " \n") + "\n")
	}
	b.WriteString("package validate\n")
	const path = "rules_doc.go"
	if *writeRules {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || string(have) != b.String() {
		t.Errorf("the table in %s is not that of the rules: run go generate ./validate (%v)", path, err)
	}
}
