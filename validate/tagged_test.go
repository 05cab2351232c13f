package validate_test

import (
	"reflect"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

// tagged2 compiles a struct with one string field of the tag. Go has no generic
// way to make a type at run time that For could take, so each tag goes through a
// type whose tag is looked up here.
func tagged2(tag string, allow map[string]validate.Allowlist) error {
	return validate.CompileType(reflect.StructOf([]reflect.StructField{{
		Name: "F", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`json:"f" validate:"` + tag + `"`),
	}}), allow)
}

func TestAnOrdinaryTagCompiles(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"required", "omitempty", "min=1,max=2", "email", "oneof=a b", "alpha|numeric", "contains=0x2C", "startswith=a b", "isdefault", "country_code", "required,uuid4"} {
		if err := tagged(tag); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
	}
}
