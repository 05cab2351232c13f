package scan

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// A Rule describes secrets that nobody issued by what they look like.
type Rule struct {
	// ID names the rule, in letters, digits, "-", "_" and ".". What it finds is
	// labelled "pattern:ID".
	ID string
	// Pattern is a regular expression of package regexp that does not match the empty
	// text.
	Pattern string
	// Keywords are what the expression is worth running for: at least one of them has
	// to stand in the text, in whatever case of ASCII.
	Keywords []string
	// Group is the group of the expression that is the secret. Zero is the first that
	// is not empty, and the whole match where there is none.
	Group int
	// Entropy is how many bits a character the secret has at least (Shannon's, of its
	// own characters), which tells keys from words. Zero asks for nothing.
	Entropy float64
}

// Rules are rules made ready. They are safe for concurrent use; nil finds nothing.
type Rules struct {
	rules    []rule
	keywords *keywords
}

type rule struct {
	Rule
	entry      *entry
	expression *regexp.Regexp
	// reach is how many bytes a match has at most, where it surely holds one of the
	// keywords: then nothing further away is looked at. It is 0 where nobody knows.
	reach int
}

// maxReach is the longest match that is looked for around its keyword alone, in bytes.
const maxReach = 1 << 14

// NewRules compiles rules. The error says which of them is wrong, and why: Go's
// expressions have no look-around and no back-references.
func NewRules(rules []Rule) (*Rules, error) {
	all := &Rules{}
	var words []keyword
	seen := map[string]bool{}
	for i, r := range rules {
		ready, err := r.compile()
		if err != nil {
			return nil, fmt.Errorf("secrets: rule %d, %q: %w", i, r.ID, err)
		}
		if seen[r.ID] {
			return nil, fmt.Errorf("secrets: rule %d, %q: another rule has this ID", i, r.ID)
		}
		seen[r.ID] = true
		for _, k := range r.Keywords {
			words = append(words, keyword{lowered(k), i})
		}
		all.rules = append(all.rules, ready)
	}
	all.keywords = newKeywords(words)
	return all, nil
}

func (r Rule) compile() (rule, error) {
	if r.ID == "" || strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || len(r.ID) > 128 {
		return rule{}, errors.New("its ID has to be letters, digits, -, _ and ., at most 128 of them")
	}
	tree, err := syntax.Parse(r.Pattern, syntax.Perl)
	if err != nil {
		return rule{}, fmt.Errorf("its Pattern is none of package regexp: %w", err)
	}
	expression, err := regexp.Compile(r.Pattern)
	switch {
	case err != nil:
		return rule{}, fmt.Errorf("its Pattern is none of package regexp: %w", err)
	case expression.MatchString(""):
		return rule{}, errors.New("its Pattern is empty or matches the empty text")
	case len(r.Keywords) == 0:
		return rule{}, errors.New("it has no Keywords, so its expression would run over every text")
	case r.Group < 0 || r.Group > expression.NumSubexp():
		return rule{}, fmt.Errorf("its Pattern has no group %d", r.Group)
	}
	words := make([]string, len(r.Keywords))
	for i, k := range r.Keywords {
		if len(k) < 2 || len(k) > 128 || !utf8.ValidString(k) {
			return rule{}, errors.New("a keyword has to have 2 to 128 bytes of UTF-8")
		}
		words[i] = lowered(k)
	}
	ready := rule{Rule: r, expression: expression, entry: &entry{label: "pattern:" + r.ID}}
	if most := longest(tree); most <= maxReach && needs(tree, words) {
		ready.reach = most
	}
	return ready, nil
}

// lowered is s with ASCII's capitals made small.
func lowered(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// A stretch is where in a text a rule's expression has to run.
type stretch struct{ from, to int }

// find appends a span for every secret that the rules know in text.
func (r *Rules) find(text []byte, spans []span) []span {
	if r == nil {
		return spans
	}
	var stretches [][]stretch // of each rule
	r.keywords.each(text, func(rule, from, to int) {
		if stretches == nil {
			stretches = make([][]stretch, len(r.rules))
		}
		stretches[rule] = r.rules[rule].around(stretches[rule], from, to, len(text))
	})
	for i := range stretches {
		for _, s := range stretches[i] {
			spans = r.rules[i].find(text, s, spans)
		}
	}
	return spans
}

// around adds what lies around a keyword. One byte and one character more than a match
// can have are taken on each side, so that none begins or ends where the stretch does,
// and what the expression asks of the text's ends and of words' is not answered by
// those of a stretch.
func (r *rule) around(all []stretch, from, to, size int) []stretch {
	s := stretch{0, size}
	if r.reach > 0 {
		s = stretch{max(0, from-r.reach-1-utf8.UTFMax), min(size, to+r.reach+1+utf8.UTFMax)}
	}
	if last := len(all) - 1; last >= 0 && s.from <= all[last].to {
		all[last].from, all[last].to = min(all[last].from, s.from), max(all[last].to, s.to)
		return all
	}
	return append(all, s)
}

func (r *rule) find(text []byte, s stretch, spans []span) []span {
	for _, m := range r.expression.FindAllSubmatchIndex(text[s.from:s.to], -1) {
		from, to := r.secret(m)
		from, to = from+s.from, to+s.from
		secret := text[from:to]
		if from == to || r.Entropy > 0 && entropy(string(secret)) <= r.Entropy || strings.Contains(string(secret), markerStart) {
			continue
		}
		spans = append(spans, span{start: from, end: to, of: r.entry})
	}
	return spans
}

// secret is where the secret stands in a match.
func (r *rule) secret(m []int) (from, to int) {
	if r.Group > 0 {
		if from, to = m[2*r.Group], m[2*r.Group+1]; from >= 0 && from < to {
			return from, to
		}
		return m[0], m[1]
	}
	for g := 2; g < len(m); g += 2 {
		if m[g] >= 0 && m[g] < m[g+1] {
			return m[g], m[g+1]
		}
	}
	return m[0], m[1]
}

// entropy is Shannon's entropy of the characters of s, in bits a character.
func entropy(s string) float64 {
	counts := map[rune]int{}
	total := 0
	for _, c := range s {
		counts[c]++
		total++
	}
	bits := 0.0
	for _, n := range counts {
		p := float64(n) / float64(total)
		bits -= p * math.Log2(p)
	}
	return bits
}
