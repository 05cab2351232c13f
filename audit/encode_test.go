package audit_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/safemcp/safemcp/audit"
)

func full() *audit.Event {
	return &audit.Event{
		Version: 1, ID: "id", Seq: 7, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Server: audit.Server{Name: "s", Version: "v1", Instance: "i"},
		Phase: audit.PhaseOutcome, Call: "call", Caller: audit.Caller{ID: "os|u", Issuer: "os", Subject: "u", Tenant: "t", Client: "c", Roles: []string{"r"}, Scopes: []string{"a", "b"}, Address: "127.0.0.1"},
		MCP:  audit.MCP{Method: "tools/call", Tool: "t", Resource: "r:", Prompt: "p", Session: "s", Protocol: "2026-07-28", Request: `"7"`, Transport: "stdio"},
		Args: audit.Args{Digest: "d", Bytes: 9, Fields: []audit.Field{{Name: "z", HMAC: "h", Len: 3}, {Name: "a", Clear: `"x"`}, {Name: "l", Len: 0}, {Name: "d", Len: -1}, {Name: "o", Len: 3, Nested: &audit.Nested{Fields: []audit.Field{{Name: "i", HMAC: "h", Len: 1}, {Name: "d", Len: -1}}, Unknown: 1}}, {Name: "i", Len: 9, Nested: &audit.Nested{Items: []audit.Field{{Clear: "1"}, {Len: 2, Nested: &audit.Nested{Items: []audit.Field{{HMAC: "h", Len: 2}}}}}}}}, Unknown: 2},
		Key:  "k", Answer: audit.Args{Digest: "e", Bytes: 1}, Buffered: true,
		Decision: audit.Decision{Effect: audit.EffectPermit, By: "policy", Rule: "any", Reason: "why"}, Approval: audit.Approval{ID: "a", By: "b", Kind: "k"},
		Credentials: []audit.Credential{{Name: "n", Binding: "kv:a#b", Version: "1", Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Request: "q", Role: "r", Accessor: "hmac-sha256:a"}, {Name: "m"}}, Egress: []audit.Egress{{Host: "h", Bytes: 1}, {}},
		Outcome:  audit.Outcome{Status: audit.StatusPanic, Code: "internal", Bytes: 4, Digest: "f", Reference: "call", Cause: "c", Stack: "s"},
		Duration: 1500 * time.Microsecond, Trace: audit.Trace{TraceID: "t", SpanID: "s"}, Integrity: audit.Integrity{Prev: "p", MAC: "m"},
	}
}

func TestAnEventReadsBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, e := range []*audit.Event{full(), {}, {Phase: audit.PhaseNotice}} {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back audit.Event
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if !reflect.DeepEqual(*e, back) {
			t.Errorf("%s:\n got %+v\nwant %+v", line, back, *e)
		}
	}
}

// The names of an event are a contract with those who read logs.
func TestTheNamesOfAnEvent(t *testing.T) {
	t.Parallel()
	line, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"v":1,"id":"id","seq":7,"time":"2026-01-02T03:04:05.000000006Z","server":{"name":"s","version":"v1","instance":"i"},"phase":"outcome","call":"call",` +
		`"caller":{"id":"os|u","issuer":"os","subject":"u","tenant":"t","client":"c","roles":["r"],"scopes":["a","b"],"address":"127.0.0.1"},` +
		`"mcp":{"method":"tools/call","tool":"t","resource":"r:","prompt":"p","session":"s","protocol":"2026-07-28","request":"\"7\"","transport":"stdio"},` +
		`"key":"k","args":{"digest":"d","bytes":9,"fields":{"z":{"hmac":"h","len":3},"a":{"clear":"x"},"l":{"len":0},"d":{},"o":{"len":3,"fields":{"i":{"hmac":"h","len":1},"d":{}},"unknown":1},"i":{"len":9,"items":[{"clear":1},{"len":2,"items":[{"hmac":"h","len":2}]}]}},"unknown":2},"answer":{"digest":"e","bytes":1},` +
		`"decision":{"effect":"permit","by":"policy","rule":"any","reason":"why"},"approval":{"id":"a","by":"b","kind":"k"},` +
		`"credentials":[{"name":"n","binding":"kv:a#b","version":"1","expires":"2027-01-01T00:00:00Z","request_id":"q","role":"r","accessor":"hmac-sha256:a"},{"name":"m"}],"egress":[{"host":"h","bytes":1},{}],` +
		`"outcome":{"status":"panic","code":"internal","bytes":4,"digest":"f","reference":"call","cause":"c","stack":"s"},"duration_us":1500,"buffered":true,"trace":{"trace_id":"t","span_id":"s"},"integrity":{"prev":"p","mac":"m"}}`
	if string(line) != want {
		t.Errorf("got\n%s\nwant\n%s", line, want)
	}
	empty, err := json.Marshal(&audit.Event{Phase: audit.PhaseNotice})
	if err != nil || string(empty) != `{"v":0,"seq":0,"time":"0001-01-01T00:00:00Z","phase":"notice"}` {
		t.Errorf("what does not apply is there: %s, %v", empty, err)
	}
}

func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "plain", "\x00\x1f\x7f\"\\/\n\t", "\xff\xfe", "\xef\xa4\xfb0", "äß\u2028\u2029\U0001f600", strings.Repeat("ü", 600), strings.Repeat("x", 1023) + "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := audit.Event{Phase: "notice", Call: s, Decision: audit.Decision{Reason: s}, Outcome: audit.Outcome{Cause: s, Stack: s}, Caller: audit.Caller{Roles: []string{s}}}
		line, err := json.Marshal(&e)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if !utf8.Valid(line) || bytes.ContainsAny(line, "\n\r\u2028\u2029") {
			t.Fatalf("%q: %q", s, line)
		}
		var back audit.Event
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("%q: %s: %v", s, line, err)
		}
		want := string([]rune(s)) // each wrong byte becomes U+FFFD
		if len(s) <= 1024 && len(want) == len(s) && back.Call != want {
			t.Fatalf("%q became %q", s, back.Call)
		}
		if len(back.Outcome.Cause) > 3*2048+8 || len(back.Outcome.Stack) > 3*(16<<10)+8 {
			t.Fatalf("a text of %d bytes was not cut", len(s))
		}
	})
}
