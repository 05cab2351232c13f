package validate

import (
	"errors"
	"math/big"
	"slices"
	"strings"
)

// A keyword is a member of a JSON Schema, its value as JSON.
type keyword struct{ name, value string }

// A bound is a keyword that says how small or how large a value may be.
type bound struct {
	other     string // the keyword of the same side, which it is compared with
	upper     bool
	exclusive bool
	facing    string // the bound of the other side, which it must leave room for
}

var bounds = map[string]bound{
	"minimum":          {"exclusiveMinimum", false, false, "maximum"},
	"exclusiveMinimum": {"minimum", false, true, "maximum"},
	"maximum":          {exclusiveMaximum, true, false, "minimum"},
	exclusiveMaximum:   {"maximum", true, true, "minimum"},
	"minLength":        {"", false, false, maxLength}, maxLength: {"", true, false, "minLength"},
	"minItems": {"", false, false, "maxItems"}, "maxItems": {"", true, false, "minItems"},
	"minProperties": {"", false, false, "maxProperties"}, "maxProperties": {"", true, false, "minProperties"},
}

// The names of keywords that are at home in several files.
const (
	maxLength        = "maxLength"
	exclusiveMaximum = "exclusiveMaximum"
	multipleOf       = "multipleOf"
)

var errNothing = errors.New("the rules leave no value that is allowed")

// merged adds keywords to those there are, so that both are said: of two bounds the one
// that allows less stays, two lists are what is in both, and whatever else a schema says
// once goes into allOf.
func merged(have, more []keyword) ([]keyword, error) {
	for _, k := range more {
		if _, is := bounds[k.name]; is {
			have = bounded(have, k)
			if crossed(have, k) {
				return nil, errNothing
			}
			continue
		}
		i := slices.IndexFunc(have, func(h keyword) bool { return h.name == k.name })
		switch {
		case i < 0:
			have = append(have, k)
		case have[i].value == k.value:
		case k.name == "enum":
			both := common(elements(have[i].value), elements(k.value))
			if len(both) == 0 {
				return nil, errNothing
			}
			have[i].value = "[" + strings.Join(both, ",") + "]"
		case k.name == "not" && strings.HasPrefix(have[i].value, anEnum) && strings.HasPrefix(k.value, anEnum): // of ne
			have[i].value = strings.TrimSuffix(have[i].value, "]}") + "," + strings.TrimPrefix(k.value, anEnum)
		case k.name == "allOf":
			have[i].value = strings.TrimSuffix(have[i].value, "]") + "," + strings.TrimPrefix(k.value, "[")
		default:
			var err error
			if have, err = merged(have, []keyword{{"allOf", "[" + members(k) + "]"}}); err != nil {
				return nil, err
			}
		}
	}
	return have, nil
}

const anEnum = `{"enum":[`

// bounded adds a bound to keywords that may have one of its side.
func bounded(have []keyword, k keyword) []keyword {
	b := bounds[k.name]
	i := slices.IndexFunc(have, func(h keyword) bool { return h.name == k.name || (b.other != "" && h.name == b.other) })
	if i < 0 {
		return append(have, k)
	}
	order := number(k.value).Cmp(number(have[i].value))
	if b.upper {
		order = -order
	}
	if order > 0 || (order == 0 && b.exclusive) {
		have[i] = k
	}
	return have
}

// crossed says that a bound leaves nothing beside that of the other side.
func crossed(have []keyword, k keyword) bool {
	b := bounds[k.name]
	for _, h := range have {
		o, is := bounds[h.name]
		if !is || (h.name != b.facing && (b.other == "" || o.other != b.facing)) {
			continue
		}
		order := number(k.value).Cmp(number(h.value))
		if b.upper {
			order = -order
		}
		return order > 0 || (order == 0 && (b.exclusive || o.exclusive))
	}
	return false
}

// number is what a bound says, exactly.
func number(text string) *big.Rat {
	n, ok := new(big.Rat).SetString(text)
	if !ok { // a bound of an author's that is no number: the schema's library says so
		return new(big.Rat)
	}
	return n
}

// tidied leaves out of the keywords of a number what the list of its values says: those
// of the list that are within the bounds stay.
func tidied(keywords []keyword) ([]keyword, error) {
	i := slices.IndexFunc(keywords, func(k keyword) bool { return k.name == "enum" })
	if i < 0 {
		return keywords, nil
	}
	values := slices.DeleteFunc(elements(keywords[i].value), func(v string) bool {
		return slices.ContainsFunc(keywords, func(k keyword) bool { return !k.admits(v) })
	})
	if len(values) == 0 {
		return nil, errNothing
	}
	keywords[i].value = "[" + strings.Join(values, ",") + "]"
	return slices.DeleteFunc(keywords, func(k keyword) bool { _, is := bounds[k.name]; return is }), nil
}

// admits says that a bound holds for a number; any other keyword does.
func (k keyword) admits(value string) bool {
	b, is := bounds[k.name]
	if !is {
		return true
	}
	order := number(value).Cmp(number(k.value))
	if b.upper {
		order = -order
	}
	return order > 0 || (order == 0 && !b.exclusive)
}

// members is a schema of its own with these keywords.
func members(keywords ...keyword) string {
	var b strings.Builder
	for i, k := range keywords {
		b.WriteString([...]string{"{", ","}[min(i, 1)])
		b.WriteString(jsonString(k.name) + ":" + k.value)
	}
	if len(keywords) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.String()
}

// pattern is the keyword of a regular expression that package regexp and ECMA-262 with
// the flag u read alike.
func pattern(expression string) keyword { return keyword{"pattern", jsonString(expression)} }

// negated is the keyword that values must not be what the keywords say. They hold for
// null as well, which a pointer takes whatever is said of its values.
func (n *node) negated(keywords ...keyword) keyword {
	if n.nullable && keywords[0].name != "enum" {
		keywords = append([]keyword{{"type", jsonString(formNames[n.form])}}, keywords...)
	}
	return keyword{"not", members(keywords...)}
}

// either is the keyword that values must be what one of the sides says.
func (n *node) either(sides ...[]keyword) keyword {
	var all []string
	null := true // is taken by none
	for _, side := range sides {
		all = append(all, members(side...))
		null = null && slices.ContainsFunc(side, func(k keyword) bool { return k.name == "enum" })
	}
	if n.nullable && null {
		all = append(all, `{"type":"null"}`)
	}
	return keyword{"anyOf", "[" + strings.Join(all, ",") + "]"}
}
