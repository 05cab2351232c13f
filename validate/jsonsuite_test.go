package validate_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

// undecided are the texts of which the JSON parsing test suite says that either answer is
// right, and that are taken here. The others are refused: bytes that are not UTF-8, a byte
// order mark, UTF-16, surrogates that are not paired. (500 arrays in each other are too deep
// for the limits that come before Decode.)
var undecided = []string{
	"i_number_double_huge_neg_exp.json", "i_number_huge_exp.json", "i_number_neg_int_huge_exp.json", "i_number_pos_double_huge_exp.json",
	"i_number_real_neg_overflow.json", "i_number_real_pos_overflow.json", "i_number_real_underflow.json", "i_number_too_big_neg_int.json",
	"i_number_too_big_pos_int.json", "i_number_very_big_negative_int.json", "i_structure_500_nested_arrays.json",
}

// twice are the texts that JSON allows and that are refused: names that are given twice, of
// which two readers would see two values.
var twice = []string{"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}

// As the value of a field that is not looked into, what has to be refused is, and what has
// to be taken is.
func TestJSONTestSuite(t *testing.T) {
	t.Parallel()
	corpora := os.Getenv("SAFEMCP_CORPORA")
	if corpora == "" {
		t.Skip("Set SAFEMCP_CORPORA to a directory of attack data that holds the JSON parsing test suite in jsontestsuite.")
	}
	a, err := validate.For[struct {
		V json.RawMessage `json:"v"`
	}](nil)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(corpora, "jsontestsuite", "test_parsing", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[byte]int{}
	var taken []string
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		raw := append(append([]byte(`{"v":`), content...), '}')
		v, err := a.Decode(t.Context(), raw)
		count[name[0]]++
		switch {
		case name[0] == 'n' && err == nil:
			t.Errorf("%s is taken: %.100q", name, content)
		case slices.Contains(twice, name):
			if err == nil {
				t.Errorf("%s is taken", name)
			}
		case name[0] == 'y' && (err != nil || strings.TrimSpace(string(v.V)) != strings.TrimSpace(string(content))):
			t.Errorf("%s is refused: %v", name, err)
		case name[0] == 'i' && err == nil:
			taken = append(taken, name)
		}
	}
	if want := map[byte]int{'n': 188, 'y': 95, 'i': 35}; !maps.Equal(count, want) {
		t.Errorf("there are %v texts, not %v", count, want)
	}
	if !slices.Equal(taken, undecided) {
		t.Errorf("taken of those that are left to the parser:\n%s", strings.Join(taken, "\n"))
	}
}
