package validate_test

import (
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

type named string

// samples are values of the kinds of Go's types, none of them empty.
var samples = map[reflect.Type][]any{
	reflect.TypeFor[bool]():               {true, false},
	reflect.TypeFor[int]():                {0, 1, 3, 7, 8, 18, 250, -250, 70000},
	reflect.TypeFor[int8]():               {int8(0), int8(1), int8(3), int8(8), int8(18), int8(-3)},
	reflect.TypeFor[uint16]():             {uint16(0), uint16(1), uint16(3), uint16(8), uint16(18), uint16(250), uint16(999)},
	reflect.TypeFor[uintptr]():            {uintptr(0), uintptr(1), uintptr(3), uintptr(250)},
	reflect.TypeFor[float32]():            {float32(0), float32(3), float32(2.5), float32(250), float32(-250)},
	reflect.TypeFor[float64]():            {0.0, 3.0, 2.5, 250.0, -250.0},
	reflect.TypeFor[[]string]():           {[]string{"a"}, []string{"a", "b", "c"}, []string{"1", "1"}},
	reflect.TypeFor[[2]int]():             {[2]int{1, 2}, [2]int{1, 1}},
	reflect.TypeFor[[]byte]():             {[]byte("a"), []byte("{}"), []byte("1234")},
	reflect.TypeFor[map[string]string]():  {map[string]string{"a": "b"}, map[string]string{"a": "b", "c": "b"}, map[string]string{"a": "b", "c": "d", "e": "f"}},
	reflect.TypeFor[struct{ A string }](): {struct{ A string }{"a"}, struct{ A string }{"b"}},
	reflect.TypeFor[time.Time]():          {time.Unix(1, 0), time.Now().Add(time.Hour)},
	reflect.TypeFor[string]():             {"a", "1", "3", "abc", "true"},
	reflect.TypeFor[named]():              {named("a"), named("1"), named("3"), named("abc")},
}

// asked is validator's answers to all values, "panics" among them.
func asked(values []any, rule string) (answers []string) {
	for _, v := range values {
		answers = append(answers, func() (answer string) {
			defer func() {
				if recover() != nil {
					answer = "panics"
				}
			}()
			if validate.Asked(v, rule) {
				return "yes"
			}
			return "no"
		}())
	}
	return answers
}

// A rule is taken on the kinds of values that it is made for. On any other it is refused
// with a sentence, as it would hold for all values or for none, or panic.
func TestRulesAreTakenOnWhatTheyAreMadeFor(t *testing.T) {
	t.Parallel()
	constant := []string{"boolean", "numeric", "number"} // hold for all numbers, and validator means it
	for _, name := range validate.ValidatorsRules() {
		form, _, _ := strings.Cut(shownWith[name], " ")
		kind, param, _ := strings.Cut(form, ":")
		if strings.HasPrefix(kind, "other") || name == "required" {
			continue
		}
		for typ, values := range samples {
			with := param
			if typ.Kind() != reflect.String && slices.Contains([]string{"eq", "ne"}, name) {
				with = "=3"
			}
			if typ.Kind() == reflect.Bool && with == "=3" {
				with = "=1"
			}
			if typ.Kind() != reflect.String && strings.Contains(name, "oneof") {
				with = "=1_3"
			}
			if typ == reflect.TypeFor[time.Time]() {
				with = ""
			}
			rule := name + strings.ReplaceAll(with, "_", " ")
			err := validate.CompileType(reflect.StructOf([]reflect.StructField{{Name: "F", Type: typ, Tag: reflect.StructTag(`json:"f" validate:"` + rule + `"`)}}), nil)
			if err != nil && strings.Contains(err.Error(), "no value that is allowed") && typ.Kind() == reflect.Array {
				continue // an array has as many elements as it has
			}
			if err != nil && (!strings.Contains(err.Error(), "the rule "+name) || strings.Contains(err.Error(), "understood") || strings.Contains(err.Error(), "Bad field")) {
				if !strings.Contains(name, "country_code") && name != "iscolor" { // a name for several, which are named
					t.Errorf("%s on a %s is refused with %q", rule, typ, err)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "opens or looks up") || name == "validateFn" || name == "skip_unless") {
				continue
			}
			answers := asked(values, rule)
			distinct := slices.Compact(slices.Sorted(slices.Values(answers)))
			switch {
			case err == nil && slices.Contains(answers, "panics"):
				t.Errorf("%s on a %s is taken, and validator panics: %v", rule, typ, answers)
			case err != nil && len(distinct) > 1 && !strings.HasSuffix(name, "country_code"): // of numbers there is one of its three
				t.Errorf("%s on a %s is refused, and validator has answers: %v (%v)", rule, typ, answers, err)
			case err == nil && typ.Kind() != reflect.String && len(distinct) < 2 && !slices.Contains(constant, name) && len(values) > 3 && !strings.Contains(name, "_eu") && typ.Kind() != reflect.Int8:
				t.Errorf("%s on a %s is taken, and validator has one answer to all: %v", rule, typ, answers)
			}
		}
	}
}

// What could not be meant is refused with a sentence that says what could.
func TestRulesThatCouldNotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	text, whole, list := reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[[]string]()
	for _, c := range []struct {
		typ       reflect.Type
		tag, want string
	}{
		{text, "alpha=3", "takes no value"},
		{text, "contains", "takes a value"},
		{text, "startswith=", "takes a value"},
		{text, "containsrune=ab", "one character"},
		{text, "oneof=", "lists no value"},
		{text, "oneofci=", "takes a value"},
		{text, "noneof= ", "lists no value"},
		{whole, "oneof=1 02", "no number"},
		{reflect.TypeFor[int8](), "noneof=1 200", "no number"},
		{text, "datetime=YYYY-MM-DD", "2006-01-02"},
		{text, "datetime", "takes a value"},
		{text, "spicedb=x", "permission, type or id"},
		{text, "postcode_iso3166_alpha2=fr", "capital letters"},
		{text, "port", "not for texts"},
		{text, "iso4217_numeric", "not for texts"},
		{text, "unique", "not for texts"},
		{list, "isdefault", "isdefault"},
		{list, "alpha", "behind dive"},
		{whole, "email", "behind dive"},
		{reflect.TypeFor[time.Time](), "gt=1h", "takes no value"},
		{reflect.TypeFor[time.Time](), "eq=1", "not for times"},
		{reflect.TypeFor[time.Duration](), "min=x", "takes a duration"},
		{reflect.TypeFor[bool](), "eq=maybe", "true or false"},
		{reflect.TypeFor[big.Int](), "min=1", "not for structs"},
		{text, "mimetype=image/png", "opens or looks up"},
		{text, "skip_unless=Other a", "required_if"},
		{text, "alpha|mimetype=image/png", "opens or looks up"},
		{text, "alpha|skip_unless=F a", "required_if"},
		{text, "email|required_with=F", "about other fields"},
		{text, "alpha|port", "not for texts"},
		{text, "nosuchrule", "not understood"},
		{text, "alpha|nosuchrule", "not understood"},
		{text, "alpha|", "empty"},
		{text, "alpha||numeric", "empty"},
		{text, "min=-1", "not negative"},
		{text, "max=x", "whole number"},
		{list, "max=1e3", "whole number"},
		{reflect.TypeFor[uint](), "min=-1", "field can hold"},
		{reflect.TypeFor[float64](), "max=inf", "field can hold"},
		{reflect.TypeFor[uintptr](), "oneof=1 2", "uintptr"},
		{reflect.TypeFor[textLevel](), "uuid", "not for values"},
		{reflect.TypeFor[ownTags](), "unique", "not for a"},
	} {
		err := validate.CompileType(reflect.StructOf([]reflect.StructField{{Name: "F", Type: c.typ, Tag: reflect.StructTag(`json:"f" validate:"` + c.tag + `"`)}}), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s on a %s: %v", c.tag, c.typ, err)
		}
	}
}
