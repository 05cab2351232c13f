package audit

import "errors"

// A Rule says how an argument is recorded. The zero value is RuleHMAC. Booleans and null
// are recorded clear whatever the rule, RuleLen and RuleDrop aside.
type Rule uint8

// The rules for arguments. Of a list RuleHMAC is for each element.
const (
	RuleHMAC   Rule = iota // a keyed HMAC and the length
	RuleClosed             // clear if the arguments were valid: it is from a closed list
	RuleClear              // clear
	RuleLen                // the length alone
	RuleDrop               // only that it was there
)

// ParseRule returns the rule of an audit tag: "clear", "hmac", "len" or "drop".
func ParseRule(tag string) (Rule, error) {
	switch tag {
	case "hmac":
		return RuleHMAC, nil
	case "clear":
		return RuleClear, nil
	case "len":
		return RuleLen, nil
	case "drop":
		return RuleDrop, nil
	}
	return 0, errors.New("an audit tag is clear, hmac, len or drop")
}

// Rules are the rules of the arguments that a tool declares, in its order. An argument
// that is not among them is only counted.
type Rules []FieldRule

// A FieldRule is the rule of one argument. Of an object, or of a list of objects, whose
// members have rules of their own in Within, each member is recorded by its own; Rule is
// then for a value that is something else.
type FieldRule struct {
	Name   string
	Rule   Rule
	Within Rules
}

// Of returns the rule of an argument, or nil where it is not declared.
func (r Rules) Of(name string) *FieldRule {
	for i := range r {
		if r[i].Name == name {
			return &r[i]
		}
	}
	return nil
}

// find returns which argument a name is, looking first where it is if they come in
// the order of their declaration, or -1.
func (r Rules) find(name []byte, next int) int {
	if next < len(r) && r[next].Name == string(name) {
		return next
	}
	for i := range r {
		if r[i].Name == string(name) {
			return i
		}
	}
	return -1
}
