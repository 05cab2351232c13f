package validate_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/safemcp/safemcp/validate"
)

// patternsIn are the regular expressions in a schema, wherever they stand.
func patternsIn(t *testing.T, schema []byte) (found []string) {
	t.Helper()
	var v any
	if err := json.Unmarshal(schema, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for name, e := range v {
				if text, is := e.(string); is && name == "pattern" {
					found = append(found, text)
				}
				walk(e)
			}
		}
	}
	walk(v)
	slices.Sort(found)
	return found
}

// A maker makes texts of regular expressions, and near misses of texts.
type maker struct{ *rand.Rand }

// match makes a text that an expression matches, most of the time.
func (m maker) match(re *syntax.Regexp, b *strings.Builder) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 && m.IntN(2) == 0 {
				r = unicode.SimpleFold(r)
			}
			b.WriteRune(r)
		}
	case syntax.OpCharClass:
		i := m.IntN(len(re.Rune)/2) * 2
		if m.IntN(3) > 0 { // classes that leave few out have huge ranges
			i = 0
		}
		low, high := re.Rune[i], re.Rune[i+1]
		b.WriteRune(low + m.Int32N(min(high-low, 200)+1))
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			m.match(sub, b)
		}
	case syntax.OpAlternate:
		m.match(re.Sub[m.IntN(len(re.Sub))], b)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		low, high := 0, 3
		switch re.Op {
		case syntax.OpPlus:
			low = 1
		case syntax.OpQuest:
			high = 1
		case syntax.OpRepeat:
			if low, high = re.Min, re.Max; high < 0 {
				high = low + 3
			}
		}
		if m.IntN(4) > 0 { // mostly short, sometimes as long as it gets
			high = min(high, low+3)
		}
		for range low + m.IntN(high-low+1) {
			m.match(re.Sub[0], b)
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteRune(rune(' ' + m.IntN(90)))
	}
}

const strange = "aZ09fgKkſK\u00b5\u03bcéß٣Ⅷ\n\r\t\v\x00\x7f -_.:/@#%?&=+,;[](){}<>|\\^$*'\"`~!\u2028\U0001F600"

// miss makes a text that is a little different.
func (m maker) miss(s string) string {
	r := []rune(s)
	pool := []rune(strange)
	at := m.IntN(len(r) + 1)
	switch m.IntN(9) {
	case 0:
		return s + "\n"
	case 1:
		return "\n" + s
	case 2:
		return string(slices.Insert(r, at, pool[m.IntN(len(pool))]))
	case 3:
		return s + s
	case 4:
		return strings.ToUpper(s)
	case 5:
		return string(r[:at])
	}
	if len(r) == 0 {
		return string(pool[m.IntN(len(pool))])
	}
	at = m.IntN(len(r))
	switch m.IntN(4) {
	case 0:
		return string(slices.Delete(r, at, at+1))
	case 1:
		return string(slices.Insert(r, at, r[at]))
	case 2:
		r[at] = r[m.IntN(len(r))]
	default:
		r[at] = pool[m.IntN(len(pool))]
	}
	return string(r)
}

// texts makes texts around what expressions take.
func (m maker) texts(t *testing.T, expressions []string, seeds []string, count int) []string {
	t.Helper()
	out := append([]string{"", "\n", " ", "a", "0", "é", "\x00"}, seeds...)
	var trees []*syntax.Regexp
	for _, e := range expressions {
		tree, err := syntax.Parse(e, syntax.Perl)
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		trees = append(trees, tree)
	}
	for len(out) < count {
		s := ""
		switch {
		case len(seeds) > 0 && m.IntN(3) == 0 || len(trees) == 0 && len(seeds) > 0:
			s = seeds[m.IntN(len(seeds))]
		case len(trees) > 0:
			var b strings.Builder
			m.match(trees[m.IntN(len(trees))], &b)
			s = b.String()
		}
		out = append(out, s)
		for range m.IntN(3) {
			s = m.miss(s)
			out = append(out, s)
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return !utf8.ValidString(s) })
}

// seedsOf are texts that rules take whose patterns do not tell them, and their edges.
var seedsOf = map[string][]string{
	"email": {"a@b.example", "ä@b.example"}, "url": {"https://example.org/a?b#c", "mailto:a@b", "file:///a"}, "uri": {"/a", "a:b", "https://a/#b"},
	"http_url": {"http://a", "HTTPS://a", "http:///a"}, "https_url": {"https://a.example:1/", "hTTps://a"},
	"origin": {"https://a.example", "http://[::1]:8080", "http://a:0", "HTTPS://a"}, "urn_rfc2141": {"urn:isbn:0451450523", "URN:a:b"}, "urn_rfc8141": {"urn:example:a?+b", "URN:example:c"},
	"lowercase": {"abc", "äöü", "Ⅷ"}, "uppercase": {"ABC", "ÄÖ"}, "json": {"{}", "[1,2]"},
	"ip":     {"1.2.3.4", "::1", "::ffff:1.2.3.4", "1::", "2001:db8::1", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "::1:2:3:4:5:1.2.3.4", "1:2:3:4:5::1.2.3.4", "01.2.3.4", "255.255.255.256"},
	"ipv4":   {"1.2.3.4", "255.255.255.255", "::ffff:1.2.3.4", "0.0.0.0", "1.2.3.04"},
	"ipv6":   {"::", "::1", "1::", "::ffff:1.2.3.4", "0:0:0:0:0:ffff::", "0:0:0:0:0:FFFF:1:2", "::0:ffff:1:2", "0::ffff:1:2", "::ffff:0:1.2.3.4", "::ffff:1:2:3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "1:2:3::5:6:7:8", "1::2::3", "1:::2", ":1::", "1::2:", "::ffff", "0:0:0:0:0:ffff:1::", "0:0:0:0:0:ffff::1", "::ffff:0:0", "::FfFf:0.0.0.0"},
	"cidr":   {"1.2.3.4/24", "1.2.3.4/0032", "1.2.3.4/33", "::1/128", "::1/129", "2001:db8::/32", "::ffff:1.2.3.4/120", "1.2.3.0/024", "::/0"},
	"cidrv4": {"1.2.3.0/24", "1.2.3.4/32", "1.2.3.4/24", "0.0.0.0/0", "::ffff:1.2.3.0/120"},
	"cidrv6": {"::1/128", "2001:db8::1/32", "::ffff:1.2.3.4/120", "::/0", "1:2:3:4:5:6:7:8/64", "1::/00000000064"},
	"mac":    {"00:00:5e:00:53:01", "02:00:5e:10:00:00:00:01", "00-00-5E-00-53-01", "0000.5e00.5301", "0200.5e10.0000.0001", "00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01", "0000.0000.fe80.0000.0000.0000.0200.5e10.0000.0001", "00:00-5e:00:53:01"},
	"fqdn":   {"a.example", "a.example.", "a-.b", strings.Repeat("a.", 125) + "com", strings.Repeat("a.", 125) + "com.", strings.Repeat("a.", 125) + "comm", strings.Repeat("a.", 125) + "comm.", "a..b", "1.2.3.4"},

	"hostname_port": {"a:1", "[a]:1", ":80", "[]:80", "a:65535", "a:65536", "a:+80", "a:-80", "a:0080", "[a:80", "a]:80", "[[a]]:80", "a:b:80", "a:0", "[a]b:80"},
	"duration":      {"1h", "1.5h", ".5s", "1.s", "-1m", "+0", "0", "1us", "1µs", "1μs", "1h1h", "9999999999h"},
	"cron":          {"@every 1h", "@every 1µs", "@every 1us2ms", "@daily", "* * * * *", "*/5 * * * *", "0 0 1-5 * MON#2 2020", "0 0 1-5 * MON ?", "1 2 3 4"},
	"isbn":          {"3-8362-4077-7", "978-3836240771", "4-444-44444-4"}, "isbn10": {"3836221195"}, "isbn13": {"978-3-8362-2119-1"}, "issn": {"1050-124X", "2049-3630"},
	"credit_card": {"4242424242424242", "4242 4242 4242 4242", "378282246310005"}, "luhn_checksum": {"00", "18", "4242424242424242"},
	"eth_addr_checksum": {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"},
	"btc_addr":          {"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"},
	"btc_addr_bech32":   {"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"},
	"iso3166_2":         {"FR-75", "US-CA", "GB-ENG"}, "bcp47_language_tag": {"en", "de-CH", "zh-Hant-TW"}, "bcp47_strict_language_tag": {"en", "de-CH", "i-klingon"},
	"iso3166_1_alpha_numeric": {"004", "4", "+4", "1004", "00000000000000000000000004", "-4", "250", "99250"}, "iso3166_1_alpha_numeric_eu": {"040", "40", "250", "1250"},
	"ulid": {"01ARZ3NDEKTSV4RRFFQ69G5FAV", "01arz3ndektsv4rrffq69g5fav"}, "multibyte": {"é", "aé"}, "html": {"<b>", "</b >", "<b\n>", "<b >\n", "<1>"},
	"datauri": {"data:,AAAA", "data:a;b,AAA=", "data:a,b,AAAA"}, "cve": {"CVE-2021-44228", "CVE-1999-0001", "CVE-2021-0é12", "CVE-2021-0000"},
}

// Each rule for texts: what the schema takes is what the rule takes, and what is compiled
// here gives validator's answers. Where the schema takes more it says so in words.
func TestRulesForTextsAreSaidAsTheyAreEnforced(t *testing.T) {
	t.Parallel()
	params := []string{
		"contains=a.b", "contains=é", "contains=0x2C", "containsany=a-]^\\\\[.0x7C", "containsrune=.", "containsrune=é", "excludes=ab", "excludes=.", "excludes=]", "excludesall=a-]^[\\\\", "excludesrune=^",
		"startswith=a+b", "endswith=$", "endswith=a\\\\", "startsnotwith=(a", "endsnotwith=a)", "eq_ignore_case=Straße k", "eq_ignore_case=KΣ.", "ne_ignore_case=sé", "oneofci=ab 'c d' K", "noneofci=ab 'c d' s",
		"oneof=a 'b c' d", "noneof=a 'b c' d", "eq=a b", "ne=a b", "datetime=2006-01-02", "datetime=15:04", "spicedb", "spicedb=id", "spicedb=permission", "spicedb=type", "postcode_iso3166_alpha2=GB",
		"isdefault", "len=2", "min=2", "gte=2", "max=3", "lte=3", "gt=1", "lt=4", "len=0x2", "max=010", "iscolor", "country_code", "eu_country_code", "alpha|numeric", "uuid4|eq=none|startswith=x-", "email|eq=a", "len=1|eq=bb",
	}
	for _, rule := range append(validate.TextRules(), params...) {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			name, _, _ := strings.Cut(rule, "=")
			tag := strings.ReplaceAll(rule, `\\`, `\`)
			for _, typ := range []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[*string]()} {
				raw, ok, exact, err := validate.CompileRules(typ, tag)
				if err != nil {
					t.Fatal(err)
				}
				if !exact && !strings.Contains(string(raw), `"description"`) {
					t.Errorf("neither keywords nor words say it: %s", raw)
				}
				if longest := slices.MaxFunc(append(patternsIn(t, raw), ""), func(a, b string) int { return len(a) - len(b) }); len(longest) > 60 && !strings.Contains(string(raw), `"description"`) && !strings.Contains(string(raw), `"format"`) {
					t.Errorf("nobody reads that at a glance, and no words say it: %s", raw)
				}
				schema := resolved(t, raw)
				if typ.Kind() == reflect.Pointer && schema.Validate(nil) != nil {
					t.Fatalf("%s refuses the null that a pointer takes", raw)
				}
				m := maker{rand.New(rand.NewPCG(7, uint64(len(rule))))}
				_, param, _ := strings.Cut(tag, "=")
				seeds := append(slices.Clone(seedsOf[name]), "a b", "ab", "A.B", "k", "K", "none", "x-", "12:30", "2024-02-29", "2023-02-29", "GIR 0AA", strings.ReplaceAll(strings.ReplaceAll(param, "0x2C", ","), "0x7C", "|"), "a"+param+"b")
				taken, refused := 0, 0
				count := 2000
				if typ.Kind() == reflect.Pointer { // of which the schema differs in what it says of null
					count = 200
				}
				for _, s := range m.texts(t, patternsIn(t, raw), seeds, count) {
					want := validate.Asked(s, tag) && (rule != "ipv4" && rule != "cidrv4" || !strings.Contains(s, ":"))
					said := schema.Validate(s) == nil
					switch {
					case ok(reflect.ValueOf(s)) != want:
						t.Fatalf("%q passes: %v; validator says %v", s, !want, want)
					case want && !said:
						t.Fatalf("%q is taken, and the schema %s refuses it", s, raw)
					case exact && want != said:
						t.Fatalf("%q is refused, and the schema %s takes it", s, raw)
					}
					if want {
						taken++
					} else {
						refused++
					}
				}
				if count > 200 && (taken < 3 || refused < 3) {
					t.Errorf("%d texts were taken and %d refused: this shows nothing", taken, refused)
				}
			}
		})
	}
}

// Expressions that package regexp and ECMA-262 with the flag u read alike hold nothing of
// what only one of them has, or reads in its own way.
func TestPatternsAreReadAlikeEverywhere(t *testing.T) {
	t.Parallel()
	for _, rule := range validate.TextRules() {
		raw, _, _, err := validate.CompileRules(reflect.TypeFor[string](), rule)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range patternsIn(t, raw) {
			if why := unlike(e); why != "" {
				t.Errorf("%s: %s: %s", rule, e, why)
			}
		}
	}
	for _, bad := range []string{`(?i)a`, `\Aa`, `a\z`, `[[:alpha:]]`, `\pL`, `a.b`, `\s`, `\S`, `a{1001}`, `\x{00A0}`, `\Qa\E`, `(?P<a>b)`, `\_`, `[\']`, `a{,3}`, `]`} {
		if unlike(bad) == "" {
			t.Errorf("%s is taken to be read alike", bad)
		}
	}
}

// unlike says what in an expression is not read alike.
func unlike(e string) string {
	if _, err := regexp.Compile(e); err != nil {
		return err.Error()
	}
	class := false
	for i := 0; i < len(e); i++ {
		rest := e[i:]
		switch c := e[i]; {
		case c == '\\':
			next := e[i+1]
			i++
			switch {
			case next == 'x' && regexp.MustCompile(`^\\x[0-9A-F]{2}`).MatchString(rest):
			case next == 'p' && strings.HasPrefix(rest, `\p{`):
				i += strings.IndexByte(rest, '}') - 1
			case class && next == '-', !class && next == 'b', strings.IndexByte(`dDwtnrf`, next) >= 0, strings.IndexByte(`^$\.*+?()[]{}|/`, next) >= 0:
			default:
				return "the escape \\" + string(next)
			}
		case class && c == ']':
			class = false
		case class && c == '[':
			return "a bracket in a class"
		case class:
		case c == '[':
			class = true
			if i+1 < len(e) && e[i+1] == '^' {
				i++
			}
			if i+1 < len(e) && e[i+1] == ']' {
				return "an empty class"
			}
		case c == '.':
			return "a dot, which differs on line ends"
		case c == ']' || c == '}':
			return "a bracket that closes nothing"
		case c == '(' && strings.HasPrefix(rest, "(?") && !strings.HasPrefix(rest, "(?:"):
			return "a group of its own kind"
		case c == '{':
			repeat := regexp.MustCompile(`^\{(\d+)(,\d*)?\}`).FindString(rest)
			if repeat == "" {
				return "a brace that repeats nothing"
			}
			i += len(repeat) - 1
		}
	}
	return ""
}

// A class that is wide leaves room for surprises: what the patterns say of code points is
// asked of those that fold, and of line ends.
func TestFoldingIsWhatValidatorFolds(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"k", "Σ", "ß", "i", "ǅ", "é", "."} {
		tag := "eq_ignore_case=" + letter
		raw, ok, _, err := validate.CompileRules(reflect.TypeFor[string](), tag)
		if err != nil {
			t.Fatal(err)
		}
		schema := resolved(t, raw)
		for r := range rune(0xfb10) {
			if r >= 0x600 && r < 0x1e00 || r >= 0x2200 && r < 0xfb00 { // nothing there folds to these
				continue
			}
			s := string(r)
			if want := validate.Asked(s, tag); (schema.Validate(s) == nil) != want || ok(reflect.ValueOf(s)) != want {
				t.Errorf("%s and %s: %v", letter, fmt.Sprintf("%U", r), want)
			}
		}
	}
}
