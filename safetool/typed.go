package safetool

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/safemcp/safemcp/audit"
)

// withoutArguments takes what a caller submitted out of the text of an error, which likes to
// quote it: nobody reads what was typed. Of a long text it looks at the beginning, which is
// more than the log takes.
func withoutArguments(cause string, raw json.RawMessage, rules audit.Rules) string {
	if cause == "" || len(raw) == 0 {
		return cause
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	var members map[string]any
	if decoder.Decode(&members) != nil {
		return cause
	}
	s := submitted{cause: cause}
	if s.cut = len(cause) > longestCause; s.cut {
		s.cause = cause[:longestCause]
	}
	s.index()
	s.members(members, rules, "")
	// The longest first: what is the beginning of another value would leave its end.
	slices.SortStableFunc(s.found, func(a, b typedValue) int {
		return cmp.Or(cmp.Compare(len(b.text), len(a.text)), cmp.Compare(a.label, b.label))
	})
	pairs := make([]string, 0, 2*len(s.found))
	for _, t := range s.found {
		pairs = append(pairs, t.text, t.label)
	}
	text := strings.NewReplacer(pairs...).Replace(s.cause[:len(s.cause)-s.tail])
	if s.cut {
		text = strings.ToValidUTF8(text, "") + "…"
	}
	return text
}

const (
	// shortest is the length of a value below which replacing it would garble more
	// than it hides.
	shortest = 4
	// longestCause is how much of an error's text is looked at, in bytes.
	longestCause = 16 << 10
)

// A typedValue is what a caller submitted, as an error's text has it.
type typedValue struct{ text, label string }

// submitted looks in a cause for what was submitted.
type submitted struct {
	cause string
	cut   bool // there was more of it
	tail  int  // bytes at its end that may be the beginning of a value
	grams map[string]struct{}
	found []typedValue
}

// index notes every few bytes of the cause, so that a value of which the first few are not
// among them need not be looked for: a caller can send a great many.
func (s *submitted) index() {
	s.grams = make(map[string]struct{}, len(s.cause))
	for i := 0; i+shortest <= len(s.cause); i++ {
		s.grams[s.cause[i:i+shortest]] = struct{}{}
	}
}

// look looks for a text.
func (s *submitted) look(text, label string) {
	if len(text) < shortest {
		return
	}
	if _, maybe := s.grams[text[:shortest]]; !maybe {
		return
	}
	if strings.Contains(s.cause, text) {
		s.found = append(s.found, typedValue{text, label})
	}
	if !s.cut {
		return
	}
	for n := min(len(text)-1, len(s.cause)); n >= shortest && n > s.tail; n-- {
		if strings.HasSuffix(s.cause, text[:n]) {
			s.tail = n
			break
		}
	}
}

// members looks for what of the members of an object is in the cause. The label of those
// that are within a member which is declared and has no rules for them is its own; names
// that are not declared are the caller's as well.
func (s *submitted) members(members map[string]any, rules audit.Rules, path string) {
	for name, value := range members {
		if declared := rules.Of(name); declared != nil {
			s.declared(value, declared, path+name)
			continue
		}
		s.text(name, "[name]")
		s.value(value, "[argument]")
	}
}

func (s *submitted) declared(value any, declared *audit.FieldRule, path string) {
	switch v := value.(type) {
	case map[string]any:
		if declared.Within != nil {
			s.members(v, declared.Within, path+".")
			return
		}
	case []any:
		for _, item := range v {
			s.declared(item, declared, path)
		}
		return
	}
	if declared.Rule == audit.RuleClear {
		return
	}
	s.value(value, "["+path+"]")
	if uri, is := value.(string); is && path == "uri" {
		s.parts(uri)
	}
}

// value looks for a value, and what is in it.
func (s *submitted) value(value any, label string) {
	switch v := value.(type) {
	case string:
		s.text(v, label)
	case json.Number:
		s.number(v, label)
	case []any:
		for _, item := range v {
			s.value(item, label)
		}
	case map[string]any:
		for name, item := range v {
			s.text(name, "[name]")
			s.value(item, label)
		}
	}
}

// text looks for a text in the forms that errors have it in.
func (s *submitted) text(v, label string) {
	if len(v) < shortest || len(v) > len(s.cause)+longestCause {
		return
	}
	quoted, inJSON := strconv.Quote(v), dumped(v)
	for i, form := range []string{v, quoted[1 : len(quoted)-1], inJSON[1 : len(inJSON)-1], url.QueryEscape(v), url.PathEscape(v)} {
		if i == 0 || form != v {
			s.look(form, label)
		}
	}
}

// number looks for a number in the forms that Go prints it in.
func (s *submitted) number(v json.Number, label string) {
	forms := []string{v.String()}
	if f, err := v.Float64(); err == nil {
		forms = append(forms, fmt.Sprint(f), fmt.Sprintf("%g", float32(f)), strconv.FormatFloat(f, 'f', -1, 64), strconv.FormatFloat(f, 'e', -1, 64), fmt.Sprintf("%.0f", f), fmt.Sprintf("%.2f", f), fmt.Sprintf("%f", f))
	}
	slices.Sort(forms)
	for _, form := range slices.Compact(forms) {
		s.look(form, label)
	}
}

// parts looks for the parts of a URI, which a template's handler is given.
func (s *submitted) parts(uri string) {
	for _, part := range strings.FieldsFunc(uri, func(r rune) bool { return r < utf8.RuneSelf && strings.ContainsRune("/?&=#:;,@+ ", r) }) {
		s.text(part, "[uri]")
		if plain, err := url.PathUnescape(part); err == nil && plain != part {
			s.text(plain, "[uri]")
		}
	}
}

// dumped is a string as JSON.
func dumped(s string) string {
	raw, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return `""`
	}
	return string(raw)
}
