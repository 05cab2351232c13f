package arg_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate/arg"
)

// What is small to write can be large to compile: repetitions of repetitions, and classes
// of thousands of characters.
func TestNoPatternIsCompiledThatIsLarge(t *testing.T) {
	t.Parallel()
	decode, _ := decoder[arg.Pattern](t)
	for _, s := range []string{
		"a{1000}{1000}", "(a{1000}){1000}", "((a{50}){50}){50}", "(((((a{9}){9}){9}){9}){9}){9}", "a{1001}", "(a{700}){1}b{700}c{700}", "(?:a?){999}", "(a|b|c|d){999}", `\pL{900}`, `(?i:\pL){300}`, `[^\pL\pN]{200}`,
		"((((((((((a{2}){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}", "(x{0,100}){0,100}", "((a{100}){10}){10}", strings.Repeat("(", 300) + "a" + strings.Repeat(")", 300), strings.Repeat("a", 513), strings.Repeat("(a*)*", 103),
		"", "(", "[", "a{", `\1`, "(?=a)", "(?<!a)", "(?>a)", `\p{Nothing}`, "*", "a**", "a\x00", "a\nb", "a\u200b", "\ufeff", `(?z)`,
	} {
		if p, err := decode(s); err == nil && s != "a{" && !strings.HasPrefix(s, "((((((((((((") && !strings.HasPrefix(s, "(a*)*") {
			t.Errorf("%q is taken: %d", s, p.MaxInput())
		} else if err != nil {
			mustNotEcho(t, err, s)
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		for _, s := range []string{"(a{1000}){1000}", `\pL{900}`, "(x{0,100}){0,100}"} {
			_, _ = decode(s)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / 300; each > 1<<20 {
		t.Errorf("a pattern that is refused takes %d bytes", each)
	}
}

// The time of a search grows with the pattern and the text, and their product is bounded.
func TestNoTextIsSearchedThatIsTooLong(t *testing.T) {
	t.Parallel()
	decode, _ := decoder[arg.Pattern](t)
	small, err := decode("(a+)+$")
	if err != nil {
		t.Fatal(err)
	}
	large, err := decode("(a?){100}(a?){100}b")
	if err != nil {
		t.Fatal(err)
	}
	if small.MaxInput() <= large.MaxInput() || large.MaxInput() < 1<<10 || small.MaxInput() > 1<<20 {
		t.Errorf("%d and %d", small.MaxInput(), large.MaxInput())
	}
	for _, p := range []arg.Pattern{small, large} {
		fits := strings.Repeat("a", p.MaxInput())
		if _, err := p.MatchString(fits); err != nil {
			t.Error(err)
		}
		if _, err := p.MatchString(fits + "a"); !errors.Is(err, arg.ErrLongInput) {
			t.Errorf("a text that is too long is searched: %v", err)
		}
		if _, err := p.Match([]byte(fits + "a")); !errors.Is(err, arg.ErrLongInput) {
			t.Errorf("a text that is too long is searched: %v", err)
		}
		if _, err := p.FindStringIndex(fits + "a"); !errors.Is(err, arg.ErrLongInput) {
			t.Errorf("a text that is too long is searched: %v", err)
		}
	}
	if at, err := small.FindStringIndex("xxaa"); err != nil || at[0] != 2 || at[1] != 4 {
		t.Errorf("%v, %v", at, err)
	}
	if re, err := small.Regexp(); err != nil || re.String() != "(a+)+$" {
		t.Error(err)
	}
	var unset arg.Pattern
	for _, err := range []error{
		func() error { _, err := unset.Regexp(); return err }(),
		func() error { _, err := unset.MatchString(""); return err }(),
		func() error { _, err := unset.Match(nil); return err }(),
		func() error { _, err := unset.FindStringIndex(""); return err }(),
	} {
		if !errors.Is(err, arg.ErrUnset) {
			t.Errorf("an unset pattern matches: %v", err)
		}
	}
}
