package arg

import (
	"encoding/json"
	"errors"
	"regexp"
	"regexp/syntax"
	"sync"

	"github.com/safemcp/safemcp/validate"
)

// A Pattern is a regular expression of RE2 (package regexp), which is matched in time
// that grows with the text and not faster: there is no backtracking. Its length, its
// repetitions and what it is compiled to are bounded before it is compiled, which is when
// it is first used.
type Pattern struct{ compiled *compiledPattern }

// A compiledPattern is one as far as it has been used: a list of patterns, of which most
// may be too many, takes no more memory than its text before somebody searches with it.
type compiledPattern struct {
	source string
	size   int
	re     func() (*regexp.Regexp, error) // compiles it, once
}

const (
	// maxPattern bounds a pattern, in characters.
	maxPattern = 512
	// maxSteps bounds what a pattern is compiled to, in instructions of the machine that
	// runs it, about; maxRanges bounds the classes of characters in it.
	maxSteps  = 2000
	maxRanges = 20_000
	// maxWork bounds instructions times bytes of text: the time of one search, of a second
	// or so.
	maxWork = 32 << 20
	// maxInput bounds the text however small the pattern is.
	maxInput = 1 << 20
)

const patternTaken = "a regular expression in RE2 syntax (no backreferences, no lookaround), with small repetitions"

var (
	errPattern = validate.Refuse("must be " + patternTaken)
	errSteps   = validate.Refuse("must be a smaller regular expression: it repeats too much, or nests too deeply")
)

// ArgumentSchema implements [validate.Described].
func (Pattern) ArgumentSchema() (json.RawMessage, error) {
	return aSchema{Pattern: `^[^` + controls + `]+$`, MaxLength: maxPattern, Description: patternTaken}.raw()
}

// UnmarshalText reads a pattern. An error leaves p unset.
func (p *Pattern) UnmarshalText(sent []byte) error {
	*p = Pattern{}
	s := string(sent)
	switch {
	case s == "" || longer(s, maxPattern):
		return atMost(maxPattern)
	case unseen(s):
		return errInvisible
	}
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return errPattern // its own words quote the pattern
	}
	size := sizeOf(tree)
	if size.steps > maxSteps || size.ranges > maxRanges {
		return errSteps
	}
	p.compiled = &compiledPattern{s, size.steps, sync.OnceValues(func() (*regexp.Regexp, error) {
		re, err := regexp.Compile(s)
		if err != nil { // it was parsed when it was read
			return nil, errPattern
		}
		return re, nil
	})}
	return nil
}

// A cost is what an expression is compiled to, about and not less.
type cost struct{ steps, ranges int }

// sizeOf counts before repetitions are written out, which is what costs memory.
func sizeOf(re *syntax.Regexp) cost {
	c := cost{steps: 2, ranges: len(re.Rune)}
	if re.Op == syntax.OpLiteral {
		c.steps += len(re.Rune)
	}
	for _, sub := range re.Sub {
		s := sizeOf(sub)
		c.steps, c.ranges = c.steps+s.steps, c.ranges+s.ranges
	}
	if re.Op == syntax.OpRepeat {
		times := max(re.Min, re.Max, 1) + 1
		c.steps, c.ranges = bounded(c.steps, times), bounded(c.ranges, times)
	}
	return c
}

// bounded is a product that does not overflow.
func bounded(n, times int) int { return min(n, 1<<24) * min(times, 1<<12) }

// Regexp returns the compiled pattern. What it is given is the handler's to bound; the
// methods of p do so.
func (p Pattern) Regexp() (*regexp.Regexp, error) {
	if p.compiled == nil {
		return nil, ErrUnset
	}
	return p.compiled.re()
}

// MaxInput returns how many bytes of text the methods of p take, which are fewer for a
// larger pattern, and 0 for an unset one.
func (p Pattern) MaxInput() int {
	if p.compiled == nil {
		return 0
	}
	return min(maxInput, maxWork/p.compiled.size)
}

// ErrLongInput refuses a text that a pattern would take too long to search.
var ErrLongInput = errors.New("the text is too long for this pattern: search it in parts, for example by lines")

// MatchString says that the pattern matches somewhere in s, which has at most MaxInput
// bytes.
func (p Pattern) MatchString(s string) (bool, error) {
	re, err := p.takes(len(s))
	return err == nil && re.MatchString(s), err
}

// Match is [Pattern.MatchString] of bytes.
func (p Pattern) Match(b []byte) (bool, error) {
	re, err := p.takes(len(b))
	return err == nil && re.Match(b), err
}

// FindStringIndex returns where the first match in s begins and ends, nil where there is
// none.
func (p Pattern) FindStringIndex(s string) ([]int, error) {
	re, err := p.takes(len(s))
	if err != nil {
		return nil, err
	}
	return re.FindStringIndex(s), nil
}

// takes returns the compiled pattern, for a text of n bytes.
func (p Pattern) takes(n int) (*regexp.Regexp, error) {
	if p.compiled != nil && n > p.MaxInput() {
		return nil, ErrLongInput
	}
	return p.Regexp()
}

// IsZero says that the argument was not given.
func (p Pattern) IsZero() bool { return p.compiled == nil }

// String returns the pattern. Of an unset one it returns "(unset)".
func (p Pattern) String() string {
	if p.compiled == nil {
		return "(unset)"
	}
	return p.compiled.source
}

// MarshalText returns the pattern, for an answer that holds it.
func (p Pattern) MarshalText() ([]byte, error) {
	if p.compiled == nil {
		return nil, nil
	}
	return []byte(p.compiled.source), nil
}
