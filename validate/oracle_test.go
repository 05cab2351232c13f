package validate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/safemcp/safemcp/validate"
)

// escaped are escapes in a string: those of characters come as they are written.
var escaped = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)

// strictJSON says that raw is one JSON text in UTF-8, in which no name is given twice and
// no surrogate stands alone. It asks encoding/json, which Decode does not.
func strictJSON(raw []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return json.Valid(raw) && utf8.Valid(raw) && paired(raw) && namedOnce(dec) == nil
}

// paired says that each surrogate has its other half directly behind it.
func paired(raw []byte) bool {
	end, open := -1, false
	for _, at := range escaped.FindAllIndex(raw, -1) {
		one := raw[at[0]+1 : at[1]]
		var n uint64
		if one[0] == 'u' {
			n, _ = strconv.ParseUint(string(one[1:]), 16, 32)
		}
		high, low := n >= 0xd800 && n < 0xdc00, n >= 0xdc00 && n < 0xe000
		if open != low || low && at[0] != end {
			return false
		}
		end, open = at[1], high
	}
	return !open
}

var errTwice = errors.New("a name is given twice")

// namedOnce reads a value.
func namedOnce(dec *json.Decoder) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('['):
		for dec.More() {
			if err := namedOnce(dec); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		names := map[string]bool{}
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return err
			}
			text, is := name.(string)
			if !is || names[text] {
				return errTwice
			}
			names[text] = true
			if err := namedOnce(dec); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = dec.Token() // what closes it
	return err
}

// instanceOf is a text as a JSON Schema library takes it, with whole numbers exact as far
// as 64 bits go.
func instanceOf(raw []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return numbersOfJSON(v), nil
}

func numbersOfJSON(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbersOfJSON(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = numbersOfJSON(v[name])
		}
	}
	return v
}

// inRange says that a float64 holds each number, more or less: to the library an infinity
// is a zero.
func inRange(v any) bool {
	switch v := v.(type) {
	case float64:
		return !math.IsInf(v, 0)
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !inRange(e) })
	case map[string]any:
		for _, e := range v {
			if !inRange(e) {
				return false
			}
		}
	}
	return true
}

// takes says what a schema says. The library panics on some numbers.
func takes(r *jsonschema.Resolved, v any) (ok bool) {
	defer func() { ok = ok && recover() == nil }()
	return r.Validate(v) == nil
}

func parsed(t testing.TB, raw json.RawMessage) *jsonschema.Schema {
	t.Helper()
	s := new(jsonschema.Schema)
	if err := json.Unmarshal(raw, s); err != nil {
		t.Fatalf("the schema %s: %v", raw, err)
	}
	return s
}

// endless ends the process where what follows does not: a fuzzer waits for ever.
func endless(what any) (stop func() bool) {
	return time.AfterFunc(time.Minute, func() { panic(what) }).Stop
}

// refusal looks at an error of Decode: it is one for the caller, names what is wrong, is
// said again in the same words, and holds nothing of what was sent.
func refusal(t *testing.T, raw []byte, err, again error, known string) {
	t.Helper()
	var e, twin *validate.Error
	if !errors.As(err, &e) || !errors.As(again, &twin) {
		t.Fatalf("%q: %T %v, then %T %v", raw, err, err, again, again)
	}
	if len(e.Fields) == 0 || !reflect.DeepEqual(e, twin) {
		t.Fatalf("%q: %+v, then %+v", raw, e, twin)
	}
	all := e.Error()
	for _, f := range e.Fields {
		if f.Message == "" || f.Rule == "" {
			t.Fatalf("%q: %+v", raw, f)
		}
		all += " " + f.Path + " " + f.Rule + " " + strings.Join(f.Allowed, " ") + " " + strings.Join(f.Nearest, " ")
	}
	for _, sent := range echoed(raw, all) {
		if !slices.Contains(echoed([]byte(known), all), sent) && !strings.Contains(known, sent) && !strings.Contains(ranges, sent) {
			t.Fatalf("%q: %q is said in %s", raw, sent, all)
		}
	}
}

// ranges are the ends that a message has of a type, where the schema has their neighbours.
const ranges = "9223372036854775807 18446744073709551615"

// unlikely are texts that no message holds by chance: with a digit and a letter, or with a
// letter beyond ASCII, and numbers of some length.
var unlikely = regexp.MustCompile(`[0-9].*[a-zA-Z]|[a-zA-Z].*[0-9]|[0-9]{4}|[^\x00-\x7f]`)

// echoed are the names, texts and numbers of a document that are in a message, and that no
// message holds by chance.
func echoed(doc []byte, message string) (all []string) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil { // the end, or what is no JSON
			return all
		}
		var s string
		switch token := token.(type) {
		case string:
			s = token
		case json.Number:
			s = token.String()
		}
		if len(s) >= 4 && strings.Contains(message, s) && unlikely.MatchString(s) {
			all = append(all, s)
		}
	}
}
