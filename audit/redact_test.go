package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/safemcp/safemcp/audit"
)

func redactor(t testing.TB, seed byte) *audit.Redactor {
	t.Helper()
	r, err := audit.NewRedactor(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shown is what of arguments can be read in the log.
func shown(a audit.Args) string {
	line, err := json.Marshal(&audit.Event{Phase: audit.PhaseIntent, Args: a})
	if err != nil {
		return err.Error()
	}
	return string(line)
}

func TestRedactionByRule(t *testing.T) {
	t.Parallel()
	r := redactor(t, 1)
	rules := audit.Rules{{Name: "city", Rule: audit.RuleClosed}, {Name: "note", Rule: audit.RuleHMAC}, {Name: "on", Rule: audit.RuleHMAC}, {Name: "open", Rule: audit.RuleClear}, {Name: "len", Rule: audit.RuleLen}, {Name: "gone", Rule: audit.RuleDrop}, {Name: "list", Rule: audit.RuleHMAC}, {Name: "obj", Rule: audit.RuleHMAC}}
	raw := `{"city":"Paris","note":"häßlich","on":true,"open":{"a": 1},"len":"12345","gone":"canary-gone","list":[1,2,3],"obj":{"k":1},"canary-name":1}`
	a := r.Args(json.RawMessage(raw), rules, true)
	if a.Bytes != len(raw) || a.Unknown != 1 || len(a.Fields) != 8 {
		t.Fatalf("got %+v", a)
	}
	want := map[string]struct {
		clear string
		hmac  bool
		len   int
	}{
		"city": {`"Paris"`, false, 0}, "note": {"", true, 7}, "on": {"true", false, 0}, "open": {`{"a":1}`, false, 0},
		"len": {"", false, 5}, "gone": {"", false, -1}, "list": {"", false, 3}, "obj": {"", true, 1},
	}
	for _, f := range a.Fields {
		w := want[f.Name]
		if f.Clear != w.clear || (f.HMAC != "") != w.hmac || f.Len != w.len {
			t.Errorf("%s: %+v", f.Name, f)
		}
		if f.HMAC != "" && len(f.HMAC) != 32 {
			t.Errorf("%s: an HMAC of %d digits", f.Name, len(f.HMAC))
		}
	}
	for _, hidden := range []string{"canary", "häßlich", "12345"} {
		if strings.Contains(shown(a), hidden) {
			t.Errorf("the log shows %q: %s", hidden, shown(a))
		}
	}
	if b := r.Args(json.RawMessage(raw), rules, false); strings.Contains(shown(b), "Paris") {
		t.Error("a value that was not validated is clear because its list is closed")
	}
	long := `{"open":"` + strings.Repeat("x", 600) + `"}`
	if b := r.Args(json.RawMessage(long), rules, true); b.Fields[0].Clear != "" || b.Fields[0].HMAC == "" {
		t.Errorf("a long value is clear: %+v", b.Fields)
	}
}

func TestEqualValuesJoinWithinAFieldAndNotAcross(t *testing.T) {
	t.Parallel()
	r, other := redactor(t, 1), redactor(t, 2)
	rules := audit.Rules{{Name: "a", Rule: audit.RuleHMAC}, {Name: "b", Rule: audit.RuleHMAC}}
	one := r.Args(json.RawMessage(`{"a":"same","b":"same"}`), rules, true)
	two := r.Args(json.RawMessage(`{ "b" : "other" , "a" : "s\u0061me" }`), rules, true)
	if one.Fields[0].HMAC == one.Fields[1].HMAC {
		t.Error("two fields share an HMAC")
	}
	if one.Fields[0].HMAC != two.Fields[1].HMAC {
		t.Error("a value that is written differently has another HMAC")
	}
	if one.Fields[0].HMAC == other.Args(json.RawMessage(`{"a":"same"}`), rules, true).Fields[0].HMAC {
		t.Error("two keys share an HMAC")
	}
}

func TestTheDigestIsOfTheCanonicalArguments(t *testing.T) {
	t.Parallel()
	r := redactor(t, 1)
	digest := func(raw string) string { return r.Args(json.RawMessage(raw), nil, false).Digest }
	for _, same := range [][2]string{
		{`{"a":1,"b":{"c":[1,2],"d":"x"}}`, ` { "b" : { "d":"\u0078","c":[ 1, 2 ] } , "a" : 1 } `},
		{`{}`, ` { } `},
	} {
		if digest(same[0]) != digest(same[1]) {
			t.Errorf("%s and %s have two digests", same[0], same[1])
		}
	}
	for _, other := range [][2]string{
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`},
		{`{"a":1}`, `{"a":"1"}`},
		{`{"ab":1}`, `{"a":1}`},
		{`{"a":1,"b":2}`, `{"a":2,"b":1}`},
		{`{"a":1,"a":1}`, `{"a":1}`},
		{`[]`, `{}`},
		{``, `{}`},
	} {
		if digest(other[0]) == digest(other[1]) {
			t.Errorf("%s and %s have one digest", other[0], other[1])
		}
	}
}

// What is within arguments is recorded by rules of its own, and found by its path.
func TestRedactionGoesIntoObjectsAndLists(t *testing.T) {
	t.Parallel()
	r := redactor(t, 1)
	person := audit.Rules{{Name: "name", Rule: audit.RuleHMAC}, {Name: "city", Rule: audit.RuleClosed}, {Name: "pin", Rule: audit.RuleDrop}}
	rules := audit.Rules{
		{Name: "who", Within: person},
		{Name: "people", Within: person},
		{Name: "tags", Rule: audit.RuleHMAC},
		{Name: "sealed", Rule: audit.RuleDrop, Within: person},
		{Name: "grid", Rule: audit.RuleHMAC},
		{Name: "name", Rule: audit.RuleHMAC},
	}
	raw := `{"who":{"name":"canary-ann","city":"Paris","pin":"canary-pin","canary-member":1},
		"people":[{"name":"canary-ann","city":"Lima"},"canary-stray",{"name":{"canary-a":1}}],
		"tags":["canary-red","canary-blue","canary-red",true],"sealed":{"name":"canary-ann"},"grid":[["canary-x"],[]],"name":"canary-ann"}`
	a := r.Args(json.RawMessage(raw), rules, true)
	text := shown(a)
	if strings.Contains(text, "canary") || !strings.Contains(text, `"city":{"clear":"Paris"}`) {
		t.Fatalf("got %s", text)
	}
	hmac := func(path, value string) string {
		h, err := r.HMAC(path, json.RawMessage(value))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	who, people, tags, sealed, grid, name := a.Fields[0], a.Fields[1], a.Fields[2], a.Fields[3], a.Fields[4], a.Fields[5]
	for what, ok := range map[string]bool{
		"a member":                        who.Nested.Fields[0].Name == "city" && who.Nested.Fields[1].HMAC == hmac("who.name", ` "c\u0061nary-ann" `),
		"a dropped member":                who.Nested.Fields[2].Name == "pin" && who.Nested.Fields[2].Len == -1,
		"an unknown member":               who.Nested.Unknown == 1 && who.Len == 4,
		"a member of an element":          people.Nested.Items[0].Nested.Fields[1].HMAC == hmac("people[].name", `"canary-ann"`),
		"an element of another kind":      people.Nested.Items[1].HMAC == hmac("people[]", `"canary-stray"`),
		"an object for a word":            people.Nested.Items[2].Nested.Fields[0].HMAC == hmac("people[].name", `{"canary-a":1}`),
		"equal elements":                  tags.Nested.Items[0].HMAC == tags.Nested.Items[2].HMAC && tags.Nested.Items[0].HMAC != tags.Nested.Items[1].HMAC && tags.Nested.Items[0].HMAC == hmac("tags[]", `"canary-red"`),
		"a boolean":                       tags.Nested.Items[3].Clear == "true" && tags.Len == 4,
		"what is dropped as a whole":      sealed.Len == -1 && sealed.Nested == nil,
		"lists in a list":                 grid.Nested.Items[0].HMAC == hmac("grid[]", `["canary-x"]`) && grid.Nested.Items[0].Nested == nil,
		"the same word under other names": name.HMAC == hmac("name", `"canary-ann"`) && name.HMAC != who.Nested.Fields[1].HMAC,
	} {
		if !ok {
			t.Errorf("%s: %s", what, text)
		}
	}
	if b := shown(r.Args(json.RawMessage(raw), rules, false)); strings.Contains(b, "Paris") || strings.Contains(b, "Lima") {
		t.Errorf("what was not validated is clear: %s", b)
	}
	if _, err := r.HMAC("a", json.RawMessage(`bare`)); err == nil {
		t.Error("a value that is no JSON has an HMAC")
	}
}

// However many elements and members a caller sends, an event holds a bounded number.
func TestWhatIsWithinArgumentsIsBounded(t *testing.T) {
	t.Parallel()
	r := redactor(t, 1)
	rules := audit.Rules{{Name: "rows", Within: audit.Rules{{Name: "a"}, {Name: "b", Within: audit.Rules{{Name: "c"}}}}}, {Name: "words"}, {Name: "more", Within: audit.Rules{{Name: "a"}}}}
	row := `{"a":"x","b":[` + strings.Repeat(`{"c":"y"},`, 99) + `{"c":"z"}]},`
	raw := `{"rows":[` + strings.Repeat(row, 99) + `{}],"words":[` + strings.Repeat(`"w",`, 999) + `""],"more":{"a":1}}`
	a := r.Args(json.RawMessage(raw), rules, true)
	count := 0
	var walk func([]audit.Field)
	walk = func(all []audit.Field) {
		for _, f := range all {
			count++
			if f.Nested != nil {
				walk(f.Nested.Fields)
				walk(f.Nested.Items)
			}
		}
	}
	walk(a.Fields)
	if count > 300 || len(a.Fields[0].Nested.Items) > 16 || a.Fields[0].Len != 100 || a.Fields[1].Len != 1000 {
		t.Errorf("%d fields, %d items", count, len(a.Fields[0].Nested.Items))
	}
	if last := a.Fields[2]; last.HMAC == "" || last.Nested != nil {
		t.Errorf("what is beyond the bound is not one value: %+v", last)
	}
	if b := r.Args(json.RawMessage(strings.Replace(raw, `"z"`, `"Z"`, 1)), rules, true); b.Digest == a.Digest {
		t.Error("what is beyond the bound is not in the digest")
	}
}

// The name of a key says which one it is, and without the key nothing can be tried.
func TestAKeyHasAName(t *testing.T) {
	t.Parallel()
	one, again, other := redactor(t, 1), redactor(t, 1), redactor(t, 2)
	if one.Key() != again.Key() || one.Key() == other.Key() || len(one.Key()) != 16 {
		t.Errorf("%s %s %s", one.Key(), again.Key(), other.Key())
	}
}

func TestTheDigestOfAnAnswer(t *testing.T) {
	t.Parallel()
	r := redactor(t, 1)
	digest := func(r *audit.Redactor, pieces ...string) string {
		d := r.Answer()
		for i := 0; i < len(pieces); i += 2 {
			d.Add(pieces[i], pieces[i+1])
		}
		return d.Sum()
	}
	large := strings.Repeat("large ", 50_000)
	seen := map[string]string{}
	for name, sum := range map[string]string{
		"none": digest(r), "text": digest(r, "text", "a"), "another kind": digest(r, "uri", "a"), "another text": digest(r, "text", "b"),
		"two": digest(r, "text", "a", "text", "b"), "one of both": digest(r, "text", "ab"), "moved": digest(r, "texta", ""), "another key": digest(redactor(t, 2), "text", "a"),
		"large": digest(r, "text", large), "larger": digest(r, "text", large+"!"),
	} {
		if was, there := seen[sum]; there || len(sum) != 32 {
			t.Errorf("%s and %s: %s", name, was, sum)
		}
		seen[sum] = name
	}
	d := r.Answer()
	d.AddBytes("text", []byte(large))
	if d.Sum() != digest(r, "text", large) {
		t.Error("bytes and text differ")
	}
}

func TestARedactorRefusesAShortKey(t *testing.T) {
	t.Parallel()
	if _, err := audit.NewRedactor(make([]byte, 31)); err == nil {
		t.Error("a key of 31 bytes was taken")
	}
}

func TestRedactionIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := redactor(t, 1)
	rules := audit.Rules{{Name: "a", Rule: audit.RuleHMAC}, {Name: "b", Rule: audit.RuleClear}}
	want := shown(r.Args(json.RawMessage(`{"a":"x","b":"y"}`), rules, true))
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for range 500 {
				if got := shown(r.Args(json.RawMessage(`{"a":"x","b":"y"}`), rules, true)); got != want {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// Any bytes have an answer, whose line is one line of JSON that reads back.
func FuzzArgs(f *testing.F) {
	r := redactor(f, 1)
	rules := audit.Rules{{Name: "a", Rule: audit.RuleHMAC}, {Name: "b", Rule: audit.RuleClosed}, {Name: "c", Rule: audit.RuleClear}, {Name: "d", Rule: audit.RuleLen}, {Name: "e", Rule: audit.RuleDrop}}
	for _, seed := range []string{`{}`, `{"a":"x","b":"y","c":[1,{"d":"\ud83d\ude00"}],"d":"","e":null}`, `{`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, "\xff", `[`, `"`, `{"c":"\u2028\n"}`, ` `, `null`, `7`} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, valid bool) {
		valid = valid && jsontext.Value(raw).IsValid()
		a := r.Args(raw, rules, valid)
		line, err := json.Marshal(&audit.Event{Phase: audit.PhaseIntent, Args: a})
		if err != nil || bytes.ContainsAny(line, "\n\r") {
			t.Fatalf("%q: %s, %v", raw, line, err)
		}
		var back audit.Event
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("%q: %s: %v", raw, line, err)
		}
		if len(a.Digest) != 32 || back.Args.Digest != a.Digest || len(back.Args.Fields) != len(a.Fields) {
			t.Fatalf("%q: %+v became %+v", raw, a, back.Args)
		}
	})
}
