package validate

import (
	"reflect"
	"testing"
)

// AgreeOn holds a type to its schema, as TestAgreement does. takes and refuses are texts for
// the members of the type.
func AgreeOn(t *testing.T, typ reflect.Type, takes, refuses map[string][]string) {
	t.Helper()
	p, err := newProgram(typ, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	hints := map[string]docHint{}
	for name, texts := range takes {
		hints["."+name] = pickOf(texts...)
	}
	for name, texts := range refuses {
		hints["."+name+"!"] = pickOf(texts...)
	}
	newAgreement(t, typ.String(), p, hints).agree(t)
}
