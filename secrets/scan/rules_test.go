package scan

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// gitleaksRules reads what is needed of a file of rules: in [[rules]], the keys id,
// regex, keywords, entropy and secretGroup, whose values are on one line, or a list
// over several.
func gitleaksRules(t *testing.T) []Rule {
	t.Helper()
	dir := os.Getenv("SAFEMCP_CORPORA")
	if dir == "" {
		t.Skip("SAFEMCP_CORPORA is not set")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "gitleaks", "gitleaks.toml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []Rule
	inside := false
	lines := strings.Split(string(raw), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if strings.HasPrefix(line, "[") {
			if inside = line == "[[rules]]"; inside {
				all = append(all, Rule{})
			}
			continue
		}
		key, value, ok := strings.Cut(line, " = ")
		if !ok || !inside {
			continue
		}
		for strings.HasPrefix(value, "[") && !strings.HasSuffix(value, "]") {
			i++
			value += strings.TrimSpace(lines[i])
		}
		r := &all[len(all)-1]
		var err error
		switch key {
		case "id":
			r.ID, err = tomlString(value)
		case "regex":
			r.Pattern, err = tomlString(value)
		case "entropy":
			r.Entropy, err = strconv.ParseFloat(value, 64)
		case "secretGroup":
			r.Group, err = strconv.Atoi(value)
		case "keywords":
			for item := range strings.SplitSeq(strings.Trim(value, "[],"), ",") {
				if item = strings.TrimSpace(item); item == "" {
					continue
				}
				var word string
				if word, err = tomlString(item); err != nil {
					break
				}
				r.Keywords = append(r.Keywords, word)
			}
		}
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
	}
	return all
}

func tomlString(value string) (string, error) {
	for _, quote := range []string{"'''", "'"} {
		if inner, ok := strings.CutPrefix(value, quote); ok {
			if inner, ok = strings.CutSuffix(inner, quote); ok {
				return inner, nil
			}
		}
	}
	if strings.HasPrefix(value, `"""`) {
		return "", errors.New("a string of several lines")
	}
	return strconv.Unquote(value)
}

// generate writes a text that e matches, chosen at random.
func generate(r *rand.Rand, e *syntax.Regexp, b *strings.Builder) {
	switch e.Op {
	case syntax.OpLiteral:
		for _, c := range e.Rune {
			if e.Flags&syntax.FoldCase != 0 && c < 0x80 && r.IntN(2) == 0 {
				c = []rune(strings.ToLower(string(c)))[0]
			}
			b.WriteRune(c)
		}
	case syntax.OpCharClass:
		for range 100 {
			i := 2 * r.IntN(len(e.Rune)/2)
			c := e.Rune[i] + rune(r.IntN(int(min(e.Rune[i+1], e.Rune[i]+200)-e.Rune[i])+1))
			if c >= ' ' && c < 0x7f || len(e.Rune) == 2 && e.Rune[1] < 0x80 {
				b.WriteRune(c)
				return
			}
		}
		b.WriteRune(e.Rune[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte(byte(' ' + r.IntN(95)))
	case syntax.OpCapture:
		generate(r, e.Sub[0], b)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		least, most := e.Min, e.Max
		switch e.Op {
		case syntax.OpStar:
			least, most = 0, 3
		case syntax.OpPlus:
			least, most = 1, 4
		case syntax.OpQuest:
			least, most = 0, 1
		default:
			if most < 0 || most > least+40 {
				most = least + 10
			}
		}
		for range least + r.IntN(most-least+1) {
			generate(r, e.Sub[0], b)
		}
	case syntax.OpConcat:
		for _, part := range e.Sub {
			generate(r, part, b)
		}
	case syntax.OpAlternate:
		generate(r, e.Sub[r.IntN(len(e.Sub))], b)
	}
}

type hit struct {
	id       string
	from, to int
}

// everywhere runs every rule one of whose keywords is in the text, over all of it.
func everywhere(rules *Rules, text []byte) (hits []hit) {
	low := bytes.ToLower(text)
	for i := range rules.rules {
		r := &rules.rules[i]
		if !slices.ContainsFunc(r.Keywords, func(k string) bool { return bytes.Contains(low, []byte(strings.ToLower(k))) }) {
			continue
		}
		for _, s := range r.find(text, stretch{0, len(text)}, nil) {
			hits = append(hits, hit{r.ID, s.start, s.end})
		}
	}
	return hits
}

func nearby(rules *Rules, text []byte) (hits []hit) {
	for _, s := range rules.find(text, nil) {
		hits = append(hits, hit{strings.TrimPrefix(s.of.label, "pattern:"), s.start, s.end})
	}
	return hits
}

// Running each expression near its keywords alone finds exactly what running it over
// the whole of every text does.
func findsTheSame(t *testing.T, all []Rule) {
	t.Helper()
	rules, err := NewRules(all)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(21, 22))
	noise := []string{" ", "\n", "a", `"`, "key = ", "token: ", "secret", "=", ";", ": ", "é", "0", "aws", "https://", "lorem ipsum dolor ", "\x00", "adobe", "client_secret", strings.Repeat("x y ", 100)}
	met, near := map[string]int{}, 0
	for i := range rules.rules {
		tree, err := syntax.Parse(rules.rules[i].Pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if rules.rules[i].reach > 0 {
			near++
		}
		for range 8 {
			var b strings.Builder
			for range 1 + r.IntN(3) {
				for range r.IntN(8) {
					b.WriteString(noise[r.IntN(len(noise))])
				}
				if r.IntN(4) == 0 {
					b.WriteString(rules.rules[i].Keywords[0])
				}
				generate(r, tree, &b)
			}
			for range r.IntN(8) {
				b.WriteString(noise[r.IntN(len(noise))])
			}
			text := []byte(b.String())
			want, got := everywhere(rules, text), nearby(rules, text)
			if !slices.Equal(want, got) {
				t.Fatalf("%s: in %q\nnear keywords: %v\neverywhere: %v", rules.rules[i].ID, text, got, want)
			}
			for _, h := range want {
				met[h.id]++
			}
		}
	}
	t.Logf("%d of %d rules run near their keywords alone, %d have been met", near, len(all), len(met))
	if len(met) < len(all)*9/10 {
		t.Errorf("only %d of %d rules found something in texts made for them", len(met), len(all))
	}
	if near < len(all)/2 {
		t.Errorf("only %d of %d rules run near their keywords alone", near, len(all))
	}
}

func TestNearKeywordsTheSameIsFoundAsEverywhere(t *testing.T) {
	t.Parallel()
	t.Run("default", func(t *testing.T) {
		t.Parallel()
		findsTheSame(t, DefaultRules())
	})
	t.Run("gitleaks", func(t *testing.T) {
		t.Parallel()
		all := gitleaksRules(t)
		if len(all) != 222 {
			t.Errorf("there are %d rules", len(all))
		}
		// One of them is of the names of files, and has no expression.
		all = slices.DeleteFunc(all, func(r Rule) bool { return r.Pattern == "" })
		if len(all) != 221 {
			t.Errorf("%d rules have an expression", len(all))
		}
		findsTheSame(t, all)
	})
}

func TestWhatIsWrongWithARuleIsSaid(t *testing.T) {
	t.Parallel()
	good := Rule{ID: "a", Pattern: "key-[0-9]{4}", Keywords: []string{"key-"}}
	for want, edit := range map[string]func(*Rule){
		"none of package regexp": func(r *Rule) { r.Pattern = `(?<!x)key-(?=\d)` },
		"unterminated":           nil,
		"empty text":             func(r *Rule) { r.Pattern = `(?:key-)?` },
		"is empty":               func(r *Rule) { r.Pattern = "" },
		"no Keywords":            func(r *Rule) { r.Keywords = nil },
		"2 to 128 bytes":         func(r *Rule) { r.Keywords = []string{"k"} },
		"no group 2":             func(r *Rule) { r.Group = 2 },
		"ID has to be":           func(r *Rule) { r.ID = "a]b" },
		`rule 1, "b"`:            func(r *Rule) { r.ID, r.Pattern = "b", "[" },
		"another rule":           func(*Rule) {},
	} {
		if edit == nil {
			continue
		}
		wrong := good
		edit(&wrong)
		rules, err := NewRules([]Rule{good, wrong})
		if err == nil || rules != nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "secrets: rule 1") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestSecretsThatNobodyIssued(t *testing.T) {
	t.Parallel()
	rules, err := NewRules(DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	set := New(&Options{Rules: rules})
	r := rand.New(rand.NewPCG(23, 24))
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567abcdefghijklmnopqrstuvwxyz0123456789"[r.IntN(68)]
		}
		return string(b)
	}
	token := "ghp_" + random(36)
	key := "-----BEGIN RSA PRIVATE KEY-----\n" + random(64) + "\n" + random(64) + "\n-----END RSA PRIVATE KEY-----"
	for text, want := range map[string]string{
		"x " + token + " y":                    "x [redacted:pattern:github-token] y",
		`{"t":"` + token + `"}`:                `{"t":"[redacted:pattern:github-token]"}`,
		`{"t":"\u0067` + token[1:] + `"}`:      `{"t":"[redacted:pattern:github-token]"}`,
		key:                                    "[redacted:pattern:private-key]",
		fmt.Sprintf(`{"k":%q}`, key):           `{"k":"[redacted:pattern:private-key]"}`,
		"postgres://app:hunter22@db.example/x": "postgres://app:[redacted:pattern:url-password]@db.example/x",
		"https://docs.example:8080/a@b":        "https://docs.example:8080/a@b",
		"ghp_" + strings.Repeat("a", 36):       "ghp_" + strings.Repeat("a", 36),
		"nothing at all":                       "nothing at all",
	} {
		clean, found := set.RedactString(text)
		if clean != want || (found != nil) != (want != text) {
			t.Errorf("%s became %s, found %q", text, clean, found)
		}
		if again, _ := set.RedactString(clean); again != clean {
			t.Errorf("%s became %s when it was redacted again", clean, again)
		}
	}
}

// An expression that does not match the empty text may match nothing in another.
func TestARuleNeverMarksWhereNothingStands(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{`(?:hush-\d+)?\b`, `\b`} {
		rules, err := NewRules([]Rule{{ID: "x", Pattern: pattern, Keywords: []string{"hush-"}}})
		if err != nil {
			t.Fatal(err)
		}
		set := New(&Options{Rules: rules})
		if clean, _ := set.RedactString("a b hush- c"); clean != "a b hush- c" {
			t.Errorf("%s: left %q", pattern, clean)
		}
	}
}
