package validate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

func compile[T any](t *testing.T, o *validate.Options) *validate.Arguments[T] {
	t.Helper()
	a, err := validate.For[T](o)
	if err != nil {
		t.Fatalf("compiling: %v", err)
	}
	return a
}

// broken decodes raw and returns the wrong fields, as "path rule".
func broken[T any](t *testing.T, a *validate.Arguments[T], raw string) []string {
	t.Helper()
	_, err := a.Decode(t.Context(), json.RawMessage(raw))
	if err == nil {
		return nil
	}
	var e *validate.Error
	if !errors.As(err, &e) {
		t.Fatalf("decoding %s: %T: %v", raw, err, err)
	}
	var out []string
	for _, f := range e.Fields {
		out = append(out, f.Path+" "+f.Rule)
		if f.Message == "" {
			t.Errorf("decoding %s: %q has no message", raw, f.Path)
		}
	}
	return out
}

type inner struct {
	Code string `json:"code" validate:"required,len=3"`
	Note string `json:"note,omitempty" validate:"omitempty,max=5"`
}

type embedded struct {
	Shared string `json:"shared,omitempty" validate:"omitempty,alpha"`
}

type everything struct {
	embedded
	City    string            `json:"city" validate:"required,oneof=Paris London 'New York'"`
	Count   int64             `json:"count" validate:"required,min=0"`
	Size    uint8             `json:"size,omitempty" validate:"omitempty,min=1"`
	Ratio   float64           `json:"ratio,omitempty" validate:"omitempty,gt=0,lt=1"`
	On      bool              `json:"on,omitempty"`
	Mail    string            `json:"mail,omitempty" validate:"omitempty,email"`
	Tags    []string          `json:"tags,omitempty" validate:"omitempty,max=3,dive,min=2,max=8"`
	Kinds   []string          `json:"kinds,omitempty" validate:"omitempty,max=3,dive,allow=kinds"`
	Inner   inner             `json:"inner,omitzero"`
	List    []inner           `json:"list,omitempty" validate:"omitempty,max=4"`
	Labels  map[string]string `json:"labels,omitempty" validate:"omitempty,max=2,dive,max=4"`
	Ptr     *int              `json:"ptr,omitempty" validate:"omitempty,min=10"`
	Nested  *inner            `json:"nested,omitempty"`
	At      time.Time         `json:"at,omitzero"`
	Wait    time.Duration     `json:"wait,omitempty"`
	Blob    []byte            `json:"blob,omitempty" validate:"omitempty,max=8"`
	Pair    [2]int            `json:"pair,omitzero"`
	Any     any               `json:"any,omitempty"`
	Raw     json.RawMessage   `json:"raw,omitempty"`
	Big     *big.Int          `json:"big,omitempty"`
	Repeat  string            `json:"repeat,omitempty" validate:"omitempty,eqfield=City"`
	Hidden  string            `json:"-" validate:"required"`
	UUID    string            `json:"uuid,omitempty" validate:"omitempty,uuid4|eq=none"`
	Mails   []string          `json:"mails,omitempty" validate:"omitempty,max=2,unique,dive,email"`
	ByState map[string]inner  `json:"by_state,omitempty" validate:"omitempty,max=2"`
}

func everythingOptions() *validate.Options {
	return &validate.Options{Allow: map[string]validate.Allowlist{"kinds": validate.Static("memo", "letter")}}
}

func TestEveryWrongFieldIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	a := compile[everything](t, everythingOptions())
	const good = `"city":"Paris","count":0`
	for raw, want := range map[string]string{
		`{` + good + `}`:                    "",
		`{"count":0}`:                       "city required",
		`{}`:                                "city required,count required",
		``:                                  "city required,count required",
		`{"city":"","count":0}`:             "city oneof",
		`{"city":null,"count":0}`:           "city type",
		`{"city":"paris","count":0}`:        "city oneof",
		`{"City":"Paris","count":0}`:        "city required, unknown",
		`{` + good + `,"extra":1}`:          " unknown",
		`{` + good + `,"city":"Paris"}`:     "city duplicate",
		`{"city":7,"count":"x","size":300}`: "city type,count type,size type",
		`{"city":"x","count":-1,"size":0,"ratio":1,"on":1}`:     "city oneof,count min,size min,ratio lt,on type",
		`{` + good + `,"count":0}`:                              "count duplicate",
		`{"city":"Paris","count":9223372036854775807}`:          "",
		`{"city":"Paris","count":9223372036854775808}`:          "count type",
		`{"city":"Paris","count":1.5}`:                          "count type",
		`{"city":"Paris","count":1e30}`:                         "count type",
		`{` + good + `,"mail":"a@b.example"}`:                   "",
		`{` + good + `,"mail":""}`:                              "mail email",
		`{` + good + `,"mail":"x"}`:                             "mail email",
		`{` + good + `,"tags":["ab","a"]}`:                      "tags[1] min",
		`{` + good + `,"tags":["ab",null]}`:                     "tags[1] type",
		`{` + good + `,"tags":["ab",1]}`:                        "tags[1] type",
		`{` + good + `,"tags":["ab","ab","ab","ab"]}`:           "tags max",
		`{` + good + `,"tags":null}`:                            "tags type",
		`{` + good + `,"kinds":["memo","poem"]}`:                "kinds[1] allow",
		`{` + good + `,"inner":{}}`:                             "inner.code required",
		`{` + good + `,"inner":{"code":"ab"}}`:                  "inner.code len",
		`{` + good + `,"inner":{"code":"äöü","note":"123456"}}`: "inner.note max",
		`{` + good + `,"inner":{"code":"abc","x":1}}`:           "inner unknown",
		`{` + good + `,"list":[{"code":"abc"},{"note":""}]}`:    "list[1].code required",
		`{` + good + `,"list":[{"code":"abc"},7]}`:              "list[1] type",
		`{` + good + `,"labels":{"a":"12345"}}`:                 "labels[*] max",
		`{` + good + `,"labels":{"a":"1","b":"2","c":"3"}}`:     "labels max",
		`{` + good + `,"labels":{"a":"1","a":"2"}}`:             "labels[*] duplicate",
		`{` + good + `,"labels":{"a":1}}`:                       "labels[*] type",
		`{` + good + `,"by_state":{"secret key":{}}}`:           "by_state[*].code required",
		`{` + good + `,"ptr":null}`:                             "",
		`{` + good + `,"ptr":10}`:                               "",
		`{` + good + `,"ptr":9}`:                                "ptr min",
		`{` + good + `,"nested":null}`:                          "",
		`{` + good + `,"nested":{}}`:                            "nested.code required",
		`{` + good + `,"at":"2026-01-02T03:04:05Z"}`:            "",
		`{` + good + `,"at":"yesterday"}`:                       "at type",
		`{` + good + `,"wait":1000}`:                            "",
		`{` + good + `,"wait":"1s"}`:                            "wait type",
		`{` + good + `,"blob":"aGk="}`:                          "",
		`{` + good + `,"blob":"%%"}`:                            "blob type",
		`{` + good + `,"pair":[1,2]}`:                           "",
		`{` + good + `,"pair":[1]}`:                             "pair type",
		`{` + good + `,"any":{"deep":[1,null]},"raw":[null]}`:   "",
		`{` + good + `,"any":{"a":1,"a":2}}`:                    "any duplicate",
		`{` + good + `,"big":123456789012345678901234567890}`:   "",
		`{` + good + `,"repeat":"Paris"}`:                       "",
		`{` + good + `,"repeat":"London"}`:                      "repeat eqfield",
		`{` + good + `,"shared":"abc"}`:                         "",
		`{` + good + `,"shared":"a1"}`:                          "shared alpha",
		`{` + good + `,"uuid":"none"}`:                          "",
		`{` + good + `,"uuid":"x"}`:                             "uuid uuid4|eq=none",
		`{` + good + `,"mails":["a@b.example","x"]}`:            "mails[1] email",
		`{` + good + `,"mails":["a@b.example","a@b.example"]}`:  "mails unique",
		`{` + good + `,"Hidden":"x"}`:                           " unknown",
		`[]`:                                                    " type",
		`"x"`:                                                   " type",
		`null`:                                                  " type",
		`{` + good + `}{}`:                                      " syntax",
		`{` + good + `,}`:                                       " syntax",
		"{\"city\":\"Par\xffis\",\"count\":0}":                  " syntax",
		`{"city":"\ud800","count":0}`:                           " syntax",
		"\ufeff{" + good + "}":                                  " syntax",
	} {
		if got := strings.Join(broken(t, a, raw), ","); !sameSet(got, want) {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
}

// sameSet compares comma-separated lists regardless of order.
func sameSet(a, b string) bool {
	count := map[string]int{}
	for s := range strings.SplitSeq(a, ",") {
		count[strings.TrimLeft(s, " ")]++
	}
	for s := range strings.SplitSeq(b, ",") {
		count[strings.TrimLeft(s, " ")]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestWhatIsDecodedIsExact(t *testing.T) {
	t.Parallel()
	a := compile[everything](t, everythingOptions())
	got, err := a.Decode(t.Context(), json.RawMessage(
		`{"city":"New York","count":9007199254740993,"ptr":11,"list":[{"code":"abc","note":"n"}],"labels":{"k":"v"},"shared":"ok","wait":1500,"pair":[3,4]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.City != "New York" || got.Count != 9007199254740993 || *got.Ptr != 11 || got.List[0].Note != "n" || got.Labels["k"] != "v" ||
		got.Shared != "ok" || got.Wait != 1500 || got.Pair != [2]int{3, 4} {
		t.Errorf("got %+v", got)
	}
}

// A value that was let through by an observing server is the caller's.
func TestAnErrorOfRulesAloneBringsTheValue(t *testing.T) {
	t.Parallel()
	a := compile[everything](t, everythingOptions())
	got, err := a.Decode(t.Context(), json.RawMessage(`{"city":"Oslo","count":5,"surplus":true,"tags":["x"]}`))
	var e *validate.Error
	if !errors.As(err, &e) || !e.Decoded {
		t.Fatalf("got %v", err)
	}
	if got.City != "Oslo" || got.Count != 5 || len(got.Tags) != 1 {
		t.Errorf("got %+v", got)
	}
	if _, err = a.Decode(t.Context(), json.RawMessage(`{"city":"Oslo","count":"5"}`)); !errors.As(err, &e) || e.Decoded {
		t.Errorf("what has another type is said to be decoded: %v", err)
	}
}

// Whatever is sent, no part of it comes back in an error.
func TestNoErrorEchoesWhatWasSubmitted(t *testing.T) {
	t.Parallel()
	const canary = "canary7f3a"
	a := compile[everything](t, everythingOptions())
	for _, raw := range []string{
		`{"city":"` + canary + `","count":0}`,
		`{"city":"Paris","count":"` + canary + `"}`,
		`{"` + canary + `":1}`,
		`{"city":"Paris","count":0,"labels":{"` + canary + `":"toolong"}}`,
		`{"city":"Paris","count":0,"by_state":{"` + canary + `":{}}}`,
		`{"city":"Paris","count":0,"by_state":{"` + canary + `":{"code":"ab"}}}`,
		`{"city":"Paris","count":0,"at":"` + canary + `"}`,
		`{"city":"Paris","count":0,"mail":"` + canary + `"}`,
		`{"city":"Paris","count":0,"any":{"` + canary + `":1,"` + canary + `":2}}`,
		`{"city":"Paris","count":0,"inner":{"` + canary + `":1}}`,
		`"` + canary + `"`, `{` + canary + `}`,
	} {
		_, err := a.Decode(t.Context(), json.RawMessage(raw))
		if err == nil {
			t.Errorf("%s passed", raw)
			continue
		}
		if said, _ := json.Marshal(err); strings.Contains(fmt.Sprintf("%v %+v %s", err, err, said), canary) {
			t.Errorf("%s: the error echoes it: %v", raw, err)
		}
	}
}

func TestWhatIsNotUnderstoodFailsWhenCompiled(t *testing.T) {
	t.Parallel()
	fails := func(name string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, want)
		}
	}
	try := func(_ any, err error) error { return err }
	for _, rule := range []string{
		"file", "filepath", "dir", "dirpath", "image", "timezone", "tcp_addr", "tcp4_addr", "tcp6_addr", "udp_addr", "udp4_addr",
		"udp6_addr", "ip_addr", "ip4_addr", "ip6_addr", "unix_addr", "uds_exists",
	} {
		fails(rule, tagged(rule), rule)
		fails("omitempty,"+rule, tagged("omitempty,"+rule), rule)
		fails("alpha|"+rule, tagged("alpha|"+rule), rule)
	}
	fails("unknown", tagged("nosuchrule"), "nosuchrule")
	fails("or unknown", tagged("alpha|nosuchrule"), "nosuchrule")
	fails("empty", tagged("min=1,,max=2"), "comma")
	fails("no number", tagged("max=many"), "max")
	fails("negative", tagged("max=-1"), "max")
	fails("oneof nothing", tagged("oneof="), "oneof")
	fails("dive on string", tagged("dive,min=1"), "dive")
	fails("allow unknown", tagged("allow=nothing"), "nothing")
	fails("allow no name", tagged("allow"), "allow")

	type inSlice struct {
		F []string `json:"f" validate:"dive,file"`
	}
	fails("behind dive", try(validate.For[inSlice](nil)), "file")
	type inKeys struct {
		F map[string]string `json:"f" validate:"dive,keys,file,endkeys,max=1"`
	}
	fails("in keys", try(validate.For[inKeys](nil)), "file")
	type holder struct {
		In struct {
			F string `json:"f" validate:"dir"`
		} `json:"in"`
	}
	fails("nested", try(validate.For[holder](nil)), "dir")
	type channel struct {
		C chan int `json:"c"`
	}
	fails("channel", try(validate.For[channel](nil)), "no form")
	text := reflect.TypeFor[string]()
	fails("one name twice", validate.CompileType(reflect.StructOf([]reflect.StructField{ // vet would refuse it as a type
		{Name: "A", Type: text, Tag: `json:"x"`}, {Name: "B", Type: text, Tag: `json:"x"`},
	}), nil), "x")
	fails("not exported", validate.CompileType(reflect.StructOf([]reflect.StructField{
		{Name: "a", PkgPath: "example", Type: text, Tag: `json:"a"`},
	}), nil), "not exported")
	type stringly struct {
		N int `json:"n,string"`
	}
	fails("string option", try(validate.For[stringly](nil)), "string")
	type iface struct {
		S fmt.Stringer `json:"s"`
	}
	fails("interface", try(validate.For[iface](nil)), "interface")
	type wrongKind struct {
		N int `json:"n" validate:"alpha,oneof=a b"`
	}
	fails("words for a number", try(validate.For[wrongKind](nil)), "alpha")
	type badKind struct {
		N []int `json:"n" validate:"url"`
	}
	fails("a rule for strings on a list", try(validate.For[badKind](nil)), "url")
	fails("a string", try(validate.For[string](nil)), "object")
	fails("a list", try(validate.For[[]int](nil)), "object")
	fails("empty allowlist", tagged2("allow=none", map[string]validate.Allowlist{"none": validate.Static()}), "empty")
}

// tagged compiles a struct with one field that has the tag.
func tagged(tag string) error { return tagged2(tag, nil) }

func TestALiveAllowlistIsAskedOnceACallAndFailsClosed(t *testing.T) {
	t.Parallel()
	type args struct {
		City  string   `json:"city" validate:"allow=cities"`
		Other []string `json:"other,omitempty" validate:"omitempty,max=9,dive,allow=cities"`
	}
	var values []string
	var fail error
	var explode bool
	asked := 0
	a := compile[args](t, &validate.Options{Allow: map[string]validate.Allowlist{"cities": validate.Cached(validate.AllowFunc(func(ctx context.Context) ([]string, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("the source may take as long as it likes")
		}
		asked++
		if explode {
			panic("source down")
		}
		return values, fail
	}), &validate.CacheOptions{Lifetime: time.Nanosecond})}})
	values = []string{"Paris"}
	if got := broken(t, a, `{"city":"Paris","other":["Paris","Paris"]}`); got != nil {
		t.Errorf("got %v", got)
	}
	if asked != 1 {
		t.Errorf("the list was asked %d times in one call", asked)
	}
	values = []string{"Oslo"}
	if got := broken(t, a, `{"city":"Paris"}`); len(got) != 1 || got[0] != "city allow" {
		t.Errorf("got %v", got)
	}
	var source *validate.SourceError
	fail = errors.New("connection refused")
	if _, err := a.Decode(t.Context(), json.RawMessage(`{"city":"Oslo"}`)); !errors.As(err, &source) || source.Allowlist != "cities" {
		t.Errorf("a failing source: %v", err)
	}
	fail, explode = nil, true
	if _, err := a.Decode(t.Context(), json.RawMessage(`{"city":"Oslo"}`)); !errors.As(err, &source) {
		t.Errorf("a panicking source: %v", err)
	}
}

func TestAnArgumentThatPanicsWhileDecodingIsAnError(t *testing.T) {
	t.Parallel()
	type args struct {
		B bomb `json:"b"`
	}
	a := compile[args](t, nil)
	var p *validate.PanicError
	if _, err := a.Decode(t.Context(), json.RawMessage(`{"b":"x"}`)); !errors.As(err, &p) || len(p.Stack) == 0 {
		t.Errorf("got %v", err)
	}
}

type bomb struct{}

func (*bomb) UnmarshalJSON([]byte) error { panic("decoding bomb") }

func TestAnyTakesWhatComesAndSaysSo(t *testing.T) {
	t.Parallel()
	a := compile[any](t, nil)
	if len(a.Warnings()) != 1 || string(a.Schema()) != `{"type":"object"}` {
		t.Errorf("warnings %v, schema %s", a.Warnings(), a.Schema())
	}
	v, err := a.Decode(t.Context(), json.RawMessage(`{"a":[1,{"b":null}]}`))
	if m, ok := v.(map[string]any); err != nil || !ok || m["a"] == nil {
		t.Errorf("got %v, %v", v, err)
	}
	for _, raw := range []string{`[]`, `{"a":1,"a":2}`, `{`, `7`} {
		if _, err := a.Decode(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s passed", raw)
		}
	}
}

func TestAPointerToAStructAndAMapAreArguments(t *testing.T) {
	t.Parallel()
	p := compile[*inner](t, nil)
	if v, err := p.Decode(t.Context(), json.RawMessage(`{"code":"abc"}`)); err != nil || v.Code != "abc" {
		t.Errorf("got %v, %v", v, err)
	}
	if got := broken(t, p, `{"code":"ab"}`); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	m := compile[map[string]int](t, nil)
	if v, err := m.Decode(t.Context(), json.RawMessage(`{"a":1}`)); err != nil || v["a"] != 1 {
		t.Errorf("got %v, %v", v, err)
	}
	if got := broken(t, m, `{"a":"x"}`); len(got) != 1 || got[0] != "[*] type" {
		t.Errorf("got %v", got)
	}
	none := compile[struct{}](t, nil)
	if got := broken(t, none, `{"x":1}`); len(got) != 1 {
		t.Errorf("a struct without fields takes members: %v", got)
	}
}

func TestWarningsNameTheFieldAndTheTag(t *testing.T) {
	t.Parallel()
	type args struct {
		Free  string            `json:"free"`
		Tags  []string          `json:"tags" validate:"dive,max=3"`
		Map   map[string]string `json:"table" validate:"dive,max=3"`
		Bound string            `json:"bound" validate:"max=3"`
		Enum  string            `json:"enum" validate:"oneof=a b"`
		ID    string            `json:"id" validate:"uuid4"`
		N     int               `json:"n"`
		In    inner             `json:"in"`
	}
	got := strings.Join(compile[args](t, nil).Warnings(), "\n")
	for _, want := range []string{"the string free ", "the list tags ", "the map table ", "max=N"} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning has %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n") + 1; n != 3 {
		t.Errorf("%d warnings:\n%s", n, got)
	}
}

func TestRecursiveTypesAreBoundedByTheirText(t *testing.T) {
	t.Parallel()
	type tree struct {
		Name     string  `json:"name" validate:"required,max=3"`
		Children []*tree `json:"children,omitempty" validate:"omitempty,max=3"`
	}
	a := compile[tree](t, nil)
	if got := broken(t, a, `{"name":"a","children":[{"name":"b","children":[{"name":"long"}]},{}]}`); strings.Join(got, ",") != "children[0].children[0].name max,children[1].name required" {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(string(a.Schema()), `"$ref":"#/$defs/tree"`) {
		t.Errorf("schema %s", a.Schema())
	}
}

func TestNumbersAtTheEdges(t *testing.T) {
	t.Parallel()
	type args struct {
		I int64   `json:"i,omitempty" validate:"omitempty,max=9007199254740993"`
		U uint64  `json:"u,omitempty"`
		F float32 `json:"f,omitempty" validate:"omitempty,max=0.1"`
	}
	a := compile[args](t, nil)
	for raw, want := range map[string]bool{
		`{"i":9007199254740993}`: true, `{"i":9007199254740994}`: false,
		fmt.Sprintf(`{"u":%d}`, uint64(math.MaxUint64)): true, `{"u":-1}`: false, `{"u":18446744073709551616}`: false,
		`{"f":0.1}`: true, `{"f":1e999}`: false, `{"i":-0}`: true,
	} {
		if got := broken(t, a, raw) == nil; got != want {
			t.Errorf("%s: passed is %v", raw, got)
		}
	}
}

func TestConditionalRulesHoldForWhatIsAbsent(t *testing.T) {
	t.Parallel()
	type args struct {
		Kind string `json:"kind" validate:"required,oneof=mail post"`
		Mail string `json:"mail" validate:"required_if=Kind mail"`
		City string `json:"city" validate:"required_if=Kind post,omitempty,max=9"`
	}
	a := compile[args](t, nil)
	if got := broken(t, a, `{"kind":"mail"}`); strings.Join(got, ",") != "mail required_if" {
		t.Errorf("got %v", got)
	}
	if got := broken(t, a, `{"kind":"mail","mail":"x"}`); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestDecodeIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	a := compile[everything](t, everythingOptions())
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for n := range 200 {
				raw := fmt.Sprintf(`{"city":"Paris","count":%d,"mail":"x","tags":["a%d"]}`, n-100, n)
				got := strings.Join(broken(t, a, raw), ",")
				want := "mail email"
				if n < 100 {
					want += ",count min"
				}
				if !sameSet(got, want) {
					t.Fatalf("%s: %s", raw, got)
				}
			}
		})
	}
}
