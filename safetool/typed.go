package safetool

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/safemcp/safemcp/audit"
)

// withoutArguments takes the values that a caller submitted out of the text of an
// error, which likes to quote them: nobody reads what was typed.
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
	typed := appendMembers(nil, cause, members, rules, "")
	// The longest first: what is the beginning of another value would leave its end.
	slices.SortStableFunc(typed, func(a, b typedValue) int {
		return cmp.Or(cmp.Compare(len(b.text), len(a.text)), cmp.Compare(a.label, b.label))
	})
	pairs := make([]string, 0, 2*len(typed))
	for _, t := range typed {
		pairs = append(pairs, t.text, t.label)
	}
	return strings.NewReplacer(pairs...).Replace(cause)
}

// shortest is the length of a value below which replacing it would garble more
// than it hides.
const shortest = 4

// A typedValue is what a caller submitted, as an error's text may have it.
type typedValue struct{ text, label string }

// appendMembers appends what of the members of an object is in a cause. The label of those
// that are within a member which is declared and has no rules for them is its own.
func appendMembers(to []typedValue, cause string, members map[string]any, rules audit.Rules, path string) []typedValue {
	for name, value := range members {
		declared := rules.Of(name)
		if declared == nil {
			to = appendTyped(to, cause, value, "[argument]")
			continue
		}
		to = appendDeclared(to, cause, value, declared, path+name)
	}
	return to
}

func appendDeclared(to []typedValue, cause string, value any, declared *audit.FieldRule, path string) []typedValue {
	switch v := value.(type) {
	case map[string]any:
		if declared.Within != nil {
			return appendMembers(to, cause, v, declared.Within, path+".")
		}
	case []any:
		for _, item := range v {
			to = appendDeclared(to, cause, item, declared, path)
		}
		return to
	}
	if declared.Rule == audit.RuleClear {
		return to
	}
	return appendTyped(to, cause, value, "["+path+"]")
}

// appendTyped appends what of a value is in a cause.
func appendTyped(to []typedValue, cause string, value any, label string) []typedValue {
	switch v := value.(type) {
	case string:
		if len(v) < shortest || len(v) > len(cause) {
			break
		}
		quoted, inJSON := strconv.Quote(v), dumped(v)
		for _, form := range []string{v, quoted[1 : len(quoted)-1], inJSON[1 : len(inJSON)-1], url.QueryEscape(v), url.PathEscape(v)} {
			if strings.Contains(cause, form) {
				to = append(to, typedValue{form, label})
			}
		}
	case json.Number:
		if len(v) >= shortest && strings.Contains(cause, v.String()) {
			to = append(to, typedValue{v.String(), label})
		}
	case []any:
		for _, item := range v {
			to = appendTyped(to, cause, item, label)
		}
	case map[string]any:
		for _, item := range v {
			to = appendTyped(to, cause, item, label)
		}
	}
	return to
}

// dumped is a string as JSON.
func dumped(s string) string {
	raw, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return `""`
	}
	return string(raw)
}
