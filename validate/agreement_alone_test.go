package validate

import (
	"slices"

	santhosh "github.com/santhosh-tekuri/jsonschema/v6"
)

// redundant says why a keyword never decides alone, "" where it may: another beside it says
// as much. It stands there for readers, and for those who fill in forms by it.
func (l *keywordSlot) redundant() string {
	in := l.in
	listed := in.Enum != nil || in.Const != nil
	switch {
	case l.word == "enum" || l.word == "const" || l.word == "type null":
	case listed && l.takesAll(in):
		return "all that is listed beside it keeps it"
	case l.word == "anyOf" || l.word == "not" || l.word == "$ref":
	case len(in.AnyOf) > 0 && !slices.ContainsFunc(in.AnyOf, func(s *santhosh.Schema) bool { return !l.within(s) }):
		return "all of the alternatives beside it keep it"
	case l.word == "type" && in.Not != nil && in.Not.Types == nil && in.Not.Enum == nil:
		return "the not beside it takes no value of another type"
	case l.word == "minLength" && *in.MinLength == 1 && in.Pattern != nil && !in.Pattern.MatchString(""):
		return "the pattern beside it does not take the empty text"
	case l.word == "minLength" && *in.MinLength == 4 && in.Pattern != nil && in.Pattern.String() == base64Pattern:
		return "the empty text, which alone is shorter, does not end as it has to"
	}
	return ""
}

// takesAll says that a keyword takes all values that a schema lists.
func (l *keywordSlot) takesAll(in *santhosh.Schema) bool {
	var listed []any
	if in.Enum != nil {
		listed = in.Enum.Values
	}
	if in.Const != nil {
		listed = append(slices.Clip(listed), *in.Const)
	}
	return !slices.ContainsFunc(listed, func(v any) bool { return v != nil && l.opposed.Validate(v) == nil })
}

// within says that an alternative takes no more than a keyword does.
func (l *keywordSlot) within(s *santhosh.Schema) bool {
	switch {
	case s.Enum != nil:
		return l.takesAll(s)
	case l.word == "minimum" || l.word == "exclusiveMinimum":
		low := cmpOr(s.Minimum, s.ExclusiveMinimum)
		return low != nil && low.Cmp(cmpOr(l.in.Minimum, l.in.ExclusiveMinimum)) > 0
	case l.word == "maximum" || l.word == "exclusiveMaximum":
		high := cmpOr(s.Maximum, s.ExclusiveMaximum)
		return high != nil && high.Cmp(cmpOr(l.in.Maximum, l.in.ExclusiveMaximum)) < 0
	}
	return false
}

// idle are rules that take all values of their type, so that nothing is seen of it where
// they are taken out.
func idle(rule string, n *node) bool {
	return n.form == formBoolean && rule == "boolean" || n.form == formInteger && (rule == "numeric" || rule == "number") ||
		n.form == formNumber && rule == "numeric"
}
