package arg

import "regexp/syntax"

// Steps is what a pattern is compiled to, in instructions.
func Steps(s string) int {
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// Counted is what the bounds of a pattern count, before it is compiled.
func Counted(s string) int {
	tree, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return 0
	}
	return sizeOf(tree).steps + 3 // each program begins with a failure, and ends
}
