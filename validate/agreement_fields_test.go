package validate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A agreeField is a field of a type that is made for the test: one rule on one kind of
// value.
type agreeField struct {
	typ  reflect.Type
	rule string
	// hints are for places in it, the field itself being "".
	hints map[string]docHint
}

type (
	agreeNamed string
	agreeText  struct {
		V string `json:"v" validate:"alphanum,max=8"`
	}
)

func pickOf[T any](values ...T) docHint {
	return func(r *rand.Rand) any { return values[r.IntN(len(values))] }
}

// pickAt is a hint for one place.
func pickAt[T any](place string, values ...T) map[string]docHint {
	return map[string]docHint{place: pickOf(values...)}
}

// textFields are one field for each rule for texts, and the same rules now and then behind
// pointers, in lists, maps, names of maps and named types.
func textFields() (all []agreeField) {
	text := reflect.TypeFor[string]()
	for i, c := range agreeTexts {
		at := func(place string) map[string]docHint {
			hints := pickAt(place, c.takes...)
			if c.refuses != nil {
				hints[place+"!"] = pickOf(c.refuses...)
			}
			return hints
		}
		all = append(all, agreeField{text, c.rule, at("")})
		if c.rule == "" || i%4 > 0 {
			continue
		}
		switch i / 4 % 6 {
		case 0:
			all = append(all, agreeField{reflect.TypeFor[*string](), c.rule, at("")})
		case 1:
			all = append(all, agreeField{reflect.TypeFor[[]string](), "dive," + c.rule, at("[]")})
		case 2:
			all = append(all, agreeField{reflect.TypeFor[map[string]string](), "dive," + c.rule, at("{}")})
		case 3:
			all = append(all, agreeField{reflect.TypeFor[map[string]bool](), "dive,keys," + c.rule + ",endkeys", at("{key}")})
		case 4:
			all = append(all, agreeField{reflect.TypeFor[agreeNamed](), c.rule, at("")})
		case 5:
			all = append(all, agreeField{reflect.TypeFor[[]*agreeNamed](), "dive," + c.rule, at("[]")})
		}
	}
	return all
}

// numberFields are the rules for numbers, on each kind of them.
func numberFields() (all []agreeField) {
	rules := []string{"", "min=2,max=5", "gt=2,lt=9", "gte=3,lte=7", "eq=4", "ne=4,ne=6", "oneof=1 2 7"}
	kinds := []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[time.Duration](),
	}
	for k, typ := range kinds {
		float := typ.Kind() == reflect.Float32 || typ.Kind() == reflect.Float64
		for i, rule := range rules {
			if strings.HasPrefix(rule, "oneof") && (float || typ == reflect.TypeFor[time.Duration]()) {
				continue
			}
			if i > 0 && i != 1+k%6 && i != 1+(k+2)%6 && i != 1+(k+3)%6 { // three of the rules for each kind
				continue
			}
			all = append(all, agreeField{typ, rule, nil})
		}
	}
	return append(all,
		agreeField{reflect.TypeFor[int64](), "min=-5,max=-2", nil},
		agreeField{reflect.TypeFor[int64](), "min=-4611686018427387904,max=4611686018427387904", nil},
		agreeField{reflect.TypeFor[float64](), "min=1.5,max=2.5", nil},
		agreeField{reflect.TypeFor[float32](), "gt=-1.5,lt=1.5", nil},
		agreeField{reflect.TypeFor[float64](), "eq=1.5|eq=2", nil},
		agreeField{reflect.TypeFor[int](), "eq=1|eq=5", nil},
		agreeField{reflect.TypeFor[int](), "min=3|eq=0", nil},
		agreeField{reflect.TypeFor[int](), "len=4", nil},
		agreeField{reflect.TypeFor[int](), "port", nil},
		agreeField{reflect.TypeFor[int](), "noneof=1 2", nil},
		agreeField{reflect.TypeFor[int](), "latitude", nil},
		agreeField{reflect.TypeFor[int](), "longitude", nil},
		agreeField{reflect.TypeFor[int](), "numeric", nil},
		agreeField{reflect.TypeFor[int](), "number", nil},
		agreeField{reflect.TypeFor[int](), "isdefault", nil},
		agreeField{reflect.TypeFor[int](), "luhn_checksum", pickAt("", json.Number("79927398713"), "18", "0")},
		agreeField{reflect.TypeFor[uint16](), "port", nil},
		agreeField{reflect.TypeFor[int](), "iso3166_1_alpha_numeric", pickAt("", json.Number("276"), "250", "716")},
		agreeField{reflect.TypeFor[int](), "iso3166_1_alpha_numeric_eu", pickAt("", json.Number("276"), "250")},
		agreeField{reflect.TypeFor[uint16](), "iso4217_numeric", pickAt("", json.Number("978"), "840")},
		agreeField{reflect.TypeFor[uint64](), "latitude", nil},
		agreeField{reflect.TypeFor[float64](), "longitude", nil},
		agreeField{reflect.TypeFor[float64](), "isdefault", nil},
		agreeField{reflect.TypeFor[bool](), "", nil},
		agreeField{reflect.TypeFor[bool](), "isdefault", nil},
		agreeField{reflect.TypeFor[bool](), "eq=true", nil},
		agreeField{reflect.TypeFor[bool](), "ne=true", nil},
		agreeField{reflect.TypeFor[bool](), "boolean", nil},
		agreeField{reflect.TypeFor[time.Duration](), "min=1s,max=1m", nil},
		agreeField{reflect.TypeFor[*int8](), "min=2", nil},
		agreeField{reflect.TypeFor[**uint16](), "gte=2,lt=300", nil},
		agreeField{reflect.TypeFor[*bool](), "", nil},
		agreeField{reflect.TypeFor[*int](), "oneof=1 2 7", nil},
		agreeField{reflect.TypeFor[*float64](), "ne=1.5", nil},
	)
}

// namesTo makes the names of members that are whole numbers.
func namesTo(n int) docHint {
	return func(r *rand.Rand) any { return fmt.Sprint(r.IntN(2*n+1) - n) }
}

// base64Of makes base64 of up to so many bytes, broken or not.
func base64Of(most int, broken bool) docHint {
	return func(r *rand.Rand) any {
		b := make([]byte, r.IntN(most+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		text := []rune(base64.StdEncoding.EncodeToString(b))
		if broken && len(text) > 0 && r.IntN(2) == 0 {
			text[r.IntN(max(len(text)-2, 1))] = []rune("-_=!é ")[r.IntN(6)]
		}
		return string(text)
	}
}

// manyFields are the rules for lists, arrays, maps and bytes.
func manyFields() (all []agreeField) {
	for _, rule := range []string{"", "min=2,max=4", "len=5", "gt=1,lt=5", "ne=3", "eq=2", "gte=3", "lte=7"} {
		all = append(all, agreeField{reflect.TypeFor[[]byte](), rule, map[string]docHint{"": base64Of(9, false), "!": base64Of(12, true)}})
	}
	strs, ints, words := reflect.TypeFor[[]string](), reflect.TypeFor[[]int](), reflect.TypeFor[map[string]string]()
	return append(all,
		agreeField{reflect.TypeFor[[]byte](), "json", map[string]docHint{"": func(r *rand.Rand) any {
			return base64.StdEncoding.EncodeToString([]byte([]string{"{}", "[1]", "1", `"a"`, "{", ""}[r.IntN(6)]))
		}}},
		agreeField{strs, "", nil},
		agreeField{strs, "min=1,max=3", nil}, agreeField{ints, "len=2", nil}, agreeField{ints, "gt=1,lt=4", nil},
		agreeField{strs, "ne=2", nil}, agreeField{ints, "eq=2", nil}, agreeField{ints, "gte=1,lte=3", nil},
		agreeField{ints, "unique", pickAt("[]", json.Number("1"), "2", "3", "4")},
		agreeField{strs, "unique,max=4,dive,max=3", nil},
		agreeField{reflect.TypeFor[[]*int](), "unique", nil}, agreeField{reflect.TypeFor[[]float64](), "unique", map[string]docHint{"!": pickOf[any]([]any{json.Number("1152921504606846975"), json.Number("1152921504606846976")})}},
		agreeField{reflect.TypeFor[[]bool](), "unique", nil},
		agreeField{reflect.TypeFor[[3]int](), "", nil}, agreeField{reflect.TypeFor[[3]string](), "unique", nil}, agreeField{reflect.TypeFor[[2]uint8](), "dive,max=9", nil},
		agreeField{reflect.TypeFor[[][]int](), "max=3,dive,min=1,dive,gt=0", nil},
		agreeField{reflect.TypeFor[*[]int](), "max=2", nil},
		agreeField{words, "min=1,max=3", nil}, agreeField{words, "len=2", nil}, agreeField{words, "ne=2", nil},
		agreeField{words, "gt=1,lt=4", nil},
		agreeField{words, "unique", pickAt("{}", "a", "b", "c", "d")},
		agreeField{words, "max=3,dive,keys,min=1,max=2,endkeys,oneof=a b", nil},
		agreeField{reflect.TypeFor[map[int]string](), "max=3", nil}, agreeField{reflect.TypeFor[map[int8]string](), "max=3", nil},
		agreeField{reflect.TypeFor[map[uint8]int](), "dive,keys,min=3,max=120,endkeys,max=2", map[string]docHint{"{key}!": pickOf("0", "1", "2", "121", "200", "255", "256", "-1", "-0", "03")}},
		agreeField{reflect.TypeFor[map[int16]int](), "dive,keys,gt=-30,lt=12,endkeys", map[string]docHint{"{key}!": namesTo(40)}},
		agreeField{reflect.TypeFor[map[uint64]int](), "dive,keys,ne=7,endkeys", nil},
		agreeField{reflect.TypeFor[map[int64]bool](), "dive,keys,oneof=1 2 -7,endkeys", nil},
		agreeField{reflect.TypeFor[map[string][]int](), "max=2,dive,max=2,unique,dive,min=1", nil},
		agreeField{reflect.TypeFor[map[string]*int8](), "dive,ne=3", nil},
		agreeField{reflect.TypeFor[map[string]agreeText](), "max=2", nil}, agreeField{reflect.TypeFor[[]agreeText](), "min=1", nil},
		agreeField{reflect.TypeFor[*agreeText](), "", nil}, agreeField{reflect.TypeFor[agreeText](), "", nil},
		agreeField{reflect.TypeFor[[2]*agreeText](), "", nil},
	)
}

// alone compiles a field alone.
func (f *agreeField) alone() (*program, error) { return newProgram(agreeStruct(f), &Options{}) }

// agreeStruct is a struct of fields that may be left out.
func agreeStruct(fields ...*agreeField) reflect.Type {
	all := make([]reflect.StructField, len(fields))
	for i, f := range fields {
		tag := fmt.Sprintf(`json:"f%d,omitempty"`, i)
		if f.rule != "" {
			tag += ` validate:"` + strings.ReplaceAll(f.rule, `"`, `\"`) + `"`
		}
		all[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: f.typ, Tag: reflect.StructTag(tag)}
	}
	return reflect.StructOf(all)
}

// agreeInGroups makes types of many fields each, those together of which the schema says
// all, and holds each to its schema.
func agreeInGroups(t *testing.T, name string, fields []agreeField) {
	t.Helper()
	const most = 16
	groups := map[bool][][]*agreeField{}
	for i := range fields {
		f := &fields[i]
		p, err := f.alone()
		if err != nil {
			t.Errorf("%s: the rule %q on %s: %v", name, f.rule, f.typ, err)
			continue
		}
		l := p.root.shape.level(t, &p.root.shape.fields[0])
		wide := !exactlyWithin(t, p.root.shape.fields[0].node, l)
		g := groups[wide]
		if len(g) == 0 || len(g[len(g)-1]) == most {
			g = append(g, nil)
		}
		g[len(g)-1] = append(g[len(g)-1], f)
		groups[wide] = g
	}
	for wide, all := range groups {
		for i, group := range all {
			t.Run(fmt.Sprintf("%s/%d/%v", name, i, wide), func(t *testing.T) {
				t.Parallel()
				p, err := newProgram(agreeStruct(group...), &Options{})
				if err != nil {
					t.Fatal(err)
				}
				hints := map[string]docHint{}
				for j, f := range group {
					for place, h := range f.hints {
						hints[fmt.Sprintf(".f%d%s", j, place)] = h
					}
				}
				newAgreement(t, fmt.Sprint(name, i, wide), p, hints).agree(t)
			})
		}
	}
}

// exactlyWithin says that the schema takes what a node takes, and what is in it.
func exactlyWithin(t *testing.T, n *node, l *level) bool {
	t.Helper()
	a := agreement{wide: map[string]bool{}}
	a.widen(t, n, l, "", map[*shape]bool{})
	for _, wide := range a.wide {
		if wide {
			return false
		}
	}
	return true
}
