package safetool

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/scan"
)

// guarding is a server whose broker knows secrets by what they look like.
func guarding(t *testing.T, rule scan.Rule) *Server {
	t.Helper()
	rules, err := scan.NewRules([]scan.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	return &Server{options: Options{Secrets: secrets.NewBroker(nothingToIssue{}, &secrets.Options{Patterns: rules})}}
}

type nothingToIssue struct{ secrets.Provider }

// ours are the fields of an event whose text is the server's own: random, a word of a
// closed list, or a MAC.
const ours = "Event.ID Event.Phase Event.Call Server.Instance Event.Key Args.Digest Field.HMAC Outcome.Digest Decision.Effect Outcome.Status Outcome.Reference Integrity.Sum Integrity.Prev Integrity.MAC "

// fill puts text into every field that somebody else may have written.
func fill(v reflect.Value, text string) { fillTo(v, text, 9) }

func fillTo(v reflect.Value, text string, depth int) {
	if depth == 0 { // fields are within fields
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && v.Type() != reflect.TypeFor[time.Time]() && !strings.Contains(ours, v.Type().Name()+"."+f.Name+" ") {
				fillTo(v.Field(i), text, depth-1)
			}
		}
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`"` + text + `"`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fillTo(v.Index(i), text, depth-1)
		}
	}
}

// shown returns the fields that hold text.
func shown(v reflect.Value, path, text string) (all []string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, shown(v.Field(i), path+"."+v.Type().Field(i).Name, text)...)
			}
		}
	case reflect.String:
		if strings.Contains(v.String(), text) {
			all = append(all, path)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if strings.Contains(string(v.Bytes()), text) {
				all = append(all, path)
			}
			return all
		}
		for i := range v.Len() {
			all = append(all, shown(v.Index(i), path, text)...)
		}
	}
	return all
}

func TestNoFieldOfAnEventIsForgotten(t *testing.T) {
	t.Parallel()
	s := guarding(t, scan.Rule{ID: "x", Pattern: `hush-[0-9]{4}`, Keywords: []string{"hush-"}})
	var e audit.Event
	fill(reflect.ValueOf(&e).Elem(), "hush-1234")
	if e.Credentials[1].Role == "" || e.Args.Fields[1].Clear == "" {
		t.Fatalf("not filled: %+v", e)
	}
	if found := s.redactEvent(&e); len(found) == 0 {
		t.Error("nothing was found")
	}
	if left := shown(reflect.ValueOf(e), "event", "hush-1234"); left != nil {
		t.Errorf("left in %q", left)
	}
}

// Expressions ask for the beginning or the end of a text, or for white space and quotes
// after a secret, where there are none between the texts of an event.
func TestAPatternIsNeverMissedAtTheEndsOfATextOfAnEvent(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{`^(hush-[0-9]{4})`, `(hush-[0-9]{4})$`, `^(hush-[0-9]{4})$`, `(?:^|[\s"])(hush-[0-9]{4})(?:[\x60'"\s;]|\\[nr]|$)`} {
		s := guarding(t, scan.Rule{ID: "x", Pattern: pattern, Keywords: []string{"hush-"}})
		e := audit.Event{MCP: audit.MCP{Method: "tools/call", Session: "abc"}, Outcome: audit.Outcome{Cause: "hush-1234", Stack: "main.main()"}}
		if found := s.redactEvent(&e); len(found) != 1 || strings.Contains(e.Outcome.Cause, "1234") {
			t.Errorf("%s: found %q, left %q", pattern, found, e.Outcome.Cause)
		}
	}
}
