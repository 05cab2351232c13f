package scan

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// endless is more bytes than any match that is looked for has.
const endless = 1 << 30

// longest returns how many bytes what e matches has at most.
func longest(e *syntax.Regexp) int {
	switch e.Op {
	case syntax.OpLiteral:
		if e.Flags&syntax.FoldCase != 0 {
			return len(e.Rune) * utf8.UTFMax // the Kelvin sign is a k of three bytes
		}
		return len(string(e.Rune))
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpCapture, syntax.OpQuest:
		return longest(e.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		return endless
	case syntax.OpRepeat:
		if e.Max < 0 {
			return endless
		}
		return min(endless, e.Max*min(longest(e.Sub[0]), endless/1000)) // a count is 1000 at most
	case syntax.OpConcat:
		sum := 0
		for _, part := range e.Sub {
			sum = min(endless, sum+longest(part))
		}
		return sum
	case syntax.OpAlternate:
		most := 0
		for _, part := range e.Sub {
			most = max(most, longest(part))
		}
		return most
	}
	return 0 // places, not characters
}

// needs reports whether everything that e matches holds one of words, as far as can be
// seen.
func needs(e *syntax.Regexp, words []string) bool {
	if all, ok := written(e); ok {
		return holds(all, words)
	}
	switch e.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return needs(e.Sub[0], words)
	case syntax.OpRepeat:
		return e.Min > 0 && needs(e.Sub[0], words)
	case syntax.OpAlternate:
		return !slices.ContainsFunc(e.Sub, func(part *syntax.Regexp) bool { return !needs(part, words) })
	case syntax.OpConcat:
		run := []string{""}
		for _, part := range e.Sub {
			next, ok := written(part)
			if ok && len(run)*len(next) <= mostWritten {
				run = joined(run, next)
				continue
			}
			if holds(run, words) || needs(part, words) {
				return true
			}
			run = []string{""}
		}
		return holds(run, words)
	}
	return false
}

func holds(texts, words []string) bool {
	for _, text := range texts {
		if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) }) {
			return false
		}
	}
	return len(texts) > 0
}

// mostWritten bounds how many texts an expression is written out as.
const mostWritten = 64

// written returns all that e matches, with ASCII's capitals made small, if that is not
// too much.
func written(e *syntax.Regexp) (all []string, ok bool) {
	switch e.Op {
	case syntax.OpLiteral:
		return []string{lowered(string(e.Rune))}, true
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, true
	case syntax.OpCapture:
		return written(e.Sub[0])
	case syntax.OpQuest:
		all, ok = written(e.Sub[0])
		return append(slices.Clone(all), ""), ok && len(all) < mostWritten
	case syntax.OpCharClass:
		for i := 0; i < len(e.Rune); i += 2 {
			if int(e.Rune[i+1]-e.Rune[i]) >= mostWritten-len(all) {
				return nil, false
			}
			for c := e.Rune[i]; c <= e.Rune[i+1]; c++ {
				all = append(all, lowered(string(c)))
			}
		}
		return all, true
	case syntax.OpAlternate:
		for _, part := range e.Sub {
			more, ok := written(part)
			if !ok || len(all)+len(more) > mostWritten {
				return nil, false
			}
			all = append(all, more...)
		}
		return all, true
	case syntax.OpConcat:
		all = []string{""}
		for _, part := range e.Sub {
			more, ok := written(part)
			if !ok || len(all)*len(more) > mostWritten {
				return nil, false
			}
			all = joined(all, more)
		}
		return all, true
	}
	return nil, false
}

func joined(first, then []string) []string {
	all := make([]string, 0, len(first)*len(then))
	for _, a := range first {
		for _, b := range then {
			all = append(all, a+b)
		}
	}
	return all
}
