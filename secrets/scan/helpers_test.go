package scan_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets/scan"
)

const canary = "canary-6b2f9d71c04e"

// holding returns a set of values, labelled as those of v0, v1 and so on.
func holding(t testing.TB, values ...string) *scan.Set {
	t.Helper()
	set := scan.New(nil)
	for i, value := range values {
		if err := set.Add([]byte(value), fmt.Sprintf("kv:v%d#f", i), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	return set
}

// randomValues returns n values of that many printable characters.
func randomValues(n, size int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]string, n)
	for i := range all {
		b := make([]byte, size)
		for j := range b {
			b[j] = byte('!' + r.IntN('~'-'!'))
		}
		all[i] = string(b)
	}
	return all
}
