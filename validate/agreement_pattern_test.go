package validate

import (
	"regexp/syntax"
	"strings"
)

// matching makes a text that a pattern takes.
func (m *docMaker) matching(pattern string) string {
	tree := m.trees[pattern]
	if tree == nil {
		var err error
		if tree, err = syntax.Parse(pattern, syntax.Perl); err != nil {
			return ""
		}
		m.trees[pattern] = tree
	}
	var b strings.Builder
	if !strings.HasPrefix(pattern, "^") && m.IntN(2) == 0 {
		b.WriteString(m.word(m.IntN(4)))
	}
	m.match(&b, tree, 2+m.IntN(6))
	if !strings.HasSuffix(pattern, "$") && m.IntN(2) == 0 {
		b.WriteString(m.word(m.IntN(4)))
	}
	return b.String()
}

func (m *docMaker) match(b *strings.Builder, re *syntax.Regexp, often int) {
	times := func(least, most int) {
		if most < 0 || most > least+often {
			most = least + often
		}
		for range least + m.IntN(most-least+1) {
			m.match(b, re.Sub[0], often)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(m.of(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(m.word(1))
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			m.match(b, sub, often)
		}
	case syntax.OpAlternate:
		m.match(b, re.Sub[m.IntN(len(re.Sub))], often)
	case syntax.OpStar:
		times(0, -1)
	case syntax.OpPlus:
		times(1, -1)
	case syntax.OpQuest:
		times(0, 1)
	case syntax.OpRepeat:
		times(re.Min, re.Max)
	}
}

// of picks from the ranges of a class, most often what is ASCII.
func (m *docMaker) of(ranges []rune) rune {
	for {
		i := 2 * m.IntN(len(ranges)/2)
		low, high := ranges[i], ranges[i+1]
		if low <= '~' && high > '~' && m.IntN(3) > 0 {
			high = '~'
		}
		if low < ' ' && high >= ' ' && m.IntN(10) > 0 {
			low = ' '
		}
		r := low + rune(m.IntN(int(high-low)+1))
		if r < 0xD800 || r > 0xDFFF {
			return r
		}
	}
}
