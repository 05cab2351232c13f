package validate

import "reflect"

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
