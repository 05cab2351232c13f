package validate

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

type (
	agreeUnit string
	agreeBase struct {
		Name string `json:"name" validate:"min=1,max=8"`
		Note string `json:"note,omitempty" validate:"excludes=x"`
	}
	agreeNested struct {
		agreeBase

		Unit  agreeUnit            `json:"unit"`
		Units []agreeUnit          `json:"units,omitempty" validate:"max=2,unique"`
		By    map[agreeUnit]int    `json:"by,omitempty"`
		Sub   *agreeBase           `json:"sub"`
		Subs  map[string]agreeBase `json:"subs,omitempty" validate:"max=2,dive,keys,len=2,endkeys"`
		More  struct {
			On *bool `json:"on"`
		} `json:"more"`
	}
	agreePage[T any] struct {
		Items []T  `json:"items" validate:"max=3"`
		Next  *int `json:"next,omitempty" validate:"min=1"`
	}
	agreeTree struct {
		V int                  `json:"v" validate:"min=0,max=9"`
		N *agreeTree           `json:"n,omitempty"`
		L []*agreeTree         `json:"l,omitempty" validate:"max=2"`
		M map[string]agreeTree `json:"m,omitempty" validate:"max=2"`
	}
	agreeKinds struct {
		Time  time.Time     `json:"time,omitzero"`
		Lasts time.Duration `json:"lasts,omitempty" validate:"min=1s"`
		Num   json.Number   `json:"num,omitempty"`
		Big   *big.Int      `json:"big,omitempty"`
		Any   any           `json:"any,omitempty"`
		List  []any         `json:"list,omitempty" validate:"max=3"`
		Deep  **int8        `json:"deep,omitempty"`
	}
	agreeListed struct {
		City  string            `json:"city" validate:"allow=cities"`
		Where []string          `json:"where,omitempty" validate:"max=2,dive,allow=cities"`
		Both  string            `json:"both,omitempty" validate:"oneof=Rome Paris Bonn,allow=cities"`
		Size  int               `json:"size" default:"4" validate:"min=1,max=9"`
		Raw   string            `json:"raw,omitempty" text:"raw" validate:"max=4"`
		Map   map[string]string `json:"map,omitempty" validate:"dive,allow=cities"`
	}
	agreeRelated struct {
		From int    `json:"from"`
		To   int    `json:"to,omitempty" validate:"gtfield=From"`
		Mail string `json:"mail,omitempty" validate:"required_with=Tel"`
		Tel  string `json:"tel,omitempty" validate:"e164"`
	}
	agreeManyFields struct {
		A bool            `json:"a"`
		B int             `json:"b"`
		C uint            `json:"c"`
		D *int            `json:"d"`
		E []int           `json:"e"`
		F map[string]bool `json:"f"`
	}
)

// Values are all that there are.
func (agreeUnit) Values() []agreeUnit { return []agreeUnit{"m", "km", "mile"} }

// agreeTypes are types as programs have them.
func agreeTypes() map[string]agreeField {
	moment := func(r *rand.Rand) any {
		return time.Unix(r.Int64N(1<<33), r.Int64N(2)*r.Int64N(1e9)).UTC().Format(time.RFC3339Nano)
	}
	return map[string]agreeField{
		"nested":  {typ: reflect.TypeFor[agreeNested]()},
		"page":    {typ: reflect.TypeFor[agreePage[agreeBase]]()},
		"numbers": {typ: reflect.TypeFor[agreePage[uint8]]()},
		"tree":    {typ: reflect.TypeFor[agreeTree]()},
		"kinds": {typ: reflect.TypeFor[agreeKinds](), hints: map[string]docHint{
			".time": moment, ".time!": pickOf("2024-02-30T00:00:00Z", "2024-01-01", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00"),
		}},
		"listed": {typ: reflect.TypeFor[agreeListed](), hints: map[string]docHint{".both!": pickOf("Bonn", "São Paulo", "Oslo")}},
		"related": {typ: reflect.TypeFor[agreeRelated](), hints: map[string]docHint{
			".from": pickOf(json.Number("-3"), "-2", "-1"), ".to": pickOf(json.Number("0"), "1", "2"), ".tel": pickOf("+33123456789"),
		}},
		"many": {typ: reflect.TypeFor[agreeManyFields]()},
		"map":  {typ: reflect.TypeFor[map[string]int8]()},
	}
}

// agreeOnTypes holds types as programs have them to their schemas.
func agreeOnTypes(t *testing.T) {
	t.Helper()
	for name, c := range agreeTypes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := newProgram(c.typ, &Options{Allow: map[string]Allowlist{"cities": Static("Paris", "Rome", "São Paulo")}})
			if err != nil {
				t.Fatal(err)
			}
			newAgreement(t, name, p, c.hints).agree(t)
		})
	}
}

// formatExamples are texts that one library takes and the other refuses, since
// jsonschema-go asserts no format.
var formatExamples = map[string]string{
	"email":         "a@b@c",
	"uri":           "/no/scheme",
	"uri-reference": "%zz",
	"uuid":          "123e4567e89b12d3a456426614174000",
	"ipv4":          "192.0.2.256",
	"ipv6":          "fe80::1%eth0",
	"hostname":      "a..b",
	"date":          "2024-02-30",
	"date-time":     "2024-01-01",
}
