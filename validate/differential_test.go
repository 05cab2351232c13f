package validate_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

type DiffBase struct {
	Q string `json:"q,omitempty" validate:"omitempty,min=1,max=2"`
	R int8   `json:"r" validate:"max=5,ne=3"`
}
type diffTree struct {
	V int                 `json:"v" validate:"min=0,max=2"`
	N *diffTree           `json:"n,omitempty"`
	L []*diffTree         `json:"l,omitempty" validate:"omitempty,max=2"`
	M map[string]diffTree `json:"m,omitempty" validate:"omitempty,max=2"`
}
type diffArgs struct {
	*DiffBase
	A *[]string                      `json:"a,omitempty" validate:"omitempty,min=1,max=2,dive,oneof=a b"`
	B []*string                      `json:"b,omitempty" validate:"omitempty,dive,allow=x"`
	C map[string][]string            `json:"c,omitempty" validate:"omitempty,max=2,dive,max=2,dive,allow=x"`
	D [2]string                      `json:"d,omitzero" validate:"omitempty,dive,allow=x"`
	E map[int8]*int                  `json:"e,omitempty" validate:"omitempty,dive,oneof=1 2"`
	F **uint16                       `json:"f,omitempty" validate:"omitempty,gte=2,lt=300"`
	G map[string]map[string]DiffBase `json:"g,omitempty"`
	H *diffTree                      `json:"h,omitempty"`
	I []diffTree                     `json:"i,omitempty" validate:"omitempty,len=1"`
	J *string                        `json:"j,omitempty" validate:"omitempty,allow=x"`
	K [][]int                        `json:"k,omitempty" validate:"omitempty,dive,min=1,dive,gt=0"`
	L float64                        `json:"lf,omitempty" validate:"omitempty,eq=1.5|eq=2"`
	M *bool                          `json:"bo,omitempty"`
	Q map[string]int                 `json:"keys,omitempty" validate:"omitempty,max=3,dive,keys,min=1,max=2,oneof=a bb ccc,endkeys,ne=1,ne=2"`
	R string                         `json:"both,omitempty" validate:"omitempty,oneof=a b c,allow=x"`
	N [2]*DiffBase                   `json:"n,omitzero"`
	O []int                          `json:"o,omitempty" validate:"omitempty,unique"`
	P any                            `json:"p,omitempty"`
}

// What decoding takes and what the listed schema takes is the same, over values made at
// random, shaped and misshapen.
func TestSchemaAndDecodingAgree(t *testing.T) {
	t.Parallel()
	a := compile[diffArgs](t, &validate.Options{Allow: map[string]validate.Allowlist{"x": validate.Static("a", "b")}})
	s := resolved(t, a.Schema())
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	keys := []string{"q", "r", "a", "b", "c", "d", "f", "g", "h", "i", "j", "k", "bo", "keys", "both", "n", "o", "p", "v", "l", "m", "1", "x"}
	var gen func(d int) any
	gen = func(d int) any {
		switch k := r.IntN(12); {
		case k < 2:
			return []any{"", "a", "b", "c", "äöü"}[r.IntN(5)]
		case k < 4:
			return []any{0, 1, 2, 3, 5, 6, 127, 128, 299, 300, -1, 1.5}[r.IntN(12)]
		case k == 4:
			return nil
		case k == 5:
			return r.IntN(2) == 0
		case k < 9 && d > 0:
			l := []any{}
			for range r.IntN(3) {
				l = append(l, gen(d-1))
			}
			return l
		case d > 0:
			m := map[string]any{}
			for range r.IntN(3) {
				m[keys[r.IntN(len(keys))]] = gen(d - 1)
			}
			return m
		}
		return "a"
	}
	// shaped values are likelier to pass
	var rec func(d int) any
	rec = func(d int) any {
		m := map[string]any{"v": r.IntN(4)}
		if d > 0 && r.IntN(2) == 0 {
			m["n"] = rec(d - 1)
		}
		if d > 0 && r.IntN(2) == 0 {
			m["l"] = []any{rec(d - 1), nil}
		}
		if d > 0 && r.IntN(2) == 0 {
			m["m"] = map[string]any{"z": rec(d - 1)}
		}
		return m
	}
	pick := func(v ...any) any { return v[r.IntN(len(v))] }
	str := func() any { return pick("a", "b", "a", "b", "c", nil) }
	num := func() any { return pick(0, 1, 2, 3, 5, 6, -129, 127, 128) }
	emb := func() any {
		return pick(map[string]any{"r": num()}, map[string]any{"q": str(), "r": num()}, map[string]any{"q": "a"}, nil)
	}
	shaped := map[string]func() any{
		"q": str, "r": num, "a": func() any { return pick([]any{str()}, []any{}, []any{"a", "b", "a"}, nil) },
		"b": func() any { return []any{str(), str()} }, "c": func() any { return map[string]any{"k": []any{str()}} },
		"d": func() any { return pick([]any{str(), str()}, []any{str()}, []any{}) }, "e": func() any { return map[string]any{"1": pick(1, 2, 3, nil)} },
		"f": func() any { return pick(1, 2, 299, 300, 65536, nil) }, "g": func() any { return map[string]any{"z": map[string]any{"y": emb()}} },
		"h": func() any { return rec(3) }, "i": func() any { return pick([]any{rec(2)}, []any{}, []any{rec(1), rec(1)}) }, "j": str,
		"k": func() any { return []any{pick([]any{num()}, []any{}, nil)} }, "bo": func() any { return pick(true, false, nil, 1) },
		"keys": func() any { return map[string]any{[]string{"a", "bb", "ccc", "d", ""}[r.IntN(5)]: num()} }, "both": str,
		"n": func() any { return []any{emb(), emb()} }, "o": func() any { return []any{num(), num()} }, "p": func() any { return gen(2) },
	}
	passed := 0
	shown := 0
	for range 20000 {
		doc := map[string]any{"r": 1}
		for range r.IntN(4) {
			k := keys[r.IntN(len(keys))]
			if f := shaped[k]; f != nil && r.IntN(4) > 0 {
				doc[k] = f()
			} else {
				doc[k] = gen(3)
			}
		}
		raw, _ := json.Marshal(doc)
		var v any
		_ = json.Unmarshal(raw, &v)
		_, err := a.Decode(t.Context(), raw)
		if (err == nil) != (s.Validate(v) == nil) && shown < 6 {
			shown++
			t.Errorf("%s: decode %v, schema %v", raw, err, s.Validate(v))
		}
		if err == nil {
			passed++
		}
	}
	if passed < 4000 {
		t.Errorf("only %d of the values passed: the test shows little", passed)
	}
}
