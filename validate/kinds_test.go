package validate_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

// A kind is one of Go's types, and a script of what is said of it, read aloud: parts of its
// schema, by their JSON pointers (=), and documents with what they become in Go (=>, as
// encoding/json writes it) or what is said of them (!!; … stands for anything).
type kind struct {
	name    string
	compile func() (typed, error)
	script  string
}

type typed struct {
	schema string
	decode func(*testing.T, string) (any, error)
}

func of[T any]() (typed, error) {
	a, err := validate.For[T](nil)
	if err != nil {
		return typed{}, err
	}
	return typed{string(a.Schema()), func(t *testing.T, raw string) (any, error) { return a.Decode(t.Context(), json.RawMessage(raw)) }}, nil
}

func (k kind) run(t *testing.T) {
	t.Parallel()
	of, err := k.compile()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(k.script), "\n") {
		if what, want, is := strings.Cut(line, " = "); is {
			if got := at(t, of.schema, what); got != want {
				t.Errorf("%s = %s, and not %s", what, got, want)
			}
			continue
		}
		raw, want, takes := strings.Cut(line, " => ")
		if !takes {
			raw, want, _ = strings.Cut(line, " !! ")
		}
		v, err := of.decode(t, raw)
		var wrong *validate.Error
		switch {
		case errors.As(err, &wrong):
			if takes || !matches(err.Error(), want) {
				t.Errorf("%s !! %v", raw, err)
			}
		case err != nil:
			t.Errorf("%s: %v", raw, err)
		default:
			if written, err := json.Marshal(v); takes != (err == nil) || string(written) != want {
				t.Errorf("%s => %s", raw, written)
			}
		}
	}
}

// matches says that a text is as a pattern in which … stands for anything.
func matches(text, pattern string) bool {
	parts := strings.Split(pattern, "…")
	text, ok := strings.CutPrefix(text, parts[0])
	for _, part := range parts[1:] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return ok && text == ""
}

// at is what a JSON pointer leads to in a document, "none" where that is nothing.
func at(t *testing.T, document, pointer string) string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		object, _ := v.(map[string]any)
		next, found := object[step]
		if !found {
			return "none"
		}
		v = next
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

type (
	deeper struct {
		A string `json:"a" validate:"max=3"`
		B int    `json:"b,omitempty"`
		C int    `json:"c,omitempty" validate:"omitempty,min=5"`
	}
	// Deep is embedded, as a value and as a pointer.
	Deep struct {
		A int `json:"a" validate:"min=7"`
		deeper
		D *int `json:"d,omitempty"`
	}
	// Other is embedded as a pointer.
	Other struct {
		E string `json:"e,omitempty" validate:"omitempty,max=2"`
		F int    `json:"f,omitempty" default:"4"`
	}
	shadowing struct {
		Deep
		*Other
		B string `json:"b" validate:"oneof=x y"`
	}
	pointing struct {
		Plain *int            `json:"plain"`
		May   *int            `json:"may,omitempty"`
		Held  *int            `json:"held,omitempty" validate:"omitempty,min=1"`
		Twice **string        `json:"twice,omitempty" validate:"omitempty,max=2"`
		List  *[]int          `json:"list,omitempty" validate:"omitempty,min=1"`
		Map   *map[string]int `json:"map,omitempty"`
		Inner *inner          `json:"inner,omitempty"`
		Items []*int          `json:"items,omitempty" validate:"omitempty,dive,min=1"`
	}
	lists struct {
		Slice []int          `json:"slice,omitempty"`
		Empty []string       `json:"empty,omitzero"`
		Two   [2]bool        `json:"two,omitempty"`
		None  [0]int         `json:"none,omitempty"`
		Bytes []byte         `json:"bytes,omitempty" validate:"omitempty,max=3"`
		Four  [4]byte        `json:"four,omitempty"`
		Deep  [][]int        `json:"deep,omitempty" validate:"omitempty,max=2,dive,max=2,dive,max=9"`
		Many  []inner        `json:"many,omitempty"`
		Maps  map[string]int `json:"maps,omitempty"`
	}
	mapped struct {
		Text  map[string]string   `json:"text,omitempty" validate:"omitempty,dive,keys,max=2,endkeys,max=3"`
		Small map[int8]bool       `json:"small,omitempty"`
		Count map[uint64]int      `json:"count,omitempty"`
		Named map[unit]unit       `json:"named,omitempty"`
		Whole map[string]inner    `json:"whole,omitempty"`
		Ptr   map[string]*inner   `json:"ptr,omitempty"`
		Lists map[string][]string `json:"lists,omitempty" validate:"omitempty,dive,max=1,dive,max=2"`
		Any   map[string]any      `json:"any,omitempty"`
	}
	times struct {
		At   time.Time      `json:"at" validate:"omitempty"`
		Ptr  *time.Time     `json:"ptr,omitempty"`
		For  time.Duration  `json:"for,omitempty" default:"1m30s"`
		Wait *time.Duration `json:"wait,omitempty" validate:"omitempty,min=1s,max=1h"`
	}
	level   int8
	byPtr   string
	ownRead string
	enums   struct {
		One   unit             `json:"one,omitempty"`
		Level level            `json:"level,omitempty"`
		Ptr   *byPtr           `json:"ptr,omitempty"`
		List  []level          `json:"list,omitempty"`
		Keys  map[byPtr]*level `json:"keys,omitempty"`
		Read  ownRead          `json:"read,omitempty"`
	}
	large struct {
		N json.Number `json:"n,omitempty"`
		B *big.Int    `json:"b,omitempty"`
		V big.Int     `json:"v,omitzero"`
		I int64       `json:"i,omitempty"`
		U uint64      `json:"u,omitempty"`
		S int16       `json:"s,omitempty"`
		F float32     `json:"f,omitempty"`
	}
	valued  struct{ Raw string }
	reading struct {
		Text textual         `json:"text,omitzero"`
		Ptr  *textual        `json:"ptr,omitempty"`
		JSON valued          `json:"json,omitzero"`
		List []*valued       `json:"list,omitempty"`
		Addr netip.Addr      `json:"addr,omitzero"`
		Raw  json.RawMessage `json:"raw,omitempty"`
		Any  any             `json:"any,omitempty"`
		Rat  *big.Rat        `json:"rat,omitempty"`
	}
	page[T any] struct {
		Items []T      `json:"items"`
		Next  *page[T] `json:"next,omitempty"`
	}
	couple[K comparable, V any] struct {
		Key   K             `json:"key"`
		Value *V            `json:"value"`
		Rest  *couple[K, V] `json:"rest,omitempty"`
	}
	generic struct {
		Page page[inner]                 `json:"page"`
		Pair *couple[string, page[unit]] `json:"pair,omitempty"`
		Ints *page[[]map[string]int]     `json:"ints,omitempty"`
	}
	tree struct {
		Kids  []tree           `json:"kids,omitempty"`
		Named map[string]*tree `json:"named,omitempty"`
		Left  *tree            `json:"left,omitempty"`
		N     int              `json:"n,omitempty" validate:"omitempty,max=3"`
	}
	ping struct {
		Pong *pong `json:"pong,omitempty"`
	}
	pong struct {
		Pings []ping          `json:"pings,omitempty" validate:"omitempty,max=2"`
		Named map[string]ping `json:"named,omitempty"`
	}
)

func (level) Values() []level                  { return []level{-1, 1, 2} }
func (*byPtr) Values() []string                { return []string{"a", "b"} }
func (ownRead) Values() []ownRead              { return []ownRead{"a", "b"} }
func (x textual) MarshalText() ([]byte, error) { return []byte(x.read), nil }
func (r *ownRead) UnmarshalText(b []byte) error {
	*r = ownRead(strings.ToLower(string(b)))
	return nil
}

func (v *valued) UnmarshalJSON(b []byte) error {
	if string(b) == "13" {
		return validate.Refuse("must be lucky")
	}
	v.Raw = string(b)
	return nil
}

func TestEveryKindOfType(t *testing.T) {
	t.Parallel()
	for _, k := range scripts {
		t.Run(k.name, k.run)
	}
}

var scripts = []kind{
	{"embedded and shadowed", of[shadowing], `
/required = ["a","b"]
/properties/a/minimum = 7
/properties/a/type = "integer"
/properties/b = {"enum":["x","y"],"type":"string"}
/properties/c/minimum = 5
/properties/f/default = 4
/properties/Deep = none
{"a":7,"b":"x"} => {"a":7,"f":4,"b":"x"}
{"a":7,"b":"x","c":5,"d":0,"e":"ok","f":0} => {"a":7,"c":5,"d":0,"e":"ok","b":"x"}
{"a":6,"b":"z","c":4,"d":null,"e":"long"} !! a must be at least 7. b must be one of x, y. c must be at least 5. e must have at most 2 characters.
{"a":"s","b":1,"e":null} !! a must be a whole number. b must be a string. e must be a string, not null.
{"Deep":{},"Other":null} !! a is required. b is required. There are members that are not known; those that are: a, c, d, e, f, b.
`},
	{"pointers", of[pointing], `
/required = ["plain"]
/properties/plain/type = ["null","integer"]
/properties/held/minimum = 1
/properties/twice/type = ["null","string"]
/properties/inner/type = ["null","object"]
/properties/inner/required = ["code"]
/properties/list/minItems = 1
/properties/items/type = "array"
/properties/items/items/type = ["null","integer"]
{} !! plain is required.
{"plain":null,"may":null,"held":null,"twice":null,"list":null,"map":null,"inner":null,"items":[null,1]} => {"plain":null,"items":[null,1]}
{"plain":0,"may":0,"held":1,"twice":"","list":[0],"map":{},"inner":{"code":"abc"},"items":[]} => {"plain":0,"may":0,"held":1,"twice":"","list":[0],"map":{},"inner":{"code":"abc"}}
{"plain":1,"held":0,"twice":"abc","list":[],"map":{"a":null},"inner":{},"items":[0,null]} !! held must be at least 1. twice must have at most 2 characters. list must have at least 1 element. map[*] must be a whole number, not null. inner.code is required. items[0] must be at least 1.
{"plain":"1","items":null} !! plain must be a whole number. items must be a list, not null.
`},
	{"lists", of[lists], `
/required = none
/properties/two/minItems = 2
/properties/two/maxItems = 2
/properties/none/maxItems = 0
/properties/bytes/contentEncoding = "base64"
/properties/four/items/maximum = 255
/properties/deep/items/items/maximum = 9
/properties/many/items/additionalProperties = false
{} => {"two":[false,false],"four":[0,0,0,0]}
{"slice":[],"empty":[],"two":[true,false],"none":[],"bytes":"AQI=","four":[1,2,3,255],"deep":[[],[9]],"many":[],"maps":{}} => {"empty":[],"two":[true,false],"bytes":"AQI=","four":[1,2,3,255],"deep":[[],[9]]}
{"slice":null,"empty":null,"two":null,"bytes":null,"deep":[null],"many":[null],"maps":null} !! slice must be a list, not null. empty must be a list, not null. two must be a list, not null. bytes must be a string, not null. deep[0] must be a list, not null. many[0] must be an object, not null. maps must be an object, not null.
{"two":[true],"none":[1],"bytes":"AQIDBA==","four":[1,2,3,256],"deep":[[10],[1,2,3]],"many":[{"code":"a"}]} !! two must be a list of exactly 2 elements. none must be a list of exactly 0 elements. bytes must have at most 3 bytes. four[3] must be a whole number…. deep[0][0] must be at most 9. deep[1] must have at most 2 elements. many[0].code must have exactly 3 characters.
{"two":[true,true,true],"bytes":"AQI","four":"AQIDBA==","slice":{}} !! two must be a list of exactly 2 elements. bytes must be a string in base64. four must be a list. slice must be a list.
{"deep":[[],[],[]],"slice":[1.5]} !! deep must have at most 2 elements. slice[0] must be a whole number….
`},
	{"maps", of[mapped], `
/properties/text/propertyNames/maxLength = 2
/properties/text/additionalProperties/maxLength = 3
/properties/named/propertyNames/enum = ["metric","imperial"]
/properties/ptr/additionalProperties/type = ["null","object"]
/properties/any/additionalProperties = {}
{"text":{"ab":"abc"},"small":{"-128":true,"127":false},"count":{"18446744073709551615":1},"named":{"metric":"imperial"},"whole":{"x":{"code":"abc"}},"ptr":{"x":null},"lists":{"x":["ab"]},"any":{"x":null}} => {"text":{"ab":"abc"},"small":{"-128":true,"127":false},"count":{"18446744073709551615":1},"named":{"metric":"imperial"},"whole":{"x":{"code":"abc"}},"ptr":{"x":null},"lists":{"x":["ab"]},"any":{"x":null}}
{"text":{},"small":{},"any":{}} => {}
{"text":{"abc":"abcd"},"named":{"secret":"secret"},"whole":{"secret":{"code":"a"}},"lists":{"secret":["a","b"],"x":["abc"]}} !! text[*] has a name that must have at most 2 characters. text[*] must have at most 3 characters. named[*] has a name that must be one of metric, imperial. named[*] must be one of metric, imperial. whole[*].code must have exactly 3 characters. lists[*] must have at most 1 element. lists[*][0] must have at most 2 characters.
{"small":{"128":true},"count":{"-1":1},"whole":{"secret":null},"ptr":{"x":{}}} !! small[*] has a name that must be a whole number…. count[*] has a name that must be a whole number…. whole[*] must be an object, not null. ptr[*].code is required.
{"small":{"01":true}} !! small[*] has a name that must be a whole number….
{"small":{"1":true,"1":true}} !! small[*] is given twice: give each name once.
`},
	{"times", of[times], `
/required = none
/properties/at/format = "date-time"
/properties/ptr/type = ["null","string"]
/properties/for/default = 90000000000
/properties/for/description = "a duration in nanoseconds"
{} => {"at":"0001-01-01T00:00:00Z","for":90000000000}
{"at":"2026-01-02T03:04:05.6+02:00","ptr":null,"for":0,"wait":null} => {"at":"2026-01-02T03:04:05.6+02:00"}
{"at":"2026-01-02","ptr":"2026-02-30T00:00:00Z","for":"1m","wait":1} !! at must be a string that holds a time, as in 2006-01-02T15:04:05Z. ptr must be a string that holds a time, as in 2006-01-02T15:04:05Z. for must be a whole number of nanoseconds. wait must be at least 1000000000 (1s in nanoseconds).
{"at":"2026-01-02T03:04:05Z","wait":3600000000001} !! wait must be at most 3600000000000 (1h0m0s in nanoseconds).
{"at":1,"for":1.5} !! at must be a string. for must be a whole number of nanoseconds….
`},
	{"enums", of[enums], `
/properties/one/enum = ["metric","imperial"]
/properties/level/enum = [-1,1,2]
/properties/ptr/enum = ["a","b",null]
/properties/list/items/enum = [-1,1,2]
/properties/keys/propertyNames/enum = ["a","b"]
/properties/keys/additionalProperties/enum = [-1,1,2,null]
/properties/read/enum = none
/properties/read/description = "must be one of a, b"
{"one":"metric","level":-1,"ptr":"a","list":[1,2],"keys":{"a":1,"b":null},"read":"A"} => {"one":"metric","level":-1,"ptr":"a","list":[1,2],"keys":{"a":1,"b":null},"read":"a"}
{"one":"Metric","level":0,"ptr":"","list":[3],"keys":{"c":3},"read":"c"} !! one must be one of metric, imperial. level must be one of -1, 1, 2. ptr must be one of a, b. list[0] must be one of -1, 1, 2. keys[*] has a name that must be one of a, b. keys[*] must be one of -1, 1, 2. read must be one of a, b.
{"ptr":null,"level":"1"} !! level must be a whole number.
{"level":300} !! level must be a whole number….
`},
	{"big numbers", of[large], `
/properties/n/type = "number"
/properties/b/type = ["null","integer"]
/properties/v/description = "at most 5000 digits"
{"n":1.50e400,"b":123456789012345678901234567890,"v":-1,"i":-9223372036854775808,"u":18446744073709551615,"s":32767,"f":1.5} => {"n":1.50e400,"b":123456789012345678901234567890,"v":{},"i":-9223372036854775808,"u":18446744073709551615,"s":32767,"f":1.5}
{"i":9007199254740993,"b":10e2,"v":1.0} => {"b":1000,"v":{},"i":9007199254740993}
{"n":"1","b":"1","v":1.5,"i":9223372036854775808,"u":-1,"s":32768,"f":1e39} !! n must be a number. b must be a whole number. v must be a whole number of at most 5000 digits. i must be a whole number…. u must be a whole number…. s must be a whole number…. f must be a number that can be held exactly enough.
{"n":null,"b":null,"v":null,"i":null} !! n must be a number, not null. v must be a whole number, not null. i must be a whole number, not null.
{"n":NaN} !! The arguments are not valid JSON in UTF-8.
`},
	{"types that read themselves", of[reading], `
/properties/text/type = "string"
/properties/ptr/type = ["null","string"]
/properties/json = {}
/properties/list/items = {}
/properties/any = {}
{"text":"a","ptr":null,"json":[1],"list":[null,2],"addr":"::1","raw":{"a":[1, 2]},"any":{"b":null},"rat":"1/3"} => {"text":"read a","json":{"Raw":"[1]"},"list":[null,{"Raw":"2"}],"addr":"::1","raw":{"a":[1,2]},"any":{"b":null},"rat":"1/3"}
{"text":"no","ptr":"no","json":13,"list":[13],"addr":"10.0.0.300","rat":"x"} !! text does not have the form that is expected. ptr does not have the form that is expected. json must be lucky. list[0] must be lucky. addr does not have the form that is expected. rat does not have the form that is expected.
{"text":1,"ptr":{},"addr":null} !! text must be a string. ptr must be a string. addr must be a string, not null.
{"json":null,"raw":null,"any":null} => {"json":{"Raw":"null"},"raw":null}
{"raw":{"a":1,"a":2}} !! raw has a name twice in one object: give each once.
`},
	{"generic types", of[generic], `
/$defs/page_inner/required = ["items"]
/$defs/page___map_string_int/properties/items/items/items/additionalProperties/type = "integer"
/properties/page/$ref = "#/$defs/page_inner"
/properties/pair/anyOf = [{"$ref":"#/$defs/couple_string_page_unit"},{"type":"null"}]
{"page":{"items":[{"code":"abc"}],"next":{"items":[],"next":null}},"pair":{"key":"k","value":{"items":["metric"]}},"ints":{"items":[[{"a":1}]]}} => {"page":{"items":[{"code":"abc"}],"next":{"items":[]}},"pair":{"key":"k","value":{"items":["metric"]}},"ints":{"items":[[{"a":1}]]}}
{"page":{"items":[{"code":"a"}],"next":{"items":null}},"pair":{"key":"k","value":{"items":["both"]},"rest":{"key":1,"value":null}},"ints":{"items":[[{"a":"x"}]]}} !! page.items[0].code must have exactly 3 characters. page.next.items must be a list, not null. pair.value.items[0] must be one of metric, imperial. pair.rest.key must be a string. ints.items[0][0][*] must be a whole number.
{"page":{}} !! page.items is required.
`},
	{"recursive types", of[tree], `
/$defs/tree/properties/kids/items/$ref = "#/$defs/tree"
/$defs/tree/properties/named/additionalProperties/anyOf = [{"$ref":"#/$defs/tree"},{"type":"null"}]
/$defs/tree/properties/n/maximum = 3
/$defs/tree/additionalProperties = false
{"kids":[{"kids":[],"left":{"n":3}}],"named":{"a":null,"b":{"named":{}}}} => {"kids":[{"left":{"n":3}}],"named":{"a":null,"b":{}}}
{"kids":[{"kids":[{"n":4}],"left":{"left":{"n":"x"}}}],"named":{"secret":{"named":{"secret":{"m":1}}}}} !! kids[0].kids[0].n must be at most 3. kids[0].left.left.n must be a whole number. named[*].named[*] has members that are not known; those that are: kids, named, left, n.
{"kids":[null],"left":null} !! kids[0] must be an object, not null.
`},
	{"types that contain each other", of[ping], `
/$defs/ping/properties/pong/properties/pings/items/$ref = "#/$defs/ping"
/$defs/ping/properties/pong/properties/named/additionalProperties/$ref = "#/$defs/ping"
{"pong":{"pings":[{"pong":null},{}],"named":{"a":{"pong":{"pings":[]}}}}} => {"pong":{"pings":[{},{}],"named":{"a":{"pong":{}}}}}
{"pong":{"pings":[{},{},{}],"named":{"secret":{"pong":{"named":{"secret":{"ping":1}}}}}}} !! pong.pings must have at most 2 elements. pong.named[*].pong.named[*] has members that are not known; those that are: pong.
{"pong":{"named":{"a":null}}} !! pong.named[*] must be an object, not null.
`},
}
