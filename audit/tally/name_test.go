package tally

import (
	"strings"
	"testing"
)

// Two names that begin alike stay two, and none is kept at its length.
func TestLongNamesAreCutAndStayApart(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1<<20)
	for _, most := range []int{16, 160, 161, maxName} {
		a, b := Name(long, most), Name(long+"x", most)
		if a == b || len(a) > most || len(b) > most || strings.ContainsRune(a, '\ufffd') || (most > 20 && !strings.HasPrefix(a, "éé")) {
			t.Errorf("%q, %q", a, b)
		}
		if s := strings.Repeat("s", most); Name(s, most) != s {
			t.Error("a name that is short enough was changed")
		}
	}
}
