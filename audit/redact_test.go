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
	rules := audit.Rules{{"city", audit.RuleClosed}, {"note", audit.RuleHMAC}, {"on", audit.RuleHMAC}, {"open", audit.RuleClear}, {"len", audit.RuleLen}, {"gone", audit.RuleDrop}, {"list", audit.RuleHMAC}, {"obj", audit.RuleHMAC}}
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
		"len": {"", false, 5}, "gone": {"", false, -1}, "list": {"", true, 3}, "obj": {"", true, 1},
	}
	for _, f := range a.Fields {
		w := want[f.Name]
		if string(f.Clear) != w.clear || (f.HMAC != "") != w.hmac || f.Len != w.len {
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
	if b := r.Args(json.RawMessage(long), rules, true); b.Fields[0].Clear != nil || b.Fields[0].HMAC == "" {
		t.Errorf("a long value is clear: %+v", b.Fields)
	}
}

func TestEqualValuesJoinWithinAFieldAndNotAcross(t *testing.T) {
	t.Parallel()
	r, other := redactor(t, 1), redactor(t, 2)
	rules := audit.Rules{{"a", audit.RuleHMAC}, {"b", audit.RuleHMAC}}
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

func TestARedactorRefusesAShortKey(t *testing.T) {
	t.Parallel()
	if _, err := audit.NewRedactor(make([]byte, 31)); err == nil {
		t.Error("a key of 31 bytes was taken")
	}
}

func TestRedactionIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := redactor(t, 1)
	rules := audit.Rules{{"a", audit.RuleHMAC}, {"b", audit.RuleClear}}
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
	rules := audit.Rules{{"a", audit.RuleHMAC}, {"b", audit.RuleClosed}, {"c", audit.RuleClear}, {"d", audit.RuleLen}, {"e", audit.RuleDrop}}
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
