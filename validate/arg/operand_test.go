package arg

import "testing"

// On Windows a program reads its command line itself, and one that reads it in an older
// character set reads other characters.
func TestNoArgumentIsAnOptionOrSplitOnWindows(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"/c", "-a", "a＂ b", "a＼", "a¥", "－a", "“a”"} {
		if operand(s, true) {
			t.Errorf("%q is taken", s)
		}
	}
	for _, s := range []string{"a/b", `a\b`, `a"b`, "日本"} {
		if !operand(s, true) || !operand(s, false) {
			t.Errorf("%q is refused", s)
		}
	}
	if !operand("/c", false) || !operand("¥100", false) {
		t.Error("what is of Windows alone is refused elsewhere")
	}
}
