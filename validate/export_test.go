package validate

import "reflect"

// CompileType compiles a type that a test made at run time.
func CompileType(typ reflect.Type, allow map[string]Allowlist) error {
	_, err := newProgram(typ, &Options{Allow: allow})
	return err
}
