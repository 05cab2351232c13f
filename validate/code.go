package validate

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// codes are the rules that take codes from a list which validator holds: what is in it is
// asked of validator, once, when a type first needs it.
var codes = map[string]func() string{
	"iso3166_1_alpha2":           codesOf("iso3166_1_alpha2", 2),
	"iso3166_1_alpha2_eu":        codesOf("iso3166_1_alpha2_eu", 2),
	"iso3166_1_alpha3":           codesOf("iso3166_1_alpha3", 3),
	"iso3166_1_alpha3_eu":        codesOf("iso3166_1_alpha3_eu", 3),
	"iso4217":                    codesOf("iso4217", 3),
	"iso3166_1_alpha_numeric":    numericCodes("iso3166_1_alpha_numeric"),
	"iso3166_1_alpha_numeric_eu": numericCodes("iso3166_1_alpha_numeric_eu"),
}

// codesOf is the pattern of a list of codes of so many upper-case letters.
func codesOf(rule string, size int) func() string {
	return sync.OnceValue(func() string {
		var found []string
		code := make([]byte, size)
		var try func(at int)
		try = func(at int) {
			if at == size {
				if engine().Var(string(code), rule) == nil {
					found = append(found, string(code))
				}
				return
			}
			for c := byte('A'); c <= 'Z'; c++ {
				code[at] = c
				try(at + 1)
			}
		}
		try(0)
		return "^" + alternation(found) + "$"
	})
}

// numericCodes is the pattern of a list of numbers below a thousand, of which validator
// takes every number with the same last three digits.
func numericCodes(rule string) func() string {
	return sync.OnceValue(func() string {
		var full, brief []string
		for i := range 1000 {
			s := strconv.Itoa(i)
			if engine().Var(s, rule) != nil {
				continue
			}
			padded := strings.Repeat("0", 3-len(s)) + s
			full = append(full, padded)
			for k := 1; k < 3 && padded[:k] == strings.Repeat("0", k); k++ {
				brief = append(brief, padded[k:])
			}
		}
		expression := `\d*` + alternation(full)
		if len(brief) > 0 {
			expression = "(" + expression + "|" + alternation(brief) + ")"
		}
		return `^\+?` + expression + "$"
	})
}

// currencyNumbers are the numbers that iso4217_numeric takes, as JSON.
var currencyNumbers = sync.OnceValue(func() string {
	var found []string
	for i := range 1000 {
		if engine().Var(i, "iso4217_numeric") == nil {
			found = append(found, strconv.Itoa(i))
		}
	}
	return "[" + strings.Join(found, ",") + "]"
})

// alternation is a short regular expression of some texts of letters and digits.
func alternation(texts []string) string {
	rest := map[byte][]string{}
	whole := false
	for _, s := range texts {
		if s == "" {
			whole = true
			continue
		}
		rest[s[0]] = append(rest[s[0]], s[1:])
	}
	var order []string // of what follows, each once
	heads := map[string][]byte{}
	for _, c := range slices.Sorted(maps.Keys(rest)) {
		tail := alternation(rest[c])
		if heads[tail] == nil {
			order = append(order, tail)
		}
		heads[tail] = append(heads[tail], c)
	}
	var parts []string
	for _, tail := range order {
		parts = append(parts, oneByte(heads[tail])+tail)
	}
	if len(parts) == 0 {
		return ""
	}
	out := strings.Join(parts, "|")
	if one := len(parts) == 1 && (len(out) == 1 || strings.IndexByte(out, ']') == len(out)-1 && out[0] == '['); len(parts) > 1 || (whole && !one) {
		out = "(" + out + ")"
	}
	if whole {
		out += "?"
	}
	return out
}

// oneByte is a class of letters and digits, in order.
func oneByte(of []byte) string {
	if len(of) == 1 {
		return string(of)
	}
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; i < len(of); {
		j := i
		for j+1 < len(of) && of[j+1] == of[j]+1 {
			j++
		}
		b.WriteByte(of[i])
		if j > i+1 {
			b.WriteByte('-')
		}
		if j > i {
			b.WriteByte(of[j])
		}
		i = j + 1
	}
	b.WriteByte(']')
	return b.String()
}
