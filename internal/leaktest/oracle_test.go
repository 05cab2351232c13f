package leaktest

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// The oracle has to find every form, or the tests with it say nothing.
func TestTheOracleFindsEveryForm(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 15 {
		value := Value(r)
		for _, f := range Forms {
			if f.Text && !utf8.ValidString(value) || strings.ContainsAny(value, " \n") && strings.Contains(f.Name, "lines") {
				continue
			}
			if text := f.Write(r, value); Finds(text, value) == "" {
				t.Fatalf("%s of %q is not found in %q", f.Name, value, text)
			}
		}
	}
}
