package validate_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

type unit string

func (unit) Values() []unit { return []unit{"metric", "imperial"} }

type falling struct {
	Limit int       `json:"limit" default:"20" validate:"min=1,max=100"`
	Ratio *float64  `json:"ratio" default:"0.5"`
	On    bool      `json:"on,omitempty" default:"true"`
	Word  string    `json:"word" default:"a \"b\"" validate:"required,max=9"`
	Unit  unit      `json:"unit" default:"metric"`
	Wait  **int     `json:"wait" default:"3"`
	At    time.Time `json:"at" default:"2026-01-02T03:04:05Z"`
	Inner struct {
		N int `json:"n" default:"7"`
	} `json:"inner"`
	List []struct {
		N int `json:"n" default:"8"`
	} `json:"list,omitempty"`
	Max int `json:"max" default:"30" validate:"gtefield=Limit"`
}

func TestDefaultsAreWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	a, err := validate.For[falling](nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.Decode(t.Context(), []byte(`{"inner":{},"list":[{},{"n":1}]}`))
	if err != nil || v.Limit != 20 || *v.Ratio != 0.5 || !v.On || v.Word != `a "b"` || v.Unit != "metric" || **v.Wait != 3 || v.At.Year() != 2026 ||
		v.Inner.N != 7 || v.List[0].N != 8 || v.List[1].N != 1 || v.Max != 30 {
		t.Errorf("%v: %+v", err, v)
	}
	again, err := a.Decode(t.Context(), []byte(`{"inner":{}}`))
	if *v.Ratio = 9; err != nil || *again.Ratio != 0.5 || again.Wait == v.Wait || *again.Wait == *v.Wait {
		t.Error("two calls share a value")
	}
	given, err := a.Decode(t.Context(), []byte(`{"limit":1,"ratio":null,"on":false,"word":"","unit":"imperial","inner":{"n":0},"max":2}`))
	if err != nil || given.Limit != 1 || given.Ratio != nil || given.On || given.Word != "" || given.Unit != "imperial" || given.Inner.N != 0 {
		t.Errorf("%v: %+v", err, given)
	}
	for _, bad := range []string{`{"inner":{},"limit":0}`, `{"inner":{},"unit":"both"}`, `{"inner":{},"limit":31}`, `{}`} {
		if _, err := a.Decode(t.Context(), []byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	var schema struct {
		Properties map[string]map[string]any
		Required   []string
	}
	if err := json.Unmarshal(a.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(schema.Required, schema.Properties["limit"]["default"], schema.Properties["word"]["default"], schema.Properties["unit"]["enum"], schema.Properties["unit"]["default"]); got != `[inner] 20a "b"[metric imperial]metric` {
		t.Errorf("the schema says %s", got)
	}
}

type noUnit string

func (noUnit) Values() int { return 1 }

type emptyUnit string

func (emptyUnit) Values() []string { return nil }

type panicUnit string

func (panicUnit) Values() []string { panic("no") }

func TestDefaultsAndEnumsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	refused := map[string]func() error{
		"a broken rule": func() error {
			_, err := validate.For[struct {
				A int `json:"a" default:"0" validate:"min=1"`
			}](nil)
			return err
		},
		"another type": func() error {
			_, err := validate.For[struct {
				A int `json:"a" default:"x"`
			}](nil)
			return err
		},
		"a fraction": func() error {
			_, err := validate.For[struct {
				A int `json:"a" default:"1.5"`
			}](nil)
			return err
		},
		"too much": func() error {
			_, err := validate.For[struct {
				A int8 `json:"a" default:"300"`
			}](nil)
			return err
		},
		"null": func() error {
			_, err := validate.For[struct {
				A *int `json:"a" default:"null"`
			}](nil)
			return err
		},
		"a list": func() error {
			_, err := validate.For[struct {
				A []int `json:"a" default:"[1]"`
			}](nil)
			return err
		},
		"in a map": func() error {
			_, err := validate.For[struct {
				A map[string]struct {
					B int `json:"b" default:"1"`
				} `json:"a"`
			}](nil)
			return err
		},
		"no values": func() error {
			_, err := validate.For[struct {
				A emptyUnit `json:"a"`
			}](nil)
			return err
		},
		"a panic": func() error {
			_, err := validate.For[struct {
				A panicUnit `json:"a"`
			}](nil)
			return err
		},
		"another thing": func() error {
			_, err := validate.For[struct {
				A noUnit `json:"a"`
			}](nil)
			return err
		},
		"outside": func() error {
			_, err := validate.For[struct {
				A unit `json:"a" validate:"oneof=other"`
			}](nil)
			return err
		},
		"not one": func() error {
			_, err := validate.For[struct {
				A unit `json:"a" default:"both"`
			}](nil)
			return err
		},
	}
	for name, compile := range refused {
		if err := compile(); err == nil || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
