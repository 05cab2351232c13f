package validate

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// plainPattern is how long a pattern may be that is read at a glance: beside a longer one
// words say what it is.
const plainPattern = 32

// compileText compiles a rule for texts.
func compileText(t term, n *node) (*compiled, error) {
	if r, known := textRules[t.name]; known {
		return r.compile(t, n)
	}
	if compile, known := textParams[t.name]; known {
		if t.param == "" && t.name != "spicedb" {
			return nil, fmt.Errorf("the rule %s takes a value, as in %s=a", t.name, t.name)
		}
		c, err := compile(t, n)
		if err != nil {
			return nil, err
		}
		c.rule = t.name
		return c, attempt(t.text, n.typ)
	}
	return borrow(t, n)
}

func (r *textRule) compile(t term, n *node) (*compiled, error) {
	if t.text != t.name {
		return nil, fmt.Errorf("the rule %s takes no value", t.name)
	}
	c := &compiled{check: check{rule: t.name, phrase: r.phrase}, says: r.phrase}
	if ok := r.ok; ok != nil {
		c.ok = func(v reflect.Value) bool { return ok(v.String()) }
	} else {
		borrowed, err := borrow(t, n)
		if err != nil {
			return nil, err
		}
		c = borrowed
	}
	c.bounds = r.short
	if t.name == "ipv4" || t.name == "cidrv4" {
		asked := c.ok
		c.ok = func(v reflect.Value) bool { return !strings.Contains(v.String(), ":") && asked(v) }
	}
	expression := r.pattern
	if of := codes[t.name]; of != nil {
		expression = of()
	}
	c.keywords = addressKeywords(t.name, n)
	if expression != "" {
		c.keywords = []keyword{pattern(expression)}
	}
	c.exact = c.keywords != nil && !r.wider && !strings.HasPrefix(t.name, "iso3166_1_alpha_numeric")
	if r.within != "" {
		c.keywords = append(c.keywords, keyword{"allOf", "[" + members(pattern(r.within)) + "]"})
	}
	if r.format != "" {
		c.keywords = append([]keyword{{"format", jsonString(r.format)}}, c.keywords...)
	}
	if c.exact && (r.format != "" || (expression != "" && len(expression) <= plainPattern)) {
		c.says = ""
	}
	return c, nil
}

// textParams are the rules for texts that take a parameter.
var textParams = map[string]func(term, *node) (*compiled, error){
	"contains": func(t term, _ *node) (*compiled, error) {
		return texts("must contain "+quoted(t.param), pattern(literal(t.param)), func(s string) bool { return strings.Contains(s, t.param) }), nil
	},
	"excludes": func(t term, n *node) (*compiled, error) {
		k := n.negated(pattern(literal(t.param)))
		if utf8.RuneCountInString(t.param) == 1 {
			k = pattern("^[^" + inClass(t.param) + "]*$")
		}
		return texts("must not contain "+quoted(t.param), k, func(s string) bool { return !strings.Contains(s, t.param) }), nil
	},
	"containsany": func(t term, _ *node) (*compiled, error) {
		return texts("must contain one of the characters "+t.param, pattern("["+inClass(t.param)+"]"), func(s string) bool { return strings.ContainsAny(s, t.param) }), nil
	},
	"excludesall": func(t term, _ *node) (*compiled, error) {
		return texts("must contain none of the characters "+t.param, pattern("^[^"+inClass(t.param)+"]*$"), func(s string) bool { return !strings.ContainsAny(s, t.param) }), nil
	},
	"containsrune": func(t term, _ *node) (*compiled, error) {
		if utf8.RuneCountInString(t.param) != 1 {
			return nil, fmt.Errorf("the rule %s takes one character", t.name)
		}
		return texts("must contain "+quoted(t.param), pattern(literal(t.param)), func(s string) bool { return strings.Contains(s, t.param) }), nil
	},
	"excludesrune": func(t term, _ *node) (*compiled, error) {
		if utf8.RuneCountInString(t.param) != 1 {
			return nil, fmt.Errorf("the rule %s takes one character", t.name)
		}
		return texts("must not contain "+quoted(t.param), pattern("^[^"+inClass(t.param)+"]*$"), func(s string) bool { return !strings.Contains(s, t.param) }), nil
	},
	"startswith": func(t term, _ *node) (*compiled, error) {
		return texts("must begin with "+quoted(t.param), pattern("^"+literal(t.param)), func(s string) bool { return strings.HasPrefix(s, t.param) }), nil
	},
	"startsnotwith": func(t term, n *node) (*compiled, error) {
		return texts("must not begin with "+quoted(t.param), n.negated(pattern("^"+literal(t.param))), func(s string) bool { return !strings.HasPrefix(s, t.param) }), nil
	},
	"endswith": func(t term, _ *node) (*compiled, error) {
		return texts("must end with "+quoted(t.param), pattern(literal(t.param)+"$"), func(s string) bool { return strings.HasSuffix(s, t.param) }), nil
	},
	"endsnotwith": func(t term, n *node) (*compiled, error) {
		return texts("must not end with "+quoted(t.param), n.negated(pattern(literal(t.param)+"$")), func(s string) bool { return !strings.HasSuffix(s, t.param) }), nil
	},
	"eq_ignore_case": func(t term, _ *node) (*compiled, error) {
		c := texts("must be "+quoted(t.param)+" in any case", pattern("^"+inCase(t.param)+"$"), func(s string) bool { return strings.EqualFold(s, t.param) })
		c.says, c.bounds = c.phrase, true
		return c, nil
	},
	"ne_ignore_case": func(t term, n *node) (*compiled, error) {
		c := texts("must not be "+quoted(t.param)+" in any case", n.negated(pattern("^"+inCase(t.param)+"$")), func(s string) bool { return !strings.EqualFold(s, t.param) })
		c.says = c.phrase
		return c, nil
	},
	"oneofci":  func(t term, n *node) (*compiled, error) { return inAnyCase(t, n, false) },
	"noneofci": func(t term, n *node) (*compiled, error) { return inAnyCase(t, n, true) },
	"datetime": compileDatetime,
	"spicedb":  compileSpiceDB,
	"postcode_iso3166_alpha2": func(t term, n *node) (*compiled, error) {
		if !country.MatchString(t.param) {
			return nil, fmt.Errorf("the rule %s takes a country code of two capital letters", t.name)
		}
		c, err := borrow(t, n)
		if err == nil {
			c.phrase = "must be a postcode of the country " + t.param
			c.says = c.phrase
		}
		return c, err
	},
}

// texts is a compiled rule for texts that one keyword says exactly.
func texts(phrase string, k keyword, ok func(string) bool) *compiled {
	return &compiled{
		check:    check{phrase: phrase, ok: func(v reflect.Value) bool { return ok(v.String()) }},
		keywords: []keyword{k}, exact: true,
	}
}

func inAnyCase(t term, n *node, none bool) (*compiled, error) {
	values, err := listOf(t)
	if err != nil {
		return nil, err
	}
	shown, either := make([]string, len(values)), make([]string, len(values))
	for i, v := range values {
		shown[i], either[i] = quoted(v), inCase(v)
	}
	in := func(s string) bool {
		for _, v := range values {
			if strings.EqualFold(v, s) {
				return true
			}
		}
		return false
	}
	phrase, k := "must be one of "+strings.Join(shown, ", ")+" in any case", pattern("^("+strings.Join(either, "|")+")$")
	if none {
		phrase, k = "must be none of "+strings.Join(shown, ", ")+" in any case", n.negated(k)
	}
	c := texts(phrase, k, func(s string) bool { return in(s) != none })
	c.says, c.bounds = phrase, !none
	return c, nil
}

// compileDatetime is a time in a layout of package time.
func compileDatetime(t term, n *node) (*compiled, error) {
	if a, b := time.Unix(0, 0), time.Date(2111, 11, 22, 23, 33, 44, 555, time.UTC); a.UTC().Format(t.param) == b.Format(t.param) {
		return nil, fmt.Errorf("the rule datetime takes a layout as package time has it, as in datetime=2006-01-02: %q has no part of a time", t.param)
	}
	c, err := borrow(t, n)
	if err != nil {
		return nil, err
	}
	c.phrase = "must be a time in the layout " + t.param
	early := time.Date(2001, 1, 1, 1, 1, 1, 0, time.UTC)
	c.bounds = early.Format(t.param) == early.Add(9*time.Second).Format(t.param) // seconds have a fraction of any length
	c.says = c.phrase
	if t.param == time.DateOnly {
		c.phrase = "must be a date, as in 2006-01-02"
		c.says, c.keywords = c.phrase, []keyword{{"format", `"date"`}, pattern(`^\d{4}-\d\d-\d\d$`)}
	}
	return c, nil
}

// compileSpiceDB is one of three kinds of names.
func compileSpiceDB(t term, n *node) (*compiled, error) {
	var expression, noun string
	switch t.param {
	case "permission":
		expression, noun = `^([a-z][a-z0-9_]{1,62}[a-z0-9])?$`, "a permission"
	case "type":
		expression, noun = `^([a-z][a-z0-9_]{1,61}[a-z0-9]/)?[a-z][a-z0-9_]{1,62}[a-z0-9]$`, "a type"
	case "id", "":
		expression, noun = `^([\w/|=+-]+|\*)$`, "an object identifier"
	default:
		return nil, errors.New("the rule spicedb takes permission, type or id")
	}
	c, err := borrow(t, n)
	if err == nil {
		c.phrase = "must be " + noun + " of SpiceDB"
		c.says, c.exact, c.keywords = c.phrase, true, []keyword{pattern(expression)}
	}
	return c, err
}

// literal matches a text itself.
func literal(text string) string { return regexp.QuoteMeta(text) }

// inClass are characters as they stand in a class.
func inClass(characters string) string {
	var b strings.Builder
	for _, r := range characters {
		if strings.ContainsRune(`\]^[-`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// inCase matches a text in upper, lower and mixed case, as Unicode folds single
// characters.
func inCase(text string) string {
	var b strings.Builder
	for _, r := range text {
		forms := []rune{r}
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			forms = append(forms, f)
		}
		if len(forms) == 1 {
			b.WriteString(literal(string(r)))
			continue
		}
		b.WriteString("[" + inClass(string(forms)) + "]")
	}
	return b.String()
}
