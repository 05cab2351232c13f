package arg_test

import (
	"encoding"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/safemcp/safemcp/validate/arg"
)

// bad is not taken, by one type or another.
var bad = []string{"", "..", "../../etc/passwd", "http://127.1/", "a\x00", "-x", "'; DROP TABLE x; --", "(a{999}){999}", "https://[::ffff:7f00:1]/"}

// seed gives a fuzzer what it is told, and lines of the corpus.
func seed(f *testing.F, all []string, part string) {
	f.Helper()
	for _, s := range all {
		f.Add(s)
	}
	files, _ := filepath.Glob(filepath.Join(os.Getenv("SAFEMCP_CORPORA"), "patt", part, "Intruder", "*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			if n++; n%10 == 0 {
				f.Add(strings.TrimSpace(line))
			}
		}
	}
}

// same says that what was read is written so that it is read as the same again.
func same[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, v interface{ MarshalText() ([]byte, error) }, sent string, schema fieldSchema) string {
	t.Helper()
	if !utf8.ValidString(sent) || sent == "" || strings.ContainsFunc(sent, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
		t.Errorf("%q is taken", sent)
	}
	if err := schema.takes(t, sent); err != nil {
		t.Errorf("%q is taken, but not by its schema: %v", sent, err)
	}
	text, err := v.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	again := new(T)
	if err := P(again).UnmarshalText(text); err != nil {
		t.Errorf("%q is written as %q, which is not taken: %v", sent, text, err)
	}
	twice, _ := any(again).(encoding.TextMarshaler).MarshalText()
	if string(twice) != string(text) {
		t.Errorf("%q, then %q, then %q", sent, text, twice)
	}
	return string(text)
}

func FuzzPath(f *testing.F) {
	seed(f, slices.Concat(goodPaths, bad), "Directory Traversal")
	top, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	dir := filepath.Join(top, "in")
	put(f, filepath.Join(top, "secret"), outside)
	put(f, filepath.Join(dir, "a"), inside)
	for link, to := range map[string]string{"u": "..", "l": filepath.Join(top, "secret"), "d/up": "../..", "ok": "a"} {
		if err := os.MkdirAll(filepath.Join(dir, "d"), 0o700); err != nil {
			f.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			f.Logf("there is no link %s: %v", link, err) // not everybody may make them on Windows
		}
	}
	bind(f, dir, arg.PathOptions{})
	_, schema := decoder[arg.Path[Tree]](f)
	f.Fuzz(func(t *testing.T, s string) {
		var p arg.Path[Tree]
		if p.UnmarshalText([]byte(s)) != nil {
			if !p.IsZero() {
				t.Errorf("%q is refused and kept", s)
			}
			return
		}
		same[arg.Path[Tree]](t, p, s, schema)
		if !fs.ValidPath(s) || !filepath.IsLocal(s) || strings.ContainsAny(s, `\:`) {
			t.Errorf("%q is taken", s)
		}
		if told := try(p); strings.Contains(told, outside) || strings.Contains(told, top) {
			t.Errorf("%q: %s", s, told)
		}
		if _, err := os.Open(p.String()); err == nil {
			t.Errorf("%q is opened by its printed form", s)
		}
		leadsOut(t, p, dir, s)
	})
}

// leadsOut fails where a path leads out of the directory, as the system reads it, and
// something is told of what is there.
func leadsOut(t *testing.T, p arg.Path[Tree], dir, s string) {
	t.Helper()
	leads, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(s)))
	if err != nil {
		return
	}
	within, err := filepath.Rel(dir, leads)
	if err == nil && filepath.IsLocal(within) {
		return
	}
	_, read := p.ReadFile()
	_, listed := p.List()
	_, described := p.Stat()
	_, opened := p.Open()
	if read == nil || listed == nil || described == nil || opened == nil {
		t.Errorf("%q leads to %s: read %v, listed %v, described %v, opened %v", s, leads, read, listed, described, opened)
	}
}

// worldwide are the addresses of IPv6 that IANA gives to hosts.
var worldwide = netip.MustParsePrefix("2000::/3")

func FuzzURL(f *testing.F) {
	seed(f, slices.Concat(goodURLs, bad), "Directory Traversal")
	for _, s := range []string{"https://1.1.1.1", "http://0x7f.1/", "https://a@b.com", `https://a.com\@b.com`, "https://example.com:65535", "https://[2606:4700:4700::1111%25a]/", "https://a.com/%2e%2E/%2f?%41#%7e"} {
		f.Add(s)
	}
	_, schema := decoder[arg.URL[anywhere]](f)
	f.Fuzz(func(t *testing.T, s string) {
		var u arg.URL[anywhere]
		if u.UnmarshalText([]byte(s)) != nil {
			if !u.IsZero() {
				t.Errorf("%q is refused and kept", s)
			}
			return
		}
		text := same[arg.URL[anywhere]](t, u, s, schema)
		parsed, err := u.URL()
		if err != nil || parsed.String() != text || parsed.User != nil || parsed.Opaque != "" || !slices.Contains([]string{"http", "https", "ws", "wss"}, parsed.Scheme) {
			t.Fatalf("%q is %#v: %v", s, parsed, err)
		}
		host := parsed.Hostname()
		if internalName(host) || host != strings.ToLower(host) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
			t.Errorf("%q is %q", s, text)
		}
		if ip := lenient(host); ip != nil {
			a, err := netip.ParseAddr(host)
			if err != nil || a.String() != host || !outsideAddress(ip) || a.Is4In6() || a.Zone() != "" || a.Is6() && !worldwide.Contains(a) {
				t.Errorf("%q leads to %s", s, host)
			}
		}
		if port := parsed.Port(); port != "" && !slices.Contains([]string{"22", "80", "443", "8080", "6379", "11211"}, port) {
			t.Errorf("%q leads to the port %s", s, port)
		}
		for segment := range strings.SplitSeq(parsed.Path, "/") {
			if (segment == ".." || segment == ".") && !strings.Contains(strings.ToUpper(parsed.RawPath), "%2F") {
				t.Errorf("%q is %q", s, text)
			}
		}
	})
}

func FuzzIdentifier(f *testing.F) {
	// Quotes are left for the fuzzer to find.
	seed(f, slices.DeleteFunc(slices.Concat(goodNames, bad), func(s string) bool { return strings.ContainsAny(s, "\"`[]") }), "SQL Injection")
	_, s1 := decoder[arg.Identifier[arg.PostgreSQL]](f)
	_, s2 := decoder[arg.Identifier[arg.MySQL]](f)
	_, s3 := decoder[arg.Identifier[arg.SQLite]](f)
	_, s4 := decoder[arg.Identifier[arg.SQLServer]](f)
	f.Fuzz(func(t *testing.T, s string) {
		one[arg.PostgreSQL](t, s, s1, '"', '"')
		one[arg.MySQL](t, s, s2, '`', '`')
		one[arg.SQLite](t, s, s3, '`', '`')
		one[arg.SQLServer](t, s, s4, '[', ']')
	})
}

func one[D arg.Dialect](t *testing.T, s string, schema fieldSchema, open, end rune) {
	t.Helper()
	var i arg.Identifier[D]
	if i.UnmarshalText([]byte(s)) != nil {
		if !i.IsZero() {
			t.Errorf("%q is refused and kept", s)
		}
		return
	}
	same[arg.Identifier[D]](t, i, s, schema)
	if name, rest, ok := unquoted(i.String()+" AND MORE", open, end); !ok || name != s || rest != " AND MORE" {
		t.Errorf("%q is quoted as %s", s, i)
	}
	if strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") {
		t.Errorf("%q is taken", s)
	}
}

func FuzzOption(f *testing.F) {
	seed(f, slices.Concat(goodArguments, bad), "Command Injection")
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	p, err := arg.NewProgram(self, &arg.ProgramOptions{Options: []string{"-n"}})
	if err != nil {
		f.Fatal(err)
	}
	_, schema := decoder[arg.Option](f)
	f.Fuzz(func(t *testing.T, s string) {
		var o arg.Option
		if o.UnmarshalText([]byte(s)) != nil {
			if !o.IsZero() {
				t.Errorf("%q is refused and kept", s)
			}
			return
		}
		same[arg.Option](t, o, s, schema)
		cmd, err := arg.Command(t.Context(), p, o, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cmd.Args, []string{self, "-n", "--", s, s}) || cmd.Path != self || unicode.Is(unicode.Dash, []rune(s)[0]) {
			t.Errorf("%q", cmd.Args)
		}
		// One word of a shell: nothing is outside of the quotes but escaped ones.
		if inner := strings.ReplaceAll(o.String(), `'\''`, ""); strings.Count(inner, "'") != 2 || inner[0] != '\'' || inner[len(inner)-1] != '\'' {
			t.Errorf("%s", o)
		}
	})
}

func FuzzPattern(f *testing.F) {
	seed(f, slices.Concat(goodPatterns, bad), "SQL Injection")
	for _, s := range []string{"(a{30}){30}", `\pL{100}`, "(?i)k{100}", "((a*)*)*", `[^a]{500}`, "(|a){20}", `\Q...\E`} {
		f.Add(s)
	}
	_, schema := decoder[arg.Pattern](f)
	f.Fuzz(func(t *testing.T, s string) {
		var p arg.Pattern
		if p.UnmarshalText([]byte(s)) != nil {
			if !p.IsZero() {
				t.Errorf("%q is refused and kept", s)
			}
			return
		}
		same[arg.Pattern](t, p, s, schema)
		if p.MaxInput() < 1<<10 {
			t.Errorf("%q takes %d bytes", s, p.MaxInput())
		}
		if steps := arg.Steps(s); steps > arg.Counted(s) {
			t.Errorf("%q is compiled to %d instructions, and counted as %d", s, steps, arg.Counted(s))
		}
		if work := p.MaxInput() * arg.Steps(s); work > 32<<20 {
			t.Errorf("%q takes %d bytes, which is %d steps", s, p.MaxInput(), work)
		}
		if _, err := p.MatchString(s + "aaaa"); err != nil {
			t.Error(err)
		}
	})
}
