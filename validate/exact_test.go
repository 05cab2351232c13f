package validate_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

type exactNumbers struct {
	N    json.Number  `json:"n,omitempty"    validate:"omitempty,min=-0.5,lt=9007199254740993.25"`
	B    *big.Int     `json:"b,omitempty"    validate:"omitempty,gt=0,max=123456789012345678901234567890"`
	One  json.Number  `json:"one,omitempty"  validate:"omitempty,oneof=1 2.50 1e400"`
	Not  big.Int      `json:"not,omitzero"   validate:"omitempty,ne=7"`
	Many []*big.Int   `json:"many,omitempty" validate:"omitempty,max=3,dive,gte=3,lte=5"`
	From json.Number  `json:"from,omitempty"`
	To   *json.Number `json:"to,omitempty"   validate:"omitempty,gtfield=From"`
	Same *big.Int     `json:"same,omitempty" validate:"omitempty,eqfield=Not"`
}

// A number that no machine word holds is held against its rules without any rounding.
func TestNumbersOfAnySizeAreHeldExactly(t *testing.T) {
	t.Parallel()
	verdicts[exactNumbers](t, nil, map[string]string{
		`{"n":-0.5}`: "", `{"n":-0.50000000000000000000000000001}`: "n must be at least -0.5.", `{"n":-5e-1}`: "", `{"n":-1e-999999999999999999999}`: "", `{"n":-1e999999999999999999999}`: "n must be at least -0.5.",
		`{"n":9007199254740993.2499999999999999999}`: "", `{"n":9007199254740993.25}`: "n must be less than 9007199254740993.25.", `{"n":9.00719925474099325e15}`: "n must be less than 9007199254740993.25.", `{"n":0e5}`: "",
		`{"n":1e999999999999999999999}`: "n must be less than 9007199254740993.25.", `{"n":0.00000000000000000000000000000000000001e53}`: "",
		`{"b":0}`: "b must be more than 0.", `{"b":1}`: "", `{"b":-1}`: "b must be more than 0.", `{"b":123456789012345678901234567890}`: "", `{"b":123456789012345678901234567891}`: "b must be at most 123456789012345678901234567890.", `{"b":null}`: "",
		`{"one":1.0}`: "", `{"one":2.5}`: "", `{"one":10e399}`: "", `{"one":25e-1}`: "", `{"one":2.51}`: "one must be one of 1, 2.50, 1e400.",
		`{"not":7}`: "not must not be 7.", `{"not":70e-1}`: "not must not be 7.", `{"not":-7}`: "", `{"not":0}`: "",
		`{"many":[3,4,5]}`: "", `{"many":[2,6]}`: "many[0] must be at least 3. many[1] must be at most 5.", `{"many":[3,4,5,5]}`: "many must have at most 3 elements.",
		`{"from":10,"to":9}`: "to must be more than from.", `{"from":9,"to":10}`: "", `{"from":9.0,"to":9}`: "to must be more than from.", `{"not":20,"same":2e1}`: "", `{"not":20,"same":21}`: "same must be the same as not.",
	})
	schema := string(compile[exactNumbers](t, nil).Schema())
	for _, want := range []string{
		`"n":{"type":"number","minimum":-0.5,"exclusiveMaximum":9007199254740993.25}`, `"exclusiveMinimum":0,"maximum":123456789012345678901234567890}`,
		`"one":{"type":"number","enum":[1,2.50,1e400]}`, `"not":{"enum":[7]}`, `"items":{"type":["null","integer"],"description":"at most 5000 digits","minimum":3,"maximum":5}`,
	} {
		if !strings.Contains(schema, want) {
			t.Errorf("%s is not in %s", want, schema)
		}
	}
}

// The order of decimals is that of rationals, whatever their form.
func TestTheOrderOfDecimalsIsThatOfRationals(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(6, 3))
	text := func() string {
		digits := func(n int) string {
			s := ""
			for range n {
				s += string(rune('0' + random.IntN(3)*random.IntN(5)))
			}
			return s
		}
		s := strings.TrimLeft(digits(random.IntN(5)), "0")
		if s == "" {
			s = "0"
		}
		if random.IntN(2) == 0 {
			s += "." + digits(1+random.IntN(4))
		}
		if random.IntN(2) == 0 {
			s += fmt.Sprintf("%s%d", []string{"e", "E+", "e-"}[random.IntN(3)], random.IntN(6))
		}
		if random.IntN(3) == 0 {
			s = "-" + s
		}
		return s
	}
	orders := map[int]int{}
	for range 20000 {
		a, b := text(), text()
		x, okA := new(big.Rat).SetString(a)
		y, okB := new(big.Rat).SetString(b)
		if !okA || !okB {
			t.Fatal(a, b)
		}
		order, ok := validate.CompareDecimals(a, b)
		if !ok || order != x.Cmp(y) {
			t.Fatalf("%s and %s: %d, %v, not %d", a, b, order, ok, x.Cmp(y))
		}
		orders[order]++
	}
	if orders[0] < 500 || orders[1] < 500 || orders[-1] < 500 {
		t.Errorf("not much was compared: %v", orders)
	}
	for _, bad := range []string{"", " 1", "1 ", "01", "+1", ".5", "1.", "0x1", "1e", "Infinity", "NaN", "null", "--1", "1_0"} {
		if _, ok := validate.CompareDecimals(bad, "1"); ok {
			t.Errorf("%q is read as a number", bad)
		}
	}
}

// No rule on such a number, or on a type that reads itself, is taken that would not be held.
func TestNoRuleOnWhatReadsItselfIsTakenAndNotHeld(t *testing.T) {
	t.Parallel()
	refuses[struct {
		N json.Number `json:"n" validate:"email"`
	}](t, "the rule email is not for a json.Number, which takes min, max, gt, gte, lt, lte, eq, ne and oneof: use int64 or float64, or a rule of your own")
	refuses[struct {
		N json.Number `json:"n" validate:"eq=1|eq=2"`
	}](t, "is not for a json.Number")
	refuses[struct {
		N json.Number `json:"n" validate:"min=0x10"`
	}](t, "written as in JSON")
	refuses[struct {
		N *big.Int `json:"n" validate:"min=1.5"`
	}](t, "a number that its field can hold")
	refuses[struct {
		N *big.Int `json:"n" validate:"isdefault"`
	}](t, "is not for a big.Int")
	refuses[struct {
		N []json.Number `json:"n" validate:"unique"`
	}](t, "the rule unique cannot compare a json.Number")
	refuses[struct {
		N textual `json:"n" validate:"len=4"`
	}](t, "the rule len cannot be held against a validate_test.textual, which reads itself: let its method refuse what is wrong, see Refuse, or use a rule of your own, see Rule")
	refuses[struct {
		N *big.Float `json:"n" validate:"min=1"`
	}](t, "cannot be held against a big.Float")
	refuses[struct {
		A json.Number `json:"a"`
		B string      `json:"b" validate:"fieldcontains=A"`
	}](t, "two texts")
	refuses[struct {
		A json.Number `json:"a"`
		B string      `json:"b" validate:"eqfield=A"`
	}](t, "cannot be compared")
}

// refuses says that a type fails when it is compiled, with a sentence that holds want.
func refuses[T any](t *testing.T, want string) {
	t.Helper()
	_, err := validate.For[T](nil)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "%!") {
		t.Errorf("%v, and not: %s", err, want)
	}
}

type textual struct{ read string }

func (x *textual) UnmarshalText(b []byte) error {
	if string(b) == "no" {
		return fmt.Errorf("at 10.0.0.7: %q", b)
	}
	x.read = "read " + string(b)
	return nil
}
