package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// A Rule is a rule of the program's own. A tag names it as rule=NAME and not by NAME
// alone, so that a rule which validator brings in a later version never takes its place,
// and a reader of the tag sees whose it is.
type Rule struct {
	// Check says whether a value is right; see [RuleFor].
	Check RuleCheck
	// Message says what is right, as what follows the name of a field: "must be the
	// number of an open account". It stands in the schema and in errors, and must be
	// there.
	Message string
	// Keywords, which may be left out, is a JSON object of keywords of JSON Schema that
	// say something of it: {"pattern": "^[0-9]{10}$"}. They are listed and enforced
	// beside Check, on strings, numbers and booleans: enum, pattern, minLength,
	// maxLength, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, and
	// format, which is listed alone.
	Keywords json.RawMessage
}

// A RuleCheck is a function on one type, made by [RuleFor].
type RuleCheck struct {
	typ reflect.Type
	run func(context.Context, reflect.Value) (bool, error)
}

// RuleFor makes the Check of a [Rule] of a function that says whether a value is right.
// The rule is for fields of type T and of types made of it, as type Account string is of
// string; one for int64, uint64 or float64 is for all such numbers, of any size; for the elements of a list it stands behind dive. It is called where the value
// breaks no rule of its tag, and must not keep or change it.
//
// An error says that it could not tell: the call is refused with a [*RuleError], whose
// cause stays inside. A panic is a [*PanicError]. All rules of a call have 5 seconds
// together, at the end of which the context ends.
func RuleFor[T any](check func(ctx context.Context, value T) (bool, error)) RuleCheck {
	typ := reflect.TypeFor[T]()
	if check == nil {
		return RuleCheck{}
	}
	return RuleCheck{typ, func(ctx context.Context, v reflect.Value) (bool, error) {
		if v.Type() != typ {
			v = v.Convert(typ)
		}
		value, _ := reflect.TypeAssert[T](v)
		return check(ctx, value)
	}}
}

// suits says that the check takes values of typ, without anything being lost on the way.
func (c RuleCheck) suits(typ reflect.Type) bool {
	from, to := typ.Kind(), c.typ.Kind()
	switch { // the widest type takes all of its sign
	case typ == c.typ:
		return true
	case from >= reflect.Int && from < reflect.Int64:
		return to == from || to == reflect.Int64
	case from >= reflect.Uint && from <= reflect.Uintptr:
		return to == from || to == reflect.Uint64
	case from == reflect.Float32:
		return to == from || to == reflect.Float64
	}
	return from == to && from != reflect.Struct && from != reflect.Interface && typ.ConvertibleTo(c.typ)
}

// ownRule is a Rule in one place.
type ownRule struct {
	name string
	Rule
	keywords *jsonschema.Resolved // nil without
}

var ruleName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// reserved are what errors call what is wrong beside rules, and the words of tags.
var reserved = []string{
	"required", "omitempty", "omitnil", "omitzero", "dive", "keys", "endkeys", "structonly", "nostructlevel", "allow", "rule",
	"validateFn", "type", "unknown", "duplicate", "syntax", "schema", "more", "default", "Validate",
}

// checkRules refuses rules that could not be held, whether or not a tag names them.
func checkRules(rules map[string]Rule) error {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		r := rules[name]
		switch {
		case !ruleName.MatchString(name):
			return fmt.Errorf("the rule %q: its name has to begin with a letter and be of at most 64 letters, digits and the characters _ -", name)
		case slices.Contains(reserved, name) || outward[name] || validators(name):
			return fmt.Errorf("the rule %q: this is a name of validator's or of this package, which a reader would take it for: give it another", name)
		case r.Check.run == nil:
			return fmt.Errorf("the rule %q has no Check: make it with RuleFor", name)
		case strings.TrimSpace(r.Message) == "" || unfit(r.Message) != "":
			return fmt.Errorf("the rule %q needs a Message of at most %d bytes that says what is right, as in \"must be the number of an open account\"", name, mostValueBytes)
		case r.Check.typ.Kind() == reflect.Interface:
			return fmt.Errorf("the rule %q is for an interface: make one for each type that it is for", name)
		}
	}
	return nil
}

// validators says that validator has a rule of that name.
func validators(name string) (known bool) {
	defer func() {
		if r := recover(); r != nil { // it panics on what it does not know, and on parameters that are missing
			known = !strings.Contains(fmt.Sprint(r), "Undefined validation function")
		}
	}()
	_ = engine().Var("", name)
	return true
}

// ownRule adds a rule of one's own to a node.
func (p *planner) ownRule(n *node, name string) error {
	r, known := p.own[name]
	switch {
	case !known:
		return fmt.Errorf("there is no rule %q: give it in Options.Rules", name)
	case !r.Check.suits(n.typ):
		return fmt.Errorf("the rule %s is for values of type %s, not %s; for the elements of a list it stands behind dive", name, r.Check.typ, n.typ)
	}
	own := ownRule{name: name, Rule: r}
	if len(r.Keywords) > 0 {
		if err := own.resolve(n); err != nil {
			return fmt.Errorf("the keywords of the rule %s: %w", name, err)
		}
	}
	n.rules = append(n.rules, own)
	n.says = append(n.says, r.Message)
	return nil
}

// ruleKeywords are those that a rule may have.
var ruleKeywords = []string{
	"enum", "pattern", "format", "minLength", maxLength, "minimum", "maximum", "exclusiveMinimum", exclusiveMaximum, multipleOf,
}

// resolve compiles the keywords and lists them with those of the node.
func (r *ownRule) resolve(n *node) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(r.Keywords, &given); err != nil || given == nil {
		return errors.New("they are no JSON object")
	}
	if k := n.typ.Kind(); n.own || (k != reflect.String && k != reflect.Bool && (k < reflect.Int || k > reflect.Float64)) {
		return errors.New("they are for strings, numbers and booleans")
	}
	var listed []keyword
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(ruleKeywords, name) {
			return fmt.Errorf("%s is none of %s", name, strings.Join(ruleKeywords, ", "))
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, given[name]); err != nil {
			return errors.New("they are no JSON object")
		}
		listed = append(listed, keyword{name, compact.String()})
		n.bounded = n.bounded || name == "enum" || name == maxLength
		n.closed = n.closed || name == "enum"
	}
	if err := looksOver(r.Keywords); err != nil {
		return err
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(r.Keywords, &schema); err != nil {
		return fmt.Errorf("they are no JSON Schema: %w", err)
	}
	var err error
	if r.keywords, err = resolve(&schema); err != nil {
		return err
	}
	n.keywords, err = merged(n.keywords, listed)
	return err
}

// holds says whether a value is right. The error says that nobody can tell.
func (r *ownRule) holds(ctx context.Context, v reflect.Value) (bool, error) {
	if r.keywords != nil && (!valid(r.keywords, plain(v)) || !divided(plain(v), r.keywords.Schema().MultipleOf)) {
		return false, nil
	}
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx) //nolint:wrapcheck // RuleError names the rule
	}
	return r.Check.run(ctx, v)
}

// plain is a value as the schema's validator takes it.
func plain(v reflect.Value) any {
	switch k := v.Kind(); {
	case k == reflect.String:
		return v.String()
	case k == reflect.Bool:
		return v.Bool()
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return v.Uint()
	}
	return v.Float()
}
