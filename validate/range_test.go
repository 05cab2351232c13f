package validate_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

// The pattern of a range takes its numbers, as JSON writes them, and no others.
func TestAPatternOfWholeNumbersTakesTheirRange(t *testing.T) {
	t.Parallel()
	bounds := []int64{-1000, -999, -128, -101, -100, -99, -90, -11, -10, -9, -2, -1, 0, 1, 2, 8, 9, 10, 11, 19, 20, 98, 99, 100, 101, 109, 110, 127, 199, 255, 998, 999, 1000, 1001}
	for i, low := range bounds {
		for _, high := range bounds[i:] {
			expression := validate.WholeNumbers(big.NewInt(low), big.NewInt(high))
			if why := unlike(expression); why != "" {
				t.Fatalf("%s: %s", expression, why)
			}
			re := regexp.MustCompile(expression)
			for _, b := range bounds {
				for n := b - 2; n <= b+2; n++ {
					if re.MatchString(strconv.FormatInt(n, 10)) != (low <= n && n <= high) {
						t.Fatalf("%d to %d: %s is wrong about %d", low, high, expression, n)
					}
				}
			}
			if zero := low <= 0 && high >= 0; re.MatchString("-0") != zero {
				t.Fatalf("%d to %d: %s is wrong about -0", low, high, expression)
			}
			for _, s := range []string{"", "-", "00", "01", "-01", "+1", "1.0", "1e2", "0x1", "1\n", " 1", "--1", "1 "} {
				if re.MatchString(s) {
					t.Fatalf("%d to %d: %s takes %q", low, high, expression, s)
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		a, b := new(big.Int).SetUint64(r.Uint64()>>r.IntN(64)), new(big.Int).SetUint64(r.Uint64()>>r.IntN(64))
		if r.IntN(2) == 0 {
			a.Neg(a)
		}
		if a.Cmp(b) > 0 {
			a, b = b, a
		}
		re := regexp.MustCompile(validate.WholeNumbers(a, b))
		for range 40 {
			n := new(big.Int).Add([]*big.Int{a, b}[r.IntN(2)], big.NewInt(int64(r.IntN(5))-2))
			if r.IntN(3) == 0 {
				n.SetUint64(r.Uint64() >> r.IntN(64))
			}
			if want := n.Cmp(a) >= 0 && n.Cmp(b) <= 0; re.MatchString(n.String()) != want {
				t.Fatalf("%s to %s: %s says %v of %s", a, b, re, !want, n)
			}
		}
	}
}

// Rules for numbers and booleans: over all values of small types and the edges of large
// ones, the schema takes what the rule takes.
func TestRulesForNumbersAreSaidAsTheyAreEnforced(t *testing.T) {
	t.Parallel()
	whole := []string{
		"port", "latitude", "longitude", "numeric", "number", "oneof=1 7 -3", "noneof=1 7", "isdefault", "eq=7", "ne=7", "ne=7,ne=8", "min=-2,max=100", "gt=3,gte=3", "lt=9,lte=9", "gte=4,gt=3", "len=5", "min=0x10",
		"oneof=1 7 9,max=8", "eq=1|eq=3", "min=100|eq=3|isdefault", "luhn_checksum", "iso3166_1_alpha_numeric", "iso3166_1_alpha_numeric_eu", "iso4217_numeric", "min=-129", "max=70000", "ne=0",
	}
	floats := []string{"latitude", "longitude", "numeric", "number", "isdefault", "eq=0.5", "ne=0.5", "min=-0.5,max=2", "gt=0,lt=0.5", "len=2", "eq=1.5|eq=2"}
	booleans := []string{"boolean", "eq=true", "ne=true", "eq=0", "isdefault"}
	for tags, types := range map[*[]string][]any{
		&whole: {int8(0), int64(0), uint16(0), uint64(0), time.Duration(0)}, &floats: {float32(0), float64(0)}, &booleans: {false},
	} {
		for _, typed := range types {
			typ := reflect.TypeOf(typed)
			for _, tag := range *tags {
				if typ.Kind() >= reflect.Uint && typ.Kind() <= reflect.Uint64 && strings.Contains(tag, "-") || strings.Contains(tag, "70000") && typ.Bits() < 32 || strings.Contains(tag, "-129") && typ.Bits() < 16 {
					continue
				}
				said(t, typ, tag)
				if typ == reflect.TypeFor[int64]() || typ.Kind() <= reflect.Int8 || typ.Kind() == reflect.Float64 {
					said(t, reflect.PointerTo(typ), tag)
				}
			}
		}
	}
}

// said compares the schema of a tag with what it does and with validator, on values of a type.
func said(t *testing.T, typ reflect.Type, tag string) {
	t.Helper()
	raw, ok, exact, err := validate.CompileRules(typ, tag)
	if err != nil {
		t.Errorf("%s of a %s: %v", tag, typ, err)
		return
	}
	schema := resolved(t, raw)
	if typ.Kind() == reflect.Pointer {
		if typ = typ.Elem(); schema.Validate(nil) != nil {
			t.Errorf("%s refuses null", raw)
		}
	}
	for _, text := range numbersOf(typ, tag) {
		v := reflect.New(typ)
		decodes := json.Unmarshal([]byte(text), v.Interface()) == nil
		var instance any = text == "true"
		if typ.Kind() != reflect.Bool {
			instance = exactly(t, text)
		}
		said := schema.Validate(instance) == nil
		passes := decodes && ok(v.Elem())
		if decodes && passes != validate.Asked(v.Elem().Interface(), tag) {
			t.Fatalf("%s of a %s: %s passes: %v, and validator says otherwise", tag, typ, text, passes)
		}
		if passes && !said || exact && passes != said {
			t.Fatalf("%s of a %s: %s passes: %v, and the schema %s says %v", tag, typ, text, passes, raw, said)
		}
	}
}

// exactly is a number as the library has to be given it.
func exactly(t *testing.T, text string) any {
	t.Helper()
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func numbersOf(typ reflect.Type, tag string) (out []string) {
	switch typ.Kind() {
	case reflect.Bool:
		return []string{"true", "false"}
	case reflect.Float32, reflect.Float64:
		for _, f := range []float64{0, 0.5, 1, 1.5, 2, 2.5, -0.5, -0.25, 89.75, 90, 90.5, -90, -90.5, 179.5, 180, 180.5, -180, -180.5, 1e10, 1e-9, math.MaxFloat32, -math.MaxFloat32, 3.5e38, -3.5e38, math.MaxFloat64} {
			if typ.Kind() == reflect.Float64 || math.Abs(f) > math.MaxFloat32 || float64(float32(f)) == f {
				out = append(out, strconv.FormatFloat(f, 'g', -1, 64))
			}
		}
		return append(out, "-0", "-0.0", "340282356779733661637539395458142568448")
	}
	for n := -1010; n <= 1010; n++ {
		if strings.Contains(tag, "iso") && typ == reflect.TypeFor[int64]() && n >= 0 && n%3 == 0 || n > -12 && n < 12 || n%10 == 0 && n > -200 && n < 200 || n > 250 && n < 258 {
			out = append(out, strconv.Itoa(n))
		}
	}
	for _, bits := range []int{15, 16, 31, 32, 53, 62, 63, 64} {
		for d := int64(-2); d <= 2; d++ {
			n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), uint(bits)), big.NewInt(d))
			if n.BitLen() <= 64 {
				out = append(out, n.String())
			}
			if n.Neg(n); n.IsInt64() {
				out = append(out, n.String())
			}
		}
	}
	return append(out, "18446744073709551616", "-9223372036854777856", "9223372036854775808", "65535", "65536", "99250", "40250")
}

// Bounds that floating point rounds are said by a neighbour that it does not, where there
// is one.
func TestLargeBoundsAreSaidExactly(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{
		"min=9007199254740993":         `"exclusiveMinimum":9007199254740992`,
		"max=9007199254740991":         `"maximum":9007199254740991`,
		"max=-9007199254740993":        `"exclusiveMaximum":-9007199254740992`,
		"max=9223372036854775807":      `"exclusiveMaximum":9223372036854775808`,
		"min=-9223372036854775808":     `"minimum":-9223372036854775808`,
		"oneof=1 2":                    `{"type":"integer","enum":[1,2]}`,
		"eq=5,max=9":                   `{"type":"integer","enum":[5]}`,
		"min=2,max=9,gt=2,lt=9":        `{"type":"integer","exclusiveMinimum":2,"exclusiveMaximum":9}`,
		"gt=2,min=3":                   `"minimum":3`,
		"ne=5":                         `{"type":"integer","minimum":-9223372036854775808,"exclusiveMaximum":9223372036854775808,"not":{"enum":[5]}}`,
		"ne=5,noneof=6 7,min=1,max=10": `{"type":"integer","minimum":1,"maximum":10,"not":{"enum":[5,6,7]}}`,
	} {
		raw, _, _, err := validate.CompileRules(reflect.TypeFor[int64](), tag)
		if err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("%s: %s, %v", tag, raw, err)
		}
	}
	for _, tag := range []string{"min=5,max=4", "gt=4,max=4", "gt=4,lt=4", "oneof=1 2,min=3", "eq=1,eq=2"} {
		if raw, _, _, err := validate.CompileRules(reflect.TypeFor[int64](), tag); err == nil || !strings.Contains(err.Error(), "no value") {
			t.Errorf("%s, which leaves nothing: %s, %v", tag, raw, err)
		}
	}
	for _, tag := range []string{"min=5,max=4", "len=2,max=1", "oneof=a b,eq=c"} {
		if raw, _, _, err := validate.CompileRules(reflect.TypeFor[string](), tag); err == nil {
			t.Errorf("%s, which leaves nothing: %s", tag, raw)
		}
	}
}

// The names of members that are numbers are texts: the schema takes those that are decoded
// and keep the rules.
func TestNamesThatAreNumbersAreSaidAsTheyAreEnforced(t *testing.T) {
	t.Parallel()
	for _, key := range []reflect.Type{reflect.TypeFor[int8](), reflect.TypeFor[uint8](), reflect.TypeFor[int16](), reflect.TypeFor[int64](), reflect.TypeFor[uint64](), reflect.TypeFor[int]()} {
		for _, rules := range []string{"", "min=3,max=12", "oneof=1 2 30", "ne=0,ne=7,max=20", "noneof=1 2", "port", "isdefault"} {
			tag := ""
			if rules != "" {
				tag = "dive,keys," + rules + ",endkeys"
			}
			typ := reflect.StructOf([]reflect.StructField{{Name: "M", Type: reflect.MapOf(key, reflect.TypeFor[bool]()), Tag: reflect.StructTag(fmt.Sprintf(`json:"m" validate:"%s"`, tag))}})
			schema, decode, err := validate.OfType(typ, &validate.Options{})
			if err != nil {
				t.Errorf("%s of a %s: %v", rules, key, err)
				continue
			}
			s := resolved(t, schema)
			for _, name := range append(numbersOf(reflect.TypeFor[int](), ""), "", "-0", "00", "01", "+1", "1.0", "1e1", "a", " 1", "1\\n", "-") {
				raw := `{"m":{"` + name + `":true}}`
				var v any
				if err := json.Unmarshal([]byte(raw), &v); err != nil {
					t.Fatal(err)
				}
				if _, err := decode(t.Context(), []byte(raw)); (err == nil) != (s.Validate(v) == nil) {
					t.Fatalf("%s of a %s: %s: %v, and the schema %s: %v", rules, key, raw, err, schema, s.Validate(v))
				}
			}
		}
	}
}
