package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
)

// CompileType compiles a type that a test made at run time.
func CompileType(typ reflect.Type, allow map[string]Allowlist) error {
	_, err := newProgram(typ, &Options{Allow: allow})
	return err
}

// CompileRuled compiles a type that a test made at run time, with rules.
func CompileRuled(typ reflect.Type, rules map[string]Rule) error {
	if err := checkRules(rules); err != nil {
		return err
	}
	_, err := newProgram(typ, &Options{Rules: rules})
	return err
}

// CompareDecimals orders two numbers of JSON, and says whether they are such.
func CompareDecimals(a, b string) (int, bool) {
	x, okX := decimalOf(a)
	y, okY := decimalOf(b)
	return x.compare(y), okX && okY
}

// CompileRules compiles a tag on a type, and returns what the schema says of a value, what
// is enforced, and whether the first says all of the second.
func CompileRules(typ reflect.Type, tag string) (schema json.RawMessage, ok func(reflect.Value) bool, exact bool, err error) {
	l, err := parseTag(tag)
	if err != nil {
		return nil, nil, false, err
	}
	p := &planner{}
	n, err := p.plan(typ, l)
	if err != nil {
		return nil, nil, false, err
	}
	exact = true
	for _, t := range l.terms {
		c, err := compile(t, n)
		if err != nil {
			return nil, nil, false, err
		}
		exact = exact && c.exact
	}
	w := schemaWriter{}
	w.node(n, "", false)
	return json.RawMessage(w.b.String()), func(v reflect.Value) bool {
		for i := range n.checks {
			if !n.checks[i].ok(v) {
				return false
			}
		}
		return true
	}, exact, nil
}

// Asked is validator's answer.
func Asked(v any, tag string) bool { return engine().Var(v, tag) == nil }

// TextRules are the names of the rules for texts that take no parameter.
func TextRules() []string { return slices.Sorted(maps.Keys(textRules)) }

// WholeNumber is what is written for a number of JSON that is a whole one.
func WholeNumber(text string) (string, bool) { return wholeNumber(text) }

// WholeNumbers is the pattern of the numbers from low to high.
func WholeNumbers(low, high *big.Int) string { return wholeNumbers(low, high, true) }

// A Row is what a rule says: its keywords, whether they are all of it, and its message.
type Row struct {
	Keywords [][2]string
	Exact    bool
	Phrase   string
}

// RowOf compiles one rule on a type.
func RowOf(typ reflect.Type, rule string) (row Row, err error) {
	l, err := parseTag(rule)
	if err != nil {
		return row, err
	}
	p := &planner{}
	n, err := p.plan(typ, &level{})
	if err != nil {
		return row, err
	}
	if len(l.terms) != 1 {
		return row, fmt.Errorf("%d rules", len(l.terms))
	}
	c, err := compile(l.terms[0], n)
	if err != nil {
		return row, err
	}
	for _, k := range c.keywords {
		row.Keywords = append(row.Keywords, [2]string{k.name, k.value})
	}
	row.Exact, row.Phrase = c.exact, c.phrase
	return row, nil
}

// ValidatorsRules are the names of all rules that validator has, with its names for several.
func ValidatorsRules() (names []string) {
	v := reflect.ValueOf(engine()).Elem()
	for _, field := range []string{"validations", "aliases"} {
		for _, key := range v.FieldByName(field).MapKeys() {
			names = append(names, key.String())
		}
	}
	slices.Sort(names)
	return names
}
